"""Signing in and out in the browser, at each realm's own issuer (OpenID Connect, code + PKCE).

Authlib makes state, nonce and PKCE and exchanges the code. It takes the algorithms, "none" too,
from the issuer's metadata and any `aud` that contains ours, so the id_token is checked here.
"""

import html
import json
import logging
from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache, wraps
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from authlib.common.errors import AuthlibBaseError
from authlib.integrations.starlette_client import StarletteIntegration, StarletteOAuth2App
from authlib.oidc.core.util import create_half_hash
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from graphql_api.identity import is_https, same_site, session_cookie
from graphql_api.issuers import (
    BAD_ANSWER,
    IssuerUnavailable,
    Published,
    UntrustedToken,
    http_of,
    identity_of,
    source_of,
    verified,
)
from tenants import catalogue, people
from tenants.people import SESSION_LASTS, Identity
from tenants.problems import BeingMoved, NotSignedIn, Problem, Unavailable, UnknownTenant
from tenants.realm import Issuer, Realm
from tenants.settings import settings

log = logging.getLogger(__name__)

STATE_LASTS: Final = 600
NEXT_LIMIT: Final = 500


@dataclass(eq=False)
class SignInExpired(Problem):
    """The answer belongs to no sign-in that this browser began here, or began lately."""

    message_id = "Proses masuk ini tidak sah atau sudah kedaluwarsa. Silakan ulangi."
    message_en = "This sign-in is not valid or has expired. Please start again."


@dataclass(eq=False)
class SignInRefused(Problem):
    """The issuer refused, or vouched for the person in a way that cannot be relied upon."""

    message_id = "Layanan masuk menolak, atau jawabannya tidak dapat dipercaya."
    message_en = "The sign-in service refused, or its answer cannot be relied upon."


@dataclass(eq=False)
class NotInvited(Problem):
    """Signed in at the issuer, but nobody's invitation; a suspended member sees the same."""

    message_id = "Akun ini tidak terdaftar di daerah ini. Hubungi admin perangkat daerah Anda."
    message_en = "This account is not registered in this regency. Ask your administrator."


@dataclass(eq=False)
class CrossSiteRequest(Problem):
    """A cookie came with a request that no page of ours sent."""

    message_id = "Permintaan ini tidak berasal dari halaman kami."
    message_en = "This request does not come from our pages."


_STATUS: Final[dict[type[Problem], HTTPStatus]] = {
    UnknownTenant: HTTPStatus.NOT_FOUND,
    SignInExpired: HTTPStatus.BAD_REQUEST,
    SignInRefused: HTTPStatus.FORBIDDEN,
    NotInvited: HTTPStatus.FORBIDDEN,
    CrossSiteRequest: HTTPStatus.FORBIDDEN,
    IssuerUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    BeingMoved: HTTPStatus.SERVICE_UNAVAILABLE,
}

Handler = Callable[[Request, Realm], Awaitable[Response]]


def login_routes() -> list[Route]:
    """/{realm}/login?next=, /{realm}/callback and, POST only, /{realm}/logout, for every realm.

    A failure is a short page; the header `Jejak-Problem` carries its code.
    """
    return [
        Route("/{realm}/login", in_realm(_begin), methods=["GET"]),
        Route("/{realm}/callback", in_realm(_finish), methods=["GET"]),
        Route("/{realm}/logout", in_realm(_sign_out), methods=["POST"]),
    ]


