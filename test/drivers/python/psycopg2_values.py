"""psycopg2: connecting as a tenant, and values of every type and size."""

import datetime
import decimal
import os
import uuid

import psycopg2
import psycopg2.extras

import checks
from checks import BIG, OWNERS, PID, TENANT, check, equal, turns
from psycopg2_client import connect, rows, value


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
    with connect(f"postgresql://{user}:{checks.ADDRESS}?connect_timeout=10") as connection:
        equal(rows(connection, OWNERS), [(TENANT,)])
    tag = f"options=-c%20pgusher.tenant%3D{TENANT}"
    with connect(f"postgresql://{checks.LOGIN}:{checks.ADDRESS}?{tag}") as connection:
        equal(rows(connection, OWNERS), [(TENANT,)])


@check
def the_tag_in_PGOPTIONS():
    os.environ["PGOPTIONS"] = f"-c pgusher.tenant={TENANT}"
    try:
        with connect(user=checks.LOGIN) as connection:
            equal(rows(connection, OWNERS), [(TENANT,)])
    finally:
        del os.environ["PGOPTIONS"]


@check
def a_connection_without_a_tag_is_refused():
    try:
        with connect(user=checks.LOGIN):
            raise AssertionError("let in")
    except psycopg2.OperationalError:
        pass


@check
def typed_values():
    zone = datetime.timezone(datetime.timedelta(hours=2))
    values = [
        ("int", -(2**31)),
        ("bigint", 2**63 - 1),
        ("numeric", decimal.Decimal("12345678901234567890.123456789")),
        ("float8", 1e-300),
        ("bool", True),
        ("text", "quote ' backslash \\ percent % dollar $1 ? 漢字 🐘"),
        ("json", {"a": [1, None, "'"]}),
        ("jsonb", {"b": True}),
        ("timestamptz", datetime.datetime(2024, 2, 29, 12, 30, 1, 5, zone)),
        ("date", datetime.date(2024, 2, 29)),
        ("interval", datetime.timedelta(days=2, seconds=5)),
        ("uuid", uuid.UUID("6f2e6f4a-6b0e-4c38-9a38-0d8a1c0c2b11")),
        ("int[]", [1, None, 3]),
        ("text[]", ["a,b", 'c"d', None]),
        ("uuid[]", [uuid.UUID(int=1)]),
        ("text", None),
    ]
    with connect() as connection:
        for turn in turns():
            for name, sent in values:
                wrapped = psycopg2.extras.Json(sent) if name.startswith("json") else sent
                equal(value(connection, f"SELECT CAST(%s AS {name})", (wrapped,)), sent)
            sent = bytes(range(256))
            equal(bytes(value(connection, "SELECT %s::bytea", (sent,))), sent)
            turn.pid = value(connection, PID)


@check
def single_statements_change_hands():
    with connect() as connection:
        for turn in turns(6):
            equal(rows(connection, OWNERS), [(TENANT,)])
            turn.pid = value(connection, PID)


@check
def large_values():
    text = "x" * BIG
    with connect() as connection:
        assert value(connection, "SELECT %s", (text,)) == text, "came back as it went"


@check
def what_the_server_says_of_itself():
    with connect() as connection:
        equal(connection.server_version, int(value(connection, "SHOW server_version_num")))
        for name in ("server_version", "TimeZone", "server_encoding", "integer_datetimes"):
            equal(connection.get_parameter_status(name), value(connection, f"SHOW {name}"))
        if not checks.IS_POOLED:
            equal(connection.get_backend_pid(), value(connection, PID))


@check
def large_objects():
    data = os.urandom(100_000)
    with connect(autocommit=False) as connection:
        for turn in turns(2):
            written = connection.lobject(0, "wb")
            written.write(data)
            written.close()
            read = connection.lobject(written.oid, "rb")
            checks.disturb()
            read.seek(50_000)
            equal(read.read(), data[50_000:])
            read.unlink()
            turn.pid = value(connection, PID)
            connection.commit()
