"""What the province holds: figures and cases that the regencies publish, and no track."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID, uuid4

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    ColumnElement,
    DateTime,
    Double,
    ForeignKey,
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
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from tenants.access import Viewer
from tenants.models import Member, Role
from tenants.problems import NotFound

OPEN_STATES: Final = ("OPEN", "ANSWERED")


class Base(DeclarativeBase):
    type_annotation_map = {
        str: Text,
        datetime: DateTime(timezone=True),
        Decimal: Numeric(14, 2),
        float: Double,
        list[float]: ARRAY(Double),
        list[dict[str, Any]]: JSONB,
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
    """A trip of a regency that shares cases; `person` is the traveller's pseudonym."""

    __tablename__ = "shared_trip"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[str]
    starts_on: Mapped[date]
    ends_on: Mapped[date]
    ended_on: Mapped[date]
    person: Mapped[str | None]


class SharedVerdict(Base):
    __tablename__ = "shared_verdict"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant: Mapped[str] = mapped_column(primary_key=True)
    trip_id: Mapped[UUID]
    outcome: Mapped[str]
    final: Mapped[bool]
    coverage: Mapped[float]
    evaluated_at: Mapped[datetime]


class SharedDeviation(Base):
    """A case as a regency shares it: no position, and a name only where it agreed to that.

    `history` holds `state` and `at` (ISO 8601) of each change; `replied_at` and `ruled_at` are of
    the first reply and ruling, whose authors and words stay in the regency.
    """

    __tablename__ = "shared_deviation"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant: Mapped[str] = mapped_column(primary_key=True)
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
    history: Mapped[list[dict[str, Any]]]
    replied_at: Mapped[datetime | None]
    ruled_at: Mapped[datetime | None]
    pseudonym: Mapped[str | None]
    traveller_name: Mapped[str | None]
    traveller_nip: Mapped[str | None]


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


class SharedMonth(Base):
    """A regency's trips that end in a month, as planned, and the verdicts on them.

    Cancelled ones are out. `days` are planned days, `coverage` the sum over the `verdicts`;
    `deviating` of `judged` trips deviate, by final verdicts.
    """

    __tablename__ = "shared_month"
    tenant: Mapped[str] = mapped_column(primary_key=True)
    month: Mapped[date] = mapped_column(primary_key=True)
    trips: Mapped[int]
    days: Mapped[int]
    verdicts: Mapped[int]
    coverage: Mapped[float]
    conforms: Mapped[int]
    deviates: Mapped[int]
    unverifiable: Mapped[int]
    judged: Mapped[int]
    deviating: Mapped[int]


class SharedFinding(Base):
    """The deviations of a kind and severity on the trips that end in a month, as planned.

    `open` and `amount_at_stake` (rupiah) are of those not yet ruled on. `reply_hours` and
    `ruling_hours` are from the finding to the first reply and the first ruling, one for each
    deviation that had one, the shortest first.
    """

    __tablename__ = "shared_finding"
    tenant: Mapped[str] = mapped_column(primary_key=True)
    month: Mapped[date] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    severity: Mapped[str] = mapped_column(primary_key=True)
    open: Mapped[int]
    upheld: Mapped[int]
    excused: Mapped[int]
    amount_at_stake: Mapped[Decimal] = mapped_column(Numeric(16, 2))
    amount_upheld: Mapped[Decimal] = mapped_column(Numeric(16, 2))
    reply_hours: Mapped[list[float]]
    ruling_hours: Mapped[list[float]]


class Receipt(Base):
    """When the province last heard from a regency's database; PostgreSQL's own."""

    __tablename__ = "regency_receipt"
    code: Mapped[str] = mapped_column(primary_key=True)
    heard_at: Mapped[datetime]


class Arrival(Base):
    """That a case came to the province, once, also when all is copied anew.

    `arrived_in` is the number of the transaction that brought it.
    """

    __tablename__ = "case_arrival"
    deviation_id: Mapped[UUID] = mapped_column(primary_key=True)
    arrived_in: Mapped[int] = mapped_column(BigInteger)
    arrived_at: Mapped[datetime]


