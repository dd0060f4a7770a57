// What an application does through a Go driver: `drivers pgx` or `drivers pq`.
package main

import (
	"fmt"
	"os"
)

func main() {
	seat := takeSeat()
	switch os.Args[1] {
	case "pgx":
		checkPgx(seat)
	case "pq":
		checkPq(seat)
	default:
		fmt.Fprintln(os.Stderr, "no such driver:", os.Args[1])
		os.Exit(2)
	}
}
