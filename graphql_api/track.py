"""/{realm}/track/{format}: where phones send what they record, each in its own way."""

import re
import time
from base64 import b64decode
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial
from typing import Final

from anyio import to_thread
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from graphql_api.intake import Busy, Intake
from graphql_api.phones import gpslogger, gpx, overland, owntracks, traccar
from graphql_api.phones.answers import Outcome, answer
from graphql_api.phones.reading import Reason, Upload, fields
from tenants import catalogue, devices
from tenants.intake import Arrival
from tenants.models import PhoneClient
from tenants.problems import UnknownTenant
from tenants.realm import Tenant

MOST_BYTES: Final = 8 * 1024 * 1024
BURST: Final = 2_000
PER_SECOND: Final = 200
"""Requests of one phone: what it may send at once, and then each second. It stops one that runs
wild, not one that comes home with a long queue."""

LARGE: Final = 256 * 1024
"""Bytes from which reading takes so long that others would notice."""

MOST_SET_APART: Final = 100
"""Parts of one request that are kept though they are of no use."""

REMEMBERED: Final = 10_000
FRESH_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class _Format:
    client: PhoneClient
    read: Callable[..., Upload]


FORMATS: Final[Mapping[str, _Format]] = {
    "owntracks": _Format(PhoneClient.OWNTRACKS, owntracks.read),
    "traccar": _Format(PhoneClient.TRACCAR, traccar.read),
    "overland": _Format(PhoneClient.OVERLAND, overland.read),
    "gpslogger": _Format(PhoneClient.GPSLOGGER, gpslogger.read),
    "gpx": _Format(PhoneClient.BROWSER, gpx.read),
}


PATH: Final = re.compile(r"/([^/]+)/track/([^/]+)/?")


class Track:
    """ASGI middleware that answers phones, in every regency and format, and lets all else pass.

    It stands before routing and does without what a request does not need: most are one fix.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._tenants: dict[str, tuple[Tenant, float]] = {}
        self._rates = Rates()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = PATH.fullmatch(scope["path"]) if scope["type"] == "http" else None
        if asked is None:
            await self._app(scope, receive, send)
        else:
            response = await self._answer(asked[1], asked[2], scope, receive)
            await response(scope, receive, send)

    async def _answer(self, realm: str, name: str, scope: Scope, receive: Receive) -> Response:
        found = FORMATS.get(name)
        if found is None:
            return Response(status_code=404)
        if scope["method"] not in ("POST", "GET", "PUT"):
            return Response(status_code=405, headers={"Allow": "POST"})
        try:
            tenant = await self._tenant(realm)
        except UnknownTenant:
            return Response(status_code=404)
        try:
            body = await _body(receive)
        except ClientDisconnect:  # nobody reads the answer
            return Response(status_code=400)
        if body is None:
            return _said(found.client, Outcome.TOO_LARGE)
        return await self._taken(scope, tenant, found, body)

    async def _taken(self, scope: Scope, tenant: Tenant, found: _Format, body: bytes) -> Response:
        query = fields(scope["query_string"])
        intake: Intake = scope["state"]["intake"]
        token = _token(scope) or query.get("token")
        key = devices.token_hash(token) if token else b""
        try:
            upload = await _read(found, body, query, partial(intake.passphrase, tenant, key))
            # Traccar's phones have nothing but their name.
            if not key and upload.device:
                key = devices.token_hash(upload.device)
            if not key:
                return _said(found.client, Outcome.UNKNOWN_DEVICE)
            if not self._rates.allow(key):
                return _said(found.client, Outcome.TRY_AGAIN)
            if any(part.reason == Reason.TOO_LARGE for part in upload.unusable):
                return _said(found.client, Outcome.TOO_LARGE)
            # What is rightly no fix is nobody's fault.
            unusable = [part for part in upload.unusable if part.reason != Reason.NO_FIX]
            arrival = Arrival(key, upload.fixes, unusable[:MOST_SET_APART])
            taken = await intake.take(tenant, arrival)
        except Busy:
            return _said(found.client, Outcome.TRY_AGAIN)
        if taken.device_id is None:
            return _said(found.client, Outcome.UNKNOWN_DEVICE)
        return _said(found.client, Outcome.STORED, ask=taken.asked)

    async def _tenant(self, slug: str) -> Tenant:
        """Raises `UnknownTenant`. Asked of the catalogue each second: that takes a thread."""
        tenant, until = self._tenants.get(slug, (None, 0.0))
        if tenant is None or time.monotonic() > until:
            tenant = await to_thread.run_sync(catalogue.tenant, slug)
            self._tenants[slug] = tenant, time.monotonic() + FRESH_SECONDS
        return tenant


async def _read(
    found: _Format,
    body: bytes,
    query: Mapping[str, str],
    passphrase: Callable[[], Awaitable[str | None]],
) -> Upload:
    now = datetime.now(UTC)
    if found.client is PhoneClient.OWNTRACKS and b'"encrypted"' in body:
        return owntracks.read(body, query, now=now, passphrase=await passphrase())
    if len(body) > LARGE:
        return await to_thread.run_sync(partial(found.read, body, query, now=now))
    return found.read(body, query, now=now)


@cache
def _said(client: PhoneClient, outcome: Outcome, *, ask: bool = False) -> Response:
    told = answer(client, outcome, report_location=ask)
    return Response(told.body, told.status, told.headers)


async def _body(receive: Receive) -> bytes | None:
    """The request's body, None when it is too long; raises `ClientDisconnect` when it is cut."""
    parts, size = [], 0
    while True:
        message: Message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > MOST_BYTES:
            return None
        if not message.get("more_body", False):
            return parts[0] if len(parts) == 1 else b"".join(parts)


def _token(scope: Scope) -> str | None:
    """What a phone signs in with: the password of Basic, or a bearer token."""
    headers: Iterable[tuple[bytes, bytes]] = scope["headers"]
    said = next((value for name, value in headers if name == b"authorization"), b"")
    scheme, _, given = said.decode("latin-1").partition(" ")
    match scheme.lower():
        case "bearer":
            return given.strip()
        case "basic":
            try:
                return b64decode(given).decode().partition(":")[2]
            except ValueError:
                return None
    return None


class Rates:
    """How many requests each phone has left: a bucket a phone, those of the newest phones kept."""

    def __init__(self, burst: float = BURST, per_second: float = PER_SECOND) -> None:
        self._left: OrderedDict[bytes, tuple[float, float]] = OrderedDict()
        self._burst, self._per_second = burst, per_second

    def allow(self, key: bytes) -> bool:
        """Whether one more request is allowed now."""
        now = time.monotonic()
        left, since = self._left.pop(key, (self._burst, now))
        left = min(self._burst, left + (now - since) * self._per_second)
        allowed = left >= 1
        self._left[key] = (left - 1 if allowed else left), now
        if len(self._left) > REMEMBERED:
            self._left.popitem(last=False)
        return allowed
