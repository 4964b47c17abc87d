"""What the tests stand on: the product as `infra/up` runs it, with travellers enough for all."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import httpx2
import pytest
from asking import enter
from served import serving

from infra import world as worlds
from infra.front_end import FrontEnd
from infra.play import until
from infra.stories import Traveller
from infra.world import HEAD_OF_OFFICE, World
from tenants import catalogue
from tenants.models import TripProgress

ZONE = ZoneInfo("Asia/Makassar")
EACH = 600
TRAVELLERS = tuple(
    Traveller(slug, f"orang{number:02}", f"Orang {number:02} {slug.title()}", None)
    for slug in ("samarinda", "balikpapan")
    for number in range(EACH)
)


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    """PostgreSQL, Redis, the identity provider, API, workers and sweep: all real, once a run."""
    with tempfile.TemporaryDirectory(prefix="jejak-") as folder:
        # Root's PostgreSQL runs as another user, who must get through.
        Path(folder).chmod(0o711)
        with worlds.running(Path(folder), durable=False, travellers=TRAVELLERS) as running:
            yield running


class People:
    """Signs people in, once each, and hands out travellers that no other test has."""

    def __init__(self, running: World) -> None:
        self._world = running
        self._signed_in: dict[tuple[str, str], FrontEnd] = {}
        self._unused = {slug: iter(range(EACH)) for slug in ("samarinda", "balikpapan")}

    def as_(self, username: str, slug: str = "samarinda") -> FrontEnd:
        key = (slug, username)
        if key not in self._signed_in:
            self._signed_in[key] = self._world.sign_in(slug, username)
        return self._signed_in[key]

    def leave(self) -> None:
        for front_end in self._signed_in.values():
            front_end.close()

    def id_of(self, name: str, slug: str = "samarinda") -> str:
        found = self.as_("admin", slug).ask(
            "query ($name: String!) { members(search: $name) { nodes { id } } }", name=name
        )
        (only,) = found["members"]["nodes"]
        return only["id"]

    def fresh(self, slug: str = "samarinda") -> "Someone":
        number = next(self._unused[slug])
        return Someone(self, slug, f"orang{number:02}", f"Orang {number:02} {slug.title()}")


@dataclass(frozen=True)
class Someone:
    """A traveller of one's own."""

    people: People
    slug: str
    username: str
    name: str

    @property
    def front_end(self) -> FrontEnd:
        return self.people.as_(self.username, self.slug)

    @property
    def id(self) -> str:
        return self.people.id_of(self.name, self.slug)


@pytest.fixture(scope="session")
def people(world: World) -> Iterator[People]:
    everybody = People(world)
    yield everybody
    everybody.leave()


@pytest.fixture
def operator(people: People) -> FrontEnd:
    return people.as_("operator")


@pytest.fixture(scope="module")
def someone(people: People) -> Someone:
    """The traveller of a test file, whom it sends away on dates of its own."""
    return people.fresh()


@pytest.fixture
def phone(someone: Someone) -> FrontEnd:
    return someone.front_end


@pytest.fixture(scope="module")
def http(world: World) -> Iterator[httpx2.Client]:
    """A client that trusts no status alone: it asks for GraphQL's own media type."""
    accept = {"Accept": "application/graphql-response+json"}
    with httpx2.Client(base_url=world.base_url, headers=accept, timeout=30) as client:
        yield client


@pytest.fixture(scope="module")
def host() -> Iterator[str]:
    """Where the small schema of served.py is served."""
    with serving() as host:
        yield host


@pytest.fixture(scope="module")
def client(host: str) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=f"http://{host}/graphql/", timeout=20) as client:
        yield client


ISSUE = """
mutation ($letter: LetterInput!, $traveller: UUID!, $plan: PlanInput!, $spd: String) {
  issueTrip(letter: $letter, travellerId: $traveller, plan: $plan, spdNumber: $spd) {
    __typename
    ... on Trip { id state revision startsOn endsOn letter { number } traveller { name } }
    ... on Problem { code message messageEn }
    ... on OverlappingTrip { tripId letterNumber startsOn endsOn }
    ... on UnknownRegion { region }
    ... on InvalidInput { field }
    ... on NotAllowed { roles }
  }
}"""
_numbers = count(1)


def today() -> date:
    return datetime.now(ZONE).date()


def plan(starts: int = -5, days: int = 3, region: str = "64.71", **changes: Any) -> dict[str, Any]:
    """A `PlanInput`: `starts` days from today, one destination for the whole of it."""
    first = today() + timedelta(days=starts)
    last = first + timedelta(days=days - 1)
    leg = {
        "region": region,
        "arriveOn": first.isoformat(),
        "departOn": last.isoformat(),
        "transport": "ROAD",
    }
    return {"startsOn": first.isoformat(), "endsOn": last.isoformat(), "legs": [leg]} | changes


