package main

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/lib/pq"
)

type pqCheck func(ctx context.Context, s *seat, conn *sql.Conn)

func checkPq(s *seat) {
	s.pq("tag in the user", "", pqOwnRow)
	s.pq("tag in a parameter", s.untagged()+" tenant="+s.tenant, pqOwnRow)
	s.pq("tag in options", s.untagged()+" options='-c pgusher.tenant="+s.tenant+"'", pqOwnRow)
	s.pq("tag in a URL", s.url(), pqOwnRow)
	s.pq("queries", "", pqQueries)
	s.pq("queries, binary parameters", "binary_parameters=yes", pqQueries)
	s.pq("prepared statements", "", pqPrepared)
	s.pq("typed parameters", "", pqTypedParameters)
	s.pq("savepoint and rollback", "", pqSavepoint)
	s.pq("errors", "", pqErrors)
	s.pq("COPY", "", pqCopy)
	s.pq("large values", "", pqLargeValues)
	s.pq("cancel by context", "", pqCancel)
	s.pq("LISTEN and NOTIFY", "", pqNotifications)
	s.pq("read-only transactions", "", pqReadOnly)
	s.pq("several statements in one string", "", pqSeveralStatements)
}

func (s *seat) untagged() string { return "user=" + s.login }

func (s *seat) url() string {
	return fmt.Sprintf("postgres://%s:%s@%s/%s?sslmode=disable&tenant=%s", s.login,
		strings.ReplaceAll(os.Getenv("PGPASSWORD"), " ", "%20"),
		net.JoinHostPort(os.Getenv("PGHOST"), os.Getenv("PGPORT")), os.Getenv("PGDATABASE"), s.tenant)
}

func (s *seat) pq(name, options string, check pqCheck) {
	report(name, func() {
		ctx, stop := context.WithTimeout(context.Background(), 20*time.Second)
		defer stop()
		db := openPq(options)
		defer db.Close()
		conn, err := db.Conn(ctx)
		must(err, "connect")
		defer conn.Close()
		check(ctx, s, conn)
	})
}

// openPq takes what options leave out from libpq's environment variables.
func openPq(options string) *sql.DB {
	if !strings.HasPrefix(options, "postgres://") {
		options = "sslmode=disable " + options
	}
	db, err := sql.Open("postgres", options)
	must(err, "open")
	db.SetMaxOpenConns(1)
	return db
}

func pqOwnRow(ctx context.Context, s *seat, conn *sql.Conn) {
	var owner string
	must(conn.QueryRowContext(ctx, "SELECT owner FROM items").Scan(&owner), "owner")
	equal(owner, s.tenant, "owner")
}

func pqAsk(s *seat, row *sql.Row, round int) int {
	var owner string
	var server, sum int
	must(row.Scan(&owner, &server, &sum), "query")
	equal(owner, s.tenant, "owner")
	equal(sum, round+1, "sum")
	return server
}

func pqQueries(ctx context.Context, s *seat, conn *sql.Conn) {
	s.onChangingServers(12, func(round int) int {
		return pqAsk(s, conn.QueryRowContext(ctx, ownerQuery, round, 1), round)
	})
	s.onChangingServers(6, func(round int) int {
		tx, err := conn.BeginTx(ctx, nil)
		must(err, "begin")
		server := pqAsk(s, tx.QueryRowContext(ctx, ownerQuery, round, 1), round)
		equal(pqAsk(s, tx.QueryRowContext(ctx, ownerQuery, round, 1), round), server, "server")
		must(tx.Commit(), "commit")
		return server
	})
}

func pqPrepared(ctx context.Context, s *seat, conn *sql.Conn) {
	first, err := conn.PrepareContext(ctx, ownerQuery)
	must(err, "prepare")
	second, err := conn.PrepareContext(ctx, "SELECT owner, pg_backend_pid(), $1::int + 1 FROM items")
	must(err, "prepare another")
	s.onChangingServers(20, func(round int) int {
		pqAsk(s, first.QueryRowContext(ctx, round, 1), round)
		return pqAsk(s, second.QueryRowContext(ctx, round), round)
	})
	must(first.Close(), "close")
	s.onChangingServers(6, func(round int) int {
		return pqAsk(s, second.QueryRowContext(ctx, round), round)
	})
	must(second.Close(), "close another")
}

