"""asyncpg: what belongs to a session, and has to stay while server connections change hands."""

import asyncio

import asyncpg

import checks
from checks import OWNERS, PID, TENANT, check, check_where, equal, pinned_turns, turns
from asyncpg_client import PLACE, connect, raises, rows


@check
async def listen_and_notify():
    async with connect() as listener, connect() as notifier:
        heard = asyncio.Queue()

        def hear(_, pid, channel, payload):
            heard.put_nowait((pid, channel, payload))

        await listener.add_listener("asyncpg_news", hear)
        for number in range(3):
            await notifier.execute("SELECT pg_notify('asyncpg_news', $1)", str(number))
            pid, channel, payload = await asyncio.wait_for(heard.get(), 10)
            equal((channel, payload), ("asyncpg_news", str(number)))
            equal(await rows(listener, OWNERS), [(TENANT,)])
        if not checks.IS_POOLED:
            equal(pid, notifier.get_server_pid())
        await listener.remove_listener("asyncpg_news", hear)
        await notifier.execute("NOTIFY asyncpg_news")
        equal(await rows(listener, OWNERS), [(TENANT,)])
        assert heard.empty()


@check
async def a_listener_keeps_its_server_connection():
    def hear(*_):
        pass

    async with connect() as listener:
        await listener.add_listener("asyncpg_news", hear)
        for turn in pinned_turns():
            turn.pid = await listener.fetchval(PID)
        await listener.remove_listener("asyncpg_news", hear)
        for turn in turns():
            turn.pid = await listener.fetchval(PID)


@check
async def reported_settings_stay():
    async with connect() as connection:
        await connection.execute("SET timezone TO 'Asia/Tokyo'")
        await connection.execute("SET application_name TO 'asyncpg checks'")
        for turn in turns():
            equal(await connection.fetchval("SHOW timezone"), "Asia/Tokyo")
            equal(await connection.fetchval("SHOW application_name"), "asyncpg checks")
            equal(connection.get_settings().TimeZone, "Asia/Tokyo")
            equal(connection.get_settings().application_name, "asyncpg checks")
            turn.pid = await connection.fetchval(PID)


@check
async def other_settings_stay():
    async with connect() as connection:
        await connection.execute("SET statement_timeout TO '23s'")
        await connection.fetchval("SELECT set_config('my.own', $1, false)", "mine")
        for _ in range(3):
            equal(await connection.fetchval("SHOW statement_timeout"), "23s")
            equal(await connection.fetchval("SHOW my.own"), "mine")
            checks.disturb()
        await connection.execute("RESET ALL")
        equal(await connection.fetchval("SHOW statement_timeout"), "0")


@check
async def settings_at_startup():
    settings = {"timezone": "Asia/Tokyo", "application_name": "started", "statement_timeout": "17s"}
    async with connect(server_settings=settings) as connection:
        for turn in turns():
            equal(connection.get_settings().TimeZone, "Asia/Tokyo")
            for name, value in settings.items():
                equal(await connection.fetchval(f"SHOW {name}"), value)
            turn.pid = await connection.fetchval(PID)


@check
async def reset():
    async with connect() as connection:
        zone = await connection.fetchval("SHOW timezone")
        await connection.execute("SET timezone TO 'Asia/Tokyo'")
        await connection.execute("SET statement_timeout TO '23s'")
        await connection.execute("SELECT pg_advisory_lock(20953)")
        await connection.execute("DECLARE held CURSOR WITH HOLD FOR SELECT 1")
        await connection.add_listener("asyncpg_news", lambda *_: None)
        await connection.reset()
        for turn in turns():
            equal(await connection.fetchval("SHOW timezone"), zone)
            equal(connection.get_settings().TimeZone, zone)
            equal(await connection.fetchval("SHOW statement_timeout"), "0")
            equal(await rows(connection, "SELECT name FROM pg_cursors WHERE is_holdable"), [])
            equal(await rows(connection, OWNERS), [(TENANT,)])
            turn.pid = await connection.fetchval(PID)


