"""Drivers of Python at the console. Connection data comes from libpq's variables."""

import json
import sys

import psycopg
import psycopg2

COMMANDS = ["SHOW VERSION", "SHOW STATS", "SHOW POOLS", "SHOW DATABASES", "SHOW LISTS"]


def report(check, ok, detail=""):
    print(json.dumps({"check": check, "ok": bool(ok), "detail": str(detail)}), flush=True)


def rows_of(connection, command):
    with connection.cursor() as cursor:
        cursor.execute(command)
        return cursor.description, cursor.fetchall()


def look(name, connect, refusal):
    for autocommit in (True, False):
        connection = connect()
        connection.autocommit = autocommit
        mode = "autocommit" if autocommit else "in what it takes for a transaction"
        try:
            described = [rows_of(connection, command) for command in COMMANDS]
            lists = dict(described[-1][1])
            ok = all(columns for columns, _ in described) and isinstance(lists["users"], int)
            connection.commit()
            report(f"{name}, {mode}", ok, lists)
        except Exception as error:  # a check fails by throwing
            report(f"{name}, {mode}", False, repr(error))
        finally:
            connection.close()
    connection = connect()
    connection.autocommit = True
    try:
        rows_of(connection, "PAUSE")
        report(f"{name}, refused", False)
    except refusal as error:
        state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
        report(f"{name}, refused", state == "42501", repr(error))
    finally:
        connection.close()


def look_in_binary():
    with psycopg.connect(autocommit=True) as connection:
        cursor = connection.cursor(binary=True)
        cursor.execute("SHOW LISTS", prepare=True)
        lists = dict(cursor.fetchall())
        cursor.execute("SHOW STATS")
        cursor.fetchall()
        report("psycopg3, binary and prepared", isinstance(lists["users"], int), lists)


look("psycopg2", lambda: psycopg2.connect(""), psycopg2.Error)
look("psycopg3", lambda: psycopg.connect(""), psycopg.Error)
look_in_binary()
sys.exit(0)
