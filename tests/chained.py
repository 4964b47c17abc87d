"""A regency of a test's own, whose evidence is made and sealed step by step."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import numpy as np
from conftest import SANGATTA, today
from sqlalchemy import text
from test_checkins import PNG

from infra.play import until
from tenants import access, birth, catalogue, checkins, people, seals, tracks, trips
from tenants.fixes import Fixes
from tenants.letters import Letter
from tenants.models import Role, TransportMode
from tenants.people import Invitation
from tenants.plans import PlannedLeg, TripPlan
from tenants.realm import Issuer, Tenant
from workers.evaluate import due

PRESENCE = """
INSERT INTO check_in (id, trip_id, happened_at, lon, lat, photo, photo_type)
    SELECT gen_random_uuid(), id, now(), 116.2, -1.9, '\\x00ff225c', 'image/png' FROM trip;
INSERT INTO access_entry
    SELECT gen_random_uuid(), id, traveller_id, 'CASE', date_trunc('hour', now()), '{INSPECTOR}',
        now()
    FROM trip"""
"""A check-in on every trip, and somebody who looked at it."""


def born(slug: str, code: str) -> Tenant:
    at = f"http://127.0.0.1:1/{slug}"
    issuer = Issuer(at, "jejak-dinas", None, at)
    birth.add_tenant(
        slug=slug, code=code, name=f"Daerah {slug}", zone="Asia/Makassar", issuer=issuer
    )
    return catalogue.tenant(slug)


def issued(tenant: Tenant, number: str) -> tuple[UUID, access.Viewer]:
    first, last = today() - timedelta(days=5), today() - timedelta(days=3)
    with tenant.session(readonly=False) as session:
        roles = frozenset({Role.TENANT_ADMIN, Role.HEAD_OF_OFFICE})
        admin = access.viewer_of(
            people.add_member(session, Invitation("Admin Uji", roles), today=today())
        )
        member = people.add_member(
            session, Invitation("Pelaksana", frozenset({Role.TRAVELLER})), today=today()
        )
        trip = trips.issue(
            session,
            admin,
            letter=Letter(number, first, "Uji rantai", admin.member_id),
            traveller_id=member.id,
            plan=TripPlan(first, last, [PlannedLeg("64.71", first, last, TransportMode.ROAD)]),
            spd_number=None,
            home_zone=tenant.zone,
            now=datetime.now(UTC),
        )
        return trip.id, access.viewer_of(member)


def send(
    tenant: Tenant,
    trip_id: UUID,
    traveller: access.Viewer,
    hours: range,
    place: tuple[float, float],
) -> None:
    """An upload of a fix an hour at a place, hours counted from the trip's first local midnight."""
    midnight = datetime.combine(today() - timedelta(days=5), datetime.min.time(), UTC)
    at = midnight.timestamp() + 3600.0 * np.array(hours) - 8 * 3600
    jitter = 1e-5 * (np.arange(len(at)) % 5)
    unknown = np.full(len(at), np.nan)
    fixes = Fixes(
        *(at, place[0] + jitter, place[1] + jitter, np.full(len(at), 12.0)),
        *(unknown, np.zeros(len(at), dtype=np.bool_), unknown),
    )
    with tenant.session(readonly=False) as session:
        receipt = tracks.record(
            session,
            traveller,
            trip_id,
            fixes,
            device="ponsel",
            zone=tenant.zone,
            now=datetime.now(UTC),
        )
    assert receipt.accepted == len(at)


def check_in(tenant: Tenant, trip_id: UUID, traveller: access.Viewer) -> None:
    """With a photo, in Sangatta, on the trip's second day."""
    now = datetime.now(UTC)
    with tenant.session(readonly=False) as session:
        checkins.check_in(
            session,
            traveller,
            trip_id,
            checkins.Place(*SANGATTA, 12.0),
            at=now - timedelta(days=4),
            photo=PNG,
            zone=tenant.zone,
            now=now,
        )


def seal(tenant: Tenant) -> None:
    """Until nothing is left to seal: the sweep may be at it too."""

    def sealed() -> bool:
        with tenant.session(readonly=False) as session:
            seals.seal(session)
        with tenant.session(readonly=True) as session:
            left = session.scalars(text("SELECT count(*) FROM unsealed")).one()
            return not left and not session.execute(seals.MOVED).first()

    assert until(sealed)


def judged(tenant: Tenant) -> bool:
    """Whether all that arrived is judged, by the workers."""
    with tenant.session(readonly=True) as session:
        return not due(session, now=datetime.now(UTC), limit=1)
