"""`infra/bench news`: from an upload's acknowledgement to its deviation at a subscriber."""

import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Final

import orjson
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from infra import stories
from infra.benchmarks.measure import (
    HOME,
    Measured,
    Report,
    Trips,
    await_judges,
    followed,
)
from infra.front_end import FrontEnd, Refused
from infra.play import RECORD, ZONE, Case
from infra.stories import Traveller
from infra.world import World

FOUND: Final = "subscription { deviationFound { kind trip { id } } }"
BEFORE_LEAVING: Final = 18
"""Fixes until the traveller sets out: three hours at home, by which nothing can be said yet."""
PATIENCE: Final = 30.0


def measure(
    running: World, travellers: Sequence[Traveller], *, rounds: int = 40, silence: float = 2.0
) -> Report:
    """Milliseconds, one trip at a time; zero where the news is there before the answer is read.

    Each deciding upload comes after `silence` seconds in which nothing did: workers that poll have
    grown slow by then.

    The trip is over and its traveller was elsewhere: the first upload tells nothing yet, the second
    all the rest, so that the deviation can come after it only.
    """
    trips = Trips(running)
    news = Measured(("temuan setelah jawaban", "deviation after the answer"), "ms")
    answer = Measured(("unggahan sampai jawaban", "upload to answer"), "ms")
    with ExitStack() as stack:
        phones = {
            who: stack.enter_context(running.sign_in(HOME, who.username)) for who in travellers
        }
        inspector = stack.enter_context(running.sign_in(HOME, "inspektur"))
        socket = stack.enter_context(_subscribed(running, inspector))
        for number in followed(range(rounds + 1)):
            traveller = travellers[number % len(travellers)]
            case = trips.issue(traveller)
            fixes = stories.fixes(case.story, case.first_day, ZONE)
            _upload(phones[traveller], case.trip_id, fixes[:BEFORE_LEAVING])
            await_judges()
            time.sleep(silence)
            began = time.perf_counter()
            _upload(phones[traveller], case.trip_id, fixes[BEFORE_LEAVING:])
            answered = time.perf_counter()
            _await_deviation(socket, case)
            if number:  # the first one warms up
                answer.figures.append((answered - began) * 1_000)
                news.figures.append((time.perf_counter() - answered) * 1_000)
    p95 = statistics.quantiles(news.figures, n=20, method="inclusive")[-1]
    return Report(
        [answer, news], {("p50, ms", "p50, ms"): news.median, ("p95, ms", "p95, ms"): p95}
    )


def _upload(phone: FrontEnd, trip_id: str, fixes: list[Any]) -> None:
    receipt = phone.ask(RECORD, trip=trip_id, fixes=fixes)["recordTrack"]
    if receipt.get("accepted") != len(fixes):
        raise Refused(str(receipt))


@contextmanager
def _subscribed(running: World, viewer: FrontEnd) -> Iterator[ClientConnection]:
    """A socket on which the deviations of the regency arrive (graphql-transport-ws)."""
    with connect(
        f"{running.base_url.replace('http', 'ws', 1)}/{HOME}/graphql",
        subprotocols=[Subprotocol("graphql-transport-ws")],
        additional_headers={"Authorization": f"Bearer {viewer.token}"},
        proxy=None,
    ) as socket:
        socket.send('{"type": "connection_init"}')
        _await(socket, "connection_ack")
        subscribe = {"id": "1", "type": "subscribe", "payload": {"query": FOUND}}
        socket.send(orjson.dumps(subscribe).decode())
        yield socket


def _await_deviation(socket: ClientConnection, case: Case) -> None:
    """Of the kind the story leads to: notes come of the first upload already."""
    while True:
        found = _await(socket, "next")["data"]["deviationFound"]
        if found["trip"]["id"] == case.trip_id and found["kind"] in case.story.deviations:
            return


def _await(socket: ClientConnection, kind: str) -> dict[str, Any]:
    """The payload of the next message of a kind; TimeoutError when none comes in time."""
    while True:
        message = orjson.loads(socket.recv(PATIENCE))
        if message["type"] == kind:
            payload: dict[str, Any] = message.get("payload") or {}
            return payload
        if message["type"] in ("error", "complete"):
            raise Refused(str(message))
