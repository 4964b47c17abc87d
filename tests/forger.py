"""An OpenID issuer that lies, over real HTTP, and how the lies are told apart."""

import asyncio
import json
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID, uuid4

import httpx2
from joserfc import jws
from joserfc.jwk import Key, RSAKey
from joserfc.jws import JWSRegistry

from graphql_api import issuers
from graphql_api.identity import bearer_viewer
from tenants.realm import Realm

DISCOVERY = "/.well-known/openid-configuration"
AT_JWT = {"typ": "at+jwt"}


class Forger:
    """An issuer that lies over real HTTP. `url` is honest until a test changes what it says."""

    def __init__(self, audience: str) -> None:
        self.audience = audience
        self.key = RSAKey.generate_key(2048, {"kid": "satu", "use": "sig", "alg": "RS256"})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.reset()
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def reset(self) -> None:
        self.asked: list[str] = []
        self.metadata: dict[str, Any] = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/auth",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/jwks",
            "id_token_signing_alg_values_supported": ["RS256"],
        }
        self.keys: list[Key] = [self.key]
        self.id_token: Callable[[dict[str, Any]], str] = self.signed
        self.challenge = self.nonce = ""
        self.username = f"orang-{uuid4()}"
        # Replaces the answer to a path: status, headers, body.
        self.answers: dict[str, tuple[int, dict[str, str], bytes]] = {}
        self.delay = 0.0
        issuers.source_of.cache_clear()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def claims(self, **changes: Any) -> dict[str, Any]:
        now = int(time.time())
        claims = {
            "iss": self.url,
            "sub": f"subjek-{self.username}",
            "aud": "jejak-dinas",
            "iat": now,
            "exp": now + 300,
            "preferred_username": self.username,
        } | changes
        return {name: value for name, value in claims.items() if value is not None}

    def access(self, **changes: Any) -> dict[str, Any]:
        """Claims of an access token, to be signed with `AT_JWT`."""
        return self.claims(**{"aud": self.audience, "client_id": "front-end", **changes})

    def signed(
        self, claims: dict[str, Any], header: dict[str, Any] | None = None, key: Key | None = None
    ) -> str:
        header = {"alg": "RS256", "kid": "satu"} | (header or {})
        header = {name: value for name, value in header.items() if value is not None}
        registry = JWSRegistry(algorithms=[header["alg"]], strict_check_header=False)
        # Not jwt.encode, which cannot write half a character as JSON can.
        payload = json.dumps(claims)
        return jws.serialize_compact(header, payload, key or self.key, registry=registry)

    def _token(self, form: dict[str, list[str]]) -> dict[str, Any]:
        verifier = form.get("code_verifier", [""])[0]
        digest = urlsafe_b64encode(sha256(verifier.encode()).digest()).decode().rstrip("=")
        if digest != self.challenge or form["code"] != ["kode"]:
            return {"error": "invalid_grant"}
        token = self.id_token(self.claims(nonce=self.nonce))
        return {"token_type": "Bearer", "access_token": "akses", "id_token": token}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        forger = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer({})

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                self._answer(parse_qs(self.rfile.read(length).decode()))

            def _answer(self, form: dict[str, list[str]]) -> None:
                forger.asked.append(self.path)
                time.sleep(forger.delay)
                if self.path in forger.answers:
                    status, headers, body = forger.answers[self.path]
                else:
                    said = {
                        DISCOVERY: lambda: forger.metadata,
                        "/jwks": lambda: {"keys": [key.as_dict() for key in forger.keys]},
                        "/token": lambda: forger._token(form),
                    }[self.path]()
                    status = 400 if "error" in said else 200
                    headers, body = {"Content-Type": "application/json"}, json.dumps(said).encode()
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                try:
                    self.wfile.write(body)
                except ConnectionError:
                    return  # the other side has read enough

            def log_message(self, *_: object) -> None:
                return

        return Handler


def html(status: int = 200, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """A page, for `Forger.answers`."""
    return status, {"Content-Type": "text/html", **headers}, b"<h1>perawatan</h1>"


def refused(answer: httpx2.Response, status: int, code: str) -> None:
    """Assert that a page refuses, in both languages, and tells nothing of the inside."""
    assert (answer.status_code, answer.headers["jejak-problem"]) == (status, code), answer.text
    assert code in answer.text
    assert '<html lang="id">' in answer.text
    assert '<p lang="en">' in answer.text
    assert "Traceback" not in answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


def who(realm: Realm, token: str) -> UUID:
    """Whom a bearer token speaks for; raises as `bearer_viewer` does."""
    return asyncio.run(bearer_viewer(token, realm)).member_id
