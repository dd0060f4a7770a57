"""SQLAlchemy, as the checks use it."""

import datetime
import decimal
import uuid
from contextlib import asynccontextmanager, contextmanager

import sqlalchemy as sa
from sqlalchemy import text
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import declarative_base, relationship

import checks
from checks import OWNERS, TENANT, equal

URL = f"postgresql+psycopg2://{checks.LOGIN}.{TENANT}:{checks.ADDRESS}"
ASYNC_URL = f"postgresql+asyncpg://{checks.LOGIN}.{TENANT}:{checks.ADDRESS}"
UNTAGGED = f"{checks.LOGIN}:{checks.ADDRESS}"

Base = declarative_base()


class Author(Base):
    __tablename__ = "sqlalchemy_author"
    id = sa.Column(sa.Integer, primary_key=True)
    name = sa.Column(sa.String(50), nullable=False, unique=True)
    born = sa.Column(sa.DateTime(timezone=True))
    price = sa.Column(sa.Numeric(30, 9))
    data = sa.Column(postgresql.JSONB)
    token = sa.Column(postgresql.UUID(as_uuid=True))
    tags = sa.Column(postgresql.ARRAY(sa.Text))
    picture = sa.Column(sa.LargeBinary)
    books = relationship("Book", order_by="Book.id")


class Book(Base):
    __tablename__ = "sqlalchemy_book"
    id = sa.Column(sa.Integer, primary_key=True)
    author_id = sa.Column(sa.ForeignKey("sqlalchemy_author.id"), index=True)
    title = sa.Column(sa.Text)


def one_author():
    zone = datetime.timezone(datetime.timedelta(hours=2))
    return {
        "name": "quote ' percent % colon :a 漢字 🐘",
        "born": datetime.datetime(2024, 2, 29, 12, 30, 1, 5, zone),
        "price": decimal.Decimal("12345678901234567890.123456789"),
        "data": {"a": [1, None, "'"]},
        "token": uuid.UUID("6f2e6f4a-6b0e-4c38-9a38-0d8a1c0c2b11"),
        "tags": ["a,b", 'c"d', None],
        "picture": bytes(range(256)),
    }


@contextmanager
def engine(url=URL, **options):
    """An engine of one connection, which goes back to its pool between the turns of a check."""
    engine = sa.create_engine(url, future=True, **{"pool_size": 1, **options})
    try:
        yield engine
    finally:
        engine.dispose()


@asynccontextmanager
async def async_engine(url=ASYNC_URL, **options):
    engine = create_async_engine(url, **{"pool_size": 1, **options})
    try:
        yield engine
    finally:
        await engine.dispose()


@contextmanager
def library(engine):
    Base.metadata.drop_all(engine)
    Base.metadata.create_all(engine)
    yield
    Base.metadata.drop_all(engine)


@contextmanager
def raises(error, code=None):
    try:
        yield
    except error as raised:
        if code is not None:
            equal(raised.orig.pgcode, code)
        return
    raise AssertionError(f"no {error.__name__}")


def sees_its_rows(url, **options):
    with engine(url, **options) as own, own.connect() as connection:
        equal(connection.execute(text(OWNERS)).all(), [(TENANT,)])


async def sees_its_rows_async(url, **options):
    async with async_engine(url, **options) as own, own.connect() as connection:
        equal((await connection.execute(text(OWNERS))).all(), [(TENANT,)])
