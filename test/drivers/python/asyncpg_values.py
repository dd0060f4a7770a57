"""asyncpg: connecting as a tenant, and values of every type and size."""

import datetime
import decimal
import ipaddress
import json
import os
import uuid

import asyncpg

import checks
from checks import BIG, OWNERS, PID, TENANT, check, equal, turns
from asyncpg_client import connect, raises, rows, sees_its_rows


@check
async def the_tag_in_the_user():
    await sees_its_rows(user=f"{checks.LOGIN}.{TENANT}")


@check
async def the_tag_in_server_settings():
    await sees_its_rows(user=checks.LOGIN, server_settings={"tenant": TENANT})
    await sees_its_rows(user=checks.LOGIN, server_settings={"pgusher.tenant": TENANT})
    options = f"-c pgusher.tenant={TENANT}"
    await sees_its_rows(user=checks.LOGIN, server_settings={"options": options})


@check
async def the_tag_in_a_url():
    await sees_its_rows(dsn=f"postgresql://{checks.LOGIN}.{TENANT}:{checks.ADDRESS}")
    await sees_its_rows(dsn=f"postgresql://{checks.LOGIN}:{checks.ADDRESS}?tenant={TENANT}")


@check
async def refusals():
    with raises(asyncpg.InvalidAuthorizationSpecificationError):
        await sees_its_rows(user=checks.LOGIN)
    with raises(asyncpg.InvalidPasswordError):
        await sees_its_rows(user=f"{checks.LOGIN}.nobody")
    with raises(asyncpg.InvalidPasswordError):
        await sees_its_rows(password="wrong")


@check
async def typed_values():
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
        ("json", '{"a": [1, null]}'),
        ("jsonb", '{"b": true}'),
        ("timestamptz", datetime.datetime(2024, 2, 29, 12, 30, 1, 5, zone)),
        ("timestamp", datetime.datetime(2024, 2, 29, 12, 30, 1, 5)),
        ("date", datetime.date(2024, 2, 29)),
        ("time", datetime.time(12, 30, 1, 5)),
        ("interval", datetime.timedelta(days=2, seconds=5)),
        ("uuid", uuid.UUID("6f2e6f4a-6b0e-4c38-9a38-0d8a1c0c2b11")),
        ("inet", ipaddress.ip_address("10.1.2.3")),
        ("point", asyncpg.Point(1.5, -2)),
        ("int4range", asyncpg.Range(1, 5)),
        ("int[]", [1, None, 3]),
        ("text[]", ["a,b", 'c"d', None]),
        ("uuid[]", [uuid.UUID(int=1)]),
        ("text", None),
    ]
    async with connect() as connection:
        for turn in turns():
            for name, sent in values:
                equal(await connection.fetchval(f"SELECT $1::{name}", sent), sent)
            turn.pid = await connection.fetchval(PID)


@check
async def types_of_the_tenant():
    async with connect() as connection:
        await connection.execute("DROP TYPE IF EXISTS asyncpg_thing, asyncpg_mood")
        await connection.execute("CREATE TYPE asyncpg_mood AS ENUM ('fine', 'bad')")
        await connection.execute("CREATE TYPE asyncpg_thing AS (id int, mood asyncpg_mood)")
    async with connect() as connection:
        for turn in turns():
            things = await connection.fetchval("SELECT ARRAY[(3, $1)::asyncpg_thing]", "fine")
            equal([tuple(thing) for thing in things], [(3, "fine")])
            turn.pid = await connection.fetchval(PID)
        await connection.set_type_codec(
            "jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog"
        )
        await connection.reload_schema_state()
        for turn in turns():
            equal(await connection.fetchval("SELECT $1::jsonb", {"a": [1]}), {"a": [1]})
            moods = await connection.fetchval("SELECT $1::asyncpg_mood[]", ["bad", "fine"])
            equal(moods, ["bad", "fine"])
            turn.pid = await connection.fetchval(PID)
        await connection.execute("DROP TYPE asyncpg_thing, asyncpg_mood")


@check
async def single_statements_change_hands():
    async with connect() as connection:
        for turn in turns(6):
            equal(await rows(connection, OWNERS), [(TENANT,)])
            turn.pid = await connection.fetchval(PID)


@check
async def large_values():
    data = os.urandom(BIG)
    async with connect() as connection:
        found = await connection.fetchval("SELECT $1::bytea", data)
        assert found == data, "came back as it went"


@check
async def what_the_server_says_of_itself():
    async with connect() as connection:
        number = int(await connection.fetchval("SHOW server_version_num"))
        equal(connection.get_server_version().major, number // 10_000)
        settings = connection.get_settings()
        for name in ("server_version", "TimeZone", "server_encoding", "is_superuser"):
            equal(getattr(settings, name), await connection.fetchval(f"SHOW {name}"))
        if not checks.IS_POOLED:
            equal(connection.get_server_pid(), await connection.fetchval(PID))
