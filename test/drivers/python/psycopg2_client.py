"""psycopg2, as the checks use it."""

from contextlib import closing, contextmanager

import psycopg2
import psycopg2.extras

import checks
from checks import TENANT, equal

psycopg2.extras.register_uuid()


@contextmanager
def connect(dsn=None, autocommit=True, **options):
    target = {} if dsn else {"user": f"{checks.LOGIN}.{TENANT}"}
    with open_connection(dsn, **{**target, **options}) as connection:
        if autocommit:
            connection.autocommit = True
        yield connection


def open_connection(dsn=None, **options):
    place = {"host": checks.HOST, "port": checks.PORT, "dbname": checks.DATABASE}
    login = {"password": checks.PASSWORD, "connect_timeout": 10}
    return closing(psycopg2.connect(dsn, **({} if dsn else {**place, **login}), **options))


def rows(connection, query, values=None):
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        return cursor.fetchall() if cursor.description else cursor.rowcount


def value(connection, query, values=None):
    return rows(connection, query, values)[0][0]


@contextmanager
def scratch(connection, columns="id int, name text"):
    """A table of the tenant's own; for a row tenant, one that has no policy."""
    rows(connection, f"DROP TABLE IF EXISTS psycopg2_scratch")
    rows(connection, f"CREATE TABLE psycopg2_scratch ({columns})")
    yield "psycopg2_scratch"
    rows(connection, "DROP TABLE psycopg2_scratch")


def fails_with(code, action, *arguments):
    try:
        action(*arguments)
    except psycopg2.Error as error:
        equal(error.pgcode, code)
    else:
        raise AssertionError(f"no error, {code} expected")
