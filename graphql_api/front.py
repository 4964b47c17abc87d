"""The console: one page, served for every view of a realm, and the files that it loads.

It is built from graphql_api/console and asks the realm's GraphQL alone, by the digests of documents
that its build leaves here (graphql_api/console/trusted.mjs). A page of another version asks for
documents that nobody knows, and is told to load itself anew. Any other front end sends its own.
"""

import hashlib
import logging
import re
from collections.abc import Mapping
from html import escape
from pathlib import Path
from types import MappingProxyType
from typing import Final

import orjson
from starlette.requests import Request
from starlette.responses import (
    FileResponse,
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    Response,
)
from starlette.routing import Route

from graphql_api.limits import TrustedDocument
from graphql_api.login import in_realm
from tenants.problems import Unavailable
from tenants.realm import Realm, Tenant
from tenants.settings import settings

log = logging.getLogger(__name__)

DIST: Final = Path(__file__).parent / "console" / "dist"
VIEWS: Final = (
    *("deviations", "trips", "mine", "live", "desk", "escalations", "claims"),
    *("people", "offices", "devices", "sharing", "rates", "rules"),
    *("today", "proposals", "ranking", "cases", "overlaps"),
)
"""What may follow /{realm}/: the first part of the addresses that the console knows."""
SCANS: Final = "desk"
"""The view whose page may ask for the camera."""
CAMERA: Final = {"Permissions-Policy": "camera=(self), microphone=()"}
PLACEHOLDER: Final = "<!--realm-->"
MEDIA: Final = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}
ICONS: Final = ("icon.svg", "icon-192.png", "icon-512.png")


def console_routes() -> list[Route]:
    """/{realm}/ and the views below it, for every realm; /console/, for all together."""
    page = in_realm(_page)
    return [
        Route("/console/assets/{name}", _asset, methods=["GET"]),
        Route("/{realm}/graphiql", in_realm(_graphiql), methods=["GET"]),
        *(Route(f"/console/{name}", _icon, methods=["GET"]) for name in ICONS),
        Route("/{realm}/manifest.webmanifest", in_realm(_manifest), methods=["GET"]),
        Route("/{realm}/worker.js", in_realm(_worker), methods=["GET"]),
        Route("/{realm}/", page, methods=["GET"]),
        *(Route(f"/{{realm}}/{view}", page, methods=["GET"]) for view in VIEWS),
        *(Route(f"/{{realm}}/{view}/{{rest:path}}", page, methods=["GET"]) for view in VIEWS),
    ]


def trusted_documents(of: str) -> Mapping[str, TrustedDocument]:
    """What the console asks (`tenant`'s or `province`'s), by id: `sha256:` and hex digits.

    Empty where the console is not built. Raises ValueError for a text that is not its id's.
    """
    try:
        found: dict[str, str] = orjson.loads((DIST / f"{of}.generated.json").read_bytes())
    except FileNotFoundError:
        log.warning("the console is not built: no document is trusted")
        return {}
    for document_id, text in found.items():
        if document_id != f"sha256:{hashlib.sha256(text.encode()).hexdigest()}":
            raise ValueError(document_id)
    return {document_id: TrustedDocument(text) for document_id, text in found.items()}


async def _page(request: Request, realm: Realm) -> Response:
    scans = request.url.path == f"/{realm.slug}/{SCANS}"
    return _shell("index.html", realm, _policy(), CAMERA if scans else {})


async def _graphiql(_request: Request, realm: Realm) -> Response:
    """GraphiQL for developers; its style sheet has its fonts in it, as data: addresses."""
    return _shell("graphiql.html", realm, f"{_policy()}; font-src data:")


def _shell(
    name: str, realm: Realm, policy: str, further: Mapping[str, str] = MappingProxyType({})
) -> Response:
    try:
        shell = (DIST / name).read_text()
    except FileNotFoundError:
        log.exception("the console is not built")
        raise Unavailable from None
    return HTMLResponse(
        shell.replace(PLACEHOLDER, _about(realm)),
        headers={
            "Content-Security-Policy": policy,
            # Without it browsers send `Origin: null` with the form that signs out: refused.
            "Referrer-Policy": "same-origin",
            **further,
        },
    )


def _about(realm: Realm) -> str:
    facts = {"content": realm.slug, "data-name": realm.name, "data-code": realm.code}
    if isinstance(realm, Tenant):
        facts["data-zone"] = realm.zone
    said = " ".join(f'{key}="{escape(fact)}"' for key, fact in facts.items())
    manifest = f'<link rel="manifest" href="/{realm.slug}/manifest.webmanifest">'
    return f'<meta name="realm" {said}>\n    {manifest}'


def _policy() -> str:
    # Not every browser takes 'self' to mean the WebSockets of one's own host as well.
    socket = re.sub("^http", "ws", settings().base_url)
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
        f" connect-src 'self' {socket}; worker-src 'self'; manifest-src 'self';"
        " form-action 'self'; base-uri 'none';"
        " frame-ancestors 'none'"
    )


async def _manifest(_request: Request, realm: Realm) -> Response:
    """What makes the page an application of its own on a phone, for each realm one."""
    start = f"/{realm.slug}/"
    facts = {
        "id": start,
        "start_url": start,
        "scope": start,
        "name": f"Jejak Dinas {realm.name}",
        "short_name": "Jejak Dinas",
        "lang": "id",
        "display": "standalone",
        "theme_color": "#0b4a7a",
        "background_color": "#f4f6f8",
        "icons": [
            {"src": f"/console/icon-{size}.png", "sizes": f"{size}x{size}", "purpose": purpose}
            for size in (192, 512)
            for purpose in ("any", "maskable")
        ],
    }
    return JSONResponse(facts, media_type="application/manifest+json")


async def _worker(_request: Request, _realm: Realm) -> Response:
    """The service worker; where it is served from, it may keep pages of."""
    try:
        script = (DIST / "worker.js").read_text()
    except FileNotFoundError:
        log.exception("the console is not built")
        raise Unavailable from None
    policy = "default-src 'none'; connect-src 'self'"
    return Response(
        script, headers={"Content-Security-Policy": policy}, media_type="text/javascript"
    )


async def _icon(request: Request) -> Response:
    path = DIST / request.url.path.removeprefix("/console/")
    headers = {"Cache-Control": "public, max-age=86400"}
    return FileResponse(path, headers=headers, media_type=MEDIA[path.suffix])


async def _asset(request: Request) -> Response:
    """A file named after its content, compressed for those who take it so: kept for ever."""
    path = DIST / "assets" / request.path_params["name"]
    if not path.is_file():
        return PlainTextResponse("", 404)
    headers = {
        "Cache-Control": "public, max-age=31536000, immutable",
        "Vary": "Accept-Encoding",
        # A worker is under its own file's policy, not the page's.
        "Content-Security-Policy": "default-src 'none'; script-src 'self'; connect-src 'self'",
    }
    packed = path.with_name(f"{path.name}.br")
    media = MEDIA.get(path.suffix, "application/octet-stream")
    if packed.is_file() and "br" in re.split(
        r"[\s,;]+", request.headers.get("accept-encoding", "")
    ):
        path, headers["Content-Encoding"] = packed, "br"
    return FileResponse(path, headers=headers, media_type=media)
