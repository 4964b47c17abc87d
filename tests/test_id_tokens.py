"""The id_token that ends a sign-in: what is refused, and that nothing changes by it."""

from __future__ import annotations

import json
import time
import warnings
from base64 import urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from forger import Forger, refused
from joserfc.jwk import OctKey, RSAKey

if TYPE_CHECKING:
    from sign_in import Service

pytest_plugins = ("sign_in",)

STRANGER = RSAKey.generate_key(2048, {"kid": "satu", "use": "sig", "alg": "RS256"})
with warnings.catch_warnings(action="ignore"):
    SHORT = RSAKey.generate_key(1024)  # a longer one would not fit into a header


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
    answer = service.begin_at_forger(browser)
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
    answer = service.begin_at_forger(browser)
    assert browser.get("/bontang/callback", params=answer).status_code == 303
    assert browser.get("/bontang/whoami").json() == {"id": str(member)}


@pytest.mark.parametrize("said", [{}, {"access_token": "a"}, {"access_token": "a", "id_token": 1}])
def test_no_id_token(
    service: Service, browser: httpx2.Client, forger: Forger, said: dict[str, Any]
) -> None:
    before = service.traces("bontang")
    answer = service.begin_at_forger(browser)
    forger.answers["/token"] = (200, {}, json.dumps(said).encode())
    refused(browser.get("/bontang/callback", params=answer), 403, "SIGN_IN_REFUSED")
    assert service.traces("bontang") == before
