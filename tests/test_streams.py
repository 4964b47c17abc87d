"""Subscriptions: server-sent events and graphql-transport-ws."""

import json
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest
from node_clients import run
from served import CLOSED, RAN, nested
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect


def test_the_clients_of_others_subscribe(host: str) -> None:
    for script, url in (
        ("subscribe-sse.mjs", f"http://{host}/graphql/"),
        ("subscribe-ws.mjs", f"ws://{host}/graphql/"),
    ):
        code, events, complaint = run(
            script,
            url,
            "--query",
            "subscription($s:Int!){ticks(size:$s)}",
            "--variables",
            '{"s":3}',
            "--count",
            "3",
        )
        assert (code, events, complaint) == (0, [{"data": {"ticks": "ttt"}}] * 3, "")
        code, events, _ = run(script, url, "--query", "subscription{breaking}", "--count", "2")
        assert code == 0
        assert events[1]["errors"][0]["extensions"]["code"] == "INTERNAL"
        assert "hunter2" not in str(events)
        code, events, _ = run(script, url, "--query", "subscription{breaking}", "--count", "3")
        assert (code, len(events)) == (1, 2)
    code, events, complaint = run(
        "subscribe-ws.mjs", f"ws://{host}/graphql/", "--query", "{whose}", "--init", '{"token":"t"}'
    )
    assert (code, events) == (0, [{"data": {"whose": "t"}}])
    code, events, complaint = run(
        "subscribe-ws.mjs",
        f"ws://{host}/graphql/",
        "--query",
        "{whose}",
        "--init",
        '{"token":"expired"}',
    )
    assert (code, events, json.loads(complaint)["code"]) == (1, [], 4403)


@pytest.mark.parametrize("query", ["{", "subscription{nothing}", nested(11), "{broken}", "{bare}"])
def test_errors_in_a_stream(client: httpx2.Client, query: str) -> None:
    answer = client.post("", json={"query": query}, headers={"Accept": "text/event-stream"})
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-store, no-transform"
    (data,) = re.findall(r"event: next\r\ndata: (.*)\r\n", answer.text)
    assert json.loads(data)["errors"][0]["extensions"]["code"]
    assert ("data" in json.loads(data)) is ("b" in query[:2])
    assert "hunter2" not in data
    assert answer.text.endswith("event: complete\r\ndata: \r\n\r\n")


def closed(size: int, *, times: int = 1) -> bool:
    """Whether so many generators of ticks of the size end, sooner or later."""
    deadline = time.monotonic() + 5
    while CLOSED.count(size) < times and time.monotonic() < deadline:
        time.sleep(0.01)
    return CLOSED.count(size) == times


def test_a_stream_ends_with_its_listener(client: httpx2.Client) -> None:
    params = {"query": "subscription{ticks(size:7)}"}
    with client.stream("GET", "", params=params, headers={"Accept": "text/event-stream"}) as answer:
        lines = answer.iter_lines()  # One let go of closes the answer.
        assert next(lines) == "event: next"
        assert 7 not in CLOSED
    assert closed(7)


@contextmanager
def opened(
    host: str, *, path: str = "graphql/", acknowledged: bool = True, **options: Any
) -> Iterator[ClientConnection]:
    protocols = options.pop("subprotocols", ["graphql-transport-ws"])
    with connect(f"ws://{host}/{path}", subprotocols=protocols, **options) as ours:
        if acknowledged:
            say(ours, type="connection_init")
            assert heard(ours) == {"type": "connection_ack"}
        yield ours


def say(ours: ClientConnection, **message: Any) -> None:
    ours.send(json.dumps(message))


def ask(ours: ClientConnection, query: Any, key: str = "1", **parameters: Any) -> None:
    say(ours, type="subscribe", id=key, payload={"query": query, **parameters})


def heard(ours: ClientConnection) -> Any:
    text = ours.recv(timeout=5)
    assert isinstance(text, str)
    return json.loads(text)


def close_code(ours: ClientConnection) -> int:
    def listen() -> None:
        while True:
            ours.recv(timeout=5)

    with pytest.raises(ConnectionClosed) as closed:
        listen()
    assert closed.value.rcvd
    return closed.value.rcvd.code


