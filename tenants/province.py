"""What the province holds: figures and cases that the regencies publish, and no track."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Double,
    Index,
    LargeBinary,
    Numeric,
    SmallInteger,
    Table,
    Text,
    func,
    select,
    text,
    tuple_,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from tenants.access import Viewer
from tenants.models import Role


class Base(DeclarativeBase):
    type_annotation_map = {
        str: Text,
        datetime: DateTime(timezone=True),
        Decimal: Numeric(14, 2),
        float: Double,
    }


class Regency(Base):
    """A regency; `reader` is its own role in this database, see `PassingNotice`."""

    __tablename__ = "regency"
    code: Mapped[str] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    reader: Mapped[str | None] = mapped_column(unique=True)


class PassingNotice(Base):
    """A notice on its way to the destination, which alone may read it."""

    __tablename__ = "travel_notice"
    trip_id: Mapped[UUID] = mapped_column(primary_key=True)
    leg: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    tenant: Mapped[str]
    destination: Mapped[str]
    arrive_on: Mapped[date]
    depart_on: Mapped[date]
    letter_number: Mapped[str]
    traveller: Mapped[str]
    position: Mapped[str | None]
    office: Mapped[str | None]
    code_key: Mapped[str]


class PassingVisum(Base):
    """What a host confirmed of a trip, on its way to the sender, who alone may read it."""

    __tablename__ = "visum"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant: Mapped[str]
    sender: Mapped[str]
    trip_id: Mapped[UUID]
    leg: Mapped[int] = mapped_column(SmallInteger)
    event: Mapped[str]
    happened_at: Mapped[datetime]
    method: Mapped[str]
    confirmed_at: Mapped[datetime]
    withdraws: Mapped[UUID | None]
    received_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class SharedTrip(Base):
    __tablename__ = "trip"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant: Mapped[str]
    state: Mapped[str]
    starts_on: Mapped[date]
    ends_on: Mapped[date]


class SharedVerdict(Base):
    __tablename__ = "verdict"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant: Mapped[str]
    trip_id: Mapped[UUID]
    current: Mapped[bool]
    outcome: Mapped[str]
    final: Mapped[bool]
    coverage: Mapped[float]
    evaluated_at: Mapped[datetime]


class SharedDeviation(Base):
    """A case as a regency shares it: no name, no NIP, no position."""

    __tablename__ = "deviation"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant: Mapped[str]
    trip_id: Mapped[UUID]
    kind: Mapped[str]
    severity: Mapped[str]
    state: Mapped[str]
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime]
    region_code: Mapped[str | None]
    planned_region_code: Mapped[str | None]
    coverage: Mapped[float]
    amount: Mapped[Decimal | None]
    message_id: Mapped[str]
    message_en: Mapped[str]
    found_at: Mapped[datetime]


PUBLISHED_HEADS = Table(
    "seal",
    Base.metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("sealed_at", DateTime(timezone=True), nullable=False),
    Column("head", LargeBinary, nullable=False),
)
"""Where the regencies' heads come in, to be kept as `KeptHead`; itself always empty."""


class KeptHead(Base):
    """The head of a regency's evidence chain, with the time at which the province received it.

    `conflicts` where another head of that number was here before.
    """

    __tablename__ = "kept_head"
    tenant: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    head: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    sealed_at: Mapped[datetime]
    received_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    conflicts: Mapped[bool]
    __table_args__ = (Index("kept_head_conflicts", "tenant", postgresql_where=text("conflicts")),)


@dataclass(slots=True)
class Figures:
    """A regency in numbers; `verdicts` counts trips by the outcome in force.

    `head` is the newest of its evidence chain, `conflicting_heads` counts those of a number that
    had another head before.
    """

    code: str
    name: str
    trips: int = 0
    verdicts: dict[str, int] = field(default_factory=dict)
    open_deviations: int = 0
    settled_deviations: int = 0
    amount_at_stake: Decimal = Decimal(0)
    head: KeptHead | None = None
    conflicting_heads: int = 0


OPEN_STATES = ("OPEN", "ANSWERED")


def figures(session: Session, viewer: Viewer) -> list[Figures]:
    """The figures of every regency, by code; cancelled trips do not count."""
    viewer.require(Role.OVERSEER)
    found = {
        row.code: Figures(row.code, row.name)
        for row in session.scalars(select(Regency).order_by(Regency.code))
    }
    trips = select(SharedTrip.tenant, func.count()).where(SharedTrip.state != "CANCELLED")
    for code, count in session.execute(trips.group_by(SharedTrip.tenant)):
        found[code].trips = count
    outcomes = select(SharedVerdict.tenant, SharedVerdict.outcome, func.count()).group_by(
        SharedVerdict.tenant, SharedVerdict.outcome
    )
    for code, outcome, count in session.execute(outcomes):
        found[code].verdicts[outcome] = count
    is_open = SharedDeviation.state.in_(OPEN_STATES)
    cases = select(
        SharedDeviation.tenant,
        func.count().filter(is_open),
        func.count().filter(~is_open),
        func.sum(SharedDeviation.amount).filter(is_open),
    ).group_by(SharedDeviation.tenant)
    for code, opened, settled, amount in session.execute(cases):
        case = found[code]
        case.open_deviations, case.settled_deviations = opened, settled
        case.amount_at_stake = amount or Decimal(0)
    conflicts = select(KeptHead.tenant, func.count()).where(KeptHead.conflicts)
    for code, count in session.execute(conflicts.group_by(KeptHead.tenant)):
        found[code].conflicting_heads = count
    newest = select(KeptHead).order_by(KeptHead.number.desc(), KeptHead.received_at).limit(1)
    for row in found.values():
        row.head = session.scalar(newest.where(KeptHead.tenant == row.code))
    return list(found.values())


def page(
    session: Session,
    viewer: Viewer,
    *,
    tenant: str | None,
    states: Sequence[str] | None,
    after: tuple[datetime, UUID] | None,
    first: int,
) -> list[SharedDeviation]:
    """Up to `first` + 1 shared cases of all regencies, newest first."""
    viewer.require(Role.OVERSEER)
    query = select(SharedDeviation)
    if tenant is not None:
        query = query.where(SharedDeviation.tenant == tenant)
    if states is not None:
        query = query.where(SharedDeviation.state.in_(states))
    if after is not None:
        query = query.where(tuple_(SharedDeviation.found_at, SharedDeviation.id) < after)
    newest = query.order_by(SharedDeviation.found_at.desc(), SharedDeviation.id.desc())
    return list(session.scalars(newest.limit(first + 1)))