@check
async def temporary_tables():
    async with connect() as connection:
        await connection.execute("CREATE TEMP TABLE mine (id int)")
        for turn in pinned_turns():
            insert = "INSERT INTO mine VALUES ($1) RETURNING pg_backend_pid()"
            turn.pid = await connection.fetchval(insert, 1)
        equal(await connection.fetchval("SELECT count(*) FROM mine"), 3)


@check
async def advisory_locks():
    async with connect() as connection, connect() as other:
        await connection.fetch("SELECT pg_advisory_lock($1)", 20953)
        taken = "SELECT pg_try_advisory_lock(20953)"
        equal(await other.fetchval(taken), False)
        equal(await connection.fetchval("SELECT pg_advisory_unlock($1)", 20953), True)
        equal(await other.fetchval(taken), True)


@check
async def prepare_and_execute():
    async with connect() as connection:
        await connection.execute("PREPARE mine (int) AS SELECT owner, $1 FROM items")
        for turn in pinned_turns():
            equal(await rows(connection, "EXECUTE mine (7)"), [(TENANT, 7)])
            turn.pid = await connection.fetchval(PID)
        await connection.execute("DEALLOCATE mine")
        with raises(asyncpg.InvalidSQLStatementNameError):
            await connection.execute("EXECUTE mine (7)")


@check
async def notices():
    heard = []
    async with connect() as connection:
        connection.add_log_listener(lambda _, notice: heard.append(notice.message))
        for turn in turns():
            await connection.execute(
                "DO $$ BEGIN FOR i IN 1..50 LOOP RAISE NOTICE 'number %', i; END LOOP; END $$"
            )
            # A later reply: listeners are called by the event loop.
            turn.pid = await connection.fetchval(PID)
            equal(heard, [f"number {number}" for number in range(1, 51)])
            heard.clear()


@check
async def a_pool():
    pool = await asyncpg.create_pool(
        **PLACE, user=f"{checks.LOGIN}.{TENANT}", min_size=2, max_size=2
    )

    async def work(number):
        async with pool.acquire() as connection:
            await connection.execute("SET timezone TO 'Asia/Tokyo'")
            async with connection.transaction():
                equal(await connection.fetchval("SELECT $1::int", number), number)
                equal(await rows(connection, OWNERS), [(TENANT,)])

    await asyncio.gather(*(work(number) for number in range(30)))
    zones = await asyncio.gather(*(pool.fetchval("SHOW timezone") for _ in range(10)))
    assert "Asia/Tokyo" not in zones, "reset between two uses"
    await pool.close()


@check_where(checks.IS_POOLED)
async def a_pool_larger_than_the_proxys():
    pool = await asyncpg.create_pool(
        **PLACE, user=f"{checks.LOGIN}.{TENANT}", min_size=8, max_size=8
    )
    pids = set()

    async def work(number):
        query = "SELECT owner, $1::int, pg_backend_pid() FROM items"
        owner, sent, pid = await pool.fetchrow(query, number)
        equal((owner, sent), (TENANT, number))
        pids.add(pid)

    await asyncio.gather(*(work(number) for number in range(100)))
    equal(len(pids), 2)
    await pool.close()


@check_where(checks.STRATEGY == "database")
async def schemas_of_ones_own():
    async with connect() as connection:
        await connection.execute("CREATE SCHEMA asyncpg_own; CREATE TABLE asyncpg_own.mine (id int)")
    async with connect(server_settings={"search_path": "asyncpg_own"}) as connection:
        for turn in turns():
            equal(await rows(connection, "SELECT * FROM mine"), [])
            turn.pid = await connection.fetchval(PID)
        await connection.execute("SET search_path TO public, asyncpg_own")
        for _ in range(3):
            equal(await rows(connection, "SELECT * FROM mine"), [])
            equal(await rows(connection, OWNERS), [(TENANT,)])
            checks.disturb()
        await connection.execute("DROP SCHEMA asyncpg_own CASCADE")
