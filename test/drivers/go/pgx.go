package main

import (
	"context"
	"errors"
	"math/big"
	"reflect"
	"strings"
	"time"

	"github.com/jackc/pgconn"
	"github.com/jackc/pgx/v4"
)

const (
	largeBytes        = 8 << 20
	queryCanceled     = "57014"
	divisionByZero    = "22012"
	sleep             = "SELECT pg_sleep(60)"
	failedTransaction = "25P02"
	uniqueViolation   = "23505"
	ownerQuery        = "SELECT owner, pg_backend_pid(), $1::int + 1 FROM items WHERE id = $2"
)

// How pgx executes a query with parameters. `unnamed` parses the unnamed statement, waits for the
// answer, and binds it behind another Sync.
var pgxModes = map[string]string{
	"prepare":  "statement_cache_mode=prepare",
	"describe": "statement_cache_mode=describe",
	"unnamed":  "statement_cache_capacity=0",
	"simple":   "",
}

type pgxCheck func(ctx context.Context, s *seat, conn *pgx.Conn)

func checkPgx(s *seat) {
	s.pgx("tag in the user", "", nil, pgxOwnRow)
	s.pgx("tag in a parameter", "", func(config *pgx.ConnConfig) {
		config.User = s.login
		config.RuntimeParams["tenant"] = s.tenant
	}, pgxOwnRow)
	s.pgx("tag in options", "", func(config *pgx.ConnConfig) {
		config.User = s.login
		config.RuntimeParams["options"] = "-c pgusher.tenant=" + s.tenant
	}, pgxOwnRow)
	for _, mode := range []string{"prepare", "describe", "unnamed", "simple"} {
		simple := func(config *pgx.ConnConfig) { config.PreferSimpleProtocol = mode == "simple" }
		s.pgx("queries, "+mode, pgxModes[mode], simple, pgxQueries)
		s.pgx("typed parameters, "+mode, pgxModes[mode], simple, pgxTypedParameters)
		s.pgx("batch, "+mode, pgxModes[mode], simple, pgxBatch)
	}
	s.pgx("large values", "", nil, pgxLargeValues)
	s.pgx("large values, simple", "", func(config *pgx.ConnConfig) {
		config.PreferSimpleProtocol = true
	}, pgxLargeValues)
	s.pgx("more statements than the cache holds", "statement_cache_capacity=3", nil, pgxManyStatements)
	s.pgx("savepoint and rollback", "", nil, pgxSavepoint)
	s.pgx("errors", "", nil, pgxErrors)
	s.pgx("a table that changes under its statement", "", nil, pgxChangedTable)
	s.pgx("COPY", "", nil, pgxCopy)
	s.pgx("cancel by context", "", nil, pgxCancel)
	s.pgx("LISTEN and NOTIFY", "", nil, pgxNotifications)
	s.pgx("temporary tables", "", nil, pgxTemporaryTables)
	s.pgx("settings of the session", "", nil, pgxSettings)
}

func (s *seat) pgx(name, options string, change func(*pgx.ConnConfig), check pgxCheck) {
	report(name, func() {
		ctx, stop := context.WithTimeout(context.Background(), 20*time.Second)
		defer stop()
		conn := connectPgx(ctx, options, change)
		defer conn.Close(ctx)
		check(ctx, s, conn)
	})
}

