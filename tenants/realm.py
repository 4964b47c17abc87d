"""A realm: one organisation, one database, one issuer of identities.

`Realm.session` is the only place in the product that opens a transaction.
"""

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from threading import Lock
from typing import Final

from psycopg import Connection
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session

from tenants.problems import ProvinceUnavailable, Unavailable


class RealmState(StrEnum):
    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"


@dataclass(frozen=True, slots=True)
class Issuer:
    """The OpenID provider that signs a realm's people in.

    `url` is compared to the letter; `algorithms` are pinned here and never taken from the issuer's
    own metadata; `audience` is what an access token's `aud` must be, exactly. `identity_claim` is
    the claim that tells whom an invitation is for (BKN's ASN Digital: the NIP as user name).
    """

    url: str
    client_id: str
    client_secret: str | None = field(repr=False)
    audience: str
    algorithms: tuple[str, ...] = ("RS256",)
    identity_claim: str = "preferred_username"


@dataclass(frozen=True, slots=True)
class Realm:
    """A value, passed explicitly: there is no current realm, no default and no fallback."""

    slug: str
    code: str
    name: str
    dsn: str = field(repr=False)
    issuer: Issuer
    state: RealmState

    @contextmanager
    def session(self, *, readonly: bool) -> Iterator[Session]:
        """One transaction: committed when the block ends, rolled back when it raises.

        PostgreSQL itself refuses a write in a `readonly` session. Raises `Unavailable` when no
        connection is to be had.
        """
        with _transaction(self.dsn, readonly=readonly) as session:
            yield session


@dataclass(frozen=True, slots=True)
class Tenant(Realm):
    """A regency (kabupaten/kota); `code` is Kemendagri's (64.72), `zone` an IANA name.

    `province_dsn` is of its own role at the province, which reads what is addressed to it.
    """

    zone: str
    province_dsn: str | None = field(default=None, repr=False)

    @contextmanager
    def at_province(self) -> Iterator[Session]:
        """One transaction that reads what the province's database holds for this regency alone.

        Raises `ProvinceUnavailable` when it does not answer, at first or midway, or not as meant.
        """
        if self.province_dsn is None:
            raise ProvinceUnavailable
        try:
            with _transaction(self.province_dsn, readonly=True) as session:
                yield session
        except (Unavailable, DBAPIError):
            raise ProvinceUnavailable from None


@dataclass(frozen=True, slots=True)
class Province(Realm):
    """Provincial oversight: holds what the regencies publish, and nothing else."""


@contextmanager
def _transaction(dsn: str, *, readonly: bool) -> Iterator[Session]:
    options = {"postgresql_readonly": True} if readonly else {}
    try:
        connection = _engines.get(dsn).connect()
    except (OperationalError, PoolTimeoutError):
        raise Unavailable from None
    with (
        connection.execution_options(**options),
        Session(connection, expire_on_commit=False) as session,
        session.begin(),
    ):
        yield session


class UnsafeRole(Exception):
    """The role in a DSN could bypass the database's own protection."""


class _Engines:
    """The engines used most recently; one that falls out is disposed."""

    CAPACITY: Final = 100

    def __init__(self) -> None:
        self._engines: OrderedDict[str, Engine] = OrderedDict()
        self._lock = Lock()

    def get(self, dsn: str) -> Engine:
        with self._lock:
            engine = self._engines.pop(dsn, None) or _create(dsn)
            self._engines[dsn] = engine
            evicted = self._evict() if len(self._engines) > self.CAPACITY else None
        if evicted is not None:
            evicted.dispose()
        return engine

    def _evict(self) -> Engine:
        return self._engines.popitem(last=False)[1]

    def forget(self, dsn: str) -> None:
        with self._lock:
            engine = self._engines.pop(dsn, None)
        if engine is not None:
            engine.dispose()

    def forget_all(self) -> None:
        with self._lock:
            engines, self._engines = list(self._engines.values()), OrderedDict()
        for engine in engines:
            engine.dispose()


_engines = _Engines()


def forget_engine(dsn: str) -> None:
    """Close the idle connections to a database, before it is dropped or moved."""
    _engines.forget(dsn)


def close_engines() -> None:
    """Close all idle connections, when the process ends or is about to fork."""
    _engines.forget_all()


def sqlalchemy_url(dsn: str) -> URL:
    """`dsn` is a libpq connection string or URI."""
    parts = {key: str(value) for key, value in conninfo_to_dict(dsn).items()}
    return URL.create(
        "postgresql+psycopg",
        username=parts.pop("user", None),
        password=parts.pop("password", None),
        host=parts.pop("host", None),
        port=int(parts.pop("port", "5432")),
        database=parts.pop("dbname", None),
        query=parts,
    )


def _create(dsn: str) -> Engine:
    engine = create_engine(
        sqlalchemy_url(dsn),
        pool_size=4,
        max_overflow=8,
        pool_pre_ping=True,
        pool_timeout=5,
        connect_args={"connect_timeout": 5},
        pool_recycle=1800,
        hide_parameters=True,  # they hold positions and NIPs, and errors are logged
    )
    event.listen(engine, "first_connect", _refuse_powerful_role)
    return engine


def _refuse_powerful_role(connection: Connection[object], _record: object) -> None:
    powerful = connection.execute(
        "SELECT rolsuper OR rolbypassrls OR rolcreatedb OR rolcreaterole OR rolreplication"
        " FROM pg_roles WHERE rolname = current_user"
    ).fetchone()
    connection.rollback()
    if powerful != (False,):
        raise UnsafeRole("the role of this database may do more than the service should")
