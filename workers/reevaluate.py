"""Trying other rules or boundaries on closed trips: what would change, and then changing it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from tenants.evidence import VerdictRecord, findings
from tenants.models import AssignmentLetter, Trip
from tenants.realm import Tenant
from workers.alike import compared
from workers.case import Outcome
from workers.evaluate import detail_of, evaluate
from workers.gather import Versions, gather

Finding = tuple[str, str, str | None, str | None]
"""Kind, severity, region and amount of a deviation, as a verdict keeps it."""


@dataclass(frozen=True, slots=True)
class Closed:
    """A trip whose verdict is final, and what that verdict says."""

    trip_id: UUID
    letter: str
    versions: Versions
    outcome: Outcome
    findings: frozenset[Finding]


@dataclass(frozen=True, slots=True)
class Change:
    """What other versions would say of a closed trip."""

    trip: Closed
    outcome: Outcome
    findings: frozenset[Finding]

    @property
    def matters(self) -> bool:
        """Whether anybody would be told something else."""
        return (self.outcome, self.findings) != (self.trip.outcome, self.trip.findings)


def closed(session: Session, *, since: date) -> list[Closed]:
    """The trips that began on a day or later and are closed, oldest first."""
    rows = session.execute(
        select(VerdictRecord, AssignmentLetter.number)
        .join(Trip, Trip.id == VerdictRecord.trip_id)
        .join(AssignmentLetter, AssignmentLetter.id == Trip.letter_id)
        .where(VerdictRecord.current, VerdictRecord.final, Trip.starts_on >= since)
        .order_by(Trip.starts_on, Trip.id)
    )
    return [
        Closed(
            verdict.trip_id,
            letter,
            Versions(verdict.ruleset, verdict.boundary_set),
            Outcome(verdict.outcome),
            _told(verdict.detail),
        )
        for verdict, letter in rows
    ]


def tried(tenant: Tenant, trips: list[Closed], *, by: Versions, now: datetime) -> Iterator[Change]:
    """What each trip's verdict would be by these versions; nothing is written."""
    for trip in trips:
        with tenant.session(readonly=True) as session:
            case = gather(session, tenant, trip.trip_id, now=now, by=by)
            if case is not None:
                case = replace(case, dossier=compared(session, tenant, case))
        verdict = case.judged(now) if case else None
        if verdict is not None:
            yield Change(trip, verdict.outcome, _told(detail_of(verdict)))


def apply(tenant: Tenant, change: Change, *, by: Versions, now: datetime) -> None:
    """Judge a trip anew by these versions; the verdict it had is kept beside the new one."""
    evaluate(tenant, change.trip.trip_id, now=now, by=by)


def _told(detail: Mapping[str, Any]) -> frozenset[Finding]:
    return frozenset(
        (kind, severity, region, amount) for kind, severity, _, region, amount in findings(detail)
    )
