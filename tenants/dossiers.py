"""All that the regency has on record about a trip, read at once for its verdict."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    BindParameter,
    Date,
    DateTime,
    Text,
    Uuid,
    and_,
    bindparam,
    case,
    func,
    or_,
    select,
)
from sqlalchemy.orm import Session

from tenants import pauses, trips
from tenants.evidence import (
    Attendance,
    OutsideAssignment,
    Pause,
    ReceivedVisum,
    Silence,
    VerdictRecord,
)
from tenants.models import (
    AssignmentLetter,
    BoundarySet,
    DailyAllowance,
    Flight,
    LawfulPlace,
    Leg,
    Member,
    Office,
    RulesetVersion,
    Trip,
    TripProgress,
    TripState,
)
from tenants.together import Row, Together

OnRecord = Mapping[str, list[Row]]
"""The rows of each part, by its name."""


def _given(name: str, kind: Any) -> BindParameter[Any]:
    return bindparam(name, type_=kind)


TRIP_ID: Final = _given("trip_id", Uuid())
TRAVELLER: Final = _given("traveller_id", Uuid())
STARTS_ON, LAST = (_given(name, Date()) for name in ("starts_on", "last"))
START, END = (_given(name, DateTime(timezone=True)) for name in ("start", "end"))

VALID: Final = and_(
    RulesetVersion.valid_from <= STARTS_ON,
    or_(RulesetVersion.valid_until.is_(None), RulesetVersion.valid_until >= STARTS_ON),
)

ASKED: Final = Together(
    legs=select(
        Leg.position,
        Leg.region_code,
        Leg.zone,
        Leg.arrive_on,
        Leg.depart_on,
        Leg.lodging_lon,
        Leg.lodging_lat,
    )
    .where(Leg.trip_id == TRIP_ID)
    .order_by(Leg.position),
    places=select(LawfulPlace.region_code, LawfulPlace.from_on, LawfulPlace.until_on)
    .where(LawfulPlace.trip_id == TRIP_ID)
    .order_by(LawfulPlace.from_on),
    flights=select(
        Flight.number,
        Flight.origin,
        Flight.destination,
        Flight.departs_at,
        Flight.arrives_at,
    )
    .where(Flight.trip_id == TRIP_ID)
    .order_by(Flight.position),
    allowance=select(DailyAllowance.amount).where(
        DailyAllowance.province_code
        == select(func.left(Leg.region_code, 2))
        .where(Leg.trip_id == TRIP_ID)
        .order_by(Leg.position)
        .limit(1)
        .scalar_subquery(),
        DailyAllowance.valid_from <= STARTS_ON,
        or_(DailyAllowance.valid_until.is_(None), DailyAllowance.valid_until >= STARTS_ON),
    ),
    own=select(
        AssignmentLetter.number,
        func.coalesce(Office.name, "", type_=Text()),
        Trip.starts_on,
        trips.CLAIMED_UNTIL,
    )
    .join(Trip.letter)
    .join(Trip.traveller)
    .outerjoin(Member.office)
    .where(
        Trip.traveller_id == TRAVELLER,
        Trip.id != TRIP_ID,
        Trip.letter_id != _given("letter_id", Uuid()),
        trips.claims(STARTS_ON, LAST),
    )
    .order_by(Trip.starts_on),
    outside=select(
        OutsideAssignment.number,
        OutsideAssignment.office,
        OutsideAssignment.starts_on,
        OutsideAssignment.ends_on,
    )
    .where(
        OutsideAssignment.member_id == TRAVELLER,
        OutsideAssignment.starts_on <= LAST,
        OutsideAssignment.ends_on >= STARTS_ON,
    )
    .order_by(OutsideAssignment.starts_on, OutsideAssignment.number),
    attendance=select(Attendance.started_at, Attendance.ended_at)
    .where(
        Attendance.member_id == TRAVELLER,
        Attendance.started_at < END,
        Attendance.ended_at >= START,
    )
    .order_by(Attendance.started_at, Attendance.ended_at),
    silences=select(Silence.started_at, Silence.ended_at, Silence.reason)
    .where(Silence.trip_id == TRIP_ID)
    .order_by(Silence.started_at, Silence.ended_at),
    pauses=select(Pause.started_at, pauses.ENDS_AT)
    .where(Pause.trip_id == TRIP_ID)
    .order_by(Pause.started_at),
    visa=select(
        ReceivedVisum.id,
        ReceivedVisum.host,
        ReceivedVisum.leg,
        ReceivedVisum.event,
        ReceivedVisum.happened_at,
        ReceivedVisum.withdraws,
    )
    .where(ReceivedVisum.trip_id == TRIP_ID)
    .order_by(ReceivedVisum.confirmed_at, ReceivedVisum.id),
    beside=select(Trip.id, VerdictRecord.detail["stays"])
    .outerjoin(VerdictRecord, and_(VerdictRecord.trip_id == Trip.id, VerdictRecord.current))
    .where(
        Trip.letter_id == _given("letter_id", Uuid()),
        Trip.id != TRIP_ID,
        Trip.state != TripState.CANCELLED,
    )
    .order_by(Trip.id),
    closed=select(VerdictRecord.ruleset, VerdictRecord.boundary_set).where(
        VerdictRecord.trip_id == TRIP_ID, VerdictRecord.current, VerdictRecord.final
    ),
    # The newest ruleset that is valid on the first day; before all of them, the oldest.
    in_force=select(RulesetVersion.version, select(func.max(BoundarySet.version)).scalar_subquery())
    .order_by(
        case((VALID, 0), else_=1),
        case((VALID, -RulesetVersion.version)),
        RulesetVersion.valid_from,
        RulesetVersion.version,
    )
    .limit(1),
)

PROGRESS: Final = (
    select(TripProgress, Trip)
    .join(Trip, Trip.id == TripProgress.trip_id)
    .where(TripProgress.trip_id == TRIP_ID)
)


def progress(session: Session, trip_id: UUID) -> tuple[TripProgress, Trip] | None:
    """A trip, and how far its evidence has come; None when there is no such trip."""
    found = session.execute(PROGRESS, {"trip_id": trip_id}).one_or_none()
    return None if found is None else (found[0], found[1])


def read(session: Session, trip: Trip, *, start: datetime, end: datetime) -> OnRecord:
    """What is on record about a trip whose window is from `start` to `end`.

    By name: `legs`, `places`, `flights` of the plan; `allowance`, the daily allowance of the first
    destination's province on the first day; `own` and `outside`, the other letters under which the
    traveller claims days of this trip, or would, of this regency and of others; `attendance`;
    `silences` and `pauses`; `visa`, also those withdrawn; `beside`, the other trips under the
    letter; `closed`, the versions it was closed by, and `in_force`. Access is the caller's matter.
    """
    claimed = trip.starts_on + timedelta(days=(trip.claimed_days or 1) - 1)
    return ASKED.read(
        session,
        trip_id=trip.id,
        letter_id=trip.letter_id,
        traveller_id=trip.traveller_id,
        starts_on=trip.starts_on,
        last=max(trip.ended_on, claimed),
        start=start,
        end=end,
    )
