"""Trips (*perjalanan dinas*), from the letter that sends on one to the claim and the report."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, and_, case, func, select, tuple_, update
from sqlalchemy.orm import Session, contains_eager, joinedload, selectinload
from sqlalchemy.orm.interfaces import ORMOption

from tenants import access, letters, notices, plans, windows
from tenants.access import Viewer
from tenants.evidence import DeviationRecord, DeviationState
from tenants.letters import Letter
from tenants.models import (
    AssignmentLetter,
    Member,
    Role,
    Trip,
    TripChange,
    TripProgress,
    TripRevision,
    TripState,
)
from tenants.plans import LONGEST_TRIP, Dates, TripPlan, text_of
from tenants.problems import InvalidInput, OverlappingTrip, PlanIsJudged, WrongState

FIRST_LOOK: Final = timedelta(hours=1)
CLAIMED_UNTIL: Final = case(
    (Trip.claimed_days.is_(None), Trip.ended_on), else_=Trip.starts_on + Trip.claimed_days - 1
)
"""The last day that is claimed for a trip; the one before its first when none is."""


def issue(
    session: Session,
    viewer: Viewer,
    *,
    letter: Letter,
    traveller_id: UUID,
    plan: TripPlan,
    spd_number: str | None,
    home_zone: str,
    now: datetime,
) -> Trip:
    """Send a member of the operator's office on a trip; raises `OverlappingTrip` among others."""
    viewer.require(Role.OPERATOR, Role.TENANT_ADMIN)
    return send(
        session,
        access.member(session, viewer, traveller_id),
        issued_by=viewer.member_id,
        letter=letter,
        plan=plan,
        spd_number=spd_number,
        home_zone=home_zone,
        now=now,
    )


def send(
    session: Session,
    traveller: Member,
    *,
    issued_by: UUID,
    letter: Letter,
    plan: TripPlan,
    spd_number: str | None,
    home_zone: str,
    now: datetime,
) -> Trip:
    """Send a member on a trip; the caller has made sure that who asks may."""
    if traveller.suspended_at is not None:
        raise InvalidInput("travellerId", "tidak lagi aktif", "is suspended")
    trip = Trip(
        id=uuid4(),
        letter=letters.written(session, letter, traveller, issued_by=issued_by),
        traveller=traveller,
        traveller_id=traveller.id,
        spd_number=text_of("spdNumber", spd_number) if spd_number else None,
        starts_on=plan.starts_on,
        ends_on=plan.ends_on,
        ended_on=plan.ends_on,
        state=TripState.ISSUED,
    )
    trip.legs, trip.flights, trip.lawful_places = [], [], []
    _refuse_overlap(session, traveller.id, plan, but=trip.id)
    plans.apply(session, trip, plan, home_zone=home_zone)
    session.add(trip)
    session.flush()
    due_at = max(windows.midnight(plan.starts_on, home_zone), now) + FIRST_LOOK
    session.add(TripProgress(trip_id=trip.id, due_at=due_at))
    notices.follow(session, trip.id)
    return trip


def _refuse_overlap(session: Session, traveller_id: UUID, dates: Dates, *, but: UUID) -> None:
    """Raise `OverlappingTrip` when the traveller is away on one of these dates already.

    The lock on the traveller lets one such question through at a time, so that of two operators
    only one can win; the exclusion constraint behind it holds whatever happens.
    """
    session.execute(select(Member.id).where(Member.id == traveller_id).with_for_update())
    other = session.execute(
        select(Trip.id, AssignmentLetter.number, Trip.starts_on, Trip.ended_on)
        .join(Trip.letter)
        .where(
            Trip.traveller_id == traveller_id,
            Trip.id != but,
            Trip.state != TripState.CANCELLED,
            Trip.starts_on <= dates.ends_on,
            Trip.ended_on >= dates.starts_on,
        )
        .order_by(Trip.starts_on)
    ).first()
    if other is not None:
        raise OverlappingTrip(*other)


def revise(
    session: Session,
    viewer: Viewer,
    trip_id: UUID,
    plan: TripPlan,
    *,
    reason: str,
    home_zone: str,
) -> Trip:
    """Replace the plan; what it was is kept as a revision."""
    trip = _changeable(session, viewer, trip_id, TripChange.REVISED, reason)
    _refuse_overlap(session, trip.traveller_id, plan, but=trip.id)
    plans.apply(session, trip, plan, home_zone=home_zone)
    session.flush()
    notices.follow(session, trip.id)
    return trip


