"""The issuers that sign people in, as seen over HTTP, and the tokens they sign.

An issuer speaks for its own realm only. What it says is read with suspicion all the same: from its
own origin, without redirects, within `DEADLINE` seconds and `ANSWER_LIMIT` bytes.
"""

import ipaddress
import logging
import re
import time
from dataclasses import dataclass
from functools import cache, lru_cache
from ssl import SSLContext
from typing import Any, Final, TypeGuard
from urllib.parse import urlsplit

import anyio
import httpx2
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from tenants.people import Identity
from tenants.problems import Problem
from tenants.realm import Issuer

log = logging.getLogger(__name__)

DEADLINE: Final = 5.0
ANSWER_LIMIT: Final = 256 * 1024
TOKEN_LIMIT: Final = 16 * 1024
LEEWAY: Final = 30
FRESH_SECONDS: Final = 600.0
STALE_SECONDS: Final = 3600.0
PAUSE_SECONDS: Final = 60.0
PAUSE_WITHOUT_KEYS: Final = 5.0

# Public-key algorithms: with a shared secret, whoever can check a token could also make one.
ALGORITHMS: Final = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)
_KEY_TYPES: Final = frozenset({"RSA", "EC", "OKP"})
_COMPACT: Final = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)


@dataclass(eq=False)
class IssuerUnavailable(Problem):
    """The realm's issuer does not answer, or not as an issuer should."""

    message_id = "Layanan masuk daerah ini sedang tidak dapat dihubungi. Coba lagi sebentar lagi."
    message_en = "The sign-in service of this regency cannot be reached. Try again in a moment."


class UntrustedToken(Exception):
    """A token that is not what it should be; the reason is for the log alone."""


class UnsoundAnswer(Exception):
    """What came over HTTP is not what this issuer should say; the reason is for the log alone."""


# What reading an issuer's answer may raise: TypeError and below, because Authlib and joserfc take
# some members of an answer to be there and of the right type.
BAD_ANSWER: Final = (
    UnsoundAnswer,
    httpx2.HTTPError,
    httpx2.InvalidURL,
    TimeoutError,
    JoseError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    RecursionError,
)


@dataclass(frozen=True, slots=True)
class Published:
    """What an issuer publishes about itself; `names_itself` is RFC 9207's `iss` parameter."""

    authorization_endpoint: str
    token_endpoint: str
    names_itself: bool
    keys: KeySet


class Source:
    """An issuer's publication, kept for `FRESH_SECONDS`.

    When the issuer does not answer, what was last read serves for up to `STALE_SECONDS`. It is
    asked at most once in `PAUSE_SECONDS`, however many tokens name a key it does not have.
    """

    def __init__(self, issuer: Issuer) -> None:
        self._issuer = issuer
        self._published: Published | None = None
        self._read_at = self._tried_at = float("-inf")
        self._lock = anyio.Lock()

    async def read(self, *, lacking_key: bool = False) -> Published:
        """Return the publication; with `lacking_key`, read again if that is due.

        Raises `IssuerUnavailable`.
        """
        known = self._usable()
        if known and not self._due(lacking_key=lacking_key):
            return known
        if known and not lacking_key and self._lock.locked():
            return known  # rather than wait for an issuer that may not answer
        async with self._lock:
            if self._due(lacking_key=lacking_key):
                self._tried_at = time.monotonic()
                try:
                    with anyio.fail_after(DEADLINE):
                        self._published = await _read(self._issuer)
                    self._read_at = time.monotonic()
                except BAD_ANSWER as reason:
                    log.warning("issuer %s cannot be read: %r", self._issuer.url, reason)
        known = self._usable()
        if known is None:
            raise IssuerUnavailable
        return known

    def _usable(self) -> Published | None:
        return self._published if time.monotonic() - self._read_at < STALE_SECONDS else None

    def _due(self, *, lacking_key: bool) -> bool:
        now = time.monotonic()
        pause = PAUSE_SECONDS if self._usable() else PAUSE_WITHOUT_KEYS
        wanted = lacking_key or now - self._read_at >= FRESH_SECONDS
        return wanted and now - self._tried_at >= pause


@lru_cache(maxsize=100)
def source_of(issuer: Issuer) -> Source:
    """The one source of this issuer, in this process."""
    return Source(issuer)


async def _read(issuer: Issuer) -> Published:
    """Raises one of `BAD_ANSWER`."""
    if not _may_be_asked(issuer.url):
        raise UnsoundAnswer("an issuer is on https, or on the loopback interface")
    async with httpx2.AsyncClient(**http_of(issuer)) as client:
        address = issuer.url.rstrip("/") + "/.well-known/openid-configuration"
        metadata = await _json(client, address)
        if metadata.get("issuer") != issuer.url:
            raise UnsoundAnswer("the metadata are another issuer's")
        authorization, token, jwks = (
            _endpoint(issuer, metadata.get(name))
            for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")
        )
        keys = _keys(await _json(client, jwks))
    names_itself = metadata.get("authorization_response_iss_parameter_supported") is True
    return Published(authorization, token, names_itself, keys)


