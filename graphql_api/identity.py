"""Who asks: the browser's session cookie or a front end's bearer token, for one realm."""

import hashlib
import logging
import time
from collections import OrderedDict
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection

from graphql_api.issuers import UntrustedToken, identity_of, verified
from tenants import people
from tenants.access import Viewer
from tenants.people import Identity
from tenants.problems import NotSignedIn
from tenants.realm import Issuer, Realm
from tenants.settings import settings

log = logging.getLogger(__name__)

REMEMBERED_SECONDS: Final = 60.0
REMEMBERED_TOKENS: Final = 4096


def is_https() -> bool:
    return settings().base_url.startswith("https:")


def session_cookie(slug: str) -> str:
    """The name of a realm's session cookie; its path is /{slug}, so realms do not see each other's.

    `__Host-` would demand the path / and thus send the cookie to every realm. `__Secure-` is what
    remains: a page on plain http cannot set it.
    """
    return f"__Secure-jejak_{slug}" if is_https() else f"jejak_{slug}"


async def viewer_of(connection: HTTPConnection, realm: Realm) -> Viewer | None:
    """Return who asks, or None when no credentials are given; a bearer token precedes a cookie.

    Raises `NotSignedIn` for credentials that are expired, revoked, foreign, malformed, or a
    suspended member's, and `IssuerUnavailable` when no key to check a token with can be had.
    """
    given = connection.headers.getlist("authorization")
    if given:
        scheme, _, token = given[0].partition(" ")
        if len(given) > 1 or scheme.lower() != "bearer":
            raise NotSignedIn
        return await bearer_viewer(token.strip(), realm)
    secret = connection.cookies.get(session_cookie(realm.slug))
    if secret is None:
        return None
    return await run_in_threadpool(_by_cookie, realm, secret)


def _by_cookie(realm: Realm, secret: str) -> Viewer:
    with realm.session(readonly=True) as session:
        return people.signed_in(session, secret, now=datetime.now(UTC))


async def bearer_viewer(token: str, realm: Realm) -> Viewer:
    """Return the member an access token of the realm's issuer speaks for.

    An invited person who has not signed in before joins by it. The signature is remembered for up
    to `REMEMBERED_SECONDS`, the member is looked up each time. Raises as `viewer_of` does.
    """
    identity = _remembered.get(realm.issuer, token)
    if identity is None:
        try:
            identity, expires_at = await _access(realm.issuer, token)
        except UntrustedToken as reason:
            log.warning("access token refused at %s: %s", realm.slug, reason)
            raise NotSignedIn from None
        _remembered.put(realm.issuer, token, identity, expires_at)
    return await run_in_threadpool(_by_identity, realm, identity)


async def _access(issuer: Issuer, token: str) -> tuple[Identity, float]:
    """Return whom an access token speaks for and until when.

    A token must say that it gives access: `typ: at+jwt` in the header (RFC 9068) or Keycloak's
    claim `typ: Bearer`. An id_token, refresh token or logout token of the same issuer is none.
    """
    found = await verified(issuer, token)
    kind = str(found.header.get("typ", "JWT")).lower().removeprefix("application/")
    keycloak = kind == "jwt" and found.claims.get("typ") == "Bearer"
    if (kind != "at+jwt" and not keycloak) or "at_hash" in found.claims:
        raise UntrustedToken("no access token")
    if found.claims.get("aud") not in (issuer.audience, [issuer.audience]):
        raise UntrustedToken("an access token for somebody else")
    return identity_of(issuer, found.claims), found.claims["exp"]


def _by_identity(realm: Realm, identity: Identity) -> Viewer:
    try:
        with realm.session(readonly=True) as session:
            return people.identified(session, identity)
    except NotSignedIn:
        if identity.name is None:
            raise
    with realm.session(readonly=False) as session:
        return people.sign_in(session, identity, now=datetime.now(UTC))


class _Remembered:
    """Tokens found good a moment ago, the most recent `REMEMBERED_TOKENS`, by issuer and hash."""

    def __init__(self) -> None:
        self._identities: OrderedDict[tuple[Issuer, bytes], tuple[Identity, float]] = OrderedDict()

    def get(self, issuer: Issuer, token: str) -> Identity | None:
        identity, until = self._identities.get(self._key(issuer, token), (None, 0.0))
        return identity if time.time() < until else None

    def put(self, issuer: Issuer, token: str, identity: Identity, expires_at: float) -> None:
        until = min(expires_at, time.time() + REMEMBERED_SECONDS)
        self._identities[self._key(issuer, token)] = identity, until
        if len(self._identities) > REMEMBERED_TOKENS:
            self._identities.popitem(last=False)

    @staticmethod
    def _key(issuer: Issuer, token: str) -> tuple[Issuer, bytes]:
        return issuer, hashlib.sha256(token.encode()).digest()


_remembered = _Remembered()


def same_site(connection: HTTPConnection) -> bool:
    """Whether a request that changes something, or opens a WebSocket, comes from our own pages.

    For cookies, which the browser adds to other sites' requests too. A request without a cookie,
    or with a bearer token (which wins over the cookie), carries nothing a foreign page could
    borrow. Otherwise `Sec-Fetch-Site` and `Origin` must both be ours where present, and one must
    be: every browser of this decade sends one with a POST, so whoever sends neither is a program,
    and programs use tokens.
    """
    headers = connection.headers
    if "authorization" in headers or "cookie" not in headers:
        return True
    site, origin = headers.getlist("sec-fetch-site"), headers.getlist("origin")
    base = urlsplit(settings().base_url)
    return (
        bool(site or origin)
        and all(value in ("same-origin", "none") for value in site)
        and all(value == f"{base.scheme}://{base.netloc}" for value in origin)
    )