def extend(session: Session, viewer: Viewer, trip_id: UUID, *, ends_on: date, reason: str) -> Trip:
    """Move the end to a later date; the last destination is stayed at as much longer."""
    trip = _changeable(session, viewer, trip_id, TripChange.EXTENDED, reason)
    if not trip.ends_on < ends_on <= trip.starts_on + LONGEST_TRIP:
        raise InvalidInput("endsOn", "bukan perpanjangan", "is no extension")
    longer = Dates(trip.starts_on, ends_on)
    _refuse_overlap(session, trip.traveller_id, longer, but=trip.id)
    trip.legs[-1].depart_on += ends_on - trip.ends_on
    trip.ends_on = trip.ended_on = ends_on
    session.flush()
    notices.follow(session, trip.id)
    return trip


def cancel(session: Session, viewer: Viewer, trip_id: UUID, *, reason: str) -> Trip:
    trip = _changeable(session, viewer, trip_id, TripChange.CANCELLED, reason)
    trip.state = TripState.CANCELLED
    session.flush()
    notices.follow(session, trip.id)
    return trip


def _changeable(
    session: Session, viewer: Viewer, trip_id: UUID, change: TripChange, reason: str
) -> Trip:
    """The trip, locked, its plan kept as a revision.

    Once a deviation stands the plan is closed: a destination is not changed after the fact.
    """
    viewer.require(Role.OPERATOR, Role.TENANT_ADMIN)
    trip = _locked(session, viewer, trip_id)
    if trip.state not in (TripState.ISSUED, TripState.ACTIVE):
        raise WrongState(trip.state)
    standing = session.scalar(
        select(func.count(DeviationRecord.id)).where(
            DeviationRecord.trip_id == trip.id,
            DeviationRecord.state != DeviationState.WITHDRAWN,
            DeviationRecord.severity != "NOTE",
        )
    )
    if standing:
        raise PlanIsJudged(standing)
    session.add(
        TripRevision(
            trip_id=trip.id,
            revision=trip.revision,
            change=change,
            reason=text_of("reason", reason),
            changed_by_id=viewer.member_id,
            plan=plans.snapshot(trip),
        )
    )
    trip.revision += 1
    return trip


def start(session: Session, viewer: Viewer, trip_id: UUID, *, now: datetime, zone: str) -> Trip:
    """The traveller (or operator) says that the trip has begun; not before its first day."""
    trip = _travellers(session, viewer, trip_id)
    if trip.state is not TripState.ISSUED:
        raise WrongState(trip.state)
    if now < windows.midnight(trip.starts_on, zone):
        raise InvalidInput("startsOn", "belum tiba", "has not come yet")
    trip.state, trip.started_at = TripState.ACTIVE, now
    session.flush()
    return trip


def finish(
    session: Session,
    viewer: Viewer,
    trip_id: UUID,
    *,
    finished_at: datetime | None,
    now: datetime,
    zone: str,
) -> Trip:
    """The traveller is back: tracking ends at `finished_at` (now, unless said otherwise)."""
    trip = _travellers(session, viewer, trip_id)
    if trip.state is not TripState.ACTIVE:
        raise WrongState(trip.state)
    at = finished_at or min(now, windows.end(trip, zone))
    if at > now or at < windows.midnight(trip.starts_on, zone):
        raise InvalidInput("finishedAt", "di luar perjalanan", "is outside the trip")
    trip.state, trip.finished_at = TripState.FINISHED, at
    trip.ended_on = min(trip.ends_on, at.astimezone(ZoneInfo(zone)).date())
    session.flush()
    return trip


def claim(session: Session, viewer: Viewer, trip_id: UUID, *, days: int, now: datetime) -> Trip:
    """How many days the traveller asks the allowance for (*uang harian* for real days)."""
    own = access.trip(session, viewer, trip_id)
    if not 0 <= days <= LONGEST_TRIP.days:
        raise InvalidInput("days", "jumlah hari tidak sah", "is no number of days")
    longest = timedelta(days=max(days, own.claimed_days or 0))
    arrived(session, own.id, *(beside(session, own, own.starts_on + longest)))
    trip = _travellers(session, viewer, trip_id)
    if trip.state is not TripState.FINISHED:
        raise WrongState(trip.state)
    trip.claimed_days, trip.claimed_at = days, now
    session.flush()
    return trip


def beside(session: Session, trip: Trip, until: date) -> list[UUID]:
    """The traveller's other trips that claim a day from this one's start to `until`."""
    return list(
        session.scalars(
            select(Trip.id).where(
                Trip.traveller_id == trip.traveller_id,
                Trip.id != trip.id,
                claims(trip.starts_on, until),
            )
        )
    )


