// Checks of Go drivers; see main.go.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
)

// seat is where the program was started from; see `seatEnvironment`.
type seat struct {
	tenant, strategy, login string
	sharesServers           bool
	answers                 *bufio.Scanner
}

func takeSeat() *seat {
	return &seat{
		tenant:        os.Getenv("PGUSHER_TENANT"),
		strategy:      os.Getenv("PGUSHER_STRATEGY"),
		login:         os.Getenv("PGUSHER_LOGIN"),
		sharesServers: os.Getenv("PGUSHER_MODE") == "transaction",
		answers:       bufio.NewScanner(os.Stdin),
	}
}

// failure ends a check early.
type failure struct{ error }

// report runs a check and prints its result as `runProgram` reads it.
func report(name string, check func()) {
	ok, detail := true, ""
	func() {
		defer func() {
			switch found := recover().(type) {
			case nil:
			case failure:
				ok, detail = false, found.Error()
			default:
				panic(found)
			}
		}()
		check()
	}()
	line, _ := json.Marshal(map[string]interface{}{"check": name, "ok": ok, "detail": detail})
	fmt.Println(string(line))
}

func must(err error, what string) {
	if err != nil {
		fail("%s: %v", what, err)
	}
}

func equal(found, wanted interface{}, what string) {
	if found != wanted {
		fail("%s: found %v, wanted %v", what, found, wanted)
	}
}

func fail(format string, values ...interface{}) {
	panic(failure{fmt.Errorf(format, values...)})
}

const roundsBetweenSwaps = 4

// onChangingServers runs work, which returns the process id of the server it ran on, each time in a
// transaction of its own. In between, every few rounds, the server connection changes hands; where
// sessions keep theirs, others work.
func (s *seat) onChangingServers(rounds int, work func(round int) int) {
	before := 0
	for round := 0; round < rounds; round++ {
		server := work(round)
		if round > 0 && round%roundsBetweenSwaps == 0 {
			equal(server != before, s.sharesServers, fmt.Sprint("another server, round ", round))
		}
		if (round+1)%roundsBetweenSwaps == 0 {
			s.swap(server)
		}
		before = server
	}
	s.swap(0)
}

// swap has others use all free server connections, and keep the one with that process id.
func (s *seat) swap(server int) {
	fmt.Printf("{\"swap\":%d}\n", server)
	if !s.answers.Scan() {
		fail("nobody swaps")
	}
}
