"""The control catalogue: which realms are served, and where their databases are."""

import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from enum import StrEnum
from functools import cache, lru_cache
from threading import Lock
from typing import Final

from cryptography.fernet import Fernet
from sqlalchemy import ARRAY, Enum, Text, create_engine, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from tenants.problems import UnknownTenant
from tenants.realm import (
    Issuer,
    Province,
    Realm,
    RealmState,
    Tenant,
    move_engine,
    sqlalchemy_url,
    when_unreachable,
)
from tenants.settings import settings

PROVINCE_SLUG: Final = "province"
FRESH_SECONDS: Final = 5.0
PATIENCE: Final = 1.0
"""Seconds to wait for the catalogue before what was last read is served."""
DOUBTFUL_SECONDS: Final = 0.25
"""So old, what was read is read again when a database cannot be reached: it may have moved."""


class Base(DeclarativeBase):
    type_annotation_map = {str: Text, StrEnum: Enum(StrEnum, native_enum=False)}


class RealmRecord(Base):
    """A realm as the catalogue keeps it; the DSNs and the secrets are encrypted."""

    __tablename__ = "realm"
    slug: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    zone: Mapped[str | None]
    state: Mapped[RealmState]
    dsn: Mapped[str]
    owner_dsn: Mapped[str]
    province_dsn: Mapped[str | None]
    issuer_url: Mapped[str]
    client_id: Mapped[str]
    client_secret: Mapped[str | None]
    audience: Mapped[str]
    algorithms: Mapped[list[str]] = mapped_column(ARRAY(Text))
    identity_claim: Mapped[str]
    person_key: Mapped[str | None]

    def opened(self) -> Realm:
        issuer = Issuer(
            url=self.issuer_url,
            client_id=self.client_id,
            client_secret=_opened(self.client_secret) if self.client_secret else None,
            audience=self.audience,
            algorithms=tuple(self.algorithms),
            identity_claim=self.identity_claim,
        )
        common = (self.slug, self.code, self.name, _opened(self.dsn), issuer, self.state)
        if self.zone is None:
            return Province(*common)
        at_province = _opened(self.province_dsn) if self.province_dsn else None
        return Tenant(*common, zone=self.zone, province_dsn=at_province)


def encrypt(secret: str) -> str:
    return Fernet(settings().secret_key).encrypt(secret.encode()).decode()


def decrypt(secret: str) -> str:
    return Fernet(settings().secret_key).decrypt(secret.encode()).decode()


# Every process reads all realms every few seconds: of 514 regencies only what changed is decrypted.
_opened = lru_cache(maxsize=2048)(decrypt)


class _Catalogue:
    """All realms, read again when older than `FRESH_SECONDS`.

    A suspension therefore takes effect within that time in every process, a move at once. When the
    control database does not answer, or not within `PATIENCE`, what was last read goes on being
    served.
    """

    def __init__(self) -> None:
        self._realms: dict[str, Realm] = {}
        self._read_at = float("-inf")
        self._lock = Lock()
        self._thread = ThreadPoolExecutor(1, "catalogue")
        self._reading: Future[None] | None = None
        self._patient_until = 0.0
        self._change = 0
        self._engine = create_engine(
            sqlalchemy_url(settings().control_dsn),
            pool_size=1,
            pool_pre_ping=True,
            connect_args={"connect_timeout": 5, "tcp_user_timeout": 10_000},
        )

    def realms(self, *, fresh: float = FRESH_SECONDS) -> dict[str, Realm]:
        with self._lock:
            if time.monotonic() - self._read_at <= fresh:
                return self._realms
            if self._reading is None or self._reading.done():
                self._reading = self._thread.submit(self._read, self._change)
                self._patient_until = time.monotonic() + PATIENCE
            reading, known = self._reading, bool(self._realms)
            patience = max(0.0, self._patient_until - time.monotonic()) if known else None
        with suppress(TimeoutError):
            reading.result(patience)
        return self._realms

    def _read(self, change: int) -> None:
        before = self._realms
        try:
            with Session(self._engine) as session:
                records = session.scalars(select(RealmRecord).order_by(RealmRecord.code))
                self._realms = {record.slug: record.opened() for record in records}
            for slug, known in before.items():
                if slug in self._realms and self._realms[slug].dsn != known.dsn:
                    move_engine(known.dsn, self._realms[slug].dsn)
        except OperationalError:
            if not before:
                raise
        with self._lock:
            if change == self._change:
                self._read_at = time.monotonic()

    def stale(self) -> None:
        with self._lock:
            self._change += 1
            self._read_at = float("-inf")
            # What is being read now may be from before the change.
            self._reading = None

    def close(self) -> None:
        self._thread.shutdown(wait=False)
        self._engine.dispose()


@cache
def _catalogue() -> _Catalogue:
    return _Catalogue()


def _look_again() -> None:
    if _catalogue.cache_info().currsize:
        _catalogue().realms(fresh=DOUBTFUL_SECONDS)


when_unreachable(_look_again)


def realm(slug: str) -> Realm:
    """The realm that is served under `slug`, to the letter; raises `UnknownTenant`."""
    found = _catalogue().realms().get(slug)
    if found is None or found.state is not RealmState.ACTIVE:
        raise UnknownTenant
    return found


def tenant(slug: str) -> Tenant:
    """The regency that is served under `slug`; raises `UnknownTenant`, for the province too."""
    found = realm(slug)
    if not isinstance(found, Tenant):
        raise UnknownTenant
    return found


def known(slug: str) -> Tenant:
    """The regency of that name, suspended or not; raises `UnknownTenant`."""
    found = _catalogue().realms().get(slug)
    if not isinstance(found, Tenant):
        raise UnknownTenant
    return found


def regencies() -> list[Tenant]:
    """All regencies, suspended ones too, by code."""
    return [found for found in _catalogue().realms().values() if isinstance(found, Tenant)]


def tenants() -> list[Tenant]:
    """The regencies that are served, by code."""
    return [found for found in regencies() if found.state is RealmState.ACTIVE]


def province() -> Province:
    """The province; raises `UnknownTenant` before `jejak init` made it."""
    found = realm(PROVINCE_SLUG)
    assert isinstance(found, Province)
    return found


def read_again() -> None:
    """Forget what was read, after a change made by this process."""
    _catalogue().stale()


def close() -> None:
    """Close the connections; the next question opens them again, by the settings of then."""
    if _catalogue.cache_info().currsize:
        _catalogue().close()
    _catalogue.cache_clear()
    _opened.cache_clear()
