"""psycopg 3: what belongs to a session, and has to stay while server connections change hands."""

import psycopg
from psycopg import errors

import checks
from checks import OWNERS, PID, TENANT, check, check_where, equal, pinned_turns, turns
from psycopg3_client import connect, raises, rows, value


@check
def isolation_levels():
    with connect(autocommit=False) as connection:
        connection.isolation_level = psycopg.IsolationLevel.SERIALIZABLE
        connection.read_only = True
        connection.deferrable = True
        for turn in turns():
            equal(value(connection, "SHOW transaction_isolation"), "serializable")
            equal(value(connection, "SHOW transaction_read_only"), "on")
            turn.pid = value(connection, PID)
            connection.commit()


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
        listener.execute("LISTEN psycopg3_news")
        for number in range(3):
            notifier.execute("SELECT pg_notify('psycopg3_news', %s)", (str(number),))
            waiting = listener.notifies()
            news = next(waiting)
            waiting.close()
            equal((news.channel, news.payload), ("psycopg3_news", str(number)))
            equal(rows(listener, OWNERS), [(TENANT,)])
        if not checks.IS_POOLED:
            equal(news.pid, notifier.info.backend_pid)
        heard = []
        listener.add_notify_handler(heard.append)
        listener.execute("UNLISTEN psycopg3_news")
        notifier.execute("NOTIFY psycopg3_news")
        equal(rows(listener, OWNERS), [(TENANT,)])
        equal(heard, [])


@check
def reported_settings_stay():
    with connect() as connection:
        connection.execute("SET client_encoding TO LATIN1")
        connection.execute("SET timezone TO 'Asia/Tokyo'")
        connection.execute("SET application_name TO 'psycopg3 checks'")
        for turn in turns():
            equal(value(connection, "SELECT octet_length(%s)", ("café",)), 5)
            equal(connection.info.encoding, "iso8859-1")
            equal(value(connection, "SHOW timezone"), "Asia/Tokyo")
            equal(value(connection, "SHOW application_name"), "psycopg3 checks")
            equal(connection.info.parameter_status("TimeZone"), "Asia/Tokyo")
            equal(str(connection.info.timezone), "Asia/Tokyo")
            turn.pid = value(connection, PID)


@check
def other_settings_stay():
    with connect() as connection:
        connection.execute("SET statement_timeout TO '23s'")
        connection.execute("SELECT set_config('my.own', %s, false)", ("mine",))
        for _ in range(3):
            equal(value(connection, "SHOW statement_timeout"), "23s")
            equal(value(connection, "SHOW my.own"), "mine")
            checks.disturb()
        connection.execute("RESET ALL")
        equal(value(connection, "SHOW statement_timeout"), "0")


@check
def settings_follow_their_transaction():
    with connect() as connection:
        zone = value(connection, "SHOW timezone")
        for turn in turns():
            with connection.transaction():
                connection.execute("SET timezone TO 'Asia/Tokyo'")
                with raises(ZeroDivisionError), connection.transaction():
                    connection.execute("SET timezone TO 'Europe/Paris'")
                    raise ZeroDivisionError
                equal(value(connection, "SHOW timezone"), "Asia/Tokyo")
                raise psycopg.Rollback
            equal(value(connection, "SHOW timezone"), zone)
            equal(connection.info.parameter_status("TimeZone"), zone)
            turn.pid = value(connection, PID)


@check
def temporary_tables():
    with connect() as connection:
        connection.execute("CREATE TEMP TABLE mine (id int)")
        for turn in pinned_turns():
            turn.pid = value(connection, "INSERT INTO mine VALUES (1) RETURNING pg_backend_pid()")
        equal(value(connection, "SELECT count(*) FROM mine"), 3)


@check
def advisory_locks():
    with connect() as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (20952,))
        for turn in pinned_turns():
            turn.pid = value(connection, PID)
        with connect() as other:
            equal(value(other, "SELECT pg_try_advisory_lock(20952)"), False)
            equal(value(connection, "SELECT pg_advisory_unlock(20952)"), True)
            equal(value(other, "SELECT pg_try_advisory_lock(20952)"), True)


@check
def prepare_and_execute():
    with connect() as connection:
        connection.execute("PREPARE mine (int) AS SELECT owner, $1 FROM items")
        for turn in pinned_turns():
            equal(rows(connection, "EXECUTE mine (7)"), [(TENANT, 7)])
            turn.pid = value(connection, PID)
        connection.execute("DEALLOCATE mine")
        with raises(errors.InvalidSqlStatementName):
            connection.execute("EXECUTE mine (7)")


@check
def notices():
    heard = []
    with connect() as connection:
        connection.add_notice_handler(lambda notice: heard.append(notice.message_primary))
        for turn in turns():
            connection.execute(
                "DO $$ BEGIN FOR i IN 1..50 LOOP RAISE NOTICE 'number %', i; END LOOP; END $$"
            )
            equal(heard, [f"number {number}" for number in range(1, 51)])
            heard.clear()
            turn.pid = value(connection, PID)


@check_where(checks.STRATEGY == "database")
def schemas_of_ones_own():
    with connect() as connection:
        connection.execute("CREATE SCHEMA psycopg3_own; CREATE TABLE psycopg3_own.mine (id int)")
        connection.execute("SET search_path TO psycopg3_own, public")
        for _ in range(3):
            equal(rows(connection, "SELECT * FROM mine"), [])
            equal(rows(connection, OWNERS), [(TENANT,)])
            checks.disturb()
        connection.execute("DROP SCHEMA psycopg3_own CASCADE")


@check
def another_tenant():
    with connect(prepare_threshold=None) as connection:
        for tenant in ("umbrella", TENANT):
            connection.execute(f"SET pgusher.tenant = '{tenant}'")
            equal(rows(connection, "SELECT owner FROM items WHERE id = %s", [1]), [(tenant,)])
            equal(value(connection, "SHOW pgusher.tenant"), tenant)
        connection.execute("SET pgusher.tenant = 'umbrella'", binary=True)
        equal(value(connection, "SHOW pgusher.tenant", binary=True), "umbrella")
        with raises(errors.InsufficientPrivilege):
            connection.execute("SET pgusher.tenant = 'nobody'")
        with raises(errors.ActiveSqlTransaction), connection.transaction():
            connection.execute(f"SET pgusher.tenant = '{TENANT}'")
        with raises(errors.FeatureNotSupported), connection.pipeline():
            connection.execute(f"SET pgusher.tenant = '{TENANT}'")
            connection.execute("SELECT 1")
        equal(value(connection, "SELECT owner FROM items"), "umbrella")
