"""Whose request it is: cookie or bearer token, of this realm and of no other."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from uuid import UUID

import httpx2
import pytest
from joserfc.jwk import RSAKey
from starlette.requests import HTTPConnection

from graphql_api import issuers
from graphql_api.identity import bearer_viewer, same_site, viewer_of
from graphql_api.issuers import IssuerUnavailable
from tenants.problems import NotSignedIn
from tenants.realm import Realm

if TYPE_CHECKING:
    from sign_in import Forger, Service

pytest_plugins = ("sign_in",)


def connection(**headers: str) -> HTTPConnection:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return HTTPConnection({"type": "http", "headers": raw})


def who(realm: Realm, token: str) -> UUID:
    return asyncio.run(bearer_viewer(token, realm)).member_id


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


class TestAtTheRealIssuer:
    def test_a_phone_s_first_contact_joins(self, service: Service, browser: httpx2.Client) -> None:
        member = service.invite("balikpapan", "sari")
        before = service.traces("balikpapan")
        token = service.tokens("balikpapan", "sari")["access_token"]
        for _ in range(2):
            answer = browser.get("/balikpapan/whoami", headers=bearer(token))
            assert answer.json() == {"id": str(member)}
        joined, sessions, ended = before
        assert service.traces("balikpapan") == (joined + 1, sessions, ended)

    def test_a_stranger_stays_one(self, service: Service, browser: httpx2.Client) -> None:
        before = service.traces("balikpapan")
        token = service.tokens("balikpapan", "budi")["access_token"]
        assert browser.get("/balikpapan/whoami", headers=bearer(token)).status_code == 401
        assert service.traces("balikpapan") == before

    def test_an_id_token_gives_no_access(self, service: Service, browser: httpx2.Client) -> None:
        service.invite("balikpapan", "joko")
        before = service.traces("balikpapan")
        token = service.tokens("balikpapan", "joko")["id_token"]
        assert browser.get("/balikpapan/whoami", headers=bearer(token)).status_code == 401
        assert service.traces("balikpapan") == before

    def test_a_token_of_another_regency(self, service: Service, browser: httpx2.Client) -> None:
        service.invite("balikpapan", "rina")
        before = service.traces("samarinda"), service.traces("balikpapan")
        token = service.tokens("samarinda", "rina")["access_token"]
        for slug in ("balikpapan", "province", "bontang"):
            answer = browser.get(f"/{slug}/whoami", headers=bearer(token))
            assert (answer.status_code, answer.json()) == (401, {"code": "NOT_SIGNED_IN"})
        assert (service.traces("samarinda"), service.traces("balikpapan")) == before

    def test_suspension_counts_at_once(self, service: Service, browser: httpx2.Client) -> None:
        member = service.invite("balikpapan", "tono")
        token = service.tokens("balikpapan", "tono")["access_token"]
        service.sign_in(browser, "balikpapan", "tono")
        for headers in ({}, bearer(token)):
            answer = browser.get("/balikpapan/whoami", headers=headers)
            assert answer.json() == {"id": str(member)}
        service.suspend("balikpapan", member)
        for headers in ({}, bearer(token)):
            assert browser.get("/balikpapan/whoami", headers=headers).status_code == 401

    def test_a_token_wins_over_the_cookie(self, service: Service, browser: httpx2.Client) -> None:
        by_cookie = service.invite("balikpapan", "wati")
        by_token = service.invite("balikpapan", "yudi")
        service.sign_in(browser, "balikpapan", "wati")
        token = service.tokens("balikpapan", "yudi")["access_token"]
        answer = browser.get("/balikpapan/whoami", headers=bearer(token))
        assert answer.json() == {"id": str(by_token)}
        assert browser.get("/balikpapan/whoami").json() == {"id": str(by_cookie)}
        # Bad credentials are not mended by good ones.
        for header in ("Bearer bukan-token", "Bearer", "Basic c2FyaTpzYXJp", ""):
            answer = browser.get("/balikpapan/whoami", headers={"authorization": header})
            assert answer.status_code == 401, header


def test_nobody_asks(service: Service) -> None:
    realm = service.realm("samarinda")
    assert asyncio.run(viewer_of(connection(), realm)) is None
    assert asyncio.run(viewer_of(connection(cookie="jejak_balikpapan=x"), realm)) is None


@pytest.mark.parametrize("secret", ["", "x", "a" * 5000, "%00", "' OR 1=1 --"])
def test_a_cookie_that_is_no_session(service: Service, secret: str) -> None:
    with pytest.raises(NotSignedIn):
        asyncio.run(
            viewer_of(connection(cookie=f"jejak_samarinda={secret}"), service.realm("samarinda"))
        )


def access(service: Service, forger: Forger, **changes: Any) -> dict[str, Any]:
    audience = service.realm("bontang").issuer.audience
    return forger.claims(**{"aud": audience, "client_id": "front-end", **changes})


AT_JWT = {"typ": "at+jwt"}


@pytest.mark.parametrize(
    ("header", "changes"),
    [
        (AT_JWT, {}),
        ({"typ": "application/at+jwt"}, {}),
        ({"typ": "AT+JWT", "kid": None}, {}),
        ({"typ": "JWT"}, {"typ": "Bearer"}),
        ({}, {"typ": "Bearer", "azp": "front-end", "scope": "openid"}),
    ],
)
def test_an_access_token_says_so(
    service: Service, forger: Forger, header: dict[str, Any], changes: dict[str, Any]
) -> None:
    member = service.invite("bontang", forger.username)
    realm = service.realm("bontang")
    assert who(realm, forger.signed(access(service, forger, **changes), header)) == member
    alone = access(service, forger, **changes, preferred_username=None)
    alone["aud"] = [alone["aud"]]
    assert who(realm, forger.signed(alone, header)) == member


_STRANGER = RSAKey.generate_key(2048, {"kid": "satu"})
Forgery = Callable[["Forger", dict[str, Any]], str]
FORGERIES: dict[str, Forgery] = {
    "another's key": lambda f, c: f.signed(c, AT_JWT, _STRANGER),
    "an id_token with our audience": lambda f, c: f.signed({**c, "nonce": "x"}),
    "typ JWT": lambda f, c: f.signed(c, {"typ": "JWT"}),
    "typ logout+jwt": lambda f, c: f.signed(c, {"typ": "logout+jwt"}),
    "Keycloak's id_token": lambda f, c: f.signed({**c, "typ": "ID"}),
    "Keycloak's refresh token": lambda f, c: f.signed({**c, "typ": "Refresh"}),
    "an id_token that calls itself one": lambda f, c: f.signed({**c, "at_hash": "x"}, AT_JWT),
    "aud the client": lambda f, c: f.signed({**c, "aud": "jejak-dinas"}, AT_JWT),
    "aud another regency": lambda f, c: f.signed(
        {**c, "aud": c["aud"].replace("bontang", "samarinda")}, AT_JWT
    ),
    "aud us and another": lambda f, c: f.signed({**c, "aud": [c["aud"], "lain"]}, AT_JWT),
    "aud with a slash": lambda f, c: f.signed({**c, "aud": c["aud"] + "/"}, AT_JWT),
    "no aud": lambda f, c: f.signed({k: v for k, v in c.items() if k != "aud"}, AT_JWT),
    "iss another": lambda f, c: f.signed({**c, "iss": "https://lain.example"}, AT_JWT),
    "expired": lambda f, c: f.signed({**c, "exp": int(time.time()) - 60}, AT_JWT),
    "no exp": lambda f, c: f.signed({k: v for k, v in c.items() if k != "exp"}, AT_JWT),
    "not valid yet": lambda f, c: f.signed({**c, "nbf": int(time.time()) + 60}, AT_JWT),
    "issued later": lambda f, c: f.signed({**c, "iat": int(time.time()) + 60}, AT_JWT),
    "no sub": lambda f, c: f.signed({k: v for k, v in c.items() if k != "sub"}, AT_JWT),
    "NUL in sub": lambda f, c: f.signed({**c, "sub": "\x00"}, AT_JWT),
    "half a character in sub": lambda f, c: f.signed({**c, "sub": "\ud800"}, AT_JWT),
}


@pytest.mark.parametrize("forgery", FORGERIES.values(), ids=FORGERIES.keys())
def test_a_forged_access_token_is_refused(
    service: Service, forger: Forger, forgery: Forgery
) -> None:
    service.invite("bontang", forger.username)
    before = service.traces("bontang")
    with pytest.raises(NotSignedIn):
        who(service.realm("bontang"), forgery(forger, access(service, forger)))
    assert service.traces("bontang") == before


@pytest.mark.parametrize(
    "token", ["", ".", "..", "a.b", "a.b.c.d", "a.b.é", "a.b.\x00", "a" * 50_000_000]
)
def test_what_is_no_token_is_not_looked_at(service: Service, forger: Forger, token: str) -> None:
    began = time.monotonic()
    with pytest.raises(NotSignedIn):
        who(service.realm("bontang"), token)
    assert forger.asked == []
    assert time.monotonic() - began < 1


@pytest.mark.parametrize("name", ["", "\x00", "a" * 256, 7, ["sari"], None])
def test_an_unusable_name_joins_nobody(service: Service, forger: Forger, name: object) -> None:
    service.invite("bontang", forger.username)
    before = service.traces("bontang")
    token = forger.signed(access(service, forger, preferred_username=name), AT_JWT)
    with pytest.raises(NotSignedIn):
        who(service.realm("bontang"), token)
    assert service.traces("bontang") == before


def test_an_invitation_is_taken_once(service: Service, forger: Forger) -> None:
    """Another subject with the same name, an account made anew, is not the person invited."""
    service.invite("bontang", forger.username)
    realm = service.realm("bontang")
    who(realm, forger.signed(access(service, forger), AT_JWT))
    before = service.traces("bontang")
    with pytest.raises(NotSignedIn):
        who(realm, forger.signed(access(service, forger, sub="orang lain"), AT_JWT))
    assert service.traces("bontang") == before


@pytest.mark.parametrize("algorithms", [(), ("none",), ("HS256",), ("none", "HS512")])
def test_a_realm_without_public_key_algorithms_trusts_no_token(
    service: Service, forger: Forger, algorithms: tuple[str, ...]
) -> None:
    service.invite("bontang", forger.username)
    realm = service.realm("bontang")
    careless = replace(realm, issuer=replace(realm.issuer, algorithms=algorithms))
    with pytest.raises(NotSignedIn):
        who(careless, forger.signed(access(service, forger), AT_JWT))


@pytest.mark.parametrize(
    "url", ["http://jejak.example", "http://169.254.169.254", "ftp://127.0.0.1", "127.0.0.1", ""]
)
def test_an_issuer_is_on_https_or_on_this_machine(
    service: Service, forger: Forger, url: str
) -> None:
    realm = service.realm("bontang")
    elsewhere = replace(realm, issuer=replace(realm.issuer, url=url))
    began = time.monotonic()
    with pytest.raises(IssuerUnavailable):
        who(elsewhere, forger.signed(access(service, forger), AT_JWT))
    assert time.monotonic() - began < 1


def set_clock(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """The issuers' clock only: event loops go by the real one."""
    monkeypatch.setattr(issuers, "time", SimpleNamespace(monotonic=lambda: seconds))


