"""What the sign-in tests stand on: realms, a real provider, a lying issuer, and a browser."""

import json
import os
import tempfile
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

import httpx2
import pytest
import uvicorn
from cryptography.fernet import Fernet
from joserfc import jws
from joserfc.jwk import Key, RSAKey
from joserfc.jws import JWSRegistry
from sqlalchemy import func, select
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from graphql_api import issuers
from graphql_api.identity import viewer_of
from graphql_api.login import login_routes
from infra import services
from infra.processes import free_port
from tenants import birth, catalogue, people, server
from tenants.models import LoginSession, Member, Role
from tenants.people import Invitation
from tenants.problems import NotSignedIn
from tenants.realm import Issuer, Realm, forget_engine
from tenants.settings import settings

FRONT_END = "http://127.0.0.1/selesai"
PROVIDED = ("sari", "budi", "dewi", "joko", "rina", "tono", "wati", "yudi")


class Forger:
    """An issuer that lies over real HTTP. `url` is honest until a test changes what it says."""

    def __init__(self) -> None:
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
                        "/.well-known/openid-configuration": lambda: forger.metadata,
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


@dataclass(frozen=True)
class Service:
    """Samarinda and Balikpapan at the real provider, as the province; Bontang at the forger."""

    url: str
    provider: services.Provider
    provided: dict[str, services.Issuer]
    forger: Forger = field(repr=False)

    def realm(self, slug: str) -> Realm:
        return catalogue.realm(slug)

    def invite(self, slug: str, username: str) -> UUID:
        with self.realm(slug).session(readonly=False) as session:
            invitation = Invitation(username.title(), frozenset({Role.TRAVELLER}))
            member = people.add_member(
                session,
                Invitation(invitation.name, invitation.roles, invited_as=username),
                today=datetime.now(UTC).date(),
            )
            return member.id

    def suspend(self, slug: str, member_id: UUID) -> None:
        with self.realm(slug).session(readonly=False) as session:
            member = session.get_one(Member, member_id)
            member.suspended_at = datetime.now(UTC)

    def traces(self, slug: str) -> tuple[int, int, int]:
        """What a sign-in leaves: members who joined, sessions, sessions that ended."""
        with self.realm(slug).session(readonly=True) as session:
            joined = select(func.count(Member.subject))
            sessions = select(func.count(), func.count(LoginSession.revoked_at))
            ended = session.execute(sessions.select_from(LoginSession)).one()
            return session.scalar(joined) or 0, ended[0], ended[1]

    def browser(self) -> httpx2.Client:
        return httpx2.Client(base_url=self.url, trust_env=False)

    def begin(self, browser: httpx2.Client, slug: str, **query: str) -> dict[str, str]:
        """Begin to sign in; return what our redirect asks of the issuer."""
        answer = browser.get(f"/{slug}/login", params=query)
        assert answer.status_code == 303, answer.text
        address = urlsplit(answer.headers["location"])
        return {name: values[0] for name, values in parse_qs(address.query).items()}

    def asked(self, browser: httpx2.Client, slug: str, username: str, **query: str) -> str:
        """Sign in at the real provider; return the callback it sends the browser to."""
        began = browser.get(f"/{slug}/login", params=query)
        page = _until(browser, began, f"{self.url}/{slug}/callback")
        if isinstance(page, httpx2.Response):
            chosen = browser.post(str(page.url), data={"username": username})
            page = _until(browser, chosen, f"{self.url}/{slug}/callback")
        assert isinstance(page, str), page.text
        return page

    def sign_in(self, browser: httpx2.Client, slug: str, username: str) -> httpx2.Response:
        return browser.get(self.asked(browser, slug, username))

    def tokens(self, slug: str, username: str) -> dict[str, str]:
        """Tokens of the provider's public client, as a phone or web front end gets them."""
        issuer = self.provided[slug]
        verifier = "kata-rahasia-" * 4
        digest = urlsafe_b64encode(sha256(verifier.encode()).digest()).decode().rstrip("=")
        with httpx2.Client(trust_env=False) as browser:
            asked = {
                "client_id": "front-end",
                "response_type": "code",
                "redirect_uri": FRONT_END,
                "scope": "openid",
                "state": "x",
                "code_challenge": digest,
                "code_challenge_method": "S256",
            }
            page = _until(browser, browser.get(f"{issuer.url}/auth", params=asked), FRONT_END)
            assert isinstance(page, httpx2.Response)
            chosen = browser.post(str(page.url), data={"username": username})
            back = _until(browser, chosen, FRONT_END)
            assert isinstance(back, str)
            form = {
                "grant_type": "authorization_code",
                "client_id": "front-end",
                "redirect_uri": FRONT_END,
                "code": parse_qs(urlsplit(back).query)["code"][0],
                "code_verifier": verifier,
            }
            return browser.post(f"{issuer.url}/token", data=form).raise_for_status().json()