// connectPgx takes what options leave out from libpq's environment variables.
func connectPgx(ctx context.Context, options string, change func(*pgx.ConnConfig)) *pgx.Conn {
	config, err := pgx.ParseConfig("sslmode=disable " + options)
	must(err, "configuration")
	if change != nil {
		change(config)
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	must(err, "connect")
	return conn
}

func pgxOwnRow(ctx context.Context, s *seat, conn *pgx.Conn) {
	var owner string
	must(conn.QueryRow(ctx, "SELECT owner FROM items").Scan(&owner), "owner")
	equal(owner, s.tenant, "owner")
}

func pgxAsk(ctx context.Context, s *seat, query pgxQuerier, round int) int {
	var owner string
	var server, sum int
	must(query.QueryRow(ctx, ownerQuery, round, 1).Scan(&owner, &server, &sum), "query")
	equal(owner, s.tenant, "owner")
	equal(sum, round+1, "sum")
	return server
}

// pgxQuerier is a connection or a transaction.
type pgxQuerier interface {
	QueryRow(ctx context.Context, sql string, args ...interface{}) pgx.Row
}

func pgxQueries(ctx context.Context, s *seat, conn *pgx.Conn) {
	s.onChangingServers(12, func(round int) int { return pgxAsk(ctx, s, conn, round) })
	s.onChangingServers(6, func(round int) (server int) {
		must(conn.BeginFunc(ctx, func(tx pgx.Tx) error {
			server = pgxAsk(ctx, s, tx, round)
			equal(pgxAsk(ctx, s, tx, round), server, "server within a transaction")
			return nil
		}), "transaction")
		return server
	})
}

func pgxTypedParameters(ctx context.Context, s *seat, conn *pgx.Conn) {
	moment := time.Date(2024, 2, 29, 12, 34, 56, 789000000, time.UTC)
	wanted := []interface{}{
		int32(-7), int64(1)<<62 + 1, true, moment, []byte{0, 1, 255, 92, 39}, []int32{1, 2, 3},
		"ü'\\", (*string)(nil), "12345678901234567890.12345",
	}
	var number int32
	var long int64
	var flag bool
	var at time.Time
	var bytes []byte
	var array []int32
	var text, decimal string
	var null *string
	must(conn.QueryRow(ctx,
		"SELECT $1::int, $2::bigint, $3::bool, $4::timestamptz, $5::bytea, $6::int[], $7::text,"+
			" $8::text, $9::numeric::text", wanted...).
		Scan(&number, &long, &flag, &at, &bytes, &array, &text, &null, &decimal), "query")
	found := []interface{}{number, long, flag, at.UTC(), bytes, array, text, null, decimal}
	if !reflect.DeepEqual(found, wanted) {
		fail("found %v, wanted %v", found, wanted)
	}
	value, _ := new(big.Rat).SetString(decimal)
	equal(value.Sign(), 1, "sign")
}

func pgxBatch(ctx context.Context, s *seat, conn *pgx.Conn) {
	pgxCreate(ctx, conn, "pgx_batch", "(n int PRIMARY KEY)")
	for round := 0; round < 3; round++ {
		batch := &pgx.Batch{}
		for n := 0; n < 30; n++ {
			batch.Queue("INSERT INTO pgx_batch VALUES ($1)", round*30+n)
		}
		batch.Queue("SELECT owner FROM items")
		results := conn.SendBatch(ctx, batch)
		for n := 0; n < 30; n++ {
			_, err := results.Exec()
			must(err, "insert")
		}
		var owner string
		must(results.QueryRow().Scan(&owner), "owner")
		equal(owner, s.tenant, "owner")
		must(results.Close(), "close")
		s.swap(0)
	}
	batch := &pgx.Batch{}
	batch.Queue("INSERT INTO pgx_batch VALUES ($1)", 1000)
	batch.Queue("INSERT INTO pgx_batch VALUES ($1)", 1000)
	batch.Queue("SELECT 1")
	equal(sqlState(conn.SendBatch(ctx, batch).Close()), uniqueViolation, "failing batch")
	var count int
	must(conn.QueryRow(ctx, "SELECT count(*) FROM pgx_batch").Scan(&count), "count")
	equal(count, 90, "rows")
	pgxOwnRow(ctx, s, conn)
	pgxExec(ctx, conn, "DROP TABLE pgx_batch")
}

func pgxLargeValues(ctx context.Context, s *seat, conn *pgx.Conn) {
	wanted := strings.Repeat("ä", largeBytes/2)
	var found string
	must(conn.QueryRow(ctx, "SELECT $1::text", wanted).Scan(&found), "query")
	equal(found == wanted, true, "came back whole")
}

func pgxManyStatements(ctx context.Context, s *seat, conn *pgx.Conn) {
	s.onChangingServers(24, func(round int) int {
		var owner string
		var server int
		sql := "SELECT owner, pg_backend_pid() FROM items WHERE id = $1" +
			strings.Repeat(" AND true", round%8)
		must(conn.QueryRow(ctx, sql, 1).Scan(&owner, &server), "query")
		equal(owner, s.tenant, "owner")
		return server
	})
}

func pgxSavepoint(ctx context.Context, s *seat, conn *pgx.Conn) {
	pgxCreate(ctx, conn, "pgx_savepoint", "(n int PRIMARY KEY)")
	must(conn.BeginFunc(ctx, func(tx pgx.Tx) error {
		pgxExec(ctx, tx, "INSERT INTO pgx_savepoint VALUES (1)")
		err := tx.BeginFunc(ctx, func(inner pgx.Tx) error {
			pgxExec(ctx, inner, "INSERT INTO pgx_savepoint VALUES (2)")
			_, err := inner.Exec(ctx, "INSERT INTO pgx_savepoint VALUES (1)")
			return err
		})
		equal(sqlState(err), uniqueViolation, "inner")
		pgxExec(ctx, tx, "INSERT INTO pgx_savepoint VALUES (3)")
		return nil
	}), "transaction")
	rollback := errors.New("roll back")
	err := conn.BeginFunc(ctx, func(tx pgx.Tx) error {
		pgxExec(ctx, tx, "INSERT INTO pgx_savepoint VALUES (4)")
		return rollback
	})
	equal(err, rollback, "rolled back")
	var sum int
	must(conn.QueryRow(ctx, "SELECT sum(n) FROM pgx_savepoint").Scan(&sum), "sum")
	equal(sum, 4, "what was committed")
	pgxExec(ctx, conn, "DROP TABLE pgx_savepoint")
}

func pgxErrors(ctx context.Context, s *seat, conn *pgx.Conn) {
	divide := "SELECT 1 / $1::int, pg_backend_pid()"
	s.onChangingServers(8, func(round int) int {
		var result, server int
		err := conn.QueryRow(ctx, divide, 0).Scan(&result, &server)
		equal(sqlState(err), divisionByZero, "division")
		must(conn.QueryRow(ctx, divide, 1).Scan(&result, &server), "division by one")
		return server
	})
	tx, err := conn.Begin(ctx)
	must(err, "begin")
	_, err = tx.Exec(ctx, "SELECT 1 / 0")
	equal(sqlState(err), divisionByZero, "in a transaction")
	_, err = tx.Exec(ctx, "SELECT 1")
	equal(sqlState(err), failedTransaction, "behind the error")
	must(tx.Rollback(ctx), "rollback")
	pgxOwnRow(ctx, s, conn)
}

// pgx forgets a statement that fails with "cached plan must not change result type", but returns
// the error once, as it does without a proxy; the second try must work.
func pgxChangedTable(ctx context.Context, s *seat, conn *pgx.Conn) {
	pgxCreate(ctx, conn, "pgx_plan", "(a int)")
	pgxExec(ctx, conn, "INSERT INTO pgx_plan VALUES (1)")
	columns := func() (int, error) {
		rows, err := conn.Query(ctx, "SELECT * FROM pgx_plan")
		if err != nil {
			return 0, err
		}
		count := len(rows.FieldDescriptions())
		rows.Close()
		return count, rows.Err()
	}
	for wanted := 1; wanted <= 3; wanted++ {
		found, err := columns()
		if sqlState(err) == "0A000" {
			found, err = columns()
		}
		must(err, "query")
		equal(found, wanted, "columns")
		s.swap(0)
		pgxExec(ctx, conn, "ALTER TABLE pgx_plan ADD COLUMN b"+strings.Repeat("b", wanted)+" int")
		s.swap(0)
	}
	pgxExec(ctx, conn, "DROP TABLE pgx_plan")
}

func pgxCopy(ctx context.Context, s *seat, conn *pgx.Conn) {
	pgxCreate(ctx, conn, "pgx_copy", "(n int, label text)")
	next := 0
	count, err := conn.CopyFrom(ctx, pgx.Identifier{"pgx_copy"}, []string{"n", "label"},
		pgx.CopyFromSlice(5000, func(index int) ([]interface{}, error) {
			next++
			return []interface{}{index, "label"}, nil
		}))
	must(err, "copy")
	equal(count, int64(5000), "rows")
	stopped := errors.New("no more")
	_, err = conn.CopyFrom(ctx, pgx.Identifier{"pgx_copy"}, []string{"n", "label"},
		pgx.CopyFromSlice(10, func(index int) ([]interface{}, error) { return nil, stopped }))
	equal(sqlState(err), queryCanceled, "a copy that its source ended")
	var out strings.Builder
	_, err = conn.PgConn().CopyTo(ctx, &out, "COPY (SELECT n FROM pgx_copy ORDER BY n LIMIT 3) TO STDOUT")
	must(err, "copy out")
	equal(out.String(), "0\n1\n2\n", "copied out")
	pgxOwnRow(ctx, s, conn)
	pgxExec(ctx, conn, "DROP TABLE pgx_copy")
}

// By PgConn().CancelRequest the connection lives on; pgx closes it when its context ends.
func pgxCancel(ctx context.Context, s *seat, conn *pgx.Conn) {
	canceled := make(chan error)
	go func() {
		awaitSleeper(ctx)
		canceled <- conn.PgConn().CancelRequest(ctx)
	}()
	_, err := conn.Exec(ctx, sleep)
	equal(sqlState(err), queryCanceled, "canceled")
	must(<-canceled, "cancel request")
	pgxOwnRow(ctx, s, conn)
	short, stop := context.WithCancel(ctx)
	go func() {
		awaitSleeper(ctx)
		stop()
	}()
	_, err = conn.Exec(short, sleep)
	equal(errors.Is(err, context.Canceled), true, "ended by its context")
	equal(conn.IsClosed(), true, "closed")
}

// awaitSleeper returns when the server runs the query to cancel: a cancel before it does nothing.
func awaitSleeper(ctx context.Context) {
	observer := connectPgx(ctx, "", nil)
	defer observer.Close(ctx)
	for sleepers := 0; sleepers == 0 && ctx.Err() == nil; {
		must(observer.QueryRow(ctx, "SELECT count(*) FROM pg_stat_activity"+
			" WHERE wait_event = 'PgSleep' AND query = $1", sleep).Scan(&sleepers), "observe")
	}
}

func pgxNotifications(ctx context.Context, s *seat, conn *pgx.Conn) {
	pgxExec(ctx, conn, "LISTEN pgx_channel")
	s.swap(0)
	speaker := connectPgx(ctx, "", nil)
	pgxExec(ctx, speaker, "NOTIFY pgx_channel, '"+s.tenant+"'")
	must(speaker.Close(ctx), "close")
	heard, err := conn.WaitForNotification(ctx)
	must(err, "wait")
	equal(heard.Payload, s.tenant, "payload")
}

func pgxTemporaryTables(ctx context.Context, s *seat, conn *pgx.Conn) {
	pgxExec(ctx, conn, "CREATE TEMPORARY TABLE pgx_temporary (n int)")
	for round := 0; round < 4; round++ {
		s.swap(0)
		pgxExec(ctx, conn, "INSERT INTO pgx_temporary VALUES (1)")
	}
	var count int
	must(conn.QueryRow(ctx, "SELECT count(*) FROM pgx_temporary").Scan(&count), "count")
	equal(count, 4, "rows")
}

func pgxSettings(ctx context.Context, s *seat, conn *pgx.Conn) {
	pgxExec(ctx, conn, "SET TimeZone = 'Asia/Tokyo'")
	pgxExec(ctx, conn, "SET statement_timeout = '7s'")
	for round := 0; round < 4; round++ {
		s.swap(0)
		var zone, timeout string
		must(conn.QueryRow(ctx, "SELECT current_setting('TimeZone'), current_setting('statement_timeout')").
			Scan(&zone, &timeout), "settings")
		equal(zone, "Asia/Tokyo", "TimeZone")
		equal(timeout, "7s", "statement_timeout")
	}
	equal(conn.PgConn().ParameterStatus("TimeZone"), "Asia/Tokyo", "reported TimeZone")
}

type pgxExecutor interface {
	Exec(ctx context.Context, sql string, args ...interface{}) (pgconn.CommandTag, error)
}

func pgxExec(ctx context.Context, conn pgxExecutor, sql string) {
	_, err := conn.Exec(ctx, sql)
	must(err, sql)
}

// pgxCreate works also where a check that failed has left its table.
func pgxCreate(ctx context.Context, conn *pgx.Conn, name, columns string) {
	pgxExec(ctx, conn, "DROP TABLE IF EXISTS "+name)
	pgxExec(ctx, conn, "CREATE TABLE "+name+" "+columns)
}

// sqlState is empty for anything but an error of the server.
func sqlState(err error) string {
	var failure interface{ SQLState() string }
	if errors.As(err, &failure) {
		return failure.SQLState()
	}
	return ""
}