func pqTypedParameters(ctx context.Context, s *seat, conn *sql.Conn) {
	moment := time.Date(2024, 2, 29, 12, 34, 56, 789000000, time.UTC)
	blob := []byte{0, 1, 255, 92, 39}
	var number int64
	var flag bool
	var at time.Time
	var data []byte
	var array []int64
	var text string
	var null sql.NullString
	must(conn.QueryRowContext(ctx,
		"SELECT $1::bigint, $2::bool, $3::timestamptz, $4::bytea, $5::bigint[], $6::text, $7::text",
		int64(1)<<62+1, true, moment, blob, pq.Array([]int64{1, 2}), "ü'\\", nil).
		Scan(&number, &flag, &at, &data, pq.Array(&array), &text, &null), "query")
	equal(number, int64(1)<<62+1, "bigint")
	equal(flag, true, "boolean")
	equal(at.Equal(moment), true, "timestamptz")
	equal(bytes.Equal(data, blob), true, "bytea")
	equal(fmt.Sprint(array), "[1 2]", "array")
	equal(text, "ü'\\", "text")
	equal(null.Valid, false, "null")
}

func pqSavepoint(ctx context.Context, s *seat, conn *sql.Conn) {
	pqCreate(ctx, conn, "pq_savepoint", "(n int PRIMARY KEY)")
	tx, err := conn.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelSerializable})
	must(err, "begin")
	exec := func(text string) error {
		_, err := tx.ExecContext(ctx, text)
		return err
	}
	must(exec("INSERT INTO pq_savepoint VALUES (1)"), "insert")
	must(exec("SAVEPOINT one"), "savepoint")
	equal(sqlState(exec("INSERT INTO pq_savepoint VALUES (1)")), uniqueViolation, "insert twice")
	must(exec("ROLLBACK TO SAVEPOINT one"), "rollback to")
	must(exec("INSERT INTO pq_savepoint VALUES (3)"), "insert")
	var level string
	must(tx.QueryRowContext(ctx, "SHOW transaction_isolation").Scan(&level), "show")
	equal(level, "serializable", "isolation")
	must(tx.Commit(), "commit")
	tx, err = conn.BeginTx(ctx, nil)
	must(err, "begin")
	must(exec("INSERT INTO pq_savepoint VALUES (4)"), "insert")
	must(tx.Rollback(), "rollback")
	var sum int
	must(conn.QueryRowContext(ctx, "SELECT sum(n) FROM pq_savepoint").Scan(&sum), "sum")
	equal(sum, 4, "what was committed")
	pqExec(ctx, conn, "DROP TABLE pq_savepoint")
}

func pqErrors(ctx context.Context, s *seat, conn *sql.Conn) {
	divide, err := conn.PrepareContext(ctx, "SELECT 1 / $1::int, pg_backend_pid()")
	must(err, "prepare")
	s.onChangingServers(8, func(round int) int {
		var result, server int
		failed := divide.QueryRowContext(ctx, 0).Scan(&result, &server)
		equal(sqlState(failed), divisionByZero, "division")
		must(divide.QueryRowContext(ctx, 1).Scan(&result, &server), "division by one")
		return server
	})
	tx, err := conn.BeginTx(ctx, nil)
	must(err, "begin")
	_, err = tx.ExecContext(ctx, "SELECT 1 / 0")
	equal(sqlState(err), divisionByZero, "in a transaction")
	_, err = tx.ExecContext(ctx, "SELECT 1")
	equal(sqlState(err), failedTransaction, "behind the error")
	must(tx.Rollback(), "rollback")
	pqOwnRow(ctx, s, conn)
}