@pytest.fixture(scope="session")
def issue(people: People) -> Callable[..., dict[str, Any]]:
    """Issue a trip as the operator; returns the mutation's result."""

    def issue(
        traveller: Someone,
        planned: dict[str, Any] | None = None,
        *,
        by: str = "operator",
        **letter: Any,
    ) -> dict[str, Any]:
        slug = traveller.slug
        full = {
            "number": f"UJI/{next(_numbers):04}",
            "dated": today().isoformat(),
            "purpose": "Uji coba",
            "signedById": people.id_of(HEAD_OF_OFFICE, slug),
        } | letter
        return people.as_(by, slug).ask(
            ISSUE, letter=full, traveller=traveller.id, plan=planned or plan(), spd=None
        )["issueTrip"]

    return issue


@pytest.fixture
def trip(
    issue: Callable[..., dict[str, Any]], someone: Someone, operator: FrontEnd
) -> Iterator[dict[str, Any]]:
    """A trip of three days, past, ready to be recorded; called off when the test is over."""
    issued = issue(someone)
    assert issued["__typename"] == "Trip", issued
    yield issued
    operator.ask(
        'mutation ($id: UUID!) { cancelTrip(id: $id, reason: "Sudah diuji") { __typename } }',
        id=issued["id"],
    )


RECORD = """
mutation ($trip: UUID!, $fixes: [FixInput!]!, $device: String!) {
  recordTrack(tripId: $trip, fixes: $fixes, device: $device) {
    __typename
    ... on TrackReceipt { accepted duplicates outsideWindow }
    ... on Problem { code message messageEn }
    ... on InvalidFix { index }
    ... on TooManyFixes { limit given }
    ... on InvalidInput { field }
  }
}"""


def record(
    phone: FrontEnd, trip_id: str, fixes: list[dict[str, Any]], device: str = "ponsel"
) -> dict[str, Any]:
    return phone.ask(RECORD, trip=trip_id, fixes=fixes, device=device)["recordTrack"]


SAMARINDA = (117.148, -0.495)
BALIKPAPAN = (116.845, -1.262)
SANGATTA = (117.545, 0.5)


def fixes_at(
    place: tuple[float, float],
    first_day: date,
    from_hour: float,
    until_hour: float,
    every_minutes: float = 15,
) -> list[dict[str, Any]]:
    """`FixInput`s at one place, hours counted from the first day's local midnight."""
    midnight = datetime.combine(first_day, datetime.min.time(), ZONE).astimezone(UTC)
    steps = round((until_hour - from_hour) * 60 / every_minutes) + 1
    return [
        {
            "time": (
                midnight + timedelta(hours=from_hour, minutes=step * every_minutes)
            ).isoformat(),
            # A phone at rest still jitters, by some metres.
            "lon": place[0] + (step % 7) * 1e-5,
            "lat": place[1] + (step % 5) * 1e-5,
            "accuracy": 12.0,
        }
        for step in range(steps)
    ]


VERDICT = """
query ($trip: UUID!) {
  trip(id: $trip) {
    verdict { outcome final coverage observedDays unknownDays ruleset boundarySet
              days { date state seen } }
    deviations { id kind severity state amount regionCode plannedRegionCode evidence message
                 messageEn }
  }
}"""


def judged(trip_id: str) -> bool:
    """Whether the workers have judged all that arrived for the trip."""
    for tenant in catalogue.tenants():
        with tenant.session(readonly=True) as session:
            progress = session.get(TripProgress, UUID(trip_id))
            if progress is not None:
                return progress.arrived == progress.evaluated
    return False


def verdict(viewer: FrontEnd, trip_id: str) -> dict[str, Any]:
    """The trip's final verdict and its deviations, waited for until all that arrived is judged."""
    assert until(lambda: judged(trip_id)), "never judged"
    found = viewer.ask(VERDICT, trip=trip_id)["trip"]
    assert found["verdict"]["final"], found
    return found


def host_desk(people: People) -> Someone:
    """Somebody at the host desk of Balikpapan, at whom no other test has guessed codes."""
    someone = people.fresh("balikpapan")
    change = "UPDATE member SET roles = '{HOST_DESK}' WHERE name = :name"
    enter(change, "balikpapan", name=someone.name)
    return someone


@pytest.fixture
def desk(people: People) -> FrontEnd:
    """A host desk of a test's own."""
    return host_desk(people).front_end


@pytest.fixture
def here(people: People, issue) -> tuple[Someone, dict]:
    """A traveller who is in Balikpapan these days, and the trip."""
    someone = people.fresh()
    return someone, issue(someone, plan(starts=-1))
