"""Claims (*pertanggungjawaban*): trips that are over, what is at stake in them, what follows.

Amounts are in rupiah: at stake what awaits a ruling, upheld what an inspector upheld, recovered
what was paid back of that, outstanding the rest of it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    String,
    and_,
    case,
    cast,
    func,
    literal,
    or_,
    select,
    tuple_,
)
from sqlalchemy.orm import Session, contains_eager, joinedload

from tenants import access
from tenants.access import Viewer
from tenants.evidence import DeviationRecord, DeviationState, VerdictRecord
from tenants.models import Member, Trip, TripState
from tenants.recoveries import Recovery, standing


class ClaimState(StrEnum):
    """What a claim waits for: the traveller's word, a ruling, the money, or nothing more."""

    AWAITED = "AWAITED"
    IN_REVIEW = "IN_REVIEW"
    TO_RECOVER = "TO_RECOVER"
    SETTLED = "SETTLED"


@dataclass(frozen=True, slots=True)
class Claim:
    """The claim for a trip that is over.

    `observed_days` are the days that the verdict supports, `unknown_days` those that prove nothing
    either way; None before there is a verdict.
    """

    trip: Trip
    state: ClaimState
    observed_days: int | None
    unknown_days: int | None
    at_stake: Decimal
    upheld: Decimal
    recovered: Decimal
    outstanding: Decimal


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over claims."""

    claims: int
    at_stake: Decimal
    upheld: Decimal
    recovered: Decimal
    outstanding: Decimal


@dataclass(frozen=True, slots=True)
class ClaimFilter:
    """Conditions that all must hold; None asks for nothing. An office is meant with all below."""

    states: Sequence[ClaimState] | None = None
    office_id: UUID | None = None
    starts_from: date | None = None
    starts_until: date | None = None

    def conditions(self, state: ColumnElement[str]) -> Iterator[ColumnElement[bool]]:
        yield Trip.state == TripState.FINISHED
        if self.states is not None:
            yield state.in_(self.states)
        if self.office_id is not None:
            yield access.within(self.office_id)
        if self.starts_from is not None:
            yield Trip.starts_on >= self.starts_from
        if self.starts_until is not None:
            yield Trip.starts_on <= self.starts_until


SUMS: Final = ("at_stake", "upheld", "recovered", "outstanding")


def _figures() -> FromClause:
    """A row of sums beside each trip; what is not upheld, or no longer, is not to be recovered."""
    paid = (
        select(func.coalesce(func.sum(Recovery.amount), 0))
        .where(Recovery.deviation_id == DeviationRecord.id, standing())
        .correlate(DeviationRecord)
        .scalar_subquery()
    )
    each = (
        select(
            DeviationRecord.state,
            func.coalesce(DeviationRecord.amount, 0).label("amount"),
            paid.label("paid"),
        )
        .where(DeviationRecord.trip_id == Trip.id)
        .correlate(Trip)
        .subquery()
    )
    waits = each.c.state.in_((DeviationState.OPEN, DeviationState.ANSWERED))
    upheld = each.c.state == DeviationState.UPHELD
    left = func.greatest(each.c.amount - each.c.paid, 0)
    sums = (
        func.coalesce(func.sum(value).filter(which), 0).label(name)
        for name, value, which in (
            ("at_stake", each.c.amount, waits),
            ("upheld", each.c.amount, upheld),
            ("recovered", each.c.paid, each.c.paid > 0),
            ("outstanding", left, upheld),
        )
    )
    return select(*sums).lateral("figures")


def _claims(viewer: Viewer, wanted: ClaimFilter) -> tuple[Select[Any], FromClause]:
    figures = _figures()
    judged = and_(VerdictRecord.trip_id == Trip.id, VerdictRecord.current)
    state: ColumnElement[str] = case(
        (figures.c.outstanding > 0, literal(ClaimState.TO_RECOVER, String)),
        (Trip.claimed_days.is_(None), literal(ClaimState.AWAITED, String)),
        (
            or_(VerdictRecord.final.is_not(True), figures.c.at_stake > 0),
            literal(ClaimState.IN_REVIEW, String),
        ),
        else_=literal(ClaimState.SETTLED, String),
    )
    query = (
        access.trips(viewer)
        .outerjoin(VerdictRecord, judged)
        .join(figures, literal(True))
        .where(*wanted.conditions(cast(state, String)))
        .add_columns(
            state.label("claim_state"),
            VerdictRecord.observed_days,
            VerdictRecord.unknown_days,
            *(figures.c[name] for name in SUMS),
        )
    )
    return query, figures


def page(
    session: Session,
    viewer: Viewer,
    *,
    wanted: ClaimFilter,
    after: tuple[date, UUID] | None,
    first: int,
) -> list[Claim]:
    """Up to `first` + 1 claims of trips that the viewer may see, latest start first."""
    query, _ = _claims(viewer, wanted)
    if after is not None:
        query = query.where(tuple_(Trip.starts_on, Trip.id) < after)
    newest = query.order_by(Trip.starts_on.desc(), Trip.id.desc()).limit(first + 1)
    shown = newest.options(
        contains_eager(Trip.traveller).joinedload(Member.office), joinedload(Trip.letter)
    )
    return [Claim(trip, ClaimState(state), *rest) for trip, state, *rest in session.execute(shown)]


def totals(session: Session, viewer: Viewer, wanted: ClaimFilter) -> Totals:
    """The sums over all claims that `page` would give."""
    query, figures = _claims(viewer, wanted)
    sums = (func.coalesce(func.sum(figures.c[name]), 0) for name in SUMS)
    found = session.execute(query.with_only_columns(func.count(), *sums)).one()
    return Totals(*found)
