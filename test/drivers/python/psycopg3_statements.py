"""psycopg 3: how statements are sent: prepared on the way, in batches and in pipelines."""

from contextlib import suppress

import psycopg
from psycopg import errors

import checks
from checks import OWNERS, PID, TENANT, check, equal, turns
from psycopg3_client import connect, connect_async, raises, rows, scratch, value


@check
def statements_prepared_on_the_way():
    query = "SELECT owner, id + %s, pg_backend_pid() FROM items"
    held = "SELECT count(*) FROM pg_prepared_statements WHERE NOT from_sql AND statement LIKE %s"
    with connect() as connection:
        equal(connection.prepare_threshold, 5)
        for turn in turns(5):
            for number in range(6):
                owner, sum, turn.pid = connection.execute(query, (number,)).fetchone()
                equal((owner, sum), (TENANT, number + 1))
        equal(value(connection, held, ("SELECT owner, id + $1%",), prepare=False), 1)


@check
def prepared_statements_in_transactions():
    query = "SELECT owner, pg_backend_pid() FROM items WHERE id = %s"
    with connect(autocommit=False) as connection:
        for turn in turns(5):
            for _ in range(4):
                owner, turn.pid = connection.execute(query, (1,)).fetchone()
                equal(owner, TENANT)
            connection.commit()


@check
def prepared_at_once():
    with connect(prepare_threshold=0) as connection:
        for turn in turns():
            for number in range(3):
                equal(value(connection, "SELECT %s::int + 1", (number,)), number + 1)
                equal(rows(connection, OWNERS, prepare=True), [(TENANT,)])
            turn.pid = value(connection, PID)


@check
def statements_that_leave_the_cache():
    with connect() as connection:
        connection.prepared_max = 3
        for turn in turns(4):
            for number in range(8):
                query = f"SELECT owner, {number} FROM items WHERE id = %s"
                equal(rows(connection, query, (1,), prepare=True), [(TENANT, number)])
            turn.pid = value(connection, PID, prepare=False)


@check
def a_rollback_empties_the_cache():
    query = "SELECT owner FROM items WHERE id = %s"
    with connect(autocommit=False) as connection:
        for turn in turns(4):
            equal(rows(connection, query, (1,), prepare=True), [(TENANT,)])
            connection.rollback()
            equal(rows(connection, query, (1,), prepare=True), [(TENANT,)])
            turn.pid = value(connection, PID)
            connection.commit()


@check
def a_statement_that_can_not_be_prepared():
    with connect() as connection:
        for turn in turns():
            for _ in range(3):
                with raises(errors.UndefinedColumn):
                    connection.execute("SELECT no_such_column FROM items", prepare=True)
                with raises(errors.DivisionByZero):
                    connection.execute("SELECT 1 / %s::int", (0,), prepare=True)
            equal(value(connection, "SELECT 1 / %s::int", (1,), prepare=True), 1)
            turn.pid = value(connection, PID)


@check
def a_table_that_changes_under_a_prepared_statement():
    query = "SELECT * FROM psycopg3_scratch"

    def ask():
        """A rollback has the driver prepare it anew."""
        for _ in range(2):
            try:
                return rows(connection, query, prepare=True)
            except errors.FeatureNotSupported:
                connection.rollback()
        raise AssertionError("it does not heal")

    with connect(autocommit=False) as connection, scratch(connection) as table:
        connection.execute(f"INSERT INTO {table} VALUES (1, 'one')")
        connection.commit()
        for turn in turns():
            equal(rows(connection, query, prepare=True), [(1, "one")])
            turn.pid = value(connection, PID)
            connection.commit()
        connection.execute(f"ALTER TABLE {table} ADD COLUMN more text DEFAULT 'more'")
        connection.commit()
        for turn in turns():
            equal(ask(), [(1, "one", "more")])
            turn.pid = value(connection, PID)
            connection.commit()


