"""Signing in at a real issuer, and what is refused of a lying one: nothing may change by it."""

from __future__ import annotations

import json
import os
import time
import warnings
from base64 import urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from joserfc.jwk import OctKey, RSAKey

from graphql_api import issuers
from tenants.problems import NotSignedIn
from tenants.settings import settings

if TYPE_CHECKING:
    from sign_in import Forger, Service

pytest_plugins = ("sign_in",)

STRANGER = RSAKey.generate_key(2048, {"kid": "satu", "use": "sig", "alg": "RS256"})
with warnings.catch_warnings(action="ignore"):
    SHORT = RSAKey.generate_key(1024)  # a longer one would not fit into a header


def refused(answer: httpx2.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.headers["jejak-problem"]) == (status, code), answer.text
    assert code in answer.text
    assert '<html lang="id">' in answer.text
    assert "Traceback" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


def cookie(answer: httpx2.Response, name: str) -> str:
    """The Set-Cookie line of a cookie, in lower case after its value."""
    [line] = [line for line in answer.headers.get_list("set-cookie") if line.startswith(f"{name}=")]
    value, _, attributes = line.partition("; ")
    return f"{value}; {attributes.lower()}"


class TestAtTheRealIssuer:
    def test_an_invited_person_joins_and_is_known(
        self, service: Service, browser: httpx2.Client
    ) -> None:
        member = service.invite("samarinda", "sari")
        before = service.traces("samarinda")
        assert browser.get("/samarinda/whoami").json() == {"id": None}

        callback = service.asked(browser, "samarinda", "sari", next="/samarinda/trips?page=2")
        answer = browser.get(callback)

        assert answer.status_code == 303
        assert answer.headers["location"] == "/samarinda/trips?page=2"
        line = cookie(answer, "jejak_samarinda")
        for attribute in ("httponly", "samesite=lax", "path=/samarinda", "max-age=43200"):
            assert attribute in line.split("; ")
        assert "domain" not in line
        assert browser.get("/samarinda/whoami").json() == {"id": str(member)}
        assert browser.get("/balikpapan/whoami").json() == {"id": None}
        joined, sessions, ended = before
        assert service.traces("samarinda") == (joined + 1, sessions + 1, ended)

    def test_the_province_has_its_own(self, service: Service, browser: httpx2.Client) -> None:
        member = service.invite("province", "sari")
        assert service.sign_in(browser, "province", "sari").headers["location"] == "/province/"
        assert browser.get("/province/whoami").json() == {"id": str(member)}

    def test_the_session_is_a_new_one_and_ends_the_former(
        self, service: Service, browser: httpx2.Client
    ) -> None:
        service.invite("samarinda", "joko")
        fixed = "dipasang-penyerang"
        browser.cookies.set("jejak_samarinda", fixed, domain="127.0.0.1", path="/samarinda")
        service.sign_in(browser, "samarinda", "joko")
        first = browser.cookies.get("jejak_samarinda", domain="127.0.0.1", path="/samarinda")
        service.sign_in(browser, "samarinda", "joko")
        second = browser.cookies.get("jejak_samarinda", domain="127.0.0.1", path="/samarinda")
        assert len({fixed, first, second}) == 3
        old = {"cookie": f"jejak_samarinda={first}"}
        assert httpx2.get(f"{service.url}/samarinda/whoami", headers=old).status_code == 401

    def test_strangers_and_the_suspended_are_told_the_same(
        self, service: Service, browser: httpx2.Client
    ) -> None:
        service.suspend("samarinda", service.invite("samarinda", "dewi"))
        before = service.traces("samarinda")
        suspended = service.sign_in(browser, "samarinda", "dewi")
        with service.browser() as other:
            stranger = service.sign_in(other, "samarinda", "budi")
        refused(suspended, 403, "NOT_INVITED")
        assert (suspended.status_code, suspended.text) == (stranger.status_code, stranger.text)
        assert service.traces("samarinda") == before
        assert browser.get("/samarinda/whoami").json() == {"id": None}

    def test_one_regency_s_member_is_nobody_in_another(
        self, service: Service, browser: httpx2.Client
    ) -> None:
        """The same user name at another issuer is another person."""
        service.invite("samarinda", "rina")
        service.sign_in(browser, "samarinda", "rina")
        before = service.traces("balikpapan")
        refused(service.sign_in(browser, "balikpapan", "rina"), 403, "NOT_INVITED")
        assert service.traces("balikpapan") == before
        session = browser.cookies.get("jejak_samarinda", domain="127.0.0.1", path="/samarinda")
        replayed = {"cookie": f"jejak_balikpapan={session}"}
        answer = httpx2.get(f"{service.url}/balikpapan/whoami", headers=replayed)
        assert answer.json() == {"code": NotSignedIn().code}

    def test_code_of_another_browser_s_sign_in_is_refused(
        self, service: Service, browser: httpx2.Client
    ) -> None:
        """Code injection: PKCE binds the code to the browser that asked for it."""
        service.invite("samarinda", "tono")
        with service.browser() as attacker:
            stolen = parse_qs(urlsplit(service.asked(attacker, "samarinda", "tono")).query)
        before = service.traces("samarinda")
        mine = service.begin(browser, "samarinda")
        injected = {"code": stolen["code"][0], "iss": stolen["iss"][0], "state": mine["state"]}
        answer = browser.get("/samarinda/callback", params=injected)
        refused(answer, 403, "SIGN_IN_REFUSED")
        assert service.traces("samarinda") == before

    def test_signing_out_ends_the_session_itself(
        self, service: Service, browser: httpx2.Client
    ) -> None:
        service.invite("samarinda", "wati")
        service.sign_in(browser, "samarinda", "wati")
        kept = browser.cookies.get("jejak_samarinda", domain="127.0.0.1", path="/samarinda")
        before = service.traces("samarinda")
        answer = browser.post("/samarinda/logout", headers={"origin": service.url})
        assert (answer.status_code, answer.headers["location"]) == (303, "/samarinda/")
        assert browser.get("/samarinda/whoami").json() == {"id": None}
        replayed = {"cookie": f"jejak_samarinda={kept}"}
        assert httpx2.get(f"{service.url}/samarinda/whoami", headers=replayed).status_code == 401
        joined, sessions, ended = before
        assert service.traces("samarinda") == (joined, sessions, ended + 1)

    def test_only_our_pages_can_sign_a_person_out(
        self, service: Service, browser: httpx2.Client
    ) -> None:
        service.invite("samarinda", "yudi")
        service.sign_in(browser, "samarinda", "yudi")
        before = service.traces("samarinda")
        for headers in (
            {},
            {"origin": "https://jahat.example"},
            {"origin": "null"},
            {"origin": f"{service.url}.jahat.example"},
            {"sec-fetch-site": "cross-site"},
            {"sec-fetch-site": "same-site"},
            {"sec-fetch-site": "cross-site", "origin": service.url},
        ):
            answer = browser.post("/samarinda/logout", headers=headers)
            refused(answer, 403, "CROSS_SITE_REQUEST")
        assert browser.get("/samarinda/logout").status_code == 405
        assert service.traces("samarinda") == before
        assert browser.get("/samarinda/whoami").json()["id"]


