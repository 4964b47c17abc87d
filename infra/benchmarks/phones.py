"""Paired phones on trips of thirty days, which make requests that are bytes already."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Final
from urllib.parse import urlencode
from uuid import UUID

import numpy as np
import orjson

from tenants import access, catalogue, devices, people, trips
from tenants.letters import Letter
from tenants.models import PhoneClient, Role, TransportMode
from tenants.people import Invitation
from tenants.plans import PlannedLeg, TripPlan

DAYS: Final = 30
_letters = count(1)
_names = count(1)

Fix = tuple[int, float, float, float, float]
"""Epoch s, longitude, latitude, accuracy in m, speed in m/s."""


@dataclass(slots=True)
class Phone:
    """A phone that records each second from the start of its trip; Traccar's formats."""

    slug: str
    trip_id: UUID
    token: str
    second: int
    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(1))

    def fixes(self, number: int) -> list[Fix]:
        """The next so many fixes; they vary as on a real phone."""
        steps = np.cumsum(self.random.normal(0, 5e-5, (number, 2)), axis=0)
        steps += np.array((117.1, -0.5))
        said = self.random.uniform((3, 0), (30, 25), (number, 2)).round(1)
        first, self.second = self.second, self.second + number
        return [
            (first + i, *position, *quality)
            for i, (position, quality) in enumerate(
                zip(steps.round(6).tolist(), said.tolist(), strict=True)
            )
        ]

    def batch(self, fixes: list[Fix]) -> bytes:
        """One request of many fixes."""
        body = [
            {
                "id": self.token,
                "timestamp": at,
                "lat": lat,
                "lon": lon,
                "accuracy": accuracy,
                "speed": speed,
            }
            for at, lon, lat, accuracy, speed in fixes
        ]
        return self._request(orjson.dumps(body), "application/json")

    def form(self, fixes: list[Fix]) -> bytes:
        """One request of one fix."""
        ((at, lon, lat, accuracy, speed),) = fixes
        fields = {"id": self.token, "timestamp": at, "lat": lat, "lon": lon}
        body = urlencode(fields | {"accuracy": accuracy, "speed": speed, "batt": 71}).encode()
        return self._request(body, "application/x-www-form-urlencoded")

    def rows(self, fixes: list[Fix]) -> list[tuple[UUID, datetime, float, float, float, float]]:
        """The same fixes as a table has them."""
        return [
            (self.trip_id, datetime.fromtimestamp(at, UTC), lon, lat, accuracy, speed)
            for at, lon, lat, accuracy, speed in fixes
        ]

    def _request(self, body: bytes, media: str) -> bytes:
        head = (
            f"POST /{self.slug}/track/traccar HTTP/1.1\r\nHost: localhost\r\n"
            f"Content-Type: {media}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


def fleet(
    slug: str, number: int, *, days_left: int = -1, office_id: UUID | None = None
) -> list[Phone]:
    """Phones of so many travellers, each on a trip that ended yesterday, or has days left."""
    tenant = catalogue.tenant(slug)
    today = datetime.now(UTC).date()
    last = today + timedelta(days=days_left)
    first = last - timedelta(days=DAYS - 1)
    with tenant.session(readonly=False) as session:
        roles = frozenset({Role.TENANT_ADMIN, Role.HEAD_OF_OFFICE})
        admin = access.viewer_of(
            people.add_member(session, Invitation("Admin Ukur", roles), today=today)
        )
        phones = []
        for _ in range(number):
            roles = frozenset({Role.TRAVELLER})
            member = people.add_member(
                session, Invitation(f"Pengukur {next(_names)}", roles, office_id), today=today
            )
            trip = trips.issue(
                session,
                admin,
                letter=Letter(f"UKUR/{next(_letters)}", first, "Pengukuran", admin.member_id),
                traveller_id=member.id,
                plan=_plan(first, last),
                spd_number=None,
                home_zone=tenant.zone,
                now=datetime.now(UTC),
            )
            paired = devices.pair(
                session,
                access.viewer_of(member),
                PhoneClient.TRACCAR,
                name="Ponsel ukur",
                now=datetime.now(UTC),
            )
            start = datetime.combine(first, datetime.min.time(), UTC)
            phones.append(Phone(slug, trip.id, paired.token, int(start.timestamp())))
    return phones


def _plan(first: date, last: date) -> TripPlan:
    return TripPlan(first, last, [PlannedLeg("64.71", first, last, TransportMode.ROAD)])