class Escalation(Base):
    """What the province asks a regency about a case (*permintaan penjelasan*); never changed."""

    __tablename__ = "escalation"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    tenant: Mapped[str]
    deviation_id: Mapped[UUID] = mapped_column(index=True)
    question: Mapped[str]
    asked_by_id: Mapped[UUID] = mapped_column(ForeignKey(Member.id))
    asked_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class EscalationClosing(Base):
    """That the province needs to know no more, and why."""

    __tablename__ = "escalation_closing"
    escalation_id: Mapped[UUID] = mapped_column(ForeignKey("escalation.id"), primary_key=True)
    note: Mapped[str | None]
    closed_by_id: Mapped[UUID] = mapped_column(ForeignKey(Member.id))
    closed_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class SharedAnswer(Base):
    """A regency's answer to an escalation, as it publishes it."""

    __tablename__ = "escalation_answer"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant: Mapped[str]
    escalation_id: Mapped[UUID] = mapped_column(index=True)
    body: Mapped[str]
    answered_at: Mapped[datetime]


@dataclass(frozen=True, slots=True)
class CaseFilter:
    """Conditions on shared cases that all must hold; None asks for nothing.

    `kinds` must be said: a regency may publish some that who asks does not know.
    """

    kinds: Sequence[str]
    tenant: str | None = None
    states: Sequence[str] | None = None
    found_from: datetime | None = None
    found_before: datetime | None = None

    def conditions(self) -> Iterator[ColumnElement[bool]]:
        yield SharedDeviation.kind.in_(self.kinds)
        if self.tenant is not None:
            yield SharedDeviation.tenant == self.tenant
        if self.states is not None:
            yield SharedDeviation.state.in_(self.states)
        if self.found_from is not None:
            yield SharedDeviation.found_at >= self.found_from
        if self.found_before is not None:
            yield SharedDeviation.found_at < self.found_before


def page(
    session: Session,
    viewer: Viewer,
    *,
    wanted: CaseFilter,
    after: tuple[datetime, UUID] | None,
    first: int,
) -> list[SharedDeviation]:
    """Up to `first` + 1 shared cases of all regencies, newest first."""
    viewer.require(Role.OVERSEER)
    query = select(SharedDeviation).where(*wanted.conditions())
    if after is not None:
        query = query.where(tuple_(SharedDeviation.found_at, SharedDeviation.id) < after)
    newest = query.order_by(SharedDeviation.found_at.desc(), SharedDeviation.id.desc())
    return list(session.scalars(newest.limit(first + 1)))


def case(session: Session, viewer: Viewer, deviation_id: UUID) -> SharedDeviation:
    """One shared case; raises `NotFound`, as for one that was withdrawn."""
    viewer.require(Role.OVERSEER)
    found = session.scalar(select(SharedDeviation).where(SharedDeviation.id == deviation_id))
    if found is None:
        raise NotFound("Temuan")
    return found


def find(
    session: Session, viewer: Viewer, deviation_id: UUID, wanted: CaseFilter
) -> SharedDeviation | None:
    """A shared case when it meets the filter."""
    viewer.require(Role.OVERSEER)
    query = select(SharedDeviation).where(SharedDeviation.id == deviation_id, *wanted.conditions())
    return session.scalar(query)


def arrivals(session: Session, since: int | None) -> tuple[int, list[UUID]]:
    """The cases that came in transaction `since` (None: now) or later, and from where to go on.

    A transaction may become visible after younger ones: from the oldest that was under way when
    this was asked, the next question hears of those that were not seen, and again of some that
    were.
    """
    mark = session.scalar(text("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint"))
    assert isinstance(mark, int)
    if since is None:
        return mark, []
    return mark, list(
        session.scalars(select(Arrival.deviation_id).where(Arrival.arrived_in >= since))
    )
