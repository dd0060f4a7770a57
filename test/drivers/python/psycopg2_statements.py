"""psycopg2: how statements are sent: one, several, and in batches."""

import psycopg2
import psycopg2.extras

from checks import OWNERS, PID, TENANT, check, equal, turns
from psycopg2_client import connect, fails_with, rows, scratch, value


@check
def batches():
    data = [(number, f"name {number}") for number in range(1000)]
    with connect() as connection, scratch(connection) as table, connection.cursor() as cursor:
        for turn in turns():
            psycopg2.extras.execute_values(
                cursor, f"INSERT INTO {table} VALUES %s", data, page_size=300
            )
            insert = f"INSERT INTO {table} VALUES (%s, %s)"
            psycopg2.extras.execute_batch(cursor, insert, data, page_size=300)
            cursor.executemany(insert, data[:50])
            equal(value(connection, f"SELECT count(*) FROM {table}"), 2050)
            rows(connection, f"TRUNCATE {table}")
            turn.pid = value(connection, PID)
        bad = [(1, "one"), (2, "two"), ("x", "bad")]
        fails_with("22P02", psycopg2.extras.execute_batch, cursor, insert, bad)
        equal(value(connection, f"SELECT count(*) FROM {table}"), 0)


@check
def several_statements_in_a_string():
    with connect() as connection:
        equal(rows(connection, f"SELECT 1; {OWNERS}"), [(TENANT,)])
        fails_with("22012", rows, connection, "SELECT 1; SELECT 1 / 0; SELECT 2")
        fails_with(None, rows, connection, "")
        equal(rows(connection, OWNERS), [(TENANT,)])
