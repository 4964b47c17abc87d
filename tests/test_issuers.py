"""An issuer that is down, slow, or says what it should not."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from forger import AT_JWT, DISCOVERY, Forger, html, refused, who
from joserfc.jwk import OctKey, RSAKey

from graphql_api import issuers
from graphql_api.identity import bearer_viewer
from graphql_api.issuers import IssuerUnavailable
from tenants.problems import NotSignedIn

if TYPE_CHECKING:
    from sign_in import Service

pytest_plugins = ("sign_in",)


def padded(said: dict[str, Any]) -> bytes:
    """What is honest but for its length."""
    return json.dumps(said).encode() + b" " * 300_000


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
        {DISCOVERY: html(302, Location=f.url + "/lain")}
    ),
    "redirecting keys": lambda f: f.answers.update(
        {"/jwks": html(307, Location="http://169.254.169.254/")}
    ),
    "page instead of metadata": lambda f: f.answers.update({DISCOVERY: html()}),
    "list instead of metadata": lambda f: f.answers.update({DISCOVERY: (200, {}, b"[]")}),
    "deep nesting": lambda f: f.answers.update({DISCOVERY: (200, {}, b"[" * 100_000)}),
    "endless metadata": lambda f: f.answers.update({DISCOVERY: (200, {}, padded(f.metadata))}),
    "packed metadata": lambda f: f.answers.update(
        {DISCOVERY: (200, {"Content-Encoding": "gzip"}, gzip.compress(padded(f.metadata)))}
    ),
    "no keys": lambda f: f.answers.update({"/jwks": (200, {}, b'{"keys": []}')}),
    "only a shared secret": lambda f: setattr(f, "keys", [OctKey.generate_key(256)]),
    "keys that are none": lambda f: f.answers.update({"/jwks": (200, {}, b'{"keys": [1, {}]}')}),
    "status 500": lambda f: f.answers.update({DISCOVERY: html(500)}),
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
        html(302, Location="http://169.254.169.254/"),
        html(500),
        html(),
        (200, {}, b"[]"),
        (200, {}, b'{"access_token": "a", "expires_in": [1]}'),
        (200, {}, b'{"access_token": "a", "expires_in": 1e999}'),
    ],
)
def test_an_unsound_token_endpoint(
    service: Service,
    browser: httpx2.Client,
    forger: Forger,
    said: tuple[int, dict[str, str], bytes],
) -> None:
    before = service.traces("bontang")
    answer = service.begin_at_forger(browser)
    forger.answers["/token"] = said
    refused(browser.get("/bontang/callback", params=answer), 503, "ISSUER_UNAVAILABLE")
    assert forger.asked.count("/token") == 1
    assert service.traces("bontang") == before


@pytest.mark.parametrize("algorithms", [(), ("none",), ("HS256",), ("none", "HS512")])
def test_a_realm_without_public_key_algorithms_trusts_no_token(
    service: Service, forger: Forger, algorithms: tuple[str, ...]
) -> None:
    service.invite("bontang", forger.username)
    realm = service.realm("bontang")
    careless = replace(realm, issuer=replace(realm.issuer, algorithms=algorithms))
    with pytest.raises(NotSignedIn):
        who(careless, forger.signed(forger.access(), AT_JWT))


@pytest.mark.parametrize(
    "url", ["http://jejak.example", "http://169.254.169.254", "ftp://127.0.0.1", "127.0.0.1", ""]
)
def test_an_issuer_is_on_https_or_on_this_machine(
    service: Service, forger: Forger, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    realm = service.realm("bontang")
    elsewhere = replace(realm, issuer=replace(realm.issuer, url=url))
    with pytest.raises(IssuerUnavailable):
        who(elsewhere, forger.signed(forger.access(), AT_JWT))
    assert "an issuer is on https" in caplog.text  # and not: it does not answer


def set_clock(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """The issuers' clock only: event loops go by the real one."""
    monkeypatch.setattr(issuers, "time", SimpleNamespace(monotonic=lambda: seconds))


class TestKeys:
    def test_a_new_key_is_fetched_and_an_unknown_one_not_for_ever(
        self, service: Service, forger: Forger, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        member = service.invite("bontang", forger.username)
        realm, claims = service.realm("bontang"), forger.access()
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
        realm, claims = service.realm("bontang"), forger.access()
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
        realm, claims = service.realm("bontang"), forger.access()
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
        token = forger.signed(forger.access(), AT_JWT)
        assert who(realm, token) == member
        now = time.time()
        monkeypatch.setattr(time, "time", lambda: now + 331)
        with pytest.raises(NotSignedIn):
            who(realm, token)
