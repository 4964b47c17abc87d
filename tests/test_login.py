"""Signing in at a real issuer, and what is refused of a lying one: nothing may change by it."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from forger import DISCOVERY, Forger, html, refused

from graphql_api import issuers
from tenants.problems import NotSignedIn
from tenants.settings import settings

if TYPE_CHECKING:
    from sign_in import Service

pytest_plugins = ("sign_in",)


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
        answer = service.begin_at_forger(browser, next=wanted)
        signed_in = browser.get("/bontang/callback", params=answer)
        assert (signed_in.status_code, signed_in.headers["location"]) == (303, reached)

    def test_state_is_this_browser_s_and_used_once(
        self, service: Service, browser: httpx2.Client, forger: Forger
    ) -> None:
        service.invite("bontang", forger.username)
        before = service.traces("bontang")
        with service.browser() as attacker:
            theirs = service.begin_at_forger(attacker)
            sealed = attacker.cookies.get("jejak_bontang_login")
        refused(browser.get("/bontang/callback", params=theirs), 400, "SIGN_IN_EXPIRED")
        for state in (None, "", "tebakan", theirs["state"]):
            mine = service.begin_at_forger(browser) | {"state": state}
            given = {name: value for name, value in mine.items() if value is not None}
            refused(browser.get("/bontang/callback", params=given), 400, "SIGN_IN_EXPIRED")
        # A state sealed for one realm opens in no other.
        elsewhere = {"cookie": f"jejak_samarinda_login={sealed}"}
        told = {**theirs, "iss": service.provided["samarinda"].url}
        answer = httpx2.get(f"{service.url}/samarinda/callback", params=told, headers=elsewhere)
        refused(answer, 400, "SIGN_IN_EXPIRED")
        assert service.traces("bontang") == before

        mine = service.begin_at_forger(browser)
        assert browser.get("/bontang/callback", params=mine).status_code == 303
        after = service.traces("bontang")
        refused(browser.get("/bontang/callback", params=mine), 400, "SIGN_IN_EXPIRED")
        assert service.traces("bontang") == after

    @pytest.mark.usefixtures("forger")
    def test_a_sign_in_must_end_in_ten_minutes(
        self,
        service: Service,
        browser: httpx2.Client,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        answer = service.begin_at_forger(browser)
        # A browser that kept its clock, or its cookies, would send it still.
        kept = {"cookie": f"jejak_bontang_login={browser.cookies['jejak_bontang_login']}"}
        now = time.time()
        monkeypatch.setattr(time, "time", lambda: now + 601)
        late = httpx2.get(f"{service.url}/bontang/callback", params=answer, headers=kept)
        refused(late, 400, "SIGN_IN_EXPIRED")

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
        answer: dict[str, Any] = service.begin_at_forger(browser)
        if named == "twice":
            answer["iss"] = ["https://lain.example", forger.url]
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
        answer = service.begin_at_forger(browser)
        assert browser.post("/bontang/callback", data=answer).status_code == 405
        assert service.traces("bontang") == before

    @pytest.mark.parametrize(
        "answer", [{"error": "access_denied"}, {"code": None}, {"code": "kode-orang-lain"}]
    )
    @pytest.mark.usefixtures("forger")
    def test_no_is_no(
        self, service: Service, browser: httpx2.Client, answer: dict[str, str]
    ) -> None:
        before = service.traces("bontang")
        given = {**service.begin_at_forger(browser), **answer}
        given = {name: value for name, value in given.items() if value is not None}
        refused(browser.get("/bontang/callback", params=given), 403, "SIGN_IN_REFUSED")
        assert service.traces("bontang") == before


def test_when_an_issuer_is_down_the_others_and_the_sessions_live_on(
    service: Service, browser: httpx2.Client, forger: Forger
) -> None:
    member = service.invite("bontang", forger.username)
    answer = service.begin_at_forger(browser)
    assert browser.get("/bontang/callback", params=answer).status_code == 303
    issuers.source_of.cache_clear()
    forger.answers[DISCOVERY] = html(503)

    refused(browser.get("/bontang/login"), 503, "ISSUER_UNAVAILABLE")
    asked = len(forger.asked)
    refused(browser.get("/bontang/login"), 503, "ISSUER_UNAVAILABLE")
    assert len(forger.asked) == asked  # not asked again at once
    assert browser.get("/bontang/whoami").json() == {"id": str(member)}
    assert browser.get("/samarinda/login").status_code == 303


def test_a_secret_key_of_another_time_opens_nothing(
    service: Service, browser: httpx2.Client, forger: Forger
) -> None:
    answer = service.begin_at_forger(browser)
    sealed = browser.cookies.get("jejak_bontang_login") or ""
    middle = len(sealed) // 2
    broken = sealed[:middle] + ("A" if sealed[middle] != "A" else "B") + sealed[middle + 1 :]
    for value in (broken, "", "ÿ", "null", "e30"):
        cookies = {"cookie": f"jejak_bontang_login={value}".encode("latin-1")}
        given = httpx2.get(f"{service.url}/bontang/callback", params=answer, headers=cookies)
        refused(given, 400, "SIGN_IN_EXPIRED")
