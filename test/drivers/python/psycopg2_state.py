"""psycopg2: what belongs to a session, and has to stay while server connections change hands."""

import select


import checks
from checks import OWNERS, PID, TENANT, check, check_where, equal, pinned_turns, turns
from psycopg2_client import connect, fails_with, rows, value


@check
def isolation_levels():
    with connect(autocommit=False) as connection:
        connection.set_session(isolation_level="SERIALIZABLE", readonly=True)
        for turn in turns():
            equal(value(connection, "SHOW transaction_isolation"), "serializable")
            equal(value(connection, "SHOW transaction_read_only"), "on")
            turn.pid = value(connection, PID)
            connection.rollback()
        connection.set_session(isolation_level="DEFAULT", readonly=False)
        equal(value(connection, "SHOW transaction_isolation"), "read committed")


@check
def set_session_with_autocommit():
    with connect() as connection:
        connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
        for _ in range(3):
            equal(value(connection, "SHOW transaction_isolation"), "repeatable read")
            fails_with("25006", rows, connection, "CREATE TABLE refused (id int)")
            checks.disturb()
        connection.set_session(isolation_level="DEFAULT", readonly="DEFAULT")
        equal(value(connection, "SHOW transaction_isolation"), "read committed")


@check
def cursors_with_hold():
    with connect(autocommit=False) as connection:
        cursor = connection.cursor("held", withhold=True)
        cursor.execute("SELECT * FROM generate_series(1, 20)")
        connection.commit()
        for turn in pinned_turns():
            equal(len(cursor.fetchmany(5)), 5)
            turn.pid = value(connection, PID)
            connection.commit()
        cursor.close()
        connection.commit()
        for turn in turns():
            turn.pid = value(connection, PID)
            connection.commit()


@check
def listen_and_notify():
    with connect() as listener, connect() as notifier:
        rows(listener, "LISTEN psycopg2_news")
        for number in range(3):
            rows(notifier, "SELECT pg_notify('psycopg2_news', %s)", (str(number),))
            while not listener.notifies:
                assert select.select([listener], [], [], 10)[0], "nothing came"
                listener.poll()
            news = listener.notifies.pop(0)
            equal((news.channel, news.payload), ("psycopg2_news", str(number)))
            equal(rows(listener, OWNERS), [(TENANT,)])
        rows(listener, "UNLISTEN psycopg2_news")
        rows(notifier, "NOTIFY psycopg2_news")
        equal(rows(listener, OWNERS), [(TENANT,)])
        equal(listener.notifies, [])


@check
def a_listener_keeps_its_server_connection():
    with connect() as listener:
        rows(listener, "LISTEN psycopg2_news")
        for turn in pinned_turns():
            turn.pid = value(listener, PID)
        rows(listener, "UNLISTEN *")
        for turn in turns():
            turn.pid = value(listener, PID)


@check
def reported_settings_stay():
    with connect() as connection:
        connection.set_client_encoding("LATIN1")
        rows(connection, "SET timezone TO 'Asia/Tokyo'")
        rows(connection, "SET DateStyle TO 'German'")
        rows(connection, "SET application_name TO 'psycopg2 checks'")
        for turn in turns():
            equal(value(connection, "SELECT %s", ("café",)), "café")
            equal(value(connection, "SELECT octet_length(%s)", ("café",)), 5)
            equal(value(connection, "SHOW client_encoding"), "LATIN1")
            equal(value(connection, "SHOW timezone"), "Asia/Tokyo")
            equal(value(connection, "SELECT date '2024-02-29' || ''"), "29.02.2024")
            equal(value(connection, "SHOW application_name"), "psycopg2 checks")
            equal(connection.get_parameter_status("TimeZone"), "Asia/Tokyo")
            equal(connection.info.parameter_status("client_encoding"), "LATIN1")
            turn.pid = value(connection, PID)
        rows(connection, "RESET timezone")
        assert value(connection, "SHOW timezone") != "Asia/Tokyo"


@check
def other_settings_stay():
    with connect() as connection:
        rows(connection, "SET statement_timeout TO '23s'")
        rows(connection, "SET work_mem TO '1234kB'")
        rows(connection, "SET my.own TO 'mine'")
        for _ in range(3):
            equal(value(connection, "SHOW statement_timeout"), "23s")
            equal(value(connection, "SHOW work_mem"), "1234kB")
            equal(value(connection, "SHOW my.own"), "mine")
            checks.disturb()
        rows(connection, "RESET ALL")
        equal(value(connection, "SHOW statement_timeout"), "0")


