"""Trips from the database to the recorded verdict, in a regency of their own."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from time import perf_counter
from typing import Final
from uuid import UUID

import numpy as np
import psycopg
from sqlalchemy import func, select

from infra.benchmarks.birth import ISSUER, await_province
from infra.benchmarks.journeys import DESTINATION, HOME, ZONE, journey, outlines, uploads
from infra.benchmarks.measure import Measured, alternate, followed
from infra.front_end import Refused
from tenants import access, birth, boundaries, catalogue, fixes, people, tracks, trips
from tenants.access import Viewer
from tenants.evidence import VerdictRecord
from tenants.letters import Letter
from tenants.models import Role, TransportMode
from tenants.people import Invitation
from tenants.plans import PlannedLeg, TripPlan
from tenants.realm import RealmState, Tenant
from workers.case import Fixes
from workers.evaluate import evaluate

SLUG: Final = "bench-judged"
DAYS: Final = 3
EDGE: Final = 20


def measure(*, rounds: int, batch: int, long: int) -> tuple[Measured, Measured, Measured]:
    """Trips a second under the dense outlines, nothing of a trip known before, on one core.

    A round is a trip of each of `batch` travellers. Then the first twenty and the last twenty
    uploads of a trip of `long` days, each from its first statement until the verdict with it is
    recorded.
    """
    side = Measured(("Basis data sampai putusan", "Database to the verdict"), "trips/s")
    with _regency() as tenant:
        admin, *travellers = _members(tenant, batch + 1)
        recorded = [
            _record(tenant, admin, travellers[i % batch], i, round_=i // batch)
            for i in followed(range((rounds + 1) * batch))
        ]
        batches = (recorded[i : i + batch] for i in range(0, len(recorded), batch))
        with _one_core():
            alternate([(side, lambda: _rate(tenant, next(batches)))], rounds=rounds)
            _check(tenant, len(recorded))
            return side, *_long(tenant, admin, travellers[-1], long)


@contextmanager
def _regency() -> Iterator[Tenant]:
    """A regency with the dense outlines, whose trips no worker of this world judges."""
    birth.add_tenant(slug=SLUG, code=HOME, name="Daerah Uji", zone=ZONE, issuer=ISSUER)
    try:
        with psycopg.connect(birth.owner_dsn(SLUG)) as connection:
            boundaries.add_boundary_set(connection, outlines())
        tenant = catalogue.tenant(SLUG)
        birth.set_state(SLUG, RealmState.SUSPENDED)
        yield tenant
    finally:
        await_province(SLUG)
        birth.drop_tenant(SLUG)


def _members(tenant: Tenant, travellers: int) -> list[Viewer]:
    """Who sends, then the travellers."""
    with tenant.session(readonly=False) as session:
        return [
            access.viewer_of(people.add_member(session, Invitation(name, roles), today=_today()))
            for name, roles in (
                ("Admin Ukur", frozenset({Role.TENANT_ADMIN, Role.HEAD_OF_OFFICE})),
                *((f"Pengukur {i}", frozenset({Role.TRAVELLER})) for i in range(travellers)),
            )
        ]


def _record(tenant: Tenant, admin: Viewer, traveller: Viewer, number: int, *, round_: int) -> UUID:
    """A trip with its letter and all of its track."""
    first = _today() - timedelta(days=1 + DAYS * (round_ + 1))
    trip_id = _issue(tenant, admin, traveller, f"094/{number}", first, DAYS)
    for part in uploads(journey(DAYS, seed=100 + number, start=_midnight(first), spread=0.01)):
        _send(tenant, traveller, trip_id, part)
    return trip_id


def _issue(
    tenant: Tenant, admin: Viewer, traveller: Viewer, number: str, first: date, days: int
) -> UUID:
    last = first + timedelta(days=days - 1)
    with tenant.session(readonly=False) as session:
        return trips.issue(
            session,
            admin,
            letter=Letter(number, first, "Rapat koordinasi", admin.member_id),
            traveller_id=traveller.member_id,
            plan=TripPlan(first, last, [PlannedLeg(DESTINATION, first, last, TransportMode.ROAD)]),
            spd_number=None,
            home_zone=ZONE,
            now=datetime.now(UTC),
        ).id


def _send(tenant: Tenant, traveller: Viewer, trip_id: UUID, part: Fixes) -> None:
    unknown = np.full(len(part.time), np.nan)
    accuracy = part.accuracy.astype(np.float64)
    sent = fixes.Fixes(part.time, part.lon, part.lat, accuracy, unknown, part.mock, unknown)
    with tenant.session(readonly=False) as session:
        receipt = tracks.record(
            session, traveller, trip_id, sent, device="ukur", zone=ZONE, now=datetime.now(UTC)
        )
    if receipt.accepted != len(sent):
        raise Refused(str(receipt))


def _long(tenant: Tenant, admin: Viewer, traveller: Viewer, days: int) -> tuple[Measured, Measured]:
    """The edges of a long trip, each upload judged as it arrives."""
    first = _today() - timedelta(days=days + 1)
    trip_id = _issue(tenant, admin, traveller, "094/panjang", first, days)
    parts = uploads(journey(days, seed=2, start=_midnight(first)))
    sides = (
        Measured(("Unggahan pertama, basis data", "First uploads, database"), "ms"),
        Measured(("Unggahan terakhir, basis data", "Last uploads, database"), "ms"),
    )
    for number, part in followed(list(enumerate(parts))):
        began = perf_counter()
        _send(tenant, traveller, trip_id, part)
        # All are judged, as they are in use: the worker that sees the last has seen the others.
        evaluate(tenant, trip_id, now=fixes.time_of(part.time[-1]))
        if number < EDGE or number >= len(parts) - EDGE:
            sides[number >= EDGE].figures.append(1e3 * (perf_counter() - began))
    return sides


def _midnight(day: date) -> datetime:
    return datetime.combine(day, datetime.min.time(), UTC) - timedelta(hours=8)


def _today() -> date:
    return datetime.now(UTC).date()


@contextmanager
def _one_core() -> Iterator[None]:
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def _rate(tenant: Tenant, trip_ids: list[UUID]) -> float:
    began = perf_counter()
    for trip_id in trip_ids:
        evaluate(tenant, trip_id, now=datetime.now(UTC))
    return len(trip_ids) / (perf_counter() - began)


def _check(tenant: Tenant, number: int) -> None:
    """Raise `Refused` unless every trip has its verdict, which is that it conforms."""
    with tenant.session(readonly=True) as session:
        version = boundaries.current_version(session)
        rows = session.execute(
            select(
                VerdictRecord.outcome, VerdictRecord.final, VerdictRecord.boundary_set, func.count()
            )
            .where(VerdictRecord.current)
            .group_by(VerdictRecord.outcome, VerdictRecord.final, VerdictRecord.boundary_set)
        )
        found = [tuple(row) for row in rows]
    if found != [("CONFORMS", True, version, number)]:
        raise Refused(f"verdicts: {found}")