class TestBeginning:
    def test_state_nonce_and_pkce_always(self, service: Service, browser: httpx2.Client) -> None:
        first = service.begin(browser, "samarinda")
        second = service.begin(browser, "samarinda")
        assert first["response_type"] == "code"
        assert "response_mode" not in first
        assert first["redirect_uri"] == f"{service.url}/samarinda/callback"
        assert first["code_challenge_method"] == "S256"
        for name in ("state", "nonce", "code_challenge"):
            assert len(first[name]) >= 20
            assert first[name] != second[name]

    def test_what_is_left_with_the_browser_is_sealed(self, browser: httpx2.Client) -> None:
        answer = browser.get("/samarinda/login")
        line = cookie(answer, "jejak_samarinda_login")
        asked = parse_qs(urlsplit(answer.headers["location"]).query)
        assert asked["state"][0] not in line
        for attribute in ("httponly", "samesite=lax", "path=/samarinda/callback"):
            assert attribute in line.split("; ")

    def test_cookies_are_secure_on_https(
        self, browser: httpx2.Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(os.environ, "JEJAK_BASE_URL", "https://jejak.example")
        settings.cache_clear()
        try:
            answer = browser.get("/samarinda/login")
        finally:
            monkeypatch.undo()
            settings.cache_clear()
        assert "secure" in cookie(answer, "__Secure-jejak_samarinda_login").split("; ")
        assert "redirect_uri=https%3A%2F%2Fjejak.example%2F" in answer.headers["location"]

    @pytest.mark.parametrize("slug", ["tidak-ada", "SAMARINDA", "jejak_control", "%00", "%0a"])
    def test_no_such_regency(self, browser: httpx2.Client, slug: str) -> None:
        refused(browser.get(f"/{slug}/login"), 404, "UNKNOWN_TENANT")
        refused(browser.get(f"/{slug}/callback"), 404, "UNKNOWN_TENANT")
        refused(browser.post(f"/{slug}/logout"), 404, "UNKNOWN_TENANT")


def begun(service: Service, browser: httpx2.Client, forger: Forger, **query: str) -> dict[str, str]:
    """Begin at the forger, who notes what it is asked; return the parameters of its answer."""
    asked = service.begin(browser, "bontang", **query)
    forger.nonce, forger.challenge = asked["nonce"], asked["code_challenge"]
    return {"code": "kode", "state": asked["state"]}


class TestTheAnswer:
    @pytest.mark.parametrize(
        ("wanted", "reached"),
        [
            ("/bontang/trips/1?tab=track#map", "/bontang/trips/1?tab=track#map"),
            ("https://jahat.example/", "/bontang/"),
            ("//jahat.example/bontang/", "/bontang/"),
            ("/bontang/../samarinda/", "/bontang/"),
            ("/bontang/%2e%2e/samarinda/", "/bontang/"),
            ("/bontang/\\jahat.example", "/bontang/"),
            ("/bontang", "/bontang/"),
            ("/bontang.jahat/", "/bontang/"),
            ("/bontang/\r\nset-cookie: a=b", "/bontang/"),
            ("/samarinda/", "/bontang/"),
            ("javascript:alert(1)", "/bontang/"),
            ("/bontang/" + "a" * 500, "/bontang/"),
        ],
    )
    def test_next_stays_within_the_realm(
        self, service: Service, browser: httpx2.Client, forger: Forger, wanted: str, reached: str
    ) -> None:
        service.invite("bontang", forger.username)
        answer = begun(service, browser, forger, next=wanted)
        signed_in = browser.get("/bontang/callback", params=answer)
        assert (signed_in.status_code, signed_in.headers["location"]) == (303, reached)

    def test_state_is_this_browser_s_and_used_once(
        self, service: Service, browser: httpx2.Client, forger: Forger
    ) -> None:
        service.invite("bontang", forger.username)
        before = service.traces("bontang")
        with service.browser() as attacker:
            theirs = begun(service, attacker, forger)
            sealed = attacker.cookies.get("jejak_bontang_login")
        refused(browser.get("/bontang/callback", params=theirs), 400, "SIGN_IN_EXPIRED")
        for state in (None, "", "tebakan", theirs["state"]):
            mine = begun(service, browser, forger) | {"state": state}
            given = {name: value for name, value in mine.items() if value is not None}
            refused(browser.get("/bontang/callback", params=given), 400, "SIGN_IN_EXPIRED")
        # A state sealed for one realm opens in no other.
        elsewhere = {"cookie": f"jejak_samarinda_login={sealed}"}
        told = {**theirs, "iss": service.provided["samarinda"].url}
        answer = httpx2.get(f"{service.url}/samarinda/callback", params=told, headers=elsewhere)
        refused(answer, 400, "SIGN_IN_EXPIRED")
        assert service.traces("bontang") == before

        mine = begun(service, browser, forger)
        assert browser.get("/bontang/callback", params=mine).status_code == 303
        after = service.traces("bontang")
        refused(browser.get("/bontang/callback", params=mine), 400, "SIGN_IN_EXPIRED")
        assert service.traces("bontang") == after

    def test_a_sign_in_must_end_in_ten_minutes(
        self,
        service: Service,
        browser: httpx2.Client,
        forger: Forger,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        answer = begun(service, browser, forger)
        now = time.time()
        monkeypatch.setattr(time, "time", lambda: now + 601)
        refused(browser.get("/bontang/callback", params=answer), 400, "SIGN_IN_EXPIRED")

    @pytest.mark.parametrize("advertised", [True, False])
    @pytest.mark.parametrize("named", [None, "https://lain.example", "", "twice"])
    def test_another_issuer_s_answer(
        self,
        service: Service,
        browser: httpx2.Client,
        forger: Forger,
        named: str | None,
        advertised: bool,
    ) -> None:
        """RFC 9207: `iss` is required when promised and must be ours whenever it is there."""
        forger.metadata["authorization_response_iss_parameter_supported"] = advertised
        service.invite("bontang", forger.username)
        before = service.traces("bontang")
        answer: dict[str, Any] = begun(service, browser, forger)
        if named == "twice":
            answer["iss"] = [forger.url, "https://lain.example"]
        elif named is not None:
            answer["iss"] = named
        given = browser.get("/bontang/callback", params=answer)
        if named is None and not advertised:
            assert given.status_code == 303
        else:
            refused(given, 400, "SIGN_IN_EXPIRED")
            assert service.traces("bontang") == before

    def test_only_the_response_mode_we_asked_for(
        self, service: Service, browser: httpx2.Client, forger: Forger
    ) -> None:
        service.invite("bontang", forger.username)
        before = service.traces("bontang")
        answer = begun(service, browser, forger)
        assert browser.post("/bontang/callback", data=answer).status_code == 405
        assert service.traces("bontang") == before

    @pytest.mark.parametrize(
        "answer", [{"error": "access_denied"}, {"code": None}, {"code": "kode-orang-lain"}]
    )
    def test_no_is_no(
        self, service: Service, browser: httpx2.Client, forger: Forger, answer: dict[str, str]
    ) -> None:
        before = service.traces("bontang")
        given = {**begun(service, browser, forger), **answer}
        given = {name: value for name, value in given.items() if value is not None}
        refused(browser.get("/bontang/callback", params=given), 403, "SIGN_IN_REFUSED")
        assert service.traces("bontang") == before


def _now() -> int:
    return int(time.time())


def _as_secret(forger: Forger) -> OctKey:
    """The RSA public key as an HMAC secret, imported as bytes so that the library lets us."""
    lines = forger.key.as_pem(private=False).decode().strip().splitlines()
    return OctKey.import_key("".join(lines[1:-1]))


def _unsigned(forger: Forger, claims: dict[str, Any], signature: str) -> str:
    _, payload, _ = forger.signed(claims).split(".")
    return f"{_segment({'alg': 'none'})}.{payload}.{signature}"


def _segment(value: object) -> str:
    return urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def _headed(header: object, claims: dict[str, Any]) -> str:
    return f"{_segment(header)}.{_segment(claims)}.YQ"


FORGERIES: dict[str, Callable[[Forger, dict[str, Any]], str]] = {
    "alg none": lambda f, c: _unsigned(f, c, ""),
    "alg none with a signature": lambda f, c: _unsigned(f, c, "YQ"),
    "HS256 with the public key": lambda f, c: f.signed(c, {"alg": "HS256"}, _as_secret(f)),
    "PS256, a good signature by a method that is not pinned": lambda f, c: f.signed(
        c, {"alg": "PS256", "kid": "dua"}, f.keys[1]
    ),
    "another's key": lambda f, c: f.signed(c, key=STRANGER),
    "key in the header": lambda f, c: f.signed(
        c, {"jwk": SHORT.as_dict(private=False), "kid": None}, SHORT
    ),
    "key too long for a header": lambda f, c: f.signed(
        c, {"jwk": STRANGER.as_dict(private=False)}, STRANGER
    ),
    "key address in the header": lambda f, c: f.signed(
        c, {"jku": f"{f.url}/lain", "x5u": f"{f.url}/lain"}, STRANGER
    ),
    "unknown kid": lambda f, c: f.signed(c, {"kid": "tak-dikenal"}, STRANGER),
    "unknown crit": lambda _f, c: _headed({"alg": "RS256", "crit": ["x"], "x": 1}, c),
    "known crit": lambda f, c: f.signed(c, {"crit": ["kid"]}),
    "crit that is no list": lambda _f, c: _headed({"alg": "RS256", "crit": 5}, c),
    "header that is no object": lambda _f, c: _headed(["alg"], c),
    "deep header": lambda _f, _c: urlsafe_b64encode(b"[" * 366).decode() + ".e30.YQ",
    "200 kB of header": lambda _f, _c: "a" * 200_000 + ".e30.YQ",
    "17 kB": lambda f, c: f.signed({**c, "isi": "a" * 17_000}),
    "not a token": lambda _f, _c: "bukan token",
    "access token": lambda f, c: f.signed(c, {"typ": "at+jwt"}),
    "aud another client": lambda f, c: f.signed({**c, "aud": "lain"}),
    "aud another client, azp ours": lambda f, c: f.signed(
        {**c, "aud": "lain", "azp": "jejak-dinas"}
    ),
    "aud us and another": lambda f, c: f.signed({**c, "aud": ["jejak-dinas", "lain"]}),
    "no aud": lambda f, c: f.signed({k: v for k, v in c.items() if k != "aud"}),
    "azp another client": lambda f, c: f.signed({**c, "azp": "lain"}),
    "iss another": lambda f, c: f.signed({**c, "iss": "https://lain.example"}),
    "iss with a slash": lambda f, c: f.signed({**c, "iss": f.url + "/"}),
    "iss a list": lambda f, c: f.signed({**c, "iss": [f.url]}),
    "no iss": lambda f, c: f.signed({k: v for k, v in c.items() if k != "iss"}),
    "expired a minute ago": lambda f, c: f.signed({**c, "exp": _now() - 60}),
    "expired five minutes ago": lambda f, c: f.signed({**c, "exp": _now() - 300}),
    "exp NaN": lambda f, c: f.signed({**c, "exp": float("nan")}),
    "no exp": lambda f, c: f.signed({k: v for k, v in c.items() if k != "exp"}),
    "no iat": lambda f, c: f.signed({k: v for k, v in c.items() if k != "iat"}),
    "issued in five minutes": lambda f, c: f.signed({**c, "iat": _now() + 300}),
    "not valid yet": lambda f, c: f.signed({**c, "nbf": _now() + 300}),
    "no nonce": lambda f, c: f.signed({k: v for k, v in c.items() if k != "nonce"}),
    "another nonce": lambda f, c: f.signed({**c, "nonce": "dari-kemarin"}),
    "at_hash of another access token": lambda f, c: f.signed({**c, "at_hash": "AAAAAAAAAAAAAAAA"}),
    "at_hash empty": lambda f, c: f.signed({**c, "at_hash": ""}),
    "no sub": lambda f, c: f.signed({k: v for k, v in c.items() if k != "sub"}),
    "NUL in sub": lambda f, c: f.signed({**c, "sub": "a\x00b"}),
    "sub of 256": lambda f, c: f.signed({**c, "sub": "a" * 256}),
}


@pytest.mark.parametrize("forgery", FORGERIES.values(), ids=FORGERIES.keys())
def test_a_forged_id_token_is_refused(
    service: Service,
    browser: httpx2.Client,
    forger: Forger,
    forgery: Callable[[Forger, dict[str, Any]], str],
) -> None:
    # The metadata boast of everything: what they list must count for nothing.
    forger.metadata["id_token_signing_alg_values_supported"] = ["none", "HS256", "PS256", "RS256"]
    forger.keys = [forger.key, RSAKey.generate_key(2048, {"kid": "dua"})]
    forger.id_token = lambda claims: forgery(forger, claims)
    service.invite("bontang", forger.username)
    before = service.traces("bontang")
    answer = begun(service, browser, forger)
    refused(browser.get("/bontang/callback", params=answer), 403, "SIGN_IN_REFUSED")
    assert "/token" in forger.asked
    assert service.traces("bontang") == before
    assert browser.get("/bontang/whoami").json() == {"id": None}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"aud": ["jejak-dinas"], "azp": "jejak-dinas"},
        {"exp": -20, "iat": 20},  # the clocks differ by less than the leeway
        {"at_hash": "vQGk9C31z5mfrE8NUa2xHw"},
    ],
    ids=["plain", "aud a list of one", "clocks 20 s apart", "at_hash"],
)
def test_an_honest_id_token_is_accepted(
    service: Service, browser: httpx2.Client, forger: Forger, changes: dict[str, Any]
) -> None:
    """The forgeries above differ from these in one thing each."""
    half = urlsafe_b64encode(sha256(b"akses").digest()[:16]).decode().rstrip("=")
    changes = {
        name: half if name == "at_hash" else _now() + value if name in ("exp", "iat") else value
        for name, value in changes.items()
    }
    forger.id_token = lambda claims: forger.signed({**claims, **changes})
    member = service.invite("bontang", forger.username)
    answer = begun(service, browser, forger)
    assert browser.get("/bontang/callback", params=answer).status_code == 303
    assert browser.get("/bontang/whoami").json() == {"id": str(member)}