def _until(browser: httpx2.Client, answer: httpx2.Response, address: str) -> httpx2.Response | str:
    """Follow redirects to a page, or to `address`, which is returned."""
    while answer.is_redirect:
        target = answer.url.join(answer.headers["location"])
        if str(target).startswith(address):
            return str(target)
        answer = browser.get(target)
    return answer


async def _whoami(request: Request) -> Response:
    realm = await run_in_threadpool(catalogue.realm, request.path_params["realm"])
    try:
        viewer = await viewer_of(request, realm)
    except NotSignedIn as problem:
        return JSONResponse({"code": problem.code}, 401)
    except issuers.IssuerUnavailable as problem:
        return JSONResponse({"code": problem.code}, 503)
    return JSONResponse({"id": str(viewer.member_id) if viewer else None})


def _people() -> tuple[services.Person, ...]:
    return tuple(services.Person(name, name.title()) for name in PROVIDED)


def _provided(slug: str, base_url: str) -> services.Issuer:
    return services.Issuer(
        name=slug,
        title=slug.title(),
        port=free_port(),
        audience=f"{base_url}/{slug}",
        client_id="jejak-dinas",
        client_secret=f"rahasia-{slug}",
        redirect_uris=(f"{base_url}/{slug}/callback",),
        front_end_redirect_uris=(FRONT_END,),
        people=_people(),
    )


def _issuer(provided: services.Issuer) -> Issuer:
    return Issuer(
        url=provided.url,
        client_id=provided.client_id,
        client_secret=provided.client_secret,
        audience=provided.audience,
    )


@pytest.fixture(scope="session")
def service() -> Iterator[Service]:
    base_url = f"http://127.0.0.1:{free_port()}"
    provided = {slug: _provided(slug, base_url) for slug in ("province", "samarinda", "balikpapan")}
    forger = Forger()
    with tempfile.TemporaryDirectory(prefix="jejak-") as name, pytest.MonkeyPatch.context() as env:
        folder = Path(name)
        folder.chmod(0o711)
        cluster = services.Cluster(folder, durable=False)
        provider = services.Provider(folder, list(provided.values()))
        with cluster, provider:
            env.setattr(os, "environ", os.environ.copy())
            os.environ.update(
                JEJAK_SERVER_DSN=cluster.admin_dsn,
                JEJAK_CONTROL_DSN="postgresql:///not-yet",
                JEJAK_REDIS_URL="redis://127.0.0.1:1/0",
                JEJAK_SECRET_KEY=Fernet.generate_key().decode(),
                JEJAK_BASE_URL=base_url,
            )
            settings.cache_clear()
            server.prepare_server()
            os.environ["JEJAK_CONTROL_DSN"] = birth.create_control()
            settings.cache_clear()
            birth.add_province(
                code="64", name="Kalimantan Timur", issuer=_issuer(provided["province"])
            )
            lying = Issuer(forger.url, "jejak-dinas", None, f"{base_url}/bontang")
            for slug, code, issuer in (
                ("samarinda", "64.72", _issuer(provided["samarinda"])),
                ("balikpapan", "64.71", _issuer(provided["balikpapan"])),
                ("bontang", "64.74", lying),
            ):
                birth.add_tenant(
                    slug=slug, code=code, name=slug.title(), zone="Asia/Makassar", issuer=issuer
                )
            with _served(int(base_url.rsplit(":", 1)[1])):
                yield Service(base_url, provider, provided, forger)
            for slug in (*provided, "bontang"):
                forget_engine(catalogue.realm(slug).dsn)
            catalogue._catalogue()._engine.dispose()
    forger.close()
    settings.cache_clear()
    catalogue.read_again()


class _served:  # noqa: N801 - a context manager, used like a function
    def __init__(self, port: int) -> None:
        app = Starlette(routes=[*login_routes(), Route("/{realm}/whoami", _whoami)])
        config = uvicorn.Config(
            app, host="127.0.0.1", port=port, log_level="warning", lifespan="off", ws="none"
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run)

    def __enter__(self) -> None:
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join()


@pytest.fixture
def forger(service: Service) -> Iterator[Forger]:
    service.forger.reset()
    yield service.forger
    service.forger.reset()


@pytest.fixture
def browser(service: Service) -> Iterator[httpx2.Client]:
    with service.browser() as browser:
        yield browser
