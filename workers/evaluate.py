"""A trip's evaluation: gather (SQL), judge (pure), record (SQL)."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, any_, bindparam, select, text
from sqlalchemy.orm import Session

from tenants import trips
from tenants.evidence import DeviationRecord, DeviationState, VerdictRecord, findings
from tenants.models import TripProgress
from tenants.realm import Tenant
from workers.alike import imprinted
from workers.case import Day, Deviation, Gap, Stay, Verdict
from workers.gather import Case, Versions, gather

LOCKED: Final = (
    select(TripProgress)
    .where(TripProgress.trip_id == any_(bindparam("trip_ids", type_=ARRAY(Uuid))))
    .order_by(TripProgress.trip_id)
    .with_for_update()
)
BEFORE: Final = select(VerdictRecord).where(
    VerdictRecord.trip_id == bindparam("trip_id"), VerdictRecord.current
)
KNOWN: Final = (
    select(DeviationRecord).where(DeviationRecord.trip_id == bindparam("trip_id")).with_for_update()
)


def evaluate(
    tenant: Tenant, trip_id: UUID, *, now: datetime, by: Versions | None = None
) -> tuple[UUID, ...]:
    """Bring a trip's verdict up to date; returns the deviations that were not there before.

    May run any number of times, at once too: what is already judged is not judged again, and the
    verdict over less evidence never replaces the one over more. `by` asks for other versions of
    rules and boundaries than those the trip stands under.
    """
    with _written(tenant) as session:
        case = gather(session, tenant, trip_id, now=now, by=by)
        if case is None:
            return ()
        if case.over and not case.cancelled:
            case = replace(case, dossier=imprinted(session, tenant, case))
    # Another transaction: each locks progress in one order, together they would not.
    with _written(tenant) as session:
        return record(session, case, case.judged(now), now=now)


@contextmanager
def _written(tenant: Tenant) -> Iterator[Session]:
    """A transaction that waits for no disk: what a crash takes is found again by the counters."""
    with tenant.session(readonly=False) as session:
        session.execute(text("SET LOCAL synchronous_commit = off"))
        yield session


def record(
    session: Session, case: Case, verdict: Verdict | None, *, now: datetime
) -> tuple[UUID, ...]:
    """Write the verdict (None for a cancelled trip) and its deviations; returns the new ones."""
    # Those under one letter are locked in one order: each may have news for the others.
    locked = session.scalars(LOCKED, {"trip_ids": [case.trip_id, *case.companions]})
    progress = {row.trip_id: row for row in locked}.get(case.trip_id)
    if progress is None or progress.evaluated > case.watermark:
        return ()
    progress.evaluated = case.watermark
    progress.due_at = None if verdict is None else case.due_at
    before = session.scalar(BEFORE, {"trip_id": case.trip_id})
    if verdict is None:
        if before is not None:
            before.current = False
        return ()
    seen = {said["region"] for said in before.detail["stays"]} if before else set()
    if case.companions and {stay.region for stay in verdict.stays} != seen:
        trips.arrived(session, *case.companions)
    current = _current(session, case, verdict, before, now)
    return _cases(session, case.trip_id, current.id, verdict)


def _current(
    session: Session, case: Case, verdict: Verdict, before: VerdictRecord | None, now: datetime
) -> VerdictRecord:
    detail = detail_of(verdict)
    refreshed = {
        "coverage": verdict.coverage,
        "observed_days": verdict.observed_days,
        "unknown_days": verdict.unknown_days,
        "watermark": case.watermark,
        "evaluated_at": now,
        "detail": detail,
    }
    kept = (verdict.outcome, verdict.final, verdict.ruleset, case.versions.boundary_set)
    if (
        before is not None
        and (before.outcome, before.final, before.ruleset, before.boundary_set) == kept
        and findings(before.detail) == findings(detail)
    ):
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
        boundary_set=case.versions.boundary_set,
        **refreshed,
    )
    session.add(current)
    session.flush()
    return current


def detail_of(verdict: Verdict) -> dict[str, Any]:
    """What a verdict was made of, in the types of JSON, as its record keeps it."""
    parts = {name: getattr(verdict, name) for name in ("days", "stays", "gaps", "deviations")}
    if verdict.visum_coverage or verdict.vouched:
        parts |= {"visum_coverage": verdict.visum_coverage, "vouched": verdict.vouched}
    plain: dict[str, Any] = _plain(parts)
    return plain


def _cases(session: Session, trip_id: UUID, verdict_id: UUID, verdict: Verdict) -> tuple[UUID, ...]:
    """Bring the cases in line with the verdict; a decided case is not opened by the same facts."""
    known = {
        (case.kind, case.leg, case.region_code): case
        for case in session.scalars(KNOWN, {"trip_id": trip_id})
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
        case Day() | Stay() | Gap() | Deviation():
            return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
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
