"""What graphql_api/EXAMPLES.md tells front ends to ask is answered."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from conftest import BALIKPAPAN, People, plan, record, today
from websockets.sync.client import connect

from infra.world import HEAD_OF_OFFICE, World

TEXT = (Path(__file__).parents[1] / "graphql_api/EXAMPLES.md").read_text()
EXAMPLES = re.findall(r"```graphql\n# (\w+), (\w+)\n(.*?)```", TEXT, re.DOTALL)


@pytest.fixture(scope="module")
def given(people: People, issue) -> dict[str, Any]:
    """What their variables stand for."""
    who = people.fresh()
    trip = issue(who, plan(starts=-1))["id"]
    now = datetime.now(UTC).isoformat()
    fix = {"time": now, "lon": BALIKPAPAN[0], "lat": BALIKPAPAN[1], "accuracy": 12.0}
    assert record(who.front_end, trip, [fix])["accepted"] == 1
    letter = {
        "number": "094/CONTOH",
        "dated": today().isoformat(),
        "purpose": "Rapat koordinasi",
        "signedById": people.id_of(HEAD_OF_OFFICE),
    }
    traveller = people.fresh().id
    return {"trip": trip, "letter": letter, "traveller": traveller, "plan": plan(), "after": None}


def test_every_document_is_an_example():
    assert len(EXAMPLES) == TEXT.count("```graphql") > 6


@pytest.mark.parametrize(
    ("username", "slug", "document"),
    EXAMPLES,
    ids=[re.findall(r"\w+", each[2])[1] for each in EXAMPLES],
)
def test_it_is_answered(world: World, people: People, given, username, slug, document):
    asked = {name: given[name] for name in re.findall(r"\$(\w+):", document)}
    viewer = people.as_(username, slug)
    if document.startswith("subscription"):
        payload = {"query": document, "variables": asked}
        answer = heard(world, slug, viewer.token, payload)
    else:
        answer = viewer.ask(document, **asked)
    (found,) = answer.values()
    assert found
    assert "code" not in found or slug == "province"


def heard(world: World, slug: str, token: str, payload: dict[str, Any]) -> dict[str, Any]:
    """The first that a subscription tells."""
    address = f"{world.base_url.replace('http', 'ws', 1)}/{slug}/graphql"
    with connect(address, subprotocols=["graphql-transport-ws"], proxy=None) as socket:
        for message in (
            {"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}},
            {"type": "subscribe", "id": "1", "payload": payload},
        ):
            socket.send(orjson.dumps(message).decode())
        while (told := orjson.loads(socket.recv(timeout=10)))["type"] != "next":
            assert told["type"] == "connection_ack"
        return told["payload"]["data"]
