"""A trip's evaluation: gather (SQL), judge (pure), record (SQL)."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from threading import Lock
from typing import Any, Final
from uuid import UUID

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from tenants import boundaries, rates, tracks, trips
from tenants.evidence import DeviationRecord, DeviationState, VerdictRecord
from tenants.models import RulesetVersion, Trip, TripProgress, TripState
from tenants.realm import Tenant
from workers.case import Claim, Deviation, Fixes, LawfulPlace, Plan, PlannedLeg, Ruleset, Verdict
from workers.judge import judge
from workers.track import RegionIndex

LOOK_AGAIN: Final = timedelta(hours=1)
NO_FLOATS: Final = np.empty(0, dtype=np.float64)


def evaluate(tenant: Tenant, trip_id: UUID, *, now: datetime) -> tuple[UUID, ...]:
    """Bring a trip's verdict up to date; returns the deviations that were not there before.

    May run any number of times, at once too: what is already judged is not judged again, and the
    verdict over less evidence never replaces the one over more.
    """
    with tenant.session(readonly=True) as session:
        case = gather(session, tenant, trip_id, now=now)
    if case is None:
        return ()
    verdict = case.judged(now)
    with tenant.session(readonly=False) as session:
        return record(session, case, verdict, now=now)


@dataclass(frozen=True, slots=True)
class Case:
    """All that a verdict depends on, read at one time; `watermark` says how much had arrived."""

    trip_id: UUID
    watermark: int
    cancelled: bool
    window_end: datetime
    plan: Plan
    claim: Claim | None
    ruleset: Ruleset
    boundary_set: int
    regions: RegionIndex
    fixes: Fixes

    def judged(self, now: datetime) -> Verdict | None:
        if self.cancelled:
            return None
        return judge(self.plan, self.claim, self.ruleset, self.regions, self.fixes, as_of=now)


def gather(session: Session, tenant: Tenant, trip_id: UUID, *, now: datetime) -> Case | None:
    """What a verdict on the trip needs; None when there is no such trip or nothing is due."""
    progress = session.get(TripProgress, trip_id)
    if progress is None or not (
        progress.arrived != progress.evaluated
        or (progress.due_at is not None and progress.due_at <= now)
    ):
        return None
    trip = session.get_one(
        Trip, trip_id, options=[selectinload(Trip.legs), selectinload(Trip.lawful_places)]
    )
    version = boundaries.current_version(session)
    return Case(
        trip_id=trip_id,
        watermark=progress.arrived,
        cancelled=trip.state is TripState.CANCELLED,
        window_end=trips.window_end(trip, tenant.zone),
        plan=_plan(trip, tenant),
        claim=_claim(session, trip),
        ruleset=_ruleset(session, now),
        boundary_set=version,
        regions=_indexes.get(session, tenant, version),
        fixes=_fixes(session, trip_id),
    )


def _plan(trip: Trip, tenant: Tenant) -> Plan:
    return Plan(
        home=tenant.code,
        home_zone=tenant.zone,
        starts_on=trip.starts_on,
        ends_on=trip.ends_on,
        legs=tuple(
            PlannedLeg(leg.position, leg.region_code, leg.zone, leg.arrive_on, leg.depart_on)
            for leg in trip.legs
        ),
        lawful_places=tuple(
            LawfulPlace(place.region_code, place.from_on, place.until_on)
            for place in trip.lawful_places
        ),
        transit=frozenset(trip.transit),
        finished_at=trip.finished_at,
    )


def _claim(session: Session, trip: Trip) -> Claim | None:
    """The claim, with the daily allowance of the first destination's province on the first day."""
    if trip.claimed_days is None:
        return None
    allowance = rates.in_force(session, trip.legs[0].region_code[:2], trip.starts_on)
    return Claim(trip.claimed_days, allowance)


def _ruleset(session: Session, now: datetime) -> Ruleset:
    row = session.scalar(
        select(RulesetVersion)
        .where(RulesetVersion.valid_from <= now)
        .order_by(RulesetVersion.valid_from.desc(), RulesetVersion.version.desc())
        .limit(1)
    )
    assert row is not None, "a tenant is born with a ruleset"
    return Ruleset(version=row.version, **row.parameters)


def _fixes(session: Session, trip_id: UUID) -> Fixes:
    track = tracks.read(session, [trip_id]).get(trip_id)
    if track is None:
        no_chunk = np.empty(0, dtype=np.int32)
        return Fixes(NO_FLOATS, NO_FLOATS, NO_FLOATS, NO_FLOATS.astype(np.float32), no_chunk, ())
    fixes = track.fixes
    accuracy = fixes.accuracy.astype(np.float32)
    return Fixes(fixes.time, fixes.lon, fixes.lat, accuracy, track.chunk, track.digests)


class _RegionIndexes:
    """The indexes used most recently: making one takes longer than a verdict."""

    CAPACITY: Final = 32

    def __init__(self) -> None:
        self._indexes: OrderedDict[tuple[str, int], RegionIndex] = OrderedDict()
        self._lock = Lock()

    def get(self, session: Session, tenant: Tenant, version: int) -> RegionIndex:
        key = (tenant.dsn, version)
        with self._lock:
            if key in self._indexes:
                self._indexes.move_to_end(key)
                return self._indexes[key]
        loaded = boundaries.load(session, version)
        index = RegionIndex(loaded.regions, loaded.tolerance_m)
        with self._lock:
            self._indexes[key] = index
            if len(self._indexes) > self.CAPACITY:
                self._indexes.popitem(last=False)
        return index


