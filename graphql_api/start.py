"""The page that signing in leads to: who one is, a form to ask GraphQL with, and the way out.

It is made of HTML alone; the answer of the form is the API's own, as any front end gets it.
"""

from base64 import b64encode
from hashlib import sha256
from html import escape
from string import Template
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from graphql_api.identity import viewer_of
from graphql_api.login import in_realm
from tenants.access import Viewer
from tenants.problems import NotSignedIn
from tenants.realm import Realm, Tenant

STYLE: Final = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto;
  padding: 0 1rem;  color: #1b2733; background: #f7f8f9 }
textarea { width: 100%; box-sizing: border-box; padding: .6rem;
  font: 14px/1.45 ui-monospace, monospace }
button, .sign-in { font: inherit; padding: .5rem 1.2rem; border: 1px solid #0b4a7a;
  border-radius: .4rem; background: #0b4a7a; color: #fff; cursor: pointer;
  text-decoration: none; display: inline-block }
form.out { float: right }
form.out button { background: #fff; color: #0b4a7a }
small { color: #51606e }
"""
HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'sha256-"
        + b64encode(sha256(STYLE.encode()).digest()).decode()
        + "'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    # Without it browsers send `Origin: null` with the form that signs out, which is refused.
    "Referrer-Policy": "same-origin",
}
PAGE: Final = Template("""<!doctype html>
<html lang="id"><meta charset="utf-8"><title>Jejak Dinas: $name</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>$style</style>
$body
""")
SIGNED_IN: Final = Template("""<form class="out" method="post" action="/$slug/logout">
<button>Keluar <span lang="en">/ Sign out</span></button></form>
<h1>$name</h1>
<p>Anda masuk sebagai <strong>$who</strong> ($roles).</p>
<form action="/$slug/graphql">
<p><label for="query">Tanyakan dalam GraphQL <small lang="en">Ask in GraphQL</small></label></p>
<textarea id="query" name="query" rows="18" spellcheck="false">$query</textarea>
<p><button>Tanyakan <span lang="en">/ Ask</span></button>
<small>Jawabannya adalah jawaban API itu sendiri: <code>/$slug/graphql</code></small></p>
</form>""")
SIGNED_OUT: Final = Template("""<h1>$name</h1>
<p>Perjalanan dinas, jejaknya, dan hasil pemeriksaannya.
<small lang="en">Official trips, their tracks, and what they came to.</small></p>
<p><a class="sign-in" href="/$slug/login">Masuk <span lang="en">/ Sign in</span></a></p>""")
OF_TENANT: Final = """{
  trips(first: 20) {
    nodes {
      letter { number purpose }
      traveller { name }
      startsOn endsOn state
      legs { regionCode }
      verdict { outcome final coverage }
      deviations { kind severity amount message }
    }
  }
}"""
OF_PROVINCE: Final = """{
  regencies {
    nodes {
      name trips openDeviations amountAtStake
      verdicts { outcome trips }
    }
  }
  deviations(first: 20) {
    nodes { regencyCode kind severity amount message }
  }
}"""


def start_route() -> Route:
    """/{realm}/, for every realm."""
    return Route("/{realm}/", in_realm(_start), methods=["GET"])


async def _start(request: Request, realm: Realm) -> Response:
    try:
        viewer = await viewer_of(request, realm)
    except NotSignedIn:
        viewer = None
    body = _of(realm, viewer) if viewer else SIGNED_OUT.substitute(_shown(realm))
    return HTMLResponse(PAGE.substitute(_shown(realm), style=STYLE, body=body), headers=HEADERS)


def _of(realm: Realm, viewer: Viewer) -> str:
    return SIGNED_IN.substitute(
        _shown(realm),
        who=escape(viewer.name),
        roles=escape(", ".join(sorted(viewer.roles))),
        query=OF_TENANT if isinstance(realm, Tenant) else OF_PROVINCE,
    )


def _shown(realm: Realm) -> dict[str, str]:
    return {"name": escape(realm.name), "slug": escape(realm.slug)}