def _html(status: int = 200, **headers: str) -> tuple[int, dict[str, str], bytes]:
    return status, {"Content-Type": "text/html", **headers}, b"<h1>perawatan</h1>"


DISCOVERY = "/.well-known/openid-configuration"
UNSOUND: dict[str, Callable[[Forger], object]] = {
    "another issuer's metadata": lambda f: f.metadata.update(issuer="https://lain.example"),
    "issuer with a slash": lambda f: f.metadata.update(issuer=f.url + "/"),
    "token endpoint elsewhere": lambda f: f.metadata.update(
        token_endpoint="http://169.254.169.254/latest/meta-data"
    ),
    "keys elsewhere": lambda f: f.metadata.update(jwks_uri="http://localhost:6379/"),
    "sign-in page elsewhere": lambda f: f.metadata.update(
        authorization_endpoint="https://jahat.example/auth"
    ),
    "our host by user name": lambda f: f.metadata.update(
        token_endpoint=f.url.replace("//", "//a@") + "/token"
    ),
    "endpoint that is no address": lambda f: f.metadata.update(jwks_uri=["x"]),
    "no endpoint": lambda f: f.metadata.pop("authorization_endpoint"),
    "redirecting metadata": lambda f: f.answers.update(
        {DISCOVERY: _html(302, Location=f.url + "/lain")}
    ),
    "redirecting keys": lambda f: f.answers.update(
        {"/jwks": _html(307, Location="http://169.254.169.254/")}
    ),
    "page instead of metadata": lambda f: f.answers.update({DISCOVERY: _html()}),
    "list instead of metadata": lambda f: f.answers.update({DISCOVERY: (200, {}, b"[]")}),
    "deep nesting": lambda f: f.answers.update({DISCOVERY: (200, {}, b"[" * 100_000)}),
    "endless metadata": lambda f: f.answers.update({DISCOVERY: (200, {}, b" " * 300_000 + b"{}")}),
    "packed metadata": lambda f: f.answers.update(
        {DISCOVERY: (200, {"Content-Encoding": "gzip"}, b"")}
    ),
    "no keys": lambda f: f.answers.update({"/jwks": (200, {}, b'{"keys": []}')}),
    "only a shared secret": lambda f: setattr(f, "keys", [OctKey.generate_key(256)]),
    "keys that are none": lambda f: f.answers.update({"/jwks": (200, {}, b'{"keys": [1, {}]}')}),
    "status 500": lambda f: f.answers.update({DISCOVERY: _html(500)}),
    "slow": lambda f: setattr(f, "delay", 0.5),
}


