"""asyncpg: transactions, cursors, COPY and cancelling."""

import asyncio
import io

import asyncpg

import checks
from checks import OWNERS, PID, TENANT, check, equal, turns
from asyncpg_client import connect, raises, rows, scratch


@check
async def a_transaction_with_savepoints():
    async with connect() as connection, scratch(connection) as table:
        for turn in turns():
            async with connection.transaction(isolation="serializable"):
                await connection.execute(f"INSERT INTO {table} VALUES (1, 'kept')")
                turn.pid = await connection.fetchval(PID)
                with raises(asyncpg.DivisionByZeroError):
                    async with connection.transaction():
                        await connection.execute(f"INSERT INTO {table} VALUES ($1, 'undone')", 2)
                        await connection.fetch("SELECT 1 / $1::int", 0)
                checks.disturb()
                async with connection.transaction():
                    await connection.execute(f"INSERT INTO {table} VALUES ($1, 'kept')", 3)
                found = await rows(connection, f"SELECT id FROM {table} ORDER BY id")
                equal(found, [(1,), (3,)])
                equal(await connection.fetchval("SHOW transaction_isolation"), "serializable")
                equal(await connection.fetchval(PID), turn.pid)
            transaction = connection.transaction()
            await transaction.start()
            await connection.execute(f"DELETE FROM {table}")
            await transaction.rollback()
            equal(await connection.fetchval(f"SELECT count(*) FROM {table}"), 2)
            await connection.execute(f"TRUNCATE {table}")
            turn.pid = await connection.fetchval(PID)


@check
async def an_error_in_the_middle_of_a_transaction():
    async with connect() as connection:
        for turn in turns():
            transaction = connection.transaction()
            await transaction.start()
            with raises(asyncpg.DivisionByZeroError):
                await connection.fetch("SELECT 1 / $1::int", 0)
            with raises(asyncpg.InFailedSQLTransactionError):
                await connection.fetch(OWNERS)
            await transaction.rollback()
            equal(await rows(connection, OWNERS), [(TENANT,)])
            turn.pid = await connection.fetchval(PID)


@check
async def copy_in_and_out():
    data = [(number, f"name {number}") for number in range(20_000)]
    async with connect() as connection, scratch(connection) as table:
        for turn in turns():
            await connection.copy_records_to_table(table, records=data)
            out = io.BytesIO()
            query = f"SELECT id, name FROM {table} WHERE id < $1 ORDER BY id"
            await connection.copy_from_query(query, 20_000, output=out, format="csv")
            text = out.getvalue()
            equal(text.count(b"\n"), 20_000)
            await connection.execute(f"TRUNCATE {table}")
            out.seek(0)
            await connection.copy_to_table(table, source=out, format="csv")
            again = io.BytesIO()
            await connection.copy_from_table(table, output=again, format="csv")
            assert again.getvalue() == text, "came back as it went"
            own = io.BytesIO()
            await connection.copy_from_query(OWNERS, output=own)
            equal(own.getvalue(), f"{TENANT}\n".encode())
            await connection.execute(f"TRUNCATE {table}")
            turn.pid = await connection.fetchval(PID)


@check
async def copy_that_fails():
    async def broken_source():
        yield b"1,one\n"
        raise ZeroDivisionError

    async def refuse(data):
        raise ZeroDivisionError

    async with connect() as connection, scratch(connection) as table:
        with raises(asyncpg.InvalidTextRepresentationError):
            source = io.BytesIO(b"1,one\nx,two\n")
            await connection.copy_to_table(table, source=source, format="csv")
        with raises(ZeroDivisionError):
            await connection.copy_to_table(table, source=broken_source(), format="csv")
        with raises(ZeroDivisionError):
            numbers = "SELECT * FROM generate_series(1, 1000000)"
            await connection.copy_from_query(numbers, output=refuse)
        equal(await rows(connection, f"SELECT * FROM {table}"), [])
        equal(await rows(connection, OWNERS), [(TENANT,)])


@check
async def a_timeout_cancels():
    async with connect() as connection:
        for turn in turns():
            with raises(asyncio.TimeoutError):
                await connection.execute("SELECT pg_sleep(60)", timeout=0.05)
            with raises(asyncio.TimeoutError):
                await connection.fetch("SELECT pg_sleep($1)", 60, timeout=0.05)
            equal(await rows(connection, OWNERS), [(TENANT,)])
            turn.pid = await connection.fetchval(PID)


@check
async def a_cancelled_task_cancels():
    sleep = "DO $$ BEGIN RAISE NOTICE 'it runs'; PERFORM pg_sleep(60); END $$"
    async with connect() as connection:
        running = asyncio.Event()
        connection.add_log_listener(lambda _, message: running.set())
        task = asyncio.create_task(connection.execute(sleep))
        await running.wait()
        task.cancel()
        with raises(asyncio.CancelledError):
            await task
        checks.disturb()
        equal(await rows(connection, OWNERS), [(TENANT,)])


@check
async def cursors():
    async with connect() as connection:
        for turn in turns():
            async with connection.transaction():
                found = []
                query = "SELECT * FROM generate_series(1, $1::int)"
                async for (number,) in connection.cursor(query, 95, prefetch=10):
                    found.append(number)
                    if number == 50:
                        checks.disturb()
                equal(found, list(range(1, 96)))
                cursor = await connection.cursor(query, 95)
                await cursor.forward(50)
                equal(await cursor.fetchrow(), (51,))
                equal(len(await cursor.fetch(10)), 10)
                turn.pid = await connection.fetchval(PID)
