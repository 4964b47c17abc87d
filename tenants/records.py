"""What others hold on record about travellers: attendance data, assignments elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, Date, and_, cast, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from tenants import access, trips
from tenants.access import Viewer
from tenants.evidence import Attendance, OutsideAssignment
from tenants.models import Role, Trip, TripState
from tenants.plans import EARLIEST, check_dates, text_of
from tenants.problems import InvalidInput

MOST_ENTRIES: Final = 1_000
ONE_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Presence:
    """Somebody at the home office from clocking in to clocking out, at once when both equal."""

    member_id: UUID
    started_at: datetime
    ended_at: datetime


@dataclass(frozen=True, slots=True)
class Recorded:
    """How many entries were new, and the trips that they concern."""

    recorded: int
    known: int
    trip_ids: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Days that the same person claims under another letter, both included."""

    number: str
    office: str
    starts_on: date
    ends_on: date


def record_attendance(
    session: Session, viewer: Viewer, entries: Sequence[Presence], *, source: str, now: datetime
) -> Recorded:
    """Keep attendance data (*presensi*); what is known already changes nothing.

    Raises `NotAllowed`, `InvalidInput`, and `NotFound` for somebody the regency does not know.
    """
    viewer.require(Role.TENANT_ADMIN, Role.INSPECTOR)
    if not 1 <= len(entries) <= MOST_ENTRIES:
        raise InvalidInput("entries", f"harus 1-{MOST_ENTRIES}", f"must be 1 to {MOST_ENTRIES}")
    source = text_of("source", source)
    for index, entry in enumerate(entries):
        if not (entry.started_at <= entry.ended_at <= now and entry.started_at.date() >= EARLIEST):
            raise InvalidInput(f"entries.{index}", "waktunya tidak sah", "has no valid time")
        if entry.ended_at - entry.started_at > ONE_DAY:
            raise InvalidInput(f"entries.{index}", "lebih dari sehari", "is longer than a day")
    access.require_members(session, viewer, {entry.member_id for entry in entries})
    rows = [
        {
            "id": uuid4(),
            "member_id": entry.member_id,
            "started_at": entry.started_at,
            "ended_at": entry.ended_at,
            "source": source,
            "recorded_by_id": viewer.member_id,
        }
        for entry in dict.fromkeys(entries)
    ]
    added = session.scalars(
        insert(Attendance).values(rows).on_conflict_do_nothing().returning(Attendance.id)
    ).all()
    first, last = (
        cast(func.timezone("UTC", time), Date)
        for time in (Attendance.started_at, Attendance.ended_at)
    )
    concerned = session.scalars(
        select(Trip.id)
        .distinct()
        .join(Attendance, Attendance.member_id == Trip.traveller_id)
        .where(Attendance.id.in_(added), _takes(first - 1, last + 1))
    ).all()
    return _recorded(session, len(added), len(entries), concerned)


def record_assignment(
    session: Session, viewer: Viewer, member_id: UUID, elsewhere: Elsewhere, *, source: str
) -> Recorded:
    """Keep that a person is on another letter too, of an office or system outside this one.

    Raises `NotAllowed`, `NotFound`, `InvalidInput`, also when the number is known with other dates.
    """
    viewer.require(Role.TENANT_ADMIN, Role.INSPECTOR)
    access.member(session, viewer, member_id)
    check_dates(elsewhere.starts_on, elsewhere.ends_on)
    number = text_of("number", elsewhere.number)
    added = session.execute(
        insert(OutsideAssignment)
        .values(
            id=uuid4(),
            member_id=member_id,
            number=number,
            office=text_of("office", elsewhere.office),
            starts_on=elsewhere.starts_on,
            ends_on=elsewhere.ends_on,
            source=text_of("source", source),
            recorded_by_id=viewer.member_id,
        )
        .on_conflict_do_nothing()
        .returning(OutsideAssignment.id)
    ).all()
    if not added:
        known = session.scalars(
            select(OutsideAssignment).where(
                OutsideAssignment.member_id == member_id, OutsideAssignment.number == number
            )
        ).one()
        if (known.starts_on, known.ends_on) != (elsewhere.starts_on, elsewhere.ends_on):
            raise InvalidInput("number", "sudah ada dengan tanggal lain", "is known, other dates")
    concerned = session.scalars(
        select(Trip.id).where(
            Trip.traveller_id == member_id, _takes(elsewhere.starts_on, elsewhere.ends_on)
        )
    ).all()
    return _recorded(session, len(added), 1, concerned if added else ())


def _takes(
    first: ColumnElement[date] | date, last: ColumnElement[date] | date
) -> ColumnElement[bool]:
    """Condition on `Trip`: it takes one of these days, as planned or as claimed."""
    return and_(
        Trip.state != TripState.CANCELLED,
        Trip.starts_on <= last,
        (Trip.ends_on >= first) | (first <= trips.CLAIMED_UNTIL),
    )


def _recorded(session: Session, added: int, given: int, concerned: Sequence[UUID]) -> Recorded:
    if concerned:
        trips.arrived(session, *concerned)
    return Recorded(added, given - added, tuple(sorted(concerned)))