def claims(
    first: date | ColumnElement[date], last: date | ColumnElement[date]
) -> ColumnElement[bool]:
    """Condition on `Trip`: one of these days is claimed for it, or would be, before any claim."""
    return and_(
        Trip.state != TripState.CANCELLED,
        Trip.starts_on <= last,
        first <= CLAIMED_UNTIL,
        Trip.starts_on <= CLAIMED_UNTIL,
    )


def file_report(
    session: Session,
    viewer: Viewer,
    trip_id: UUID,
    *,
    filed_on: date | None,
    now: datetime,
    zone: str,
) -> Trip:
    """The report (*laporan*) was filed on this date, today unless said otherwise; once and for all.

    Possible when the trip is finished or its last day is over.
    """
    trip = _travellers(session, viewer, trip_id)
    today = now.astimezone(ZoneInfo(zone)).date()
    over = trip.state is not TripState.CANCELLED and today > trip.ends_on
    if not (over or trip.state is TripState.FINISHED):
        raise WrongState(trip.state)
    if trip.reported_on is not None:
        raise InvalidInput("filedOn", "laporan sudah disampaikan", "the report is filed already")
    day = filed_on or today
    if not trip.starts_on <= day <= today:
        raise InvalidInput("filedOn", "sebelum berangkat atau di masa depan", "is out of time")
    trip.reported_on = day
    session.flush()
    return trip


def _travellers(session: Session, viewer: Viewer, trip_id: UUID) -> Trip:
    """A trip of the viewer's own, or of her office when she is its operator; locked."""
    trip = _locked(session, viewer, trip_id)
    if trip.traveller_id != viewer.member_id:
        viewer.require(Role.OPERATOR, Role.TENANT_ADMIN)
    return trip


def _locked(session: Session, viewer: Viewer, trip_id: UUID) -> Trip:
    """A trip that the viewer may see, as it is once no other change to it is under way."""
    access.trip(session, viewer, trip_id)
    arrived(session, trip_id)
    session.expire_all()
    return access.trip(session, viewer, trip_id, *WHOLE_PLAN)


def arrived(session: Session, *trip_ids: UUID) -> None:
    """Note that something came which can change the verdict; serialises changes to the trips.

    Several are locked in one order, so that nobody waits for one who waits for her.
    """
    if len(trip_ids) > 1:
        rows = select(TripProgress.trip_id).where(TripProgress.trip_id.in_(trip_ids))
        session.execute(rows.order_by(TripProgress.trip_id).with_for_update())
    session.execute(
        update(TripProgress)
        .where(TripProgress.trip_id.in_(trip_ids))
        .values(arrived=TripProgress.arrived + 1)
    )


WHOLE_PLAN: Final[tuple[ORMOption, ...]] = (
    contains_eager(Trip.traveller),
    joinedload(Trip.letter),
    selectinload(Trip.legs),
    selectinload(Trip.flights),
    selectinload(Trip.lawful_places),
)


SHOWN: Final[tuple[ORMOption, ...]] = (contains_eager(Trip.traveller), joinedload(Trip.letter))


@dataclass(frozen=True, slots=True)
class TripFilter:
    """Conditions that all must hold; None asks for nothing."""

    states: Sequence[TripState] | None = None
    traveller_id: UUID | None = None
    starts_from: date | None = None
    starts_until: date | None = None
    ends_from: date | None = None

    def conditions(self) -> Iterator[ColumnElement[bool]]:
        if self.states is not None:
            yield Trip.state.in_(self.states)
        if self.traveller_id is not None:
            yield Trip.traveller_id == self.traveller_id
        if self.starts_from is not None:
            yield Trip.starts_on >= self.starts_from
        if self.starts_until is not None:
            yield Trip.starts_on <= self.starts_until
        if self.ends_from is not None:
            yield Trip.ended_on >= self.ends_from


def page(
    session: Session,
    viewer: Viewer,
    *,
    wanted: TripFilter,
    after: tuple[date, UUID] | None,
    first: int,
) -> list[Trip]:
    """Up to `first` + 1 trips, newest first; the one too many tells that there is a next page."""
    query = access.trips(viewer).where(*wanted.conditions()).options(*SHOWN)
    if after is not None:
        query = query.where(tuple_(Trip.starts_on, Trip.id) < after)
    newest = query.order_by(Trip.starts_on.desc(), Trip.id.desc())
    return list(session.scalars(newest.limit(first + 1)))


def by_ids(session: Session, trip_ids: Sequence[UUID]) -> Mapping[UUID, Trip]:
    """Trips with traveller and letter; the caller has made sure that they may be seen."""
    query = select(Trip).where(Trip.id.in_(trip_ids))
    found = session.scalars(query.options(joinedload(Trip.traveller), joinedload(Trip.letter)))
    return {trip.id: trip for trip in found}
