"""A realm: one organisation, one database, one issuer of identities.

`Realm.session` is the only place in the product that opens a transaction.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from threading import Lock
from typing import Final

from psycopg import Connection
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy import Connection as Connected
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session

from tenants.problems import BeingMoved, ProvinceUnavailable, Unavailable

WRITES: Final = 0x6A656A616C
"""The advisory lock that every writing transaction shares, and that a move takes for itself."""


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
        connection is to be had, and `BeingMoved` for a write while the realm changes its server.
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
    with (
        _connected(dsn).execution_options(**options) as connection,
        Session(connection, expire_on_commit=False) as session,
        session.begin(),
    ):
        if not readonly and not _may_write(session):
            raise BeingMoved
        try:
            yield session
        except OperationalError as error:
            if readonly and error.connection_invalidated:
                raise Unavailable from None
            raise


def _connected(dsn: str) -> Connected:
    """A connection to where the realm is now; raises `Unavailable`."""
    engine = _engines.get(dsn)
    try:
        return engine.connect()
    except PoolTimeoutError:
        raise Unavailable from None
    except OperationalError:
        _engines.look_again()
    elsewhere = _engines.get(dsn)
    if elsewhere is engine:
        raise Unavailable
    try:
        return elsewhere.connect()
    except (OperationalError, PoolTimeoutError):
        raise Unavailable from None


def _may_write(session: Session) -> bool:
    """Never waits: from the moment a move asks for the lock until it is done, nobody gets it."""
    # Asked over the session: its connection's own transaction would not be the session's to commit.
    asked = session.connection().exec_driver_sql(
        f"SELECT pg_try_advisory_xact_lock_shared({WRITES})"
    )
    return bool(asked.scalar_one())


class UnsafeRole(Exception):
    """The role in a DSN could bypass the database's own protection."""


class _Engines:
    """The engines used most recently; one that falls out is disposed.

    A DSN that was moved away from leads to where its database is now: sockets hold a `Tenant` for
    hours.
    """

    CAPACITY: Final = 100

    def __init__(self) -> None:
        self._engines: OrderedDict[str, Engine] = OrderedDict()
        self._moved: dict[str, str] = {}
        self._lock = Lock()
        self.look_again: Callable[[], object] = tuple

    def get(self, dsn: str) -> Engine:
        with self._lock:
            dsn = self._moved.get(dsn, dsn)
            engine = self._engines.pop(dsn, None) or _create(dsn)
            self._engines[dsn] = engine
            evicted = self._evict() if len(self._engines) > self.CAPACITY else None
        if evicted is not None:
            evicted.dispose()
        return engine

    def _evict(self) -> Engine:
        return self._engines.popitem(last=False)[1]

    def move(self, old: str, new: str) -> None:
        with self._lock:
            further = {dsn: new if to == old else to for dsn, to in self._moved.items()}
            self._moved = further | {old: new}
        self.forget(old)

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


def move_engine(old: str, new: str) -> None:
    """What is asked of the database at the DSN `old` is asked at `new` from now on."""
    _engines.move(old, new)


def when_unreachable(look_again: Callable[[], object]) -> None:
    """Whom to ask, before a database is given up, whether it has moved: he tells `move_engine`."""
    _engines.look_again = look_again


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
