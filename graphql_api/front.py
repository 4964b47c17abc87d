"""The console: one page, served for every view of a realm, and the files that it loads.

It is built from graphql_api/console and asks the realm's GraphQL alone.
"""

import logging
import re
from html import escape
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from graphql_api.login import in_realm
from tenants.problems import Unavailable
from tenants.realm import Realm, Tenant
from tenants.settings import settings

log = logging.getLogger(__name__)

DIST: Final = Path(__file__).parent / "console" / "dist"
VIEWS: Final = ("deviations", "trips", "live")
"""What may follow /{realm}/: the first part of the addresses that the console knows."""
PLACEHOLDER: Final = "<!--realm-->"
MEDIA: Final = {".js": "text/javascript", ".css": "text/css"}


def console_routes() -> list[Route]:
    """/{realm}/ and the views below it, for every realm; /console/assets/, for all together."""
    page = in_realm(_page)
    return [
        Route("/console/assets/{name}", _asset, methods=["GET"]),
        Route("/{realm}/", page, methods=["GET"]),
        *(Route(f"/{{realm}}/{view}", page, methods=["GET"]) for view in VIEWS),
        *(Route(f"/{{realm}}/{view}/{{rest:path}}", page, methods=["GET"]) for view in VIEWS),
    ]


async def _page(_request: Request, realm: Realm) -> Response:
    try:
        shell = (DIST / "index.html").read_text()
    except FileNotFoundError:
        log.exception("the console is not built")
        raise Unavailable from None
    return HTMLResponse(
        shell.replace(PLACEHOLDER, _about(realm)),
        headers={
            "Content-Security-Policy": _policy(),
            # Without it browsers send `Origin: null` with the form that signs out: refused.
            "Referrer-Policy": "same-origin",
        },
    )


def _about(realm: Realm) -> str:
    facts = {"content": realm.slug, "data-name": realm.name, "data-code": realm.code}
    if isinstance(realm, Tenant):
        facts["data-zone"] = realm.zone
    said = " ".join(f'{key}="{escape(fact)}"' for key, fact in facts.items())
    return f'<meta name="realm" {said}>'


def _policy() -> str:
    # Not every browser takes 'self' to mean the WebSockets of one's own host as well.
    socket = re.sub("^http", "ws", settings().base_url)
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
        f" connect-src 'self' {socket}; worker-src 'self'; form-action 'self'; base-uri 'none';"
        " frame-ancestors 'none'"
    )


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
