"""psycopg2: transactions, cursors, COPY and cancelling."""

import io
import select
import threading

from psycopg2 import extensions

import checks
from checks import OWNERS, PID, TENANT, check, equal, turns
from psycopg2_client import connect, fails_with, open_connection, rows, scratch, value


@check
def a_transaction_with_savepoints():
    with connect(autocommit=False) as connection:
        with scratch(connection) as table:
            connection.commit()
            for turn in turns():
                rows(connection, f"INSERT INTO {table} VALUES (1, 'kept')")
                pid = value(connection, PID)
                rows(connection, "SAVEPOINT one")
                rows(connection, f"INSERT INTO {table} VALUES (2, 'undone')")
                fails_with("22012", rows, connection, "SELECT 1 / 0")
                fails_with("25P02", rows, connection, "SELECT 1")
                rows(connection, "ROLLBACK TO SAVEPOINT one")
                checks.disturb()
                rows(connection, "RELEASE SAVEPOINT one")
                rows(connection, f"INSERT INTO {table} VALUES (3, 'kept')")
                equal(rows(connection, f"SELECT id FROM {table} ORDER BY id"), [(1,), (3,)])
                equal(value(connection, PID), pid)
                equal(rows(connection, f"DELETE FROM {table}"), 2)
                turn.pid = pid
                connection.commit()
            rows(connection, f"INSERT INTO {table} VALUES (4, 'rolled back')")
            connection.rollback()
            equal(rows(connection, f"SELECT * FROM {table}"), [])
        connection.commit()


@check
def with_blocks_commit_and_roll_back():
    with connect(autocommit=False) as connection, scratch(connection) as table:
        with connection:
            rows(connection, f"INSERT INTO {table} VALUES (1, 'kept')")

        def failing_block():
            with connection:
                rows(connection, f"INSERT INTO {table} VALUES (2, 'undone')")
                rows(connection, "SELECT no_such_column")

        fails_with("42703", failing_block)
        equal(connection.status, extensions.STATUS_READY)
        equal(rows(connection, f"SELECT id FROM {table}"), [(1,)])
        connection.rollback()
        connection.autocommit = True


@check
def copy_in_and_out():
    lines = "".join(f"{number}\tname {number}\n" for number in range(20_000))
    with connect() as connection, scratch(connection) as table, connection.cursor() as cursor:
        for turn in turns():
            cursor.copy_expert(f"COPY {table} FROM STDIN", io.StringIO(lines))
            equal(cursor.rowcount, 20_000)
            out = io.StringIO()
            cursor.copy_expert(f"COPY (SELECT * FROM {table} ORDER BY id) TO STDOUT", out)
            assert out.getvalue() == lines, "came back as it went"
            rows(connection, f"TRUNCATE {table}")
            turn.pid = value(connection, PID)
        cursor.copy_from(io.StringIO("1,one\n"), table, sep=",")
        out = io.StringIO()
        cursor.copy_to(out, table, sep="|")
        equal(out.getvalue(), "1|one\n")


@check
def copy_shows_the_tenant_its_rows():
    with connect() as connection, connection.cursor() as cursor:
        out = io.StringIO()
        cursor.copy_expert(f"COPY ({OWNERS}) TO STDOUT", out)
        equal(out.getvalue(), f"{TENANT}\n")


@check
def copy_that_fails():
    class Broken:
        def read(self, size):
            raise OSError("gone")

    with connect() as connection, scratch(connection) as table, connection.cursor() as cursor:
        copy = f"COPY {table} FROM STDIN"
        fails_with("22P02", cursor.copy_expert, copy, io.StringIO("1\tone\nx\ttwo\n"))
        fails_with("57014", cursor.copy_expert, copy, Broken())
        equal(rows(connection, f"SELECT * FROM {table}"), [])


@check
def cancel():
    sleep = "SELECT pg_sleep(60) /* to be cancelled */"
    running = """SELECT count(*) FROM pg_stat_activity
        WHERE query LIKE '%% to be cancelled %%' AND wait_event = 'PgSleep'"""
    with connect() as connection:

        def cancel_when_it_runs():
            with connect() as watcher:
                while value(watcher, running) == 0:
                    pass
            connection.cancel()

        canceller = threading.Thread(target=cancel_when_it_runs)
        canceller.start()
        fails_with("57014", rows, connection, sleep)
        canceller.join()
        checks.disturb()
        equal(rows(connection, OWNERS), [(TENANT,)])
        connection.cancel()
        equal(rows(connection, OWNERS), [(TENANT,)])


@check
def an_error_in_the_middle_of_a_transaction():
    with connect(autocommit=False) as connection:
        for turn in turns():
            turn.pid = value(connection, PID)
            fails_with("22012", rows, connection, "SELECT 1 / 0")
            fails_with("25P02", rows, connection, OWNERS)
            connection.rollback()
            equal(rows(connection, OWNERS), [(TENANT,)])
            turn.pid = value(connection, PID)
            connection.rollback()


@check
def named_cursors():
    with connect(autocommit=False) as connection:
        for turn in turns():
            with connection.cursor("numbers", scrollable=True) as cursor:
                cursor.itersize = 10
                cursor.execute("SELECT * FROM generate_series(1, 95)")
                found = []
                for (number,) in cursor:
                    found.append(number)
                    if number == 50:
                        checks.disturb()
                equal(found, list(range(1, 96)))
                cursor.scroll(3, mode="absolute")
                equal(cursor.fetchone(), (4,))
            turn.pid = value(connection, PID)
            connection.commit()


@check
def a_connection_that_does_not_block():
    def wait(connection):
        polls = {
            extensions.POLL_READ: lambda: select.select([connection], [], []),
            extensions.POLL_WRITE: lambda: select.select([], [connection], []),
        }
        while (state := connection.poll()) != extensions.POLL_OK:
            polls[state]()

    with open_connection(user=f"{checks.LOGIN}.{TENANT}", async_=True) as connection:
        wait(connection)
        cursor = connection.cursor()
        for turn in turns():
            cursor.execute(f"SELECT owner, pg_backend_pid() FROM items")
            wait(connection)
            owner, turn.pid = cursor.fetchone()
            equal(owner, TENANT)
