// lib/pq at the console, as the exporter of the Prometheus community uses it.
package main

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/lib/pq"
)

func report(check string, err error) {
	detail := ""
	if err != nil {
		detail = err.Error()
	}
	line, _ := json.Marshal(map[string]any{"check": check, "ok": err == nil, "detail": detail})
	fmt.Println(string(line))
}

// Scans every row of a command into values of whatever types the driver makes of them.
func scan(db *sql.DB, command string) (count int, err error) {
	rows, err := db.Query(command)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return 0, err
	}
	values := make([]any, len(names))
	targets := make([]any, len(names))
	for index := range values {
		targets[index] = &values[index]
	}
	for rows.Next() {
		if err := rows.Scan(targets...); err != nil {
			return count, err
		}
		count++
	}
	return count, rows.Err()
}

func prepared(db *sql.DB) error {
	statement, err := db.Prepare("SHOW LISTS")
	if err != nil {
		return err
	}
	defer statement.Close()
	for round := 0; round < 3; round++ {
		rows, err := statement.Query()
		if err != nil {
			return err
		}
		count := 0
		for rows.Next() {
			var list string
			var items int
			if err := rows.Scan(&list, &items); err != nil {
				return err
			}
			count++
		}
		if count != 12 {
			return fmt.Errorf("%d lists", count)
		}
	}
	return nil
}

func refused(db *sql.DB) error {
	_, err := db.Exec("PAUSE")
	var refusal *pq.Error
	if errors.As(err, &refusal) && refusal.Code == "42501" {
		return nil
	}
	return fmt.Errorf("not refused: %v", err)
}

func main() {
	for _, options := range []string{"", "binary_parameters=yes"} {
		db, err := sql.Open("postgres", "sslmode=disable "+options)
		if err != nil {
			report("open", err)
			os.Exit(1)
		}
		db.SetMaxOpenConns(1)
		suffix := ""
		if options != "" {
			suffix = ", binary parameters"
		}
		_, err = scan(db, "SHOW STATS")
		for _, command := range []string{"POOLS", "DATABASES", "STATS_TOTALS", "LISTS", "CONFIG", "VERSION"} {
			if err == nil {
				_, err = scan(db, "SHOW "+command+";")
			}
		}
		report("pq, queries"+suffix, err)
		report("pq, prepared"+suffix, prepared(db))
		report("pq, refused"+suffix, refused(db))
		report("pq, ping"+suffix, db.Ping())
		db.Close()
	}
}