@check
def settings_follow_their_transaction():
    with connect(autocommit=False) as connection:
        zone = value(connection, "SHOW timezone")
        rows(connection, "SET timezone TO 'Asia/Tokyo'")
        connection.rollback()
        for turn in turns():
            equal(value(connection, "SHOW timezone"), zone)
            rows(connection, "SET LOCAL timezone TO 'Asia/Tokyo'")
            equal(value(connection, "SHOW timezone"), "Asia/Tokyo")
            turn.pid = value(connection, PID)
            connection.commit()


@check
def settings_at_startup():
    options = "-c statement_timeout=17s -c timezone=Asia/Tokyo"
    with connect(options=options, application_name="started") as connection:
        for turn in turns():
            equal(value(connection, "SHOW statement_timeout"), "17s")
            equal(value(connection, "SHOW timezone"), "Asia/Tokyo")
            equal(value(connection, "SHOW application_name"), "started")
            turn.pid = value(connection, PID)


@check
def reset():
    with connect() as connection:
        zone = value(connection, "SHOW timezone")
        rows(connection, "SET timezone TO 'Asia/Tokyo'")
        rows(connection, "SET statement_timeout TO '23s'")
        connection.reset()
        equal(value(connection, "SHOW timezone"), zone)
        equal(value(connection, "SHOW statement_timeout"), "0")
        equal(rows(connection, OWNERS), [(TENANT,)])


@check
def temporary_tables():
    with connect() as connection:
        rows(connection, "CREATE TEMP TABLE mine (id int)")
        for turn in pinned_turns():
            rows(connection, "INSERT INTO mine VALUES (1)")
            turn.pid = value(connection, PID)
        equal(value(connection, "SELECT count(*) FROM mine"), 3)
        rows(connection, "DISCARD TEMP")
        fails_with("42P01", rows, connection, "SELECT * FROM mine")


@check
def advisory_locks():
    with connect() as connection:
        rows(connection, "SELECT pg_advisory_lock(20951)")
        for turn in pinned_turns():
            turn.pid = value(connection, PID)
        with connect() as other:
            equal(value(other, "SELECT pg_try_advisory_lock(20951)"), False)
            equal(value(connection, "SELECT pg_advisory_unlock(20951)"), True)
            equal(value(other, "SELECT pg_try_advisory_lock(20951)"), True)


@check
def prepare_and_execute():
    with connect() as connection:
        rows(connection, f"PREPARE mine (int) AS SELECT owner, $1 FROM items")
        for turn in pinned_turns():
            equal(rows(connection, "EXECUTE mine (7)"), [(TENANT, 7)])
            turn.pid = value(connection, PID)
        rows(connection, "DEALLOCATE mine")
        fails_with("26000", rows, connection, "EXECUTE mine (7)")
        for turn in turns():
            turn.pid = value(connection, PID)


@check
def notices():
    raise_notices = "DO $$ BEGIN FOR i IN 1..20 LOOP RAISE NOTICE 'number %', i; END LOOP; END $$"
    with connect() as connection:
        for turn in turns():
            del connection.notices[:]
            rows(connection, raise_notices)
            equal(connection.notices[-1], "NOTICE:  number 20\n")
            equal(len(connection.notices), 20)
            turn.pid = value(connection, PID)


@check_where(checks.STRATEGY == "database")
def schemas_of_ones_own():
    with connect() as connection:
        rows(connection, "CREATE SCHEMA psycopg2_own; CREATE TABLE psycopg2_own.mine (id int)")
        rows(connection, "SET search_path TO psycopg2_own, public")
        for _ in range(3):
            equal(rows(connection, "SELECT * FROM mine"), [])
            equal(rows(connection, OWNERS), [(TENANT,)])
            checks.disturb()
    with connect(options="-c search_path=psycopg2_own") as connection:
        for turn in turns():
            equal(rows(connection, "SELECT * FROM mine"), [])
            turn.pid = value(connection, PID)
        rows(connection, "DROP SCHEMA psycopg2_own CASCADE")