def in_realm(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    @wraps(handler)
    async def endpoint(request: Request) -> Response:
        slug = request.path_params["realm"]
        try:
            response = await handler(request, await run_in_threadpool(catalogue.realm, slug))
        except Problem as problem:
            response = _page(problem, slug)
        response.headers["Cache-Control"] = "no-store"
        return response

    return endpoint


def _page(problem: Problem, slug: str) -> Response:
    log.info("no sign-in or sign-out at %r: %s", slug, problem.code)
    again = f"/{slug}/login"
    link = "" if isinstance(problem, UnknownTenant) else _AGAIN.format(html.escape(again))
    page = _PAGE.format(
        indonesian=html.escape(problem.message_id),
        english=html.escape(problem.message_en),
        code=problem.code,
        link=link,
    )
    response = HTMLResponse(page, _STATUS[type(problem)], {"Jejak-Problem": problem.code})
    if isinstance(problem, IssuerUnavailable):
        response.headers["Retry-After"] = "30"
    return response


_PAGE: Final = """<!doctype html>
<html lang="id"><meta charset="utf-8"><title>Jejak Dinas</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<h1>Jejak Dinas</h1>
<p>{indonesian}</p>
<p lang="en">{english}</p>
{link}<p><code>{code}</code></p>
"""
_AGAIN: Final = '<p><a href="{}">Masuk / <span lang="en">Sign in</span></a></p>\n'


def _client(realm: Realm, published: Published) -> Any:
    """Authlib's client for a realm; it never asks for metadata or keys itself."""
    return StarletteOAuth2App(
        StarletteIntegration(realm.slug),
        realm.slug,
        client_id=realm.issuer.client_id,
        client_secret=realm.issuer.client_secret,
        authorize_url=published.authorization_endpoint,
        access_token_url=published.token_endpoint,
        client_kwargs={
            "scope": "openid profile",
            "code_challenge_method": "S256",
            **http_of(realm.issuer),
        },
    )


async def _begin(request: Request, realm: Realm) -> Response:
    client = _client(realm, await source_of(realm.issuer).read())
    callback = f"{settings().base_url}/{realm.slug}/callback"
    begun = await client.create_authorization_url(callback)
    address = begun.pop("url")
    request.scope["session"] = {}
    await client.save_authorize_data(
        request,
        redirect_uri=callback,
        next=_local(realm, request.query_params.get("next")),
        **begun,
    )
    sealing = _sealing(realm.slug, settings().secret_key)
    sealed = sealing.encrypt(json.dumps(request.session).encode())
    response = RedirectResponse(address, HTTPStatus.SEE_OTHER)
    response.set_cookie(
        _state_cookie(realm.slug),
        sealed.decode(),
        max_age=STATE_LASTS,
        path=f"/{realm.slug}/callback",
        secure=is_https(),
        httponly=True,
        samesite="lax",
    )
    return response


def _state_cookie(slug: str) -> str:
    return session_cookie(slug) + "_login"


@lru_cache(maxsize=100)
def _sealing(slug: str, secret_key: str) -> Fernet:
    """The key of a realm's state cookies: the state of one realm means nothing to another."""
    purpose = f"jejak sign-in state {slug}".encode()
    derived = HKDF(SHA256(), length=32, salt=None, info=purpose).derive(secret_key.encode())
    return Fernet(urlsafe_b64encode(derived))


def _local(realm: Realm, address: str | None) -> str:
    """Where to go after sign-in: below the realm's own path, or its start page."""
    start = f"/{realm.slug}/"
    if address is None or len(address) > NEXT_LIMIT or not address.startswith(start):
        return start
    if not (address.isascii() and address.isprintable()) or "\\" in address:
        return start
    if {".", ".."} & set(unquote(urlsplit(address).path).split("/")):
        return start
    return address


async def _finish(request: Request, realm: Realm) -> Response:
    try:
        response = await _signed_in(request, realm)
    except Problem as problem:
        response = _page(problem, realm.slug)
    # Whatever came of it: one sign-in, one answer.
    response.delete_cookie(
        _state_cookie(realm.slug), f"/{realm.slug}/callback", secure=is_https(), httponly=True
    )
    return response


async def _signed_in(request: Request, realm: Realm) -> Response:
    query = request.query_params
    if len(query.multi_items()) != len(query):
        raise SignInExpired
    published = await source_of(realm.issuer).read()
    named = query.get("iss")
    if named != realm.issuer.url and (named is not None or published.names_itself):
        log.warning("answer of another issuer refused at %s", realm.slug)
        raise SignInExpired
    client = _client(realm, published)
    state = await client.framework.get_state_data(_begun(request, realm), query.get("state"))
    if state is None:
        raise SignInExpired
    if "error" in query or "code" not in query:
        raise SignInRefused
    try:
        answer = await client.fetch_access_token(
            redirect_uri=state["redirect_uri"],
            code=query["code"],
            code_verifier=state["code_verifier"],
        )
        identity = await _vouched(realm.issuer, answer, nonce=state["nonce"])
    except (AuthlibBaseError, UntrustedToken) as reason:
        log.warning("sign-in refused at %s: %r", realm.slug, str(reason)[:200])
        raise SignInRefused from None
    except BAD_ANSWER as reason:
        log.warning("issuer %s gave no token: %r", realm.issuer.url, reason)
        raise IssuerUnavailable from None
    former = request.cookies.get(session_cookie(realm.slug))
    try:
        secret = await run_in_threadpool(_open_session, realm, identity, former)
    except NotSignedIn:
        raise NotInvited from None
    response = RedirectResponse(state["next"], HTTPStatus.SEE_OTHER)
    response.set_cookie(
        session_cookie(realm.slug),
        secret,
        max_age=int(SESSION_LASTS.total_seconds()),
        path=f"/{realm.slug}",
        secure=is_https(),
        httponly=True,
        samesite="lax",
    )
    return response


def _begun(request: Request, realm: Realm) -> dict[str, Any]:
    """What `_begin` left with this browser, if it is whole, of this realm and not too old."""
    sealed = request.cookies.get(_state_cookie(realm.slug), "")
    sealing = _sealing(realm.slug, settings().secret_key)
    try:
        begun: dict[str, Any] = json.loads(sealing.decrypt(sealed.encode(), ttl=STATE_LASTS))
    except InvalidToken:
        return {}
    return begun


async def _vouched(issuer: Issuer, answer: dict[str, Any], *, nonce: str) -> Identity:
    """Whom the id_token in a token endpoint's answer is about; raises `UntrustedToken`.

    OpenID Connect Core 3.1.3.7, stricter: the token is for us alone, not for us among others.
    """
    token, access_token = answer.get("id_token"), answer.get("access_token")
    if not isinstance(token, str) or not isinstance(access_token, str):
        raise UntrustedToken("no id_token or no access token")
    found = await verified(issuer, token)
    claims = found.claims
    if str(found.header.get("typ", "JWT")).upper() != "JWT":
        raise UntrustedToken("no id_token")
    if claims.get("aud") not in (issuer.client_id, [issuer.client_id]):
        raise UntrustedToken("an id_token for somebody else")
    if claims.get("azp", issuer.client_id) != issuer.client_id:
        raise UntrustedToken("an id_token that somebody else asked for")
    if claims.get("nonce") != nonce:
        raise UntrustedToken("the id_token of another sign-in")
    if "at_hash" in claims:
        expected = create_half_hash(access_token, found.header["alg"])
        if expected is None or claims["at_hash"] != expected.decode():
            raise UntrustedToken("the id_token of another access token")
    return identity_of(issuer, claims)


def _open_session(realm: Realm, identity: Identity, former: str | None) -> str:
    """Sign in under a new secret; the session this browser had before ends."""
    now = datetime.now(UTC)
    with realm.session(readonly=False) as session:
        viewer = people.sign_in(session, identity, now=now)
        if former is not None:
            people.close_session(session, former, now=now)
        return people.open_session(session, viewer.member_id, now=now)


async def _sign_out(request: Request, realm: Realm) -> Response:
    if not same_site(request):
        raise CrossSiteRequest
    secret = request.cookies.get(session_cookie(realm.slug))
    if secret is not None:
        await run_in_threadpool(_close_session, realm, secret)
    response = RedirectResponse(f"/{realm.slug}/", HTTPStatus.SEE_OTHER)
    response.delete_cookie(
        session_cookie(realm.slug), f"/{realm.slug}", secure=is_https(), httponly=True
    )
    return response


def _close_session(realm: Realm, secret: str) -> None:
    with realm.session(readonly=False) as session:
        people.close_session(session, secret, now=datetime.now(UTC))
