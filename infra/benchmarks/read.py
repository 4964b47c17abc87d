"""`infra/bench read`: a page of trips through GraphQL, against plain JSON over the same SQL."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import httpx2
import orjson

from infra.benchmarks.measure import (
    HOME,
    Measured,
    Report,
    Trips,
    Wire,
    alternate,
    followed,
    request,
    seconds_for,
)
from infra.front_end import Refused
from infra.processes import Process, port, step
from infra.stories import Traveller
from infra.world import World

PAGE: Final = """
query ($first: Int!) {
  trips(first: $first) {
    nodes { id startsOn endsOn state letter { number } traveller { name } }
  }
}"""


def measure(
    running: World,
    travellers: Sequence[Traveller],
    *,
    rounds: int = 5,
    requests: int = 800,
    connections: int = 4,
    page: int = 50,
) -> Report:
    """Requests a second for `page` trips of six fields, over so many connections at once."""
    trips = Trips(running)
    for number in followed(range(page)):
        trips.issue(travellers[number % len(travellers)])
    with running.sign_in(HOME, "inspektur") as inspector, _plain(running) as plain_url:
        query = {"query": PAGE, "variables": {"first": page}}
        asked = {
            running.base_url: request("POST", f"/{HOME}/graphql", inspector.token, query),
            plain_url: request("GET", f"/{HOME}/trips?first={page}", inspector.token),
        }
        _refuse_difference(asked, page)

        def rate(base_url: str) -> float:
            shares = [[asked[base_url]] * (requests // connections)] * connections
            return requests / seconds_for(base_url, shares, proof=b'"traveller"')

        graphql = Measured((f"GraphQL, {page} perjalanan", f"GraphQL, {page} trips"), "req/s")
        plain = Measured((f"JSON, {page} perjalanan", f"JSON, {page} trips"), "req/s")
        sides = alternate(
            [(graphql, lambda: rate(running.base_url)), (plain, lambda: rate(plain_url))],
            rounds=rounds,
        )
    return Report(
        sides, {("Rasio GraphQL : JSON", "Ratio GraphQL : JSON"): graphql.median / plain.median}
    )


@contextmanager
def _plain(running: World) -> Iterator[str]:
    """The plain endpoint in a process of its own, like the API; its address."""
    at = port(running.folder, "plain")
    base_url = f"http://127.0.0.1:{at}"
    command = [sys.executable, "-m", "infra.benchmarks.plain", str(at)]

    def answers() -> bool:
        try:
            return httpx2.get(f"{base_url}/health", trust_env=False).is_success
        except httpx2.TransportError:
            return False

    with Process(running.folder, "plain", command, ports=[at]) as process:
        with step("Titik akhir JSON", "JSON endpoint"):
            process.wait_until(answers)
        yield base_url


def _refuse_difference(asked: dict[str, bytes], page: int) -> None:
    """Both must answer the same, and in full: or one of them would be measured at less work."""
    answers = []
    for base_url, one in asked.items():
        with Wire(base_url) as wire:
            answers.append(orjson.loads(wire.ask(one)))
    if answers[0] != answers[1] or len(answers[0]["data"]["trips"]["nodes"]) != page:
        raise Refused("GraphQL and JSON do not answer the same")
