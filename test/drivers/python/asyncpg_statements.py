"""asyncpg: how statements are sent: always prepared, some again."""

import asyncpg

from checks import OWNERS, PID, TENANT, check, equal, turns
from asyncpg_client import connect, raises, rows, scratch


@check
async def statements_from_the_cache():
    query = "SELECT owner, id + $1, pg_backend_pid() FROM items"
    async with connect() as connection:
        for turn in turns(10):
            for number in range(2):
                owner, sum, turn.pid = await connection.fetchrow(query, number)
                equal((owner, sum), (TENANT, number + 1))


@check
async def prepared_statements():
    async with connect() as connection:
        statement = await connection.prepare("SELECT owner, $1::int, pg_backend_pid() FROM items")
        equal([parameter.name for parameter in statement.get_parameters()], ["int4"])
        for turn in turns(5):
            for number in range(4):
                owner, sent, turn.pid = await statement.fetchrow(number)
                equal((owner, sent), (TENANT, number))
        plan = await statement.explain(1)
        assert "Plan" in plan[0]


@check
async def statements_that_leave_the_cache():
    async with connect(statement_cache_size=3) as connection:
        for turn in turns(4):
            for number in range(8):
                query = f"SELECT owner, {number} FROM items WHERE id = $1"
                equal(await rows(connection, query, 1), [(TENANT, number)])
            turn.pid = await connection.fetchval(PID)


@check
async def without_a_statement_cache():
    async with connect(statement_cache_size=0) as connection:
        for turn in turns(4):
            for number in range(3):
                owner, sent, turn.pid = await connection.fetchrow(
                    "SELECT owner, $1::int, pg_backend_pid() FROM items", number
                )
                equal((owner, sent), (TENANT, number))


@check
async def a_table_that_changes_under_a_cached_statement():
    query = "SELECT * FROM asyncpg_scratch"
    async with connect() as connection, scratch(connection) as table:
        await connection.execute(f"INSERT INTO {table} VALUES (1, 'one')")
        for turn in turns():
            equal(await rows(connection, query), [(1, "one")])
            turn.pid = await connection.fetchval(PID)
        await connection.execute(f"ALTER TABLE {table} ADD COLUMN more text DEFAULT 'more'")
        for turn in turns():
            equal(await rows(connection, query), [(1, "one", "more")])
            turn.pid = await connection.fetchval(PID)
        await connection.execute(f"ALTER TABLE {table} ALTER id TYPE text")
        transaction = connection.transaction()
        await transaction.start()
        # The driver can't try again here, as with Postgres itself; it forgets the statement.
        with raises(asyncpg.InvalidCachedStatementError):
            await connection.fetch(query)
        await transaction.rollback()
        for turn in turns():
            equal(await rows(connection, query), [("1", "one", "more")])
            turn.pid = await connection.fetchval(PID)


@check
async def errors_in_statements():
    async with connect() as connection:
        for turn in turns():
            for _ in range(3):
                with raises(asyncpg.UndefinedColumnError):
                    await connection.fetch("SELECT no_such_column FROM items")
                with raises(asyncpg.DivisionByZeroError):
                    await connection.fetch("SELECT 1 / $1::int", 0)
            with raises(asyncpg.DataError):
                await connection.fetch("SELECT $1::int", "no number")
            equal(await connection.fetchval("SELECT 1 / $1::int", 1), 1)
            turn.pid = await connection.fetchval(PID)


@check
async def batches():
    data = [(number, f"name {number}") for number in range(2000)]
    async with connect() as connection, scratch(connection) as table:
        insert = f"INSERT INTO {table} VALUES ($1, $2)"
        for turn in turns():
            await connection.executemany(insert, data)
            equal(await connection.fetchval(f"SELECT count(*) FROM {table}"), 2000)
            await connection.execute(f"TRUNCATE {table}")
            turn.pid = await connection.fetchval(PID)
        divide = f"INSERT INTO {table} VALUES (1 / $1::int)"
        with raises(asyncpg.DivisionByZeroError):
            await connection.executemany(divide, [(1,), (0,), (1,)])
        equal(await connection.fetchval(f"SELECT count(*) FROM {table}"), 0)


@check
async def several_statements_in_a_string():
    async with connect() as connection, scratch(connection) as table:
        equal(await connection.execute(f"INSERT INTO {table} VALUES (1); {OWNERS}"), "SELECT 1")
        with raises(asyncpg.DivisionByZeroError):
            await connection.execute(f"INSERT INTO {table} VALUES (2); SELECT 1 / 0")
        equal(await rows(connection, f"SELECT id FROM {table}"), [(1,)])
