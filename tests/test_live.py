"""deviationFound, over the real clients of both protocols, from the real worker."""

import json
import subprocess
import threading
import time
from datetime import UTC, datetime
from functools import partial

import httpx2
import pytest
from conftest import SANGATTA, People, verdict
from node_clients import run
from test_verdicts import travel

from infra.world import World
from tenants import catalogue
from tenants.models import Member

FOUND = """subscription {
  deviationFound { kind regionCode message trip { id letter { number } } } }"""


class Listener(threading.Thread):
    """One of the clients of others, in the background until it heard what it waits for."""

    def __init__(self, world: World, protocol: str, token: str, slug: str, *about: str) -> None:
        super().__init__(daemon=True)
        address = f"{world.base_url}/{slug}/graphql"
        credential = f"Bearer {token}"
        if protocol == "ws":
            self._command = [
                "subscribe-ws.mjs",
                address.replace("http", "ws"),
                "--init",
                json.dumps({"authorization": credential}),
            ]
        else:
            self._command = [
                "subscribe-sse.mjs", address, "--header", f"Authorization: {credential}",
            ]  # fmt: skip
        for text in about:
            self._command += ["--about", text]
        self.heard: list[dict] = []
        self.code: int | None = None
        self.complaint = ""

    def run(self) -> None:
        try:
            self.code, self.heard, self.complaint = run(*self._command, "--query", FOUND)
        except subprocess.TimeoutExpired:
            self.complaint = "heard nothing"


@pytest.mark.parametrize("protocol", ["ws", "sse"])
def test_a_deviation_reaches_whoever_may_see_it(world, people: People, issue, protocol):
    letter = f"UJI/LANGSUNG/{protocol}"
    inspector = Listener(
        world, protocol, people.as_("inspektur").token, "samarinda", letter, "WRONG_REGION"
    )
    stranger = Listener(world, protocol, people.fresh().front_end.token, "samarinda")
    elsewhere = Listener(world, protocol, people.as_("inspektur", "balikpapan").token, "balikpapan")
    for listener in (inspector, stranger, elsewhere):
        listener.start()
    time.sleep(2.5)
    numbered = partial(issue, number=letter)
    _, trip = travel(people, numbered, where=SANGATTA, days=2, claim=2)
    inspector.join(25)
    assert inspector.code == 0, inspector.complaint
    (event,) = inspector.heard
    found = event["data"]["deviationFound"]
    assert (found["kind"], found["regionCode"]) == ("WRONG_REGION", "64.08")
    assert found["trip"]["id"] == trip
    # The others hear nothing of it, whatever their protocol.
    assert verdict(people.as_("inspektur"), trip)["deviations"]
    assert stranger.heard == []
    assert letter not in json.dumps(elsewhere.heard)


def test_the_stream_ends_with_the_members_suspension(world: World, people: People):
    someone = people.fresh()
    answers: list[str] = []

    def listen() -> None:
        with httpx2.stream(
            "POST",
            f"{world.base_url}/samarinda/graphql",
            json={"query": FOUND},
            headers={
                "Authorization": f"Bearer {someone.front_end.token}",
                "Accept": "text/event-stream",
            },
            timeout=30,
        ) as stream:
            answers.extend(stream.iter_text())

    listening = threading.Thread(target=listen)
    listening.start()
    time.sleep(1)
    with catalogue.tenant("samarinda").session(readonly=False) as session:
        session.query(Member).filter_by(name=someone.name).one().suspended_at = datetime.now(UTC)
    began = time.monotonic()
    listening.join(20)
    assert not listening.is_alive()
    assert time.monotonic() - began < 12
    assert "NOT_SIGNED_IN" in "".join(answers)


@pytest.mark.parametrize(
    "init", [{}, {"authorization": "Bearer kosong"}, {"authorization": "Basic eDp5"}]
)
def test_a_socket_without_a_good_token_is_closed(world: World, init: dict):
    address = f"{world.base_url}/samarinda/graphql".replace("http", "ws")
    code, heard, complaint = run(
        "subscribe-ws.mjs", address, "--init", json.dumps(init), "--query", FOUND
    )
    assert (code, heard) == (1, [])
    assert json.loads(complaint)["code"] == 4403
