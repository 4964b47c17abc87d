"""Trips of one person under two regencies at once, found at the province by pseudonym alone.

*Tugas rangkap*: cost may not be charged for two assignments at the same time (PMK 113/PMK.05/2012
jo. PMK 119/2023). Neither regency sees the other's trip, and the province sees no NIP: each
publishes HMAC-SHA256 over it, by a key of the province's. Who has no NIP is not found.
"""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, tuple_
from sqlalchemy.orm import Session, aliased

from tenants.access import Viewer
from tenants.models import Role
from tenants.province import SharedTrip


@dataclass(frozen=True, slots=True)
class Overlap:
    """Two trips of one person, in order of the regencies' codes; the days in common, included."""

    pseudonym: str
    trips: tuple[SharedTrip, SharedTrip]
    starts_on: date
    ends_on: date

    @property
    def days(self) -> int:
        return (self.ends_on - self.starts_on).days + 1


def page(
    session: Session, viewer: Viewer, *, after: tuple[tuple[date, UUID], UUID] | None, first: int
) -> list[Overlap]:
    """Up to `first` + 1 overlaps between regencies, latest first; cancelled trips are out.

    `after` holds the first day in common and the ids of the two trips.
    """
    viewer.require(Role.OVERSEER)
    one, other = aliased(SharedTrip), aliased(SharedTrip)
    starts: ColumnElement[date] = func.greatest(one.starts_on, other.starts_on)
    ends: ColumnElement[date] = func.least(one.ended_on, other.ended_on)
    query = (
        select(one, other, starts, ends)
        .join(other, other.person == one.person)
        .where(
            one.tenant < other.tenant,
            one.state != "CANCELLED",
            other.state != "CANCELLED",
            starts <= ends,
        )
    )
    if after is not None:
        (day, one_id), other_id = after
        query = query.where(tuple_(starts, one.id, other.id) < (day, one_id, other_id))
    latest = query.order_by(starts.desc(), one.id.desc(), other.id.desc()).limit(first + 1)
    return [
        Overlap(here.person or "", (here, there), since, until)
        for here, there, since, until in session.execute(latest)
    ]