@pytest.mark.parametrize(
    ("headers", "options", "status"),
    [
        ({}, {"origin": "null"}, 403),
        ({}, {"origin": "https://evil.example"}, 403),
        ({}, {"origin": "http://{host}.evil.example"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, {}, 403),
        ({"Authorization": "Bearer expired"}, {}, 401),
    ],
)
def test_handshakes_refused(
    host: str, headers: dict[str, str], options: dict[str, str], status: int
) -> None:
    options = {key: value.format(host=host) for key, value in options.items()}
    with (
        pytest.raises(InvalidStatus) as refused,
        opened(host, additional_headers=headers, **options),
    ):
        pytest.fail("the handshake succeeded")
    assert refused.value.response.status_code == status
    assert b'"code"' in (refused.value.response.body or b"")
    assert refused.value.response.headers["x-content-type-options"] == "nosniff"


def test_an_unknown_tenant_has_no_socket(host: str) -> None:
    with (
        pytest.raises(InvalidStatus) as refused,
        opened(host, path="graphql/?tenant=nowhere"),
    ):
        pytest.fail("the handshake succeeded")
    assert refused.value.response.status_code == 404


def test_pages_of_ours_may_open_a_socket(host: str) -> None:
    with opened(host, origin=f"http://{host}") as ours:
        ask(ours, "{me{name}}")
        assert heard(ours)["payload"] == {"data": {"me": {"name": "Sari"}}}
        assert heard(ours) == {"id": "1", "type": "complete"}


def test_the_legacy_protocol_is_not_offered(host: str) -> None:
    with opened(host, acknowledged=False, subprotocols=["graphql-ws"]) as ours:
        assert ours.subprotocol is None
        assert close_code(ours) == 4406


def test_frames_are_neither_compressed_nor_huge(host: str) -> None:
    with opened(host) as ours:
        assert ours.response
        assert "Sec-WebSocket-Extensions" not in ours.response.headers
        # The head of a masked text frame of 20 MB: more need not be sent to be refused.
        ours.socket.sendall(b"\x81\xff" + (20_000_000).to_bytes(8, "big") + b"mask")
        assert close_code(ours) == 1009


@pytest.mark.parametrize(
    ("acknowledged", "messages", "code"),
    [
        (False, ['{"type":"subscribe","id":"1","payload":{"query":"{me{name}}"}}'], 4401),
        (False, ['{"type":"connection_init","payload":{"token":"expired"}}'], 4403),
        (False, ['{"type":"connection_init","payload":{"token":"crash"}}'], 4500),
        (False, ['{"type":"connection_init","payload":[1]}'], 4400),
        (True, ['{"type":"connection_init"}'], 4429),
        (True, ["{"], 4400),
        (True, [b"{}"], 4400),
        (True, ["[]"], 4400),
        (True, ["[" * 100_000], 4400),
        (True, ['{"type":"%s"}' % ("x" * 500)], 4400),
        (True, ['{"type":["subscribe"]}'], 4400),
        (True, ['{"type":"subscribe","id":{},"payload":{"query":"{me{name}}"}}'], 4400),
        (
            True,
            ['{"type":"subscribe","id":"%s","payload":{"query":"{echo}"}}' % ("x" * 200)],
            4400,
        ),
        (True, ['{"type":"subscribe","id":"1","payload":{"query":7}}'], 4400),
        (
            True,
            ['{"type":"subscribe","id":"1","payload":{"query":"{echo}","variables":[]}}'],
            4400,
        ),
        (
            True,
            ['{"type":"subscribe","id":"1","payload":{"query":"subscription{ticks}"}}'] * 2,
            4409,
        ),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_closes_a_socket(
    host: str, acknowledged: bool, messages: list[str | bytes], code: int
) -> None:
    RAN.clear()
    with opened(host, acknowledged=acknowledged) as ours:
        for message in messages:
            ours.send(message)
        assert close_code(ours) == code
    assert "me" not in RAN


def test_who_never_introduces_himself(host: str) -> None:
    with opened(host, path="impatient/", acknowledged=False) as ours:
        assert close_code(ours) == 4408


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{" + "x" * 900 + ":", "GRAPHQL_PARSE_FAILED"),
        ("{nothing}", "GRAPHQL_VALIDATION_FAILED"),
        (nested(11), "TOO_DEEP"),
        ("subscription{" + " ".join(f"a{n}:ticks" for n in range(40)) + "}", "TOO_MANY_ALIASES"),
        ("query A{ratio} query B{ratio}", "UNKNOWN_OPERATION"),
        ("subscription($s:Int!){ticks(size:$s)}", "BAD_USER_INPUT"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_one_bad_document_leaves_the_others_alone(host: str, query: str, code: str) -> None:
    RAN.clear()
    with opened(host) as ours:
        ask(ours, query)
        answer = heard(ours)
        assert (answer["id"], answer["type"], RAN) == ("1", "error", [])
        assert {error["extensions"]["code"] for error in answer["payload"]} == {code}
        ask(ours, "{whose}", operationName="unheardOf")
        assert heard(ours)["payload"][0]["extensions"]["code"] == "UNKNOWN_OPERATION"
        ask(ours, "{echo}")
        assert heard(ours)["payload"] == {"data": {"echo": "None"}}


def test_a_hundred_subscriptions_and_no_more(host: str) -> None:
    with opened(host) as ours:
        for n in range(101):
            ask(ours, "subscription{ticks(gap:60,size:8)}", key=str(n))
        answers = [heard(ours) for _ in range(101)]
        refused = [answer for answer in answers if answer["type"] == "error"]
        assert [each["id"] for each in refused] == ["100"]
        assert refused[0]["payload"][0]["extensions"]["code"] == "TOO_MANY_SUBSCRIPTIONS"
        say(ours, type="complete", id="0")
        ask(ours, "{echo}", key="again")
        assert heard(ours)["id"] == "again"
    assert closed(8, times=100)


@pytest.mark.parametrize(("protocol", "size"), [("sse", 500_001), ("ws", 500_002)])
def test_who_does_not_listen_is_dropped(host: str, protocol: str, size: int) -> None:
    query = f"subscription{{ticks(gap:0,size:{size})}}"
    if protocol == "sse":
        with socket.create_connection(host.split(":")) as deaf:
            deaf.sendall(
                f"GET /impatient/?query={query} HTTP/1.1\r\nHost: x\r\n"
                "Accept: text/event-stream\r\n\r\n".encode()
            )
            assert closed(size)
    else:
        with opened(host, path="impatient/", max_queue=1, close_timeout=0.1) as ours:
            ask(ours, query)
            assert closed(size)


def test_who_may_ask_no_longer_is_closed_at_the_next_operation(host: str) -> None:
    with opened(host, acknowledged=False) as ours:
        say(ours, type="connection_init", payload={"token": "revoked"})
        assert heard(ours) == {"type": "connection_ack"}
        ask(ours, "{whose}")
        assert close_code(ours) == 4403
