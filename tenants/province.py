"""What the province holds: figures and cases that the regencies publish, and no track."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import DateTime, Double, Numeric, Text, func, select, tuple_
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
    __tablename__ = "regency"
    code: Mapped[str] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]


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
    """A case as a regency shares it: no position, and a name only where it agreed to that."""

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
    pseudonym: Mapped[str | None]
    traveller_name: Mapped[str | None]
    traveller_nip: Mapped[str | None]


class SharedMonth(Base):
    """A regency's trips that begin in a month, and the verdicts on them; cancelled ones are out.

    `days` are those of the trips, of which some are observed and some unknown.
    """

    __tablename__ = "shared_month"
    tenant: Mapped[str] = mapped_column(primary_key=True)
    month: Mapped[date] = mapped_column(primary_key=True)
    trips: Mapped[int]
    days: Mapped[int]
    observed_days: Mapped[int]
    unknown_days: Mapped[int]
    conforms: Mapped[int]
    deviates: Mapped[int]
    unverifiable: Mapped[int]


class SharedFinding(Base):
    """The deviations of a kind and severity on the trips that begin in a month.

    `open` and `amount_at_stake` (rupiah) are of those not yet ruled on. `reply_seconds` and
    `ruling_seconds` are sums over the `replies` and `rulings`, the first of each deviation, from
    its finding on.
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
    replies: Mapped[int]
    reply_seconds: Mapped[float]
    rulings: Mapped[int]
    ruling_seconds: Mapped[float]


@dataclass(slots=True)
class Figures:
    """A regency in numbers; `verdicts` counts trips by the outcome in force."""

    code: str
    name: str
    trips: int = 0
    verdicts: dict[str, int] = field(default_factory=dict)
    open_deviations: int = 0
    settled_deviations: int = 0
    amount_at_stake: Decimal = Decimal(0)


def figures(session: Session, viewer: Viewer) -> list[Figures]:
    """The figures of every regency, by code; zeros for one that shares nothing."""
    viewer.require(Role.OVERSEER)
    found = {
        row.code: Figures(row.code, row.name)
        for row in session.scalars(select(Regency).order_by(Regency.code))
    }
    month, finding = SharedMonth, SharedFinding
    months = (
        select(
            month.tenant,
            func.sum(month.trips),
            func.sum(month.conforms),
            func.sum(month.deviates),
            func.sum(month.unverifiable),
        )
        .where(month.tenant.in_(found))
        .group_by(month.tenant)
    )
    for code, trips, conforms, deviates, unverifiable in session.execute(months):
        found[code].trips = trips
        found[code].verdicts = {
            "CONFORMS": conforms,
            "DEVIATES": deviates,
            "UNVERIFIABLE": unverifiable,
        }
    findings = (
        select(
            finding.tenant,
            func.sum(finding.open),
            func.sum(finding.upheld + finding.excused),
            func.sum(finding.amount_at_stake),
        )
        .where(finding.tenant.in_(found))
        .group_by(finding.tenant)
    )
    for code, opened, settled, amount in session.execute(findings):
        case = found[code]
        case.open_deviations, case.settled_deviations = opened, settled
        case.amount_at_stake = amount
    return list(found.values())


def page(
    session: Session,
    viewer: Viewer,
    *,
    tenant: str | None,
    states: Sequence[str] | None,
    known: Sequence[str],
    after: tuple[datetime, UUID] | None,
    first: int,
) -> list[SharedDeviation]:
    """Up to `first` + 1 shared cases of all regencies, of the `known` kinds, newest first."""
    viewer.require(Role.OVERSEER)
    query = select(SharedDeviation).where(SharedDeviation.kind.in_(known))
    if tenant is not None:
        query = query.where(SharedDeviation.tenant == tenant)
    if states is not None:
        query = query.where(SharedDeviation.state.in_(states))
    if after is not None:
        query = query.where(tuple_(SharedDeviation.found_at, SharedDeviation.id) < after)
    newest = query.order_by(SharedDeviation.found_at.desc(), SharedDeviation.id.desc())
    return list(session.scalars(newest.limit(first + 1)))
