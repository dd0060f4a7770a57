"""SQLAlchemy 1.4 over asyncpg: its pool, its ORM, and what it asks of the catalog."""

import asyncio

import sqlalchemy as sa
from sqlalchemy import exc, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

import checks
from checks import BIG, OWNERS, PID, TENANT, check, equal, turns
from sqlalchemy_client import (
    UNTAGGED,
    Author,
    Base,
    Book,
    async_engine,
    one_author,
    raises,
    sees_its_rows_async,
)


@check
async def the_tag_with_asyncpg():
    await sees_its_rows_async(f"postgresql+asyncpg://{checks.LOGIN}.{TENANT}:{checks.ADDRESS}")
    arguments = {"server_settings": {"tenant": TENANT}}
    await sees_its_rows_async(f"postgresql+asyncpg://{UNTAGGED}", connect_args=arguments)


@check
async def typed_values_in_the_orm_with_asyncpg():
    async with async_engine() as own:
        async with own.begin() as connection:
            await connection.run_sync(Base.metadata.drop_all)
            await connection.run_sync(Base.metadata.create_all)
        for turn in turns():
            async with AsyncSession(own) as session:
                session.add(Author(**one_author(), books=[Book(title="one"), Book(title="two")]))
                await session.commit()
                query = select(Author).options(selectinload(Author.books))
                found = (await session.scalars(query)).one()
                equal({key: getattr(found, key) for key in one_author()}, one_author())
                equal([book.title for book in found.books], ["one", "two"])
                for book in found.books:
                    await session.delete(book)
                await session.delete(found)
                await session.flush()
                turn.pid = await session.scalar(text(PID))
                await session.commit()
        async with own.begin() as connection:
            await connection.run_sync(Base.metadata.drop_all)


@check
async def a_pool_with_pre_ping_with_asyncpg():
    async with async_engine(pool_pre_ping=True) as own:
        for turn in turns():
            for _ in range(7):
                async with own.connect() as connection:
                    query = text("SELECT owner, pg_backend_pid() FROM items WHERE id = :id")
                    owner, turn.pid = (await connection.execute(query, {"id": 1})).one()
                    equal(owner, TENANT)


@check
async def a_transaction_with_savepoints_with_asyncpg():
    async with async_engine() as own:
        for turn in turns():
            async with own.begin() as connection:
                turn.pid = await connection.scalar(text(PID))
                with raises(exc.DBAPIError, "22012"):
                    async with connection.begin_nested():
                        await connection.execute(text("SELECT 1 / :zero ::int"), {"zero": 0})
                checks.disturb()
                equal((await connection.execute(text(OWNERS))).all(), [(TENANT,)])
                equal(await connection.scalar(text(PID)), turn.pid)


@check
async def streamed_results_with_asyncpg():
    numbers = text("SELECT * FROM generate_series(1, 95)")
    async with async_engine() as own:
        for turn in turns():
            async with own.connect() as connection:
                result = await connection.stream(numbers)
                equal([number async for (number,) in result], list(range(1, 96)))
                turn.pid = await connection.scalar(text(PID))


@check
async def isolation_levels_with_asyncpg():
    async with async_engine(isolation_level="SERIALIZABLE") as own:
        for turn in turns():
            async with own.connect() as connection:
                shown = await connection.scalar(text("SHOW transaction_isolation"))
                equal(shown, "serializable")
                turn.pid = await connection.scalar(text(PID))
    async with async_engine(isolation_level="AUTOCOMMIT") as own:
        async with own.connect() as connection:
            for turn in turns():
                equal((await connection.execute(text(OWNERS))).all(), [(TENANT,)])
                turn.pid = await connection.scalar(text(PID))


@check
async def reflection_with_asyncpg():
    async with async_engine() as own, own.connect() as connection:
        names = await connection.run_sync(lambda sync: sa.inspect(sync).get_table_names())
        equal(names.count("items"), 1)
        found = sa.MetaData()
        await connection.run_sync(lambda sync: found.reflect(sync, only=["items"]))
        owners = select(found.tables["items"].columns.owner)
        equal((await connection.execute(owners)).all(), [(TENANT,)])


@check
async def large_values_with_asyncpg():
    value = b"x" * BIG
    async with async_engine() as own, own.connect() as connection:
        assert await connection.scalar(select(sa.literal(value, sa.LargeBinary))) == value


@check
async def cancel_with_asyncpg():
    async with async_engine() as own:
        async with own.connect() as connection:
            sleep = connection.execute(text("SELECT pg_sleep(60)"))
            with raises(asyncio.TimeoutError):
                await asyncio.wait_for(sleep, 0.05)
        checks.disturb()
        async with own.connect() as connection:
            equal((await connection.execute(text(OWNERS))).all(), [(TENANT,)])
