"""asyncpg, as the checks use it."""

from contextlib import asynccontextmanager, contextmanager

import asyncpg

import checks
from checks import TENANT, OWNERS, equal

PLACE = {
    "host": checks.HOST,
    "port": checks.PORT,
    "password": checks.PASSWORD,
    "database": checks.DATABASE,
    "timeout": 10,
}


@asynccontextmanager
async def connect(dsn=None, **options):
    target = {} if dsn else {**PLACE, "user": f"{checks.LOGIN}.{TENANT}"}
    connection = await asyncpg.connect(dsn, **{**target, **options})
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def scratch(connection, columns="id int, name text"):
    """A table of the tenant's own; for a row tenant, one that has no policy."""
    await connection.execute("DROP TABLE IF EXISTS asyncpg_scratch")
    await connection.execute(f"CREATE TABLE asyncpg_scratch ({columns})")
    yield "asyncpg_scratch"
    await connection.execute("DROP TABLE asyncpg_scratch")


async def rows(connection, query, *values):
    return [tuple(row) for row in await connection.fetch(query, *values)]


@contextmanager
def raises(error):
    try:
        yield
    except error:
        return
    raise AssertionError(f"no {error.__name__}")


async def sees_its_rows(**options):
    async with connect(**options) as connection:
        equal(await rows(connection, OWNERS), [(TENANT,)])
