"""How tests tell a host of trips, confirm them, and look at what came back."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from asking import ask
from conftest import Someone, today
from sqlalchemy import select

from infra.front_end import FrontEnd
from infra.play import until
from tenants import catalogue, visum
from tenants.access import viewer_of
from tenants.models import Member

INCOMING = """
query ($state: IncomingState, $day: Date, $search: String, $first: Int! = 100, $after: String) {
  incomingTrips(state: $state, day: $day, search: $search, first: $first, after: $after) {
    nodes { tripId leg senderCode senderName letterNumber traveller position office arriveOn
            departOn state visa { id event method } }
    pageInfo { hasNextPage endCursor }
  }
}"""
CODE = """
query ($trip: UUID!, $leg: Int) {
  visumCode(tripId: $trip, leg: $leg) { leg regionCode code qr renewedAt }
}"""
SENDERS = """
query ($trip: UUID!) {
  trip(id: $trip) {
    visa { id regionCode leg event method happenedAt withdrawnAt }
    timeline { date state knownBy seen { regionCode } }
    verdict { outcome final coverage visumCoverage observedDays days { state knownBy seen } }
    deviations { kind severity regionCode plannedRegionCode amount message }
  }
}"""


def incoming(desk: FrontEnd, trip: dict | None = None, **wanted) -> list[dict]:
    """The first page, or, of one trip, what all pages hold: other tests' trips lead here too."""
    page = desk.ask(INCOMING, **wanted)["incomingTrips"]
    if trip is None:
        return list(page["nodes"])
    nodes = list(page["nodes"])
    while page["pageInfo"]["hasNextPage"]:
        wanted["after"] = page["pageInfo"]["endCursor"]
        page = desk.ask(INCOMING, **wanted)["incomingTrips"]
        nodes += page["nodes"]
    return [node for node in nodes if node["tripId"] == trip["id"]]


def told(desk: FrontEnd, trip: dict) -> dict:
    assert until(lambda: incoming(desk, trip)), "the host was never told"
    (node,) = incoming(desk, trip)
    return node


def by_list(desk: FrontEnd, event: str, trip: dict, at: str | None = None, leg: int = 1) -> dict:
    return ask(desk, f"confirm{event}", tripId=trip["id"], leg=leg, at=at)


def shown(someone: Someone, trip: dict, seconds: float = 0) -> visum.Code:
    """What the traveller's phone shows so many seconds from now."""
    tenant = catalogue.tenant(someone.slug)
    with tenant.session(readonly=True) as session:
        viewer = viewer_of(session.scalars(select(Member).filter_by(name=someone.name)).one())
        code = visum.code(
            session,
            viewer,
            UUID(trip["id"]),
            None,
            zone=tenant.zone,
            now=datetime.now(UTC) + timedelta(seconds=seconds),
        )
    assert code is not None
    return code


def local(day: int, hour: int) -> str:
    """An hour of a local day, counted from today."""
    return f"{today() + timedelta(days=day)}T{hour:02}:00:00+08:00"


def sent(sender: FrontEnd, trip: dict) -> dict:
    return sender.ask(SENDERS, trip=trip["id"])["trip"]
