"""psycopg 3, as the checks use it."""

from contextlib import contextmanager

import psycopg

import checks
from checks import TENANT

USER = f"{checks.LOGIN}.{TENANT}"
PLACE = {
    "host": checks.HOST,
    "port": checks.PORT,
    "password": checks.PASSWORD,
    "dbname": checks.DATABASE,
    "connect_timeout": 10,
}


def connect(conninfo="", autocommit=True, **options):
    """A connection that ends with its block. Without `conninfo`, in the usual place."""
    place = {} if conninfo else {**PLACE, "user": USER}
    return psycopg.connect(conninfo, autocommit=autocommit, **{**place, **options})


async def connect_async(**options):
    return await psycopg.AsyncConnection.connect(
        autocommit=True, **{**PLACE, "user": USER, **options}
    )


def rows(connection, query, values=None, **options):
    return connection.execute(query, values, **options).fetchall()


def value(connection, query, values=None, **options):
    return connection.execute(query, values, **options).fetchone()[0]


@contextmanager
def scratch(connection, columns="id int, name text"):
    """A table of the tenant's own; for a row tenant, one that has no policy."""
    connection.execute("DROP TABLE IF EXISTS psycopg3_scratch")
    connection.execute(f"CREATE TABLE psycopg3_scratch ({columns})")
    yield "psycopg3_scratch"
    connection.execute("DROP TABLE psycopg3_scratch")


@contextmanager
def raises(error):
    try:
        yield
    except error:
        return
    raise AssertionError(f"no {error.__name__}")
