"""Whose request it is: cookie or bearer token, of this realm and of no other."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from forger import AT_JWT, Forger, who
from joserfc.jwk import RSAKey
from starlette.requests import HTTPConnection

from graphql_api.identity import same_site, viewer_of
from tenants.problems import NotSignedIn

if TYPE_CHECKING:
    from sign_in import Service

pytest_plugins = ("sign_in",)


def connection(**headers: str) -> HTTPConnection:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return HTTPConnection({"type": "http", "headers": raw})


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
        member = service.invite("samarinda", "nina")
        service.invite("balikpapan", "nina")
        token = service.tokens("samarinda", "nina")["access_token"]
        at_home = browser.get("/samarinda/whoami", headers=bearer(token))
        assert at_home.json() == {"id": str(member)}
        before = service.traces("samarinda"), service.traces("balikpapan")
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
        for given in (
            ["Bearer bukan-token"],
            ["Bearer"],
            [""],
            [f"Basic {token}"],
            [f"Bearer {token}"] * 2,
        ):
            headers = [("authorization", value) for value in given]
            answer = browser.get("/balikpapan/whoami", headers=headers)
            assert answer.status_code == 401, given


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
    assert who(realm, forger.signed(forger.access(**changes), header)) == member
    alone = forger.access(**changes, preferred_username=None)
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
        who(service.realm("bontang"), forgery(forger, forger.access()))
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
    token = forger.signed(forger.access(preferred_username=name), AT_JWT)
    with pytest.raises(NotSignedIn):
        who(service.realm("bontang"), token)
    assert service.traces("bontang") == before


def test_an_invitation_is_taken_once(service: Service, forger: Forger) -> None:
    """Another subject with the same name, an account made anew, is not the person invited."""
    service.invite("bontang", forger.username)
    realm = service.realm("bontang")
    who(realm, forger.signed(forger.access(), AT_JWT))
    before = service.traces("bontang")
    with pytest.raises(NotSignedIn):
        who(realm, forger.signed(forger.access(sub="orang lain"), AT_JWT))
    assert service.traces("bontang") == before


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