@check
def a_pipeline():
    with connect() as connection, scratch(connection) as table:
        insert = f"INSERT INTO {table} VALUES (%s, %s) RETURNING pg_backend_pid()"
        for turn in turns():
            with connection.pipeline() as pipeline:
                cursors = [connection.execute(insert, (number, "x")) for number in range(30)]
                first = cursors[0].fetchone()
                owners = connection.execute(OWNERS)
                pipeline.sync()
                after = connection.execute(f"SELECT count(*) FROM {table}")
                equal(owners.fetchall(), [(TENANT,)])
                equal(after.fetchone(), (30,))
                equal({cursor.fetchone() for cursor in cursors[1:]}, {first})
            connection.execute(f"TRUNCATE {table}")
            turn.pid = value(connection, PID)


@check
def a_pipeline_in_a_transaction():
    with connect(autocommit=False) as connection:
        for turn in turns():
            with connection.pipeline():
                pids = [connection.execute(PID) for _ in range(20)]
            equal(len({cursor.fetchone() for cursor in pids}), 1)
            checks.disturb()
            turn.pid = value(connection, PID)
            connection.commit()


@check
def an_error_in_a_pipeline():
    with connect() as connection, scratch(connection) as table:
        insert = f"INSERT INTO {table} VALUES (%s, %s)"
        for number, turn in enumerate(turns()):
            skipped = f"SELECT owner, {number} FROM items"
            with connection.pipeline() as pipeline:
                connection.execute(insert, (1, "kept"), prepare=True)
                pipeline.sync()
                connection.execute(insert, (2, "undone"))
                with raises(errors.DivisionByZero):
                    connection.execute("SELECT 1 / %s::int", (0,), prepare=True)
                    connection.execute(skipped, prepare=True)
                    pipeline.sync()
                # The error may have come before that one, and the skipped statement may still be told.
                for _ in range(3):
                    with suppress(errors.PipelineAborted):
                        pipeline.sync()
                connection.execute(insert, (3, "kept"), prepare=True)
            equal(rows(connection, f"SELECT id FROM {table} ORDER BY id"), [(1,), (3,)])
            # The driver may believe that it is prepared, but Postgres skipped its Parse.
            with suppress(errors.InvalidSqlStatementName):
                connection.execute(skipped, prepare=True)
            equal(rows(connection, skipped, prepare=False), [(TENANT, number)])
            connection.execute(f"TRUNCATE {table}")
            turn.pid = value(connection, PID)


@check
def batches():
    data = [(number, f"name {number}") for number in range(500)]
    with connect() as connection, scratch(connection) as table, connection.cursor() as cursor:
        for turn in turns():
            insert = f"INSERT INTO {table} VALUES (%s, %s)"
            cursor.executemany(insert, data)
            equal(cursor.rowcount, 500)
            cursor.executemany(f"{insert} RETURNING id", data[:3], returning=True)
            found = [cursor.fetchone()]
            while cursor.nextset():
                found.append(cursor.fetchone())
            equal(found, [(0,), (1,), (2,)])
            connection.execute(f"TRUNCATE {table}")
            turn.pid = value(connection, PID)
        with raises(errors.InvalidTextRepresentation):
            cursor.executemany(insert, [("1", "one"), ("x", "two"), ("3", "three")])
        equal(value(connection, f"SELECT count(*) FROM {table}"), 0)


@check
def streamed_rows():
    with connect() as connection, connection.cursor() as cursor:
        for turn in turns():
            found = [number for (number,) in cursor.stream("SELECT generate_series(1, 500)")]
            equal(found, list(range(1, 501)))
            turn.pid = value(connection, PID)


@check
def client_side_cursors():
    with connect(cursor_factory=psycopg.ClientCursor) as connection:
        for turn in turns():
            equal(rows(connection, "SELECT owner FROM items WHERE id = %s", (1,)), [(TENANT,)])
            equal(value(connection, "SELECT 1; SELECT %s", ("second",)), 1)
            turn.pid = value(connection, PID)


@check
async def asyncio_connections():
    async with await connect_async() as connection:
        for turn in turns():
            for _ in range(3):
                cursor = await connection.execute("SELECT owner, pg_backend_pid() FROM items")
                owner, turn.pid = await cursor.fetchone()
                equal(owner, TENANT)
            async with connection.pipeline():
                cursors = [await connection.execute("SELECT %s", (n,)) for n in range(20)]
            equal([(await cursor.fetchone())[0] for cursor in cursors], list(range(20)))
            cursor = await connection.execute(PID)
            (turn.pid,) = await cursor.fetchone()
