"""The subscription to positions, through the running service: what reaches those who watch."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from asking import ask, nowhere
from conftest import plan
from test_positions import SHOWN, Away, away, colleague, go, live, moved, offices  # noqa: F401
from test_track_endpoint import HOTEL, paired  # noqa: F401
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from infra.front_end import FrontEnd
from infra.world import World

# ruff: noqa: F811

MOVES = f"""
subscription ($trip: UUID, $office: UUID) {{
  positions(tripId: $trip, officeId: $office) {{ {SHOWN} }} }}"""


class Watching:
    """A subscription over a socket; what it hears is kept."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    def next(self, seconds: float = 5) -> dict[str, Any] | None:
        """The next position; None when there is none, or the stream is over."""
        try:
            message = json.loads(self._socket.recv(timeout=seconds))
        except (TimeoutError, ConnectionClosed):
            return None
        if message["type"] != "next":
            return None
        position: dict[str, Any] = message["payload"]["data"]["positions"]
        return position


@pytest.fixture
def watching(world: World):
    @contextmanager
    def watching(viewer: FrontEnd, slug: str = "samarinda", **variables: Any) -> Iterator[Watching]:
        address = f"{world.base_url}/{slug}/graphql".replace("http", "ws")
        with connect(address, subprotocols=["graphql-transport-ws"], proxy=None) as socket:
            credential = {"authorization": f"Bearer {viewer.token}"}
            socket.send(json.dumps({"type": "connection_init", "payload": credential}))
            assert json.loads(socket.recv(timeout=5))["type"] == "connection_ack"
            payload = {"query": MOVES, "variables": variables}
            socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": payload}))
            yield Watching(socket)

    return watching


def test_first_where_she_is_then_each_move(people, away, watching, paired):
    inspector = people.as_("inspektur")
    with watching(inspector, trip=away.trip) as watch:
        present = watch.next()
        assert present == live(inspector)[away.trip]
        recorded = moved(away, seconds_ago=30, lon=116.9)
        heard = watch.next()
        assert datetime.fromisoformat(heard["at"]) == recorded
        assert (heard["lon"], heard["trip"]["id"]) == (116.9, away.trip)
        sent = datetime.now(UTC).replace(microsecond=0)
        phone = paired(away.who, "OWNTRACKS")
        assert phone.fixes([sent]).is_success
        heard = watch.next()
        assert datetime.fromisoformat(heard["at"]) == sent
        assert (heard["lon"], heard["lat"]) == HOTEL
        assert heard["deviceId"] == phone.pairing["device"]["id"]
        # What is older is evidence, but no news.
        moved(away, seconds_ago=20)
        assert watch.next(1) is None
    with watching(inspector, trip=away.trip) as again:
        assert again.next() == heard, "a socket that returns begins with the present"


def test_all_one_may_see(people, away, colleague, watching):
    hers, another = away, colleague
    with (
        watching(hers.who.front_end) as mine,
        watching(people.as_("kepala")) as officer,
        watching(people.as_("operator")) as operator,
        watching(hers.who.front_end, trip=another.trip) as forbidden,
        watching(hers.who.front_end, trip=nowhere()) as absent,
        watching(people.as_("inspektur", "balikpapan"), "balikpapan", trip=hers.trip) as abroad,
    ):
        assert mine.next()["trip"]["id"] == hers.trip
        assert operator.next(1) is None
        for each in (hers, another):
            moved(each, lon=117.0)
        assert mine.next()["lon"] == 117.0
        assert mine.next(0.5) is None
        heard = {}
        while len(heard) < 2 and (position := officer.next()):
            if position["lon"] == 117.0:
                heard[position["trip"]["id"]] = position
        assert set(heard) == {hers.trip, another.trip}
        for watch in (operator, forbidden, absent, abroad):
            assert watch.next(0.1) is None


def test_a_trip_that_begins_meanwhile(people, issue, watching):
    who = people.fresh()
    with watching(who.front_end) as watch:
        assert watch.next(1) is None
        away = Away(who, issue(who, plan(starts=-1))["id"])
        moved(away)
        assert watch.next()["trip"]["id"] == away.trip


def test_of_one_office(people, away, watching):
    own = offices(people)["Sekretariat Daerah Kota Samarinda"]
    inspector = people.as_("inspektur")
    with watching(inspector, office=own) as watch, watching(inspector, office=nowhere()) as no:
        moved(away, lon=117.01)
        while watch.next()["lon"] != 117.01:
            pass
        assert no.next(0.1) is None


def test_nothing_of_a_trip_that_is_paused_or_over(people, away, watching):
    with watching(people.as_("inspektur"), trip=away.trip) as watch:
        assert watch.next()
        ask(away.who.front_end, "pauseTracking", tripId=away.trip, reason="Ibadah")
        moved(away, kept=False)
        assert watch.next(1) is None
        ask(away.who.front_end, "resumeTracking", tripId=away.trip)
        moved(away)
        assert watch.next()
        before = datetime.now(UTC)
        ask(away.who.front_end, "finishTrip", id=away.trip)
        moved(away, seconds_ago=(datetime.now(UTC) - before).total_seconds())
        assert watch.next(1) is None
