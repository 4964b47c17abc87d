"""What the sign-in tests stand on: realms, a real provider, a lying issuer, and a browser."""

import tempfile
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import httpx2
import pytest
import uvicorn
from cryptography.fernet import Fernet
from forger import Forger
from sqlalchemy import func, select
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from graphql_api.identity import viewer_of
from graphql_api.issuers import IssuerUnavailable
from graphql_api.limits import SecurityHeaders
from graphql_api.login import login_routes
from infra import services
from infra.processes import free_port
from tenants import birth, catalogue, people, server
from tenants.models import LoginSession, Member, Role
from tenants.people import Invitation
from tenants.problems import NotSignedIn
from tenants.realm import Issuer, Realm, close_engines
from tenants.settings import settings

FRONT_END = "http://127.0.0.1/selesai"
PROVIDED = ("sari", "budi", "dewi", "joko", "rina", "tono", "wati", "yudi", "nina")


@dataclass(frozen=True)
class Service:
    """Samarinda and Balikpapan at the real provider, as the province; Bontang at the forger."""

    url: str
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

    def begin_at_forger(self, browser: httpx2.Client, **query: str) -> dict[str, str]:
        """Begin at the forger, who notes what it is asked; return what an answer must say."""
        asked = self.begin(browser, "bontang", **query)
        self.forger.nonce, self.forger.challenge = asked["nonce"], asked["code_challenge"]
        return {"code": "kode", "state": asked["state"]}

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
    except IssuerUnavailable as problem:
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


@dataclass(frozen=True)
class Realms:
    """What the whole run shares: realms in a cluster of their own, and their issuers."""

    environment: dict[str, str]
    provided: dict[str, services.Issuer]
    forger: Forger


@contextmanager
def _settings(environment: dict[str, str]) -> Iterator[None]:
    """This process's settings, for a while: other tests stand on other servers."""
    with pytest.MonkeyPatch.context() as env:
        for name, value in environment.items():
            env.setenv(name, value)
        _forget()
        yield
    _forget()


@pytest.fixture(scope="session")
def realms() -> Iterator[Realms]:
    base_url = f"http://127.0.0.1:{free_port()}"
    provided = {slug: _provided(slug, base_url) for slug in ("province", "samarinda", "balikpapan")}
    forger = Forger(audience=f"{base_url}/bontang")
    with ExitStack() as stack:
        stack.callback(forger.close)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="jejak-")))
        folder.chmod(0o711)
        cluster = stack.enter_context(services.Cluster(folder, durable=False))
        stack.enter_context(services.Provider(folder, list(provided.values())))
        environment = {
            "JEJAK_SERVER_DSN": cluster.admin_dsn,
            "JEJAK_CONTROL_DSN": "not made yet",
            "JEJAK_REDIS_URL": "redis://127.0.0.1:1/0",
            "JEJAK_SECRET_KEY": Fernet.generate_key().decode(),
            "JEJAK_BASE_URL": base_url,
        }
        with _settings(environment):
            server.prepare_server()
            environment["JEJAK_CONTROL_DSN"] = birth.create_control()
        lying = Issuer(forger.url, "jejak-dinas", None, forger.audience)
        with _settings(environment):
            birth.add_province(
                code="64", name="Kalimantan Timur", issuer=_issuer(provided["province"])
            )
            for slug, code, issuer in (
                ("samarinda", "64.72", _issuer(provided["samarinda"])),
                ("balikpapan", "64.71", _issuer(provided["balikpapan"])),
                ("bontang", "64.74", lying),
            ):
                birth.add_tenant(
                    slug=slug, code=code, name=slug.title(), zone="Asia/Makassar", issuer=issuer
                )
        yield Realms(environment, provided, forger)


@pytest.fixture(scope="module")
def service(realms: Realms) -> Iterator[Service]:
    base_url = realms.environment["JEJAK_BASE_URL"]
    with _settings(realms.environment), _served(int(base_url.rsplit(":", 1)[1])):
        yield Service(base_url, realms.provided, realms.forger)


def _forget() -> None:
    """Let go of the settings, and of all that was opened by them."""
    close_engines()
    catalogue.close()
    settings.cache_clear()


@contextmanager
def _served(port: int) -> Iterator[None]:
    app = Starlette(routes=[*login_routes(), Route("/{realm}/whoami", _whoami)])
    app.add_middleware(SecurityHeaders)
    config = uvicorn.Config(
        app, host="127.0.0.1", port=port, log_level="warning", lifespan="off", ws="none"
    )
    api = uvicorn.Server(config)
    thread = threading.Thread(target=api.run)
    thread.start()
    while not api.started:
        time.sleep(0.01)
    try:
        yield
    finally:
        api.should_exit = True
        thread.join()


@pytest.fixture
def forger(service: Service) -> Iterator[Forger]:
    service.forger.reset()
    yield service.forger
    service.forger.reset()


@pytest.fixture
def browser(service: Service) -> Iterator[httpx2.Client]:
    with service.browser() as browser:
        yield browser
