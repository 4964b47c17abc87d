"""The console asks by the ids of trusted documents; everybody else goes on sending documents."""

import httpx2
import orjson
import pytest
from conftest import People
from graphql import build_schema, parse, validate
from websockets.sync.client import connect

from graphql_api import limits, province, schema
from graphql_api.front import DIST, trusted_documents
from graphql_api.limits import TrustedDocument
from infra.world import World

TENANT = trusted_documents("tenant")
VIEWER = next(key for key, text in TENANT.items() if text.startswith("query Viewer "))
MOVES = next(key for key, text in TENANT.items() if text.startswith("subscription Moves("))
NOBODYS = f"sha256:{'0' * 64}"


@pytest.fixture
def ask(people: People, http: httpx2.Client):
    token = people.as_("inspektur").token

    def ask(**body: object) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {token}"}
        return http.post("/samarinda/graphql", json=body, headers=headers)

    return ask


@pytest.mark.parametrize(("of", "known"), [("tenant", schema), ("province", province)])
def test_every_trusted_document_fits_its_schema(of, known):
    documents = trusted_documents(of)
    assert documents
    whole = build_schema(known.schema.as_str())
    for text in documents.values():
        assert validate(whole, parse(text)) == []


def test_an_id_stands_for_its_document(ask):
    by_id, whole = ask(documentId=VIEWER), ask(query=TENANT[VIEWER])
    assert by_id.status_code == 200
    assert by_id.json() == whole.json()
    assert by_id.json()["data"]["viewer"]["name"] == "Wahyu Inspektur"


def test_it_may_be_asked_for_by_get_too(people, http):
    answer = http.get(
        "/samarinda/graphql",
        params={"documentId": VIEWER},
        headers={"Authorization": f"Bearer {people.as_('inspektur').token}"},
    )
    assert answer.json()["data"]["viewer"]["name"] == "Wahyu Inspektur"


def test_an_unknown_id_says_to_reload(ask):
    answer = ask(documentId=NOBODYS)
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert error["extensions"]["code"] == "UNKNOWN_DOCUMENT"
    assert "muat ulang" in error["message"]
    assert "reload" in error["extensions"]["message_en"]


def test_the_provinces_documents_are_none_of_a_regencys(ask):
    (theirs, *_) = trusted_documents("province")
    (error,) = ask(documentId=theirs).json()["errors"]
    assert error["extensions"]["code"] == "UNKNOWN_DOCUMENT"


@pytest.mark.parametrize(
    "body",
    [
        {"documentId": 1},
        {"documentId": ["x"]},
        {"documentId": VIEWER, "query": "{ __typename }"},
        {"documentId": None},
        {},
    ],
)
def test_a_malformed_one_is_refused(ask, body):
    answer = ask(**body)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


def test_over_a_websocket_too(world: World, people: People):
    address = f"{world.base_url.replace('http', 'ws', 1)}/samarinda/graphql"
    token = {"authorization": f"Bearer {people.as_('inspektur').token}"}
    with connect(address, subprotocols=["graphql-transport-ws"], proxy=None) as socket:

        def say(**message: object) -> None:
            socket.send(orjson.dumps(message).decode())

        def heard() -> dict[str, object]:
            return orjson.loads(socket.recv(timeout=10))

        say(type="connection_init", payload=token)
        assert heard()["type"] == "connection_ack"
        say(type="subscribe", id="1", payload={"documentId": NOBODYS})
        refused = heard()
        assert (refused["id"], refused["type"]) == ("1", "error")
        assert refused["payload"][0]["extensions"]["code"] == "UNKNOWN_DOCUMENT"
        # The socket stands, for what is known.
        say(type="subscribe", id="2", payload={"documentId": VIEWER})
        told = heard()
        assert told["payload"]["data"]["viewer"]["name"] == "Wahyu Inspektur"
        say(type="subscribe", id="3", payload={"documentId": MOVES, "variables": {}})
        say(type="complete", id="3")


def test_strangers_documents_do_not_push_it_out():
    text, bounds = TrustedDocument("{ viewer { id } }"), limits.Limits()
    kept = limits._kept_parsed(text, bounds)
    for number in range(limits.DOCUMENTS + 1):
        limits._parsed(f"{{ viewer {{ id{number}: id }} }}", bounds)
    assert limits._kept_parsed(text, bounds) is kept


def test_a_text_that_is_not_its_ids_is_not_served(tmp_path, monkeypatch):
    monkeypatch.setattr("graphql_api.front.DIST", tmp_path)
    assert trusted_documents("tenant") == {}
    (tmp_path / "tenant.generated.json").write_bytes(orjson.dumps({VIEWER: "{ __typename }"}))
    with pytest.raises(ValueError, match=VIEWER):
        trusted_documents("tenant")


def test_the_scripts_hold_no_document():
    """What the console asks is known by id alone: its scripts are the lighter for it."""
    scripts = b"".join(path.read_bytes() for path in (DIST / "assets").glob("*.js"))
    assert MOVES.encode() in scripts
    assert b"positions(officeId" not in scripts
