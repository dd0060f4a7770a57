"""psycopg 3: transactions, cursors, COPY and cancelling."""

import asyncio

import psycopg
from psycopg import errors

import checks
from checks import OWNERS, PID, TENANT, check, equal, turns
from psycopg3_client import connect, connect_async, raises, rows, scratch, value


@check
def a_transaction_with_savepoints():
    with connect() as connection, scratch(connection) as table:
        for turn in turns():
            with connection.transaction():
                connection.execute(f"INSERT INTO {table} VALUES (1, 'kept')")
                turn.pid = value(connection, PID)
                with raises(errors.DivisionByZero), connection.transaction():
                    connection.execute(f"INSERT INTO {table} VALUES (2, 'undone')")
                    connection.execute("SELECT 1 / 0")
                checks.disturb()
                with connection.transaction():
                    connection.execute(f"INSERT INTO {table} VALUES (3, 'kept')")
                equal(rows(connection, f"SELECT id FROM {table} ORDER BY id"), [(1,), (3,)])
                equal(value(connection, PID), turn.pid)
            with connection.transaction():
                connection.execute(f"DELETE FROM {table}")
                raise psycopg.Rollback
            equal(value(connection, f"SELECT count(*) FROM {table}"), 2)
            connection.execute(f"TRUNCATE {table}")
            turn.pid = value(connection, PID)


@check
def an_error_in_the_middle_of_a_transaction():
    with connect(autocommit=False) as connection:
        for turn in turns():
            with raises(errors.DivisionByZero):
                connection.execute("SELECT 1 / 0")
            with raises(errors.InFailedSqlTransaction):
                connection.execute(OWNERS)
            connection.rollback()
            equal(rows(connection, OWNERS), [(TENANT,)])
            turn.pid = value(connection, PID)
            connection.commit()


@check
def copy_in_and_out():
    data = [(number, f"name {number}") for number in range(5_000)]
    with connect() as connection, scratch(connection) as table, connection.cursor() as cursor:
        for turn in turns():
            with cursor.copy(f"COPY {table} FROM STDIN") as copy:
                for row in data:
                    copy.write_row(row)
            with cursor.copy(f"COPY {table} (id, name) FROM STDIN (FORMAT binary)") as copy:
                copy.set_types(["int4", "text"])
                for row in data:
                    copy.write_row(row)
            query = f"COPY (SELECT DISTINCT id, name FROM {table} ORDER BY id) TO STDOUT"
            with cursor.copy(query) as copy:
                copy.set_types(["int4", "text"])
                equal(list(copy.rows()), data)
            with cursor.copy(f"COPY ({OWNERS}) TO STDOUT (FORMAT binary)") as copy:
                copy.set_types(["text"])
                equal(list(copy.rows()), [(TENANT,)])
            connection.execute(f"TRUNCATE {table}")
            turn.pid = value(connection, PID)


@check
def copy_that_fails():
    with connect() as connection, scratch(connection) as table, connection.cursor() as cursor:
        with raises(errors.InvalidTextRepresentation):
            with cursor.copy(f"COPY {table} FROM STDIN") as copy:
                copy.write("1\tone\nx\ttwo\n")
        with raises(errors.QueryCanceled), cursor.copy(f"COPY {table} FROM STDIN") as copy:
            copy.write("1\tone\n")
            raise ZeroDivisionError
        # Left before its end: the driver cancels the rest.
        numbers = "COPY (SELECT * FROM generate_series(1, 10000000)) TO STDOUT"
        with raises(ZeroDivisionError), cursor.copy(numbers) as copy:
            copy.read()
            raise ZeroDivisionError
        equal(rows(connection, f"SELECT * FROM {table}"), [])
        equal(rows(connection, OWNERS), [(TENANT,)])


@check
def cancel():
    sleep = "DO $$ BEGIN RAISE NOTICE 'it runs'; PERFORM pg_sleep(60); END $$"
    with connect() as connection:
        connection.add_notice_handler(lambda notice: connection.cancel())
        for turn in turns():
            with raises(errors.QueryCanceled):
                connection.execute(sleep)
            equal(rows(connection, OWNERS), [(TENANT,)])
            connection.cancel()
            equal(rows(connection, OWNERS), [(TENANT,)])
            turn.pid = value(connection, PID)


@check
def server_cursors():
    with connect(autocommit=False) as connection:
        for turn in turns():
            with connection.cursor("numbers", scrollable=True) as cursor:
                cursor.itersize = 10
                cursor.execute("SELECT * FROM generate_series(1, %s)", (95,))
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
async def asyncio_cancel():
    async with await connect_async() as connection:
        running = asyncio.Event()
        connection.add_notice_handler(lambda notice: running.set())
        sleep = "DO $$ BEGIN RAISE NOTICE 'it runs'; PERFORM pg_sleep(60); END $$"
        task = asyncio.create_task(connection.execute(sleep))
        await running.wait()
        connection.cancel()
        with raises(errors.QueryCanceled):
            await task
        cursor = await connection.execute(OWNERS)
        equal(await cursor.fetchall(), [(TENANT,)])