@pytest.mark.parametrize("unsound", UNSOUND.values(), ids=UNSOUND.keys())
def test_an_unsound_issuer_is_not_turned_to(
    service: Service,
    browser: httpx2.Client,
    forger: Forger,
    unsound: Callable[[Forger], object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(issuers, "DEADLINE", 0.3)
    unsound(forger)
    answer = browser.get("/bontang/login")
    refused(answer, 503, "ISSUER_UNAVAILABLE")
    assert int(answer.headers["retry-after"]) > 0
    assert "set-cookie" not in answer.headers
    assert set(forger.asked) <= {DISCOVERY, "/jwks"}


@pytest.mark.parametrize(
    "said",
    [
        _html(302, Location="http://169.254.169.254/"),
        _html(500),
        _html(),
        (200, {}, b"[]"),
        (200, {}, b'{"access_token": "a", "expires_in": [1]}'),
        (200, {}, b'{"access_token": "a", "expires_in": 1e999}'),
        (200, {}, b" " * 300_000),
    ],
)
def test_an_unsound_token_endpoint(
    service: Service,
    browser: httpx2.Client,
    forger: Forger,
    said: tuple[int, dict[str, str], bytes],
) -> None:
    before = service.traces("bontang")
    answer = begun(service, browser, forger)
    forger.answers["/token"] = said
    refused(browser.get("/bontang/callback", params=answer), 503, "ISSUER_UNAVAILABLE")
    assert forger.asked.count("/token") == 1
    assert service.traces("bontang") == before


@pytest.mark.parametrize("said", [{}, {"access_token": "a"}, {"access_token": "a", "id_token": 1}])
def test_no_id_token(
    service: Service, browser: httpx2.Client, forger: Forger, said: dict[str, Any]
) -> None:
    before = service.traces("bontang")
    answer = begun(service, browser, forger)
    forger.answers["/token"] = (200, {}, json.dumps(said).encode())
    refused(browser.get("/bontang/callback", params=answer), 403, "SIGN_IN_REFUSED")
    assert service.traces("bontang") == before


def test_when_an_issuer_is_down_the_others_and_the_sessions_live_on(
    service: Service, browser: httpx2.Client, forger: Forger
) -> None:
    member = service.invite("bontang", forger.username)
    answer = begun(service, browser, forger)
    assert browser.get("/bontang/callback", params=answer).status_code == 303
    issuers.source_of.cache_clear()
    forger.answers[DISCOVERY] = _html(503)

    refused(browser.get("/bontang/login"), 503, "ISSUER_UNAVAILABLE")
    asked = len(forger.asked)
    refused(browser.get("/bontang/login"), 503, "ISSUER_UNAVAILABLE")
    assert len(forger.asked) == asked  # not asked again at once
    assert browser.get("/bontang/whoami").json() == {"id": str(member)}
    assert browser.get("/samarinda/login").status_code == 303


def test_a_secret_key_of_another_time_opens_nothing(
    service: Service, browser: httpx2.Client, forger: Forger
) -> None:
    answer = begun(service, browser, forger)
    sealed = browser.cookies.get("jejak_bontang_login") or ""
    middle = len(sealed) // 2
    broken = sealed[:middle] + ("A" if sealed[middle] != "A" else "B") + sealed[middle + 1 :]
    for value in (broken, "", "ÿ", "null", "e30"):
        cookies = {"cookie": f"jejak_bontang_login={value}".encode("latin-1")}
        given = httpx2.get(f"{service.url}/bontang/callback", params=answer, headers=cookies)
        refused(given, 400, "SIGN_IN_EXPIRED")