func pqCopy(ctx context.Context, s *seat, conn *sql.Conn) {
	pqCreate(ctx, conn, "pq_copy", "(n int, label text)")
	tx, err := conn.BeginTx(ctx, nil)
	must(err, "begin")
	rows, err := tx.PrepareContext(ctx, pq.CopyIn("pq_copy", "n", "label"))
	must(err, "prepare")
	for n := 0; n < 5000; n++ {
		_, err := rows.ExecContext(ctx, n, "label")
		must(err, "row")
	}
	_, err = rows.ExecContext(ctx)
	must(err, "flush")
	must(rows.Close(), "close")
	must(tx.Commit(), "commit")
	tx, err = conn.BeginTx(ctx, nil)
	must(err, "begin")
	rows, err = tx.PrepareContext(ctx, pq.CopyIn("pq_copy", "n", "label"))
	must(err, "prepare")
	_, err = rows.ExecContext(ctx, "no number", "label")
	must(err, "row")
	_, err = rows.ExecContext(ctx)
	equal(sqlState(err), "22P02", "a bad row")
	must(tx.Rollback(), "rollback")
	var count int
	must(conn.QueryRowContext(ctx, "SELECT count(*) FROM pq_copy").Scan(&count), "count")
	equal(count, 5000, "rows")
	pqOwnRow(ctx, s, conn)
	pqExec(ctx, conn, "DROP TABLE pq_copy")
}

func pqLargeValues(ctx context.Context, s *seat, conn *sql.Conn) {
	wanted := strings.Repeat("ä", largeBytes/2)
	var found string
	must(conn.QueryRowContext(ctx, "SELECT $1::text", wanted).Scan(&found), "query")
	equal(found == wanted, true, "came back whole")
}

// lib/pq gives the connection up behind a cancel.
func pqCancel(ctx context.Context, s *seat, conn *sql.Conn) {
	short, stop := context.WithCancel(ctx)
	go func() {
		awaitSleeper(ctx)
		stop()
	}()
	_, err := conn.ExecContext(short, sleep)
	equal(sqlState(err), queryCanceled, "canceled")
}

func pqNotifications(ctx context.Context, s *seat, conn *sql.Conn) {
	listener := pq.NewListener("sslmode=disable", time.Second, time.Second, nil)
	defer listener.Close()
	must(listener.Listen("pq_channel"), "listen")
	if s.sharesServers {
		s.swap(0)
	}
	pqExec(ctx, conn, "NOTIFY pq_channel, '"+s.tenant+"'")
	select {
	case heard := <-listener.Notify:
		equal(heard.Extra, s.tenant, "payload")
	case <-ctx.Done():
		fail("nothing heard")
	}
}

func pqReadOnly(ctx context.Context, s *seat, conn *sql.Conn) {
	tx, err := conn.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	must(err, "begin")
	_, err = tx.ExecContext(ctx, "CREATE TABLE pq_never (n int)")
	equal(sqlState(err), "25006", "a write")
	must(tx.Rollback(), "rollback")
	pqCreate(ctx, conn, "pq_writable", "(n int)")
	pqExec(ctx, conn, "DROP TABLE pq_writable")
}

func pqSeveralStatements(ctx context.Context, s *seat, conn *sql.Conn) {
	rows, err := conn.QueryContext(ctx, "SELECT 1; SELECT 2; SELECT 3")
	must(err, "query")
	defer rows.Close()
	for wanted := 1; wanted <= 3; wanted++ {
		var found int
		equal(rows.Next(), true, "a row")
		must(rows.Scan(&found), "scan")
		equal(found, wanted, "value")
		equal(rows.Next(), false, "another row")
		equal(rows.NextResultSet(), wanted < 3, "another result")
	}
}

func pqExec(ctx context.Context, conn *sql.Conn, text string) {
	_, err := conn.ExecContext(ctx, text)
	must(err, text)
}

// pqCreate works also where a check that failed has left its table.
func pqCreate(ctx context.Context, conn *sql.Conn, name, columns string) {
	pqExec(ctx, conn, "DROP TABLE IF EXISTS "+name)
	pqExec(ctx, conn, "CREATE TABLE "+name+" "+columns)
}
