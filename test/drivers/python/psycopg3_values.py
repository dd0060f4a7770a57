"""psycopg 3: connecting as a tenant, and values of every type and size."""

import datetime
import decimal
import ipaddress
import os
import uuid

import psycopg
from psycopg.types.json import Jsonb

import checks
from checks import BIG, OWNERS, PID, TENANT, check, equal, turns
from psycopg3_client import connect, rows, value


@check
def the_tag_in_the_user():
    with connect(user=f"{checks.LOGIN}.{TENANT}") as connection:
        equal(rows(connection, OWNERS), [(TENANT,)])


@check
def the_tag_in_options():
    with connect(user=checks.LOGIN, options=f"-c pgusher.tenant={TENANT}") as connection:
        equal(rows(connection, OWNERS), [(TENANT,)])


@check
def the_tag_in_a_url():
    user = f"{checks.LOGIN}.{TENANT}"
    with connect(f"postgresql://{user}:{checks.ADDRESS}") as connection:
        equal(rows(connection, OWNERS), [(TENANT,)])
    tag = f"options=-c%20pgusher.tenant%3D{TENANT}"
    with connect(f"postgresql://{checks.LOGIN}:{checks.ADDRESS}?{tag}") as connection:
        equal(rows(connection, OWNERS), [(TENANT,)])


@check
def typed_values():
    zone = datetime.timezone(datetime.timedelta(hours=2))
    values = [
        ("int2", -(2**15)),
        ("int", -(2**31)),
        ("bigint", 2**63 - 1),
        ("numeric", decimal.Decimal("12345678901234567890.123456789")),
        ("float8", 1e-300),
        ("bool", True),
        ("text", "quote ' backslash \\ percent % dollar $1 ? 漢字 🐘"),
        ("bytea", bytes(range(256))),
        ("jsonb", {"a": [1, None, "'"]}),
        ("timestamptz", datetime.datetime(2024, 2, 29, 12, 30, 1, 5, zone)),
        ("timestamp", datetime.datetime(2024, 2, 29, 12, 30, 1, 5)),
        ("date", datetime.date(2024, 2, 29)),
        ("interval", datetime.timedelta(days=2, seconds=5)),
        ("uuid", uuid.UUID("6f2e6f4a-6b0e-4c38-9a38-0d8a1c0c2b11")),
        ("inet", ipaddress.ip_address("10.1.2.3")),
        ("int[]", [1, None, 3]),
        ("text[]", ["a,b", 'c"d', None]),
        ("uuid[]", [uuid.UUID(int=1)]),
        ("text", None),
    ]
    with connect() as connection:
        for turn in turns():
            for is_binary, placeholder in ((False, "%t"), (True, "%b"), (True, "%s")):
                cursor = connection.cursor(binary=is_binary)
                for name, sent in values:
                    wrapped = Jsonb(sent) if name == "jsonb" else sent
                    query = f"SELECT CAST({placeholder} AS {name})"
                    equal(cursor.execute(query, (wrapped,)).fetchone()[0], sent)
            turn.pid = value(connection, PID)


@check
def types_of_the_tenant():
    with connect() as connection:
        connection.execute("DROP TYPE IF EXISTS psycopg3_mood")
        connection.execute("CREATE TYPE psycopg3_mood AS (level int, word text)")
        kind = psycopg.types.composite.CompositeInfo.fetch(connection, "psycopg3_mood")
        psycopg.types.composite.register_composite(kind, connection)
        for turn in turns():
            mood = value(connection, "SELECT (3, 'fine')::psycopg3_mood", binary=True)
            equal((mood.level, mood.word), (3, "fine"))
            turn.pid = value(connection, PID)
        connection.execute("DROP TYPE psycopg3_mood")


@check
def single_statements_change_hands():
    with connect() as connection:
        for turn in turns(6):
            equal(rows(connection, OWNERS), [(TENANT,)])
            turn.pid = value(connection, PID)


@check
def large_values():
    data = os.urandom(BIG)
    with connect() as connection:
        found = value(connection, "SELECT %b::bytea", (data,), binary=True)
        assert found == data, "came back as it went"


@check
def what_the_server_says_of_itself():
    with connect() as connection:
        equal(connection.info.server_version, int(value(connection, "SHOW server_version_num")))
        for name in ("server_version", "TimeZone", "server_encoding", "is_superuser"):
            equal(connection.info.parameter_status(name), value(connection, f"SHOW {name}"))
        equal(connection.info.transaction_status.name, "IDLE")
        if not checks.IS_POOLED:
            equal(connection.info.backend_pid, value(connection, PID))
