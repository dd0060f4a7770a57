"""SQLAlchemy 1.4 over psycopg2: its pool, its ORM, and what it asks of the catalog."""

import sqlalchemy as sa
from sqlalchemy import exc, func, select, text
from sqlalchemy.orm import Session, selectinload

import checks
from checks import BIG, OWNERS, PID, TENANT, check, equal, pinned_turns, turns
from sqlalchemy_client import (
    UNTAGGED,
    Author,
    Base,
    Book,
    engine,
    library,
    one_author,
    raises,
    sees_its_rows,
)


@check
def the_tag_in_the_url():
    sees_its_rows(f"postgresql+psycopg2://{checks.LOGIN}.{TENANT}:{checks.ADDRESS}")
    tag = f"options=-c%20pgusher.tenant%3D{TENANT}"
    sees_its_rows(f"postgresql+psycopg2://{UNTAGGED}?{tag}")


@check
def the_tag_in_connect_args():
    arguments = {"options": f"-c pgusher.tenant={TENANT}"}
    sees_its_rows(f"postgresql+psycopg2://{UNTAGGED}", connect_args=arguments)


@check
def typed_values_in_the_orm():
    with engine() as own, library(own):
        for turn in turns():
            with Session(own) as session:
                session.add(Author(**one_author(), books=[Book(title="one"), Book(title="two")]))
                session.commit()
                found = session.scalars(select(Author).options(selectinload(Author.books))).one()
                equal({key: getattr(found, key) for key in one_author()}, one_author())
                equal([book.title for book in found.books], ["one", "two"])
                for book in found.books:
                    session.delete(book)
                session.delete(found)
                session.flush()
                turn.pid = session.scalar(text(PID))
                session.commit()


@check
def a_pool_with_pre_ping():
    with engine(pool_pre_ping=True) as own:
        for turn in turns():
            for _ in range(3):
                with own.connect() as connection:
                    equal(connection.execute(text(OWNERS)).all(), [(TENANT,)])
                    turn.pid = connection.scalar(text(PID))


@check
def a_transaction_with_savepoints():
    with engine() as own, library(own):
        for turn in turns():
            with Session(own) as session:
                session.add(Author(name="kept"))
                session.flush()
                turn.pid = session.scalar(text(PID))
                with raises(exc.IntegrityError, "23505"), session.begin_nested():
                    session.add(Author(name="kept"))
                checks.disturb()
                with session.begin_nested():
                    session.add(Author(name="also kept"))
                equal(session.scalar(select(func.count(Author.id))), 2)
                equal(session.scalar(text(PID)), turn.pid)
                session.rollback()
                equal(session.scalar(select(func.count(Author.id))), 0)
                turn.pid = session.scalar(text(PID))


@check
def an_error_in_the_middle():
    with engine() as own:
        for turn in turns():
            with raises(exc.DBAPIError, "22012"), own.begin() as connection:
                connection.execute(text("SELECT 1 / 0"))
            with own.connect() as connection:
                equal(connection.execute(text(OWNERS)).all(), [(TENANT,)])
                turn.pid = connection.scalar(text(PID))


@check
def batches():
    with engine(executemany_mode="values_plus_batch") as own, library(own):
        data = [{"name": f"name {number}"} for number in range(500)]
        for turn in turns():
            with own.begin() as connection:
                connection.execute(sa.insert(Author), data)
                found = connection.scalars(sa.insert(Author).returning(Author.id), {"name": "x"})
                assert found.one() > 0
                renamed = sa.update(Author).where(Author.name == sa.bindparam("old"))
                renames = [{"old": f"name {n}", "new": f"new {n}"} for n in range(50)]
                connection.execute(renamed.values(name=sa.bindparam("new")), renames)
                count = select(func.count()).where(Author.name.like("new %"))
                equal(connection.scalar(count), 50)
                equal(connection.execute(sa.delete(Author)).rowcount, 501)
                turn.pid = connection.scalar(text(PID))