async def _json(client: httpx2.AsyncClient, address: str) -> dict[str, Any]:
    response = await client.get(address)
    if response.status_code != 200:
        raise UnsoundAnswer("no answer of status 200")
    answer = response.json()
    if not isinstance(answer, dict):
        raise UnsoundAnswer("no JSON object")
    return answer


def _endpoint(issuer: Issuer, address: object) -> str:
    """Whatever we or the browser are sent to is at the issuer's own origin."""
    if not isinstance(address, str) or _origin(address) != _origin(issuer.url):
        raise UnsoundAnswer("an endpoint is not at the issuer's origin")
    return address


def _keys(jwks: dict[str, Any]) -> KeySet:
    listed = jwks.get("keys")
    if not isinstance(listed, list):
        raise UnsoundAnswer("no key set")
    public = [key for key in listed if key["kty"] in _KEY_TYPES]
    return KeySet.import_key_set({"keys": public})


def _origin(address: str) -> tuple[str, str, int] | None:
    try:
        parts = urlsplit(address)
        port = parts.port or {"https": 443, "http": 80}[parts.scheme]
    except (ValueError, KeyError):
        return None
    if not parts.hostname or parts.username is not None or parts.password is not None:
        return None
    return parts.scheme, parts.hostname, port


def _may_be_asked(address: str) -> bool:
    origin = _origin(address)
    if origin is None:
        return False
    scheme, host, _ = origin
    if scheme == "https" or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def http_of(issuer: Issuer) -> dict[str, Any]:
    """Arguments for an `httpx2.AsyncClient` that can speak with `issuer` and nobody else."""
    return {
        "transport": _Transport(issuer),
        "timeout": DEADLINE,
        "follow_redirects": False,
        "trust_env": False,
        "headers": {"Accept-Encoding": "identity"},
    }


@cache
def _tls() -> SSLContext:
    return httpx2.create_ssl_context(trust_env=False)


class _Transport(httpx2.AsyncHTTPTransport):
    """Requests to one origin; the whole answer is read here, within bounds."""

    def __init__(self, issuer: Issuer) -> None:
        super().__init__(verify=_tls(), trust_env=False)
        self._only = _origin(issuer.url)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if _origin(str(request.url)) != self._only:
            raise httpx2.UnsupportedProtocol("not the issuer's origin", request=request)
        try:
            with anyio.fail_after(DEADLINE):
                response = await super().handle_async_request(request)
                if "content-encoding" in response.headers:
                    # What it would unpack to is not bounded by what is read.
                    raise httpx2.DecodingError("an encoded answer", request=request)
                body = b""
                async for part in response.aiter_raw():
                    body += part
                    if len(body) > ANSWER_LIMIT:
                        raise httpx2.DecodingError("too long an answer", request=request)
                await response.aclose()
        except TimeoutError:
            raise httpx2.ReadTimeout("too slow an answer", request=request) from None
        return httpx2.Response(response.status_code, headers=response.headers, content=body)


async def verified(issuer: Issuer, token: str) -> jwt.Token:
    """Return the header and claims of a JWT that `issuer` signed and that is valid now.

    Pinned algorithms, the issuer's own keys (a key or its address in the header counts for
    nothing), `iss` to the letter, `sub`, `exp` and `iat`, `LEEWAY` seconds. Whom it is for (`aud`)
    and what kind of token it is are for the caller to check. Raises `UntrustedToken` and
    `IssuerUnavailable`.
    """
    if len(token) > TOKEN_LIMIT or not _COMPACT.fullmatch(token):
        raise UntrustedToken("no JWT, or one too long")
    source = source_of(issuer)
    try:
        try:
            found = _decoded(issuer, token, (await source.read()).keys)
        except InvalidKeyIdError:
            found = _decoded(issuer, token, (await source.read(lacking_key=True)).keys)
        if "crit" in found.header:
            raise UntrustedToken("critical extensions, of which none is known")
        jwt.JWTClaimsRegistry(
            leeway=LEEWAY,
            iss={"essential": True, "value": issuer.url},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
        ).validate(found.claims)
    except (JoseError, ValueError, TypeError, RecursionError) as error:
        raise UntrustedToken(f"{type(error).__name__}: {error}"[:200]) from None
    return found


def _decoded(issuer: Issuer, token: str, keys: KeySet) -> jwt.Token:
    # joserfc takes an empty collection for "whatever is recommended", HS256 included.
    pinned = ALGORITHMS.intersection(issuer.algorithms)
    if not pinned:
        raise UntrustedToken("no public-key algorithm is configured")
    registry = JWSRegistry(algorithms=pinned, strict_check_header=False)
    return jwt.decode(token, keys, registry=registry)


def identity_of(issuer: Issuer, claims: dict[str, Any]) -> Identity:
    """Whom verified claims speak of; raises `UntrustedToken` for a subject that cannot be one."""
    subject, name = claims.get("sub"), claims.get(issuer.identity_claim)
    if not _is_plain(subject):
        raise UntrustedToken("an unusable subject")
    return Identity(issuer.url, subject, name if _is_plain(name) else None)


def _is_plain(text: object) -> TypeGuard[str]:
    """Whether PostgreSQL can hold it and OpenID Connect allows its length."""
    return isinstance(text, str) and 0 < len(text) <= 255 and text.isprintable()
