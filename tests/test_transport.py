"""GraphQL over HTTP: what is asked, how, and what is refused before GraphQL sees it."""

import re
import socket
import time

import httpx2
import pytest
from node_clients import run
from served import GRAPHQL, JSON, RAN

from graphql_api.http import negotiate


def code_of(answer: httpx2.Response) -> str:
    """The code of the only error of a well-formed answer without data."""
    assert answer.headers["content-type"] in (f"{JSON}; charset=utf-8", f"{GRAPHQL}; charset=utf-8")
    (error,) = answer.json()["errors"]
    assert "data" not in answer.json()
    assert error["message"]
    return str(error["extensions"]["code"])


def test_the_audit_of_graphql_http_passes(host: str) -> None:
    code, (results,), _ = run("audit.mjs", f"http://{host}/graphql/")
    assert [each for each in results if each["status"] != "ok"] == []
    assert (code, len(results)) == (0, 61)


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("*/*", JSON),
        ("application/*", JSON),
        (f"{GRAPHQL}, {JSON};q=0.9", GRAPHQL),
        (f"{JSON};q=0.9, {GRAPHQL}", GRAPHQL),
        (f"{GRAPHQL}; charset=utf-8, {JSON}; charset=utf-8", GRAPHQL),
        (f"{JSON}, {GRAPHQL}", JSON),
        (f"{JSON};q=0, */*", GRAPHQL),
        ("APPLICATION/JSON", JSON),
        ("*/*, text/event-stream", "text/event-stream"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", JSON),
        (f"{JSON};charset=utf-16", None),
        (f"{JSON};q=nonsense", None),
        ("text/html", None),
        ("text/*", None),
    ],
)
def test_negotiation(accept: str, media: str | None) -> None:
    assert negotiate(accept) == media


def test_not_acceptable(client: httpx2.Client) -> None:
    answer = client.get("?query={me{name}}", headers={"Accept": "text/html"})
    assert (answer.status_code, code_of(answer)) == (406, "NOT_ACCEPTABLE")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "PATCH"])
def test_other_methods(client: httpx2.Client, method: str) -> None:
    answer = client.request(method, "", headers={"X-HTTP-Method-Override": "POST"})
    assert (answer.status_code, code_of(answer)) == (405, "METHOD_NOT_ALLOWED")
    assert answer.headers["allow"] == "GET, POST"
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("accept", [JSON, GRAPHQL])
def test_a_mutation_by_get_is_refused(client: httpx2.Client, accept: str) -> None:
    RAN.clear()
    answer = client.get(
        "",
        params={"query": 'mutation{rename(name:"x")}'},
        headers={"Accept": accept, "X-HTTP-Method-Override": "POST"},
    )
    assert (answer.status_code, code_of(answer)) == (405, "METHOD_NOT_ALLOWED")
    assert answer.headers["allow"] == "POST"
    streamed = client.get(
        "",
        params={"query": 'mutation{rename(name:"x")}'},
        headers={"Accept": "text/event-stream"},
    )
    assert "METHOD_NOT_ALLOWED" in streamed.text
    assert RAN == []


def test_a_subscription_needs_a_stream(client: httpx2.Client) -> None:
    answer = client.post("", json={"query": "subscription{ticks}"})
    assert (answer.status_code, code_of(answer)) == (406, "NOT_ACCEPTABLE")


def test_get_takes_variables(client: httpx2.Client) -> None:
    params = {
        "query": "query Q($n:Int){echo(number:$n)} query R{me{name}}",
        "variables": '{"n":7}',
        "operationName": "Q",
    }
    assert client.get("", params=params).json() == {"data": {"echo": "7"}}


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=utf-16",
        "application/json; charset=utf-7",
        "application/json; charset=latin1",
        "application/jsonp",
        "",
    ],
)
def test_media_that_are_not_json(client: httpx2.Client, content_type: str) -> None:
    RAN.clear()
    body = b'{"query":"mutation{rename(name:\\"x\\")}"}'
    answer = client.post("", content=body, headers={"Content-Type": content_type})
    assert (answer.status_code, code_of(answer)) == (415, "UNSUPPORTED_MEDIA_TYPE")
    assert RAN == []


def test_compressed_bodies_are_not_unpacked(client: httpx2.Client) -> None:
    headers = {"Content-Type": JSON, "Content-Encoding": "gzip"}
    assert client.post("", content=b"{}", headers=headers).status_code == 415


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "BAD_REQUEST"),
        (b"{", "BAD_REQUEST"),
        (b'{"query":"\xff{me{name}}"}', "BAD_REQUEST"),
        (b'{"query":"{me{name}}","variables":{"x":NaN}}', "BAD_REQUEST"),
        (b'{"query":"{me{name}}","variables":' + b"[" * 100_000, "BAD_REQUEST"),
        (
            b'{"query":"{me{name}}","variables":{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}}",
            "BAD_REQUEST",
        ),
        (b"null", "BAD_REQUEST"),
        (b'"{me{name}}"', "BAD_REQUEST"),
        (b'{"query":""}', "BAD_REQUEST"),
        (b'{"query":"{me{name}}","extensions":[]}', "BAD_REQUEST"),
        (b"[" + b",".join([b'{"query":"{me{name}}"}'] * 1000) + b"]", "BATCHING_NOT_ENABLED"),
    ],
    ids=lambda value: str(value[:24]),
)
def test_malformed_requests(client: httpx2.Client, body: bytes, code: str) -> None:
    RAN.clear()
    answer = client.post("", content=body, headers={"Content-Type": JSON})
    assert (answer.status_code, code_of(answer), RAN) == (400, code, [])