@check
def streamed_results():
    numbers = text("SELECT * FROM generate_series(1, 95)")
    with engine() as own:
        for turn in turns():
            with own.connect() as connection:
                options = {"stream_results": True, "max_row_buffer": 10}
                found = []
                for (number,) in connection.execution_options(**options).execute(numbers):
                    found.append(number)
                    if number == 50:
                        checks.disturb()
                equal(found, list(range(1, 96)))
                turn.pid = connection.scalar(text(PID))


@check
def isolation_levels():
    with engine(isolation_level="REPEATABLE READ") as own:
        for turn in turns():
            with own.connect() as connection:
                equal(connection.scalar(text("SHOW transaction_isolation")), "repeatable read")
                turn.pid = connection.scalar(text(PID))
    with engine() as own:
        for level in ("SERIALIZABLE", "READ COMMITTED"):
            with own.connect().execution_options(isolation_level=level) as connection:
                equal(connection.scalar(text("SHOW transaction_isolation")), level.lower())
        with own.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            for turn in turns():
                equal(connection.execute(text(OWNERS)).all(), [(TENANT,)])
                turn.pid = connection.scalar(text(PID))
        with own.connect().execution_options(postgresql_readonly=True) as connection:
            equal(connection.scalar(text("SHOW transaction_read_only")), "on")


@check
def reflection():
    with engine() as own, library(own):
        for turn in turns():
            inspector = sa.inspect(own)
            assert {"items", "sqlalchemy_author"} <= set(inspector.get_table_names())
            equal(inspector.has_table("sqlalchemy_nowhere"), False)
            found = sa.MetaData()
            found.reflect(own, only=["items", "sqlalchemy_author", "sqlalchemy_book"])
            wanted = Base.metadata.tables["sqlalchemy_author"].columns
            equal(found.tables["sqlalchemy_author"].columns.keys(), wanted.keys())
            (key,) = found.tables["sqlalchemy_book"].foreign_keys
            equal(key.target_fullname, "sqlalchemy_author.id")
            with own.connect() as connection:
                owners = select(found.tables["items"].columns.owner)
                equal(connection.execute(owners).all(), [(TENANT,)])
                turn.pid = connection.scalar(text(PID))


@check
def settings_of_each_connection():
    with engine() as own:

        @sa.event.listens_for(own, "connect")
        def set_zone(connection, _):
            with connection.cursor() as cursor:
                cursor.execute("SET timezone TO 'Asia/Tokyo'")
            connection.commit()

        for turn in turns():
            with own.connect() as connection:
                equal(connection.scalar(text("SHOW timezone")), "Asia/Tokyo")
                turn.pid = connection.scalar(text(PID))


@check
def temporary_tables():
    with engine() as own:
        with own.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            mine = sa.Table("mine", sa.MetaData(), sa.Column("id", sa.Integer), prefixes=["TEMP"])
            mine.create(connection)
            for turn in pinned_turns():
                connection.execute(sa.insert(mine), {"id": 1})
                turn.pid = connection.scalar(text(PID))
            equal(connection.scalar(select(func.count()).select_from(mine)), 3)


@check
def advisory_locks():
    with engine() as own, engine() as another:
        level = {"isolation_level": "AUTOCOMMIT"}
        with own.connect().execution_options(**level) as connection:
            connection.execute(select(func.pg_advisory_lock(20954)))
            for turn in pinned_turns():
                turn.pid = connection.scalar(text(PID))
            with another.connect() as other:
                taken = select(func.pg_try_advisory_xact_lock(20954))
                equal(other.scalar(taken), False)
                equal(connection.scalar(select(func.pg_advisory_unlock(20954))), True)
                equal(other.scalar(taken), True)


@check
def large_values():
    value = "x" * BIG
    with engine() as own, own.connect() as connection:
        assert connection.scalar(select(sa.literal(value))) == value, "came back as it went"