class TestKeys:
    def test_a_new_key_is_fetched_and_an_unknown_one_not_for_ever(
        self, service: Service, forger: Forger, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        member = service.invite("bontang", forger.username)
        realm, claims = service.realm("bontang"), access(service, forger)
        assert who(realm, forger.signed(claims, AT_JWT)) == member
        fresh = RSAKey.generate_key(2048, {"kid": "dua"})
        forger.keys = [fresh]
        fetched = forger.asked.count("/jwks")
        for number in range(5):
            with pytest.raises(NotSignedIn):
                who(realm, forger.signed(claims, {**AT_JWT, "kid": f"tebakan-{number}"}))
        assert forger.asked.count("/jwks") == fetched  # read less than a minute ago

        now = time.monotonic()
        set_clock(monkeypatch, now + 61)
        assert who(realm, forger.signed(claims, {**AT_JWT, "kid": "dua"}, fresh)) == member
        assert forger.asked.count("/jwks") == fetched + 1
        for number in range(5):
            with pytest.raises(NotSignedIn):
                who(realm, forger.signed(claims, {**AT_JWT, "kid": f"tebakan-{number}"}))
        assert forger.asked.count("/jwks") == fetched + 1
        # The key that is gone signs no more, though it was good before.
        with pytest.raises(NotSignedIn):
            who(realm, forger.signed({**claims, "jti": "baru"}, AT_JWT))

    def test_known_keys_outlive_an_issuer_that_is_down_for_an_hour(
        self, service: Service, forger: Forger, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        member = service.invite("bontang", forger.username)
        realm, claims = service.realm("bontang"), access(service, forger)
        assert who(realm, forger.signed(claims, AT_JWT)) == member
        forger.answers["/jwks"] = (503, {}, b"")
        began = time.monotonic()
        for minutes, asked_again in ((5, 0), (11, 1), (11.5, 0), (59, 1)):
            asked = forger.asked.count("/jwks")
            set_clock(monkeypatch, began + minutes * 60)
            assert who(realm, forger.signed({**claims, "jti": str(minutes)}, AT_JWT)) == member
            assert forger.asked.count("/jwks") == asked + asked_again, minutes
        set_clock(monkeypatch, began + 3661)
        with pytest.raises(IssuerUnavailable):
            who(realm, forger.signed({**claims, "jti": "lewat"}, AT_JWT))
        forger.answers.clear()
        set_clock(monkeypatch, began + 3667)
        assert who(realm, forger.signed({**claims, "jti": "pulih"}, AT_JWT)) == member

    def test_a_slow_issuer_keeps_one_request_waiting(
        self, service: Service, forger: Forger, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        member = service.invite("bontang", forger.username)
        realm, claims = service.realm("bontang"), access(service, forger)
        assert who(realm, forger.signed(claims, AT_JWT)) == member
        source = issuers.source_of(realm.issuer)
        monkeypatch.setattr(source, "_read_at", source._read_at - 601)
        monkeypatch.setattr(source, "_tried_at", source._tried_at - 601)
        monkeypatch.setattr(issuers, "DEADLINE", 0.5)
        forger.delay = 2.0

        async def both() -> tuple[float, float]:
            async def one(number: int) -> float:
                began = time.monotonic()
                token = forger.signed({**claims, "jti": f"lambat-{number}"}, AT_JWT)
                assert (await bearer_viewer(token, realm)).member_id == member
                return time.monotonic() - began

            first, second = await asyncio.gather(one(1), one(2))
            return first, second

        first, second = asyncio.run(both())
        assert first > 0.4
        assert second < 0.4

    def test_a_remembered_token_still_expires(
        self, service: Service, forger: Forger, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        member = service.invite("bontang", forger.username)
        realm = service.realm("bontang")
        token = forger.signed(access(service, forger), AT_JWT)
        assert who(realm, token) == member
        now = time.time()
        monkeypatch.setattr(time, "time", lambda: now + 331)
        with pytest.raises(NotSignedIn):
            who(realm, token)


@pytest.mark.parametrize(
    ("headers", "ours"),
    [
        ({"sec_fetch_site": "same-origin"}, True),
        ({"sec_fetch_site": "none"}, True),
        ({"origin": "OURS"}, True),
        ({"sec_fetch_site": "same-origin", "origin": "OURS"}, True),
        ({}, False),
        ({"sec_fetch_site": "cross-site"}, False),
        ({"sec_fetch_site": "same-site"}, False),
        ({"sec_fetch_site": ""}, False),
        ({"origin": "null"}, False),
        ({"origin": "OURS.jahat.example"}, False),
        ({"origin": "OURS/"}, False),
        ({"origin": "https://jahat.example"}, False),
        ({"sec_fetch_site": "cross-site", "origin": "OURS"}, False),
        ({"sec_fetch_site": "same-origin", "origin": "https://jahat.example"}, False),
        ({"referer": "OURS/samarinda/"}, False),
    ],
)
def test_same_site(service: Service, headers: dict[str, str], ours: bool) -> None:
    given = {name: value.replace("OURS", service.url) for name, value in headers.items()}
    assert same_site(connection(cookie="jejak_samarinda=x", **given)) is ours
    # Without a cookie there is nothing to borrow, and no foreign page can send a token.
    assert same_site(connection(**given))
    assert same_site(connection(cookie="a=b", authorization="Bearer x", **given))