_indexes = _RegionIndexes()


def record(
    session: Session, case: Case, verdict: Verdict | None, *, now: datetime
) -> tuple[UUID, ...]:
    """Write the verdict (None for a cancelled trip) and its deviations; returns the new ones."""
    progress = session.scalar(
        select(TripProgress).where(TripProgress.trip_id == case.trip_id).with_for_update()
    )
    if progress is None or progress.evaluated > case.watermark:
        return ()
    progress.evaluated = case.watermark
    over = verdict is None or verdict.final
    progress.due_at = None if over else min(now + LOOK_AGAIN, max(case.window_end, now))
    before = session.scalar(
        select(VerdictRecord).where(VerdictRecord.trip_id == case.trip_id, VerdictRecord.current)
    )
    if verdict is None:
        if before is not None:
            before.current = False
        return ()
    current = _current(session, case, verdict, before, now)
    return _cases(session, case.trip_id, current.id, verdict)


def _current(
    session: Session, case: Case, verdict: Verdict, before: VerdictRecord | None, now: datetime
) -> VerdictRecord:
    detail = _plain(
        {
            "days": [asdict(day) for day in verdict.days],
            "stays": [asdict(stay) for stay in verdict.stays],
            "gaps": [asdict(gap) for gap in verdict.gaps],
            "deviations": [asdict(deviation) for deviation in verdict.deviations],
        }
    )
    refreshed = {
        "coverage": verdict.coverage,
        "observed_days": verdict.observed_days,
        "unknown_days": verdict.unknown_days,
        "watermark": case.watermark,
        "evaluated_at": now,
        "detail": detail,
    }
    if before is not None and _same_finding(case, verdict, before):
        for name, value in refreshed.items():
            setattr(before, name, value)
        return before
    if before is not None:
        before.current = False
        session.flush()
    current = VerdictRecord(
        trip_id=case.trip_id,
        current=True,
        outcome=verdict.outcome,
        final=verdict.final,
        ruleset=verdict.ruleset,
        boundary_set=case.boundary_set,
        **refreshed,
    )
    session.add(current)
    session.flush()
    return current


def _same_finding(case: Case, verdict: Verdict, before: VerdictRecord) -> bool:
    said = [
        (said["kind"], said["severity"], said["leg"], said["region"], said["amount"])
        for said in before.detail["deviations"]
    ]
    says = [
        (found.kind, found.severity, found.leg, found.region, _plain(found.amount))
        for found in verdict.deviations
    ]
    return (before.outcome, before.final, before.ruleset, before.boundary_set, said) == (
        verdict.outcome,
        verdict.final,
        verdict.ruleset,
        case.boundary_set,
        says,
    )


def _cases(session: Session, trip_id: UUID, verdict_id: UUID, verdict: Verdict) -> tuple[UUID, ...]:
    """Bring the cases in line with the verdict; a decided case is not opened by the same facts."""
    known = {
        (case.kind, case.leg, case.region_code): case
        for case in session.scalars(
            select(DeviationRecord).where(DeviationRecord.trip_id == trip_id).with_for_update()
        )
    }
    new = []
    for found in verdict.deviations:
        case = known.pop((found.kind, found.leg, found.region), None)
        if case is None:
            case = DeviationRecord(trip_id=trip_id, state=DeviationState.OPEN)
            session.add(case)
            new.append(case)
        elif case.state is DeviationState.WITHDRAWN:
            case.state = DeviationState.OPEN
            new.append(case)
        _fill(case, found, verdict_id)
    for gone in known.values():
        gone.state = DeviationState.WITHDRAWN
    session.flush()
    return tuple(case.id for case in new)


def _fill(case: DeviationRecord, found: Deviation, verdict_id: UUID) -> None:
    case.verdict_id = verdict_id
    case.kind, case.severity, case.leg = found.kind, found.severity, found.leg
    case.region_code, case.planned_region_code = found.region, found.planned_region
    case.started_at, case.ended_at = found.started_at, found.ended_at
    case.coverage, case.amount = found.coverage, found.amount
    case.evidence = [digest.hex() for digest in found.evidence]
    case.message_id, case.message_en = found.message_id, found.message_en


def _plain(value: Any) -> Any:
    """The same value in the types of JSON."""
    match value:
        case Mapping():
            return {key: _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case datetime():
            return value.astimezone(UTC).isoformat()
        case date():
            return value.isoformat()
        case Decimal():
            return str(value)
        case bytes():
            return value.hex()
        case float():
            return round(value, 6)
        case _:
            return value


def due(session: Session, *, now: datetime, limit: int) -> list[UUID]:
    """Trips with evidence not yet judged, or whose clock rule is due."""
    behind = (TripProgress.arrived != TripProgress.evaluated) | (TripProgress.due_at <= now)
    return list(session.scalars(select(TripProgress.trip_id).where(behind).limit(limit)))