@pytest.mark.parametrize("query", ["query=%ff", "query={me{name}}&variables={", "variables={}"])
def test_malformed_urls(client: httpx2.Client, query: str) -> None:
    assert code_of(client.get(f"?{query}")) == "BAD_REQUEST"


def test_a_long_operation_name_is_not_echoed(client: httpx2.Client) -> None:
    answer = client.post("", json={"query": "{me{name}}", "operationName": "x" * 900_000})
    assert (answer.status_code, len(answer.content) < 500) == (400, True)


@pytest.mark.parametrize(("accept", "status"), [(JSON, 200), (GRAPHQL, 400)])
@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("query A{me{name}}", "unheardOf"),
        ("query A{me{name}} query B{me{name}}", None),
        ("fragment F on Query{me{name}}", None),
    ],
)
def test_an_operation_that_cannot_be_told(
    client: httpx2.Client, query: str, name: str | None, accept: str, status: int
) -> None:
    RAN.clear()
    answer = client.post(
        "", json={"query": query, "operationName": name}, headers={"Accept": accept}
    )
    assert (answer.status_code, code_of(answer), RAN) == (status, "UNKNOWN_OPERATION", [])
    assert "unheardOf" not in answer.text


def test_bodies_up_to_a_mebibyte(client: httpx2.Client) -> None:
    def post(size: int, chunked: bool) -> httpx2.Response:
        body = b'{"query":"{me{name}}"}'.ljust(size)
        return client.post(
            "", content=iter([body]) if chunked else body, headers={"Content-Type": JSON}
        )

    for chunked in (False, True):
        assert post(1 << 20, chunked).json() == {"data": {"me": {"name": "Sari"}}}
        answer = post((1 << 20) + 1, chunked)
        assert (answer.status_code, code_of(answer)) == (413, "BODY_TOO_LARGE")
        assert post(5_000_000, chunked).status_code == 413


def test_a_thousand_fixes_fit(client: httpx2.Client) -> None:
    fix = {
        "lon": -117.123456789012,
        "lat": -0.123456789012345,
        "accuracy": 12.3456789012345,
        "speed": 12.3456789012345,
        "at": 1764038400123.456,
    }
    answer = client.post(
        "",
        json={
            "query": "mutation($f:[Fix!]!){upload(fixes:$f)}",
            "variables": {"f": [fix] * 1000},
        },
    )
    assert answer.json() == {"data": {"upload": 1000}}
    assert len(answer.request.content) < 200_000


def test_a_slow_body_is_given_up(host: str) -> None:
    with socket.create_connection(host.split(":")) as phone:
        phone.settimeout(5)
        phone.sendall(
            b"POST /impatient/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: 90\r\n\r\n"
        )
        started = time.monotonic()
        for _ in range(20):
            try:
                phone.sendall(b" ")
            except OSError:
                break
            time.sleep(0.05)
        answer = phone.recv(65_536)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"BODY_TOO_SLOW"' in answer
    assert 0.3 <= time.monotonic() - started < 3


def test_a_content_length_that_lies(host: str) -> None:
    """Longer than told: the rest is another request, and no good one. It never joins the body."""
    with socket.create_connection(host.split(":")) as phone:
        phone.settimeout(5)
        body = b'{"query":"{me{name}}"}'
        phone.sendall(
            b"POST /graphql/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: 22\r\n\r\n" + body + b"x" * 100 + b"\r\n\r\n"
        )
        answer = b""
        while chunk := phone.recv(65_536):
            answer += chunk
    *answered, refused = re.findall(rb"HTTP/1.1 (\d+)", answer)
    assert refused == b"400"
    assert answered in ([], [b"200"]), "both may come in one packet"


def test_cross_site_posts_are_refused(client: httpx2.Client) -> None:
    RAN.clear()
    body = {"query": 'mutation{rename(name:"x")}'}
    foreign = {"Sec-Fetch-Site": "cross-site", "Cookie": "jejak_x=1"}
    answer = client.post("", json=body, headers=foreign)
    assert (answer.status_code, code_of(answer), RAN) == (403, "CROSS_SITE", [])
    allowed = client.post("", json=body, headers={**foreign, "Authorization": "Bearer t"})
    assert allowed.json() == {"data": {"rename": "x"}}


def test_problems_before_graphql(client: httpx2.Client) -> None:
    answer = client.post("?tenant=nowhere", json={"query": "{me{name}}"})
    assert (answer.status_code, code_of(answer)) == (404, "UNKNOWN_TENANT")
    answer = client.post(
        "", json={"query": "{me{name}}"}, headers={"Authorization": "Bearer expired"}
    )
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json() == {
        "errors": [
            {
                "message": "Silakan masuk terlebih dahulu.",
                "extensions": {"code": "NOT_SIGNED_IN", "message_en": "Please sign in first."},
            }
        ]
    }


def test_the_context_reaches_the_resolver(client: httpx2.Client) -> None:
    answer = client.get("?query={whose}", headers={"Authorization": "Bearer t"})
    assert answer.json() == {"data": {"whose": "Bearer t"}}


def test_what_browsers_are_told(client: httpx2.Client) -> None:
    for url in ("?query={me{name}}", "", "nothing/here"):
        answer = client.get(url)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        assert "server" not in answer.headers
    assert client.get("").headers["cache-control"] == "no-store"
