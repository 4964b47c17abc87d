"""The console's page and files, as the API serves them."""

import re
from html import escape

import httpx2
import pytest

from graphql_api.front import DIST, VIEWS
from infra.world import World


@pytest.fixture
def browser(world: World):
    with httpx2.Client(base_url=world.base_url, follow_redirects=True, timeout=30) as client:
        yield client


def assets(page: str) -> list[str]:
    return re.findall(r'(?:src|href)="(/console/assets/[^"]+)"', page)


@pytest.mark.parametrize(
    ("slug", "name", "zone"),
    [("samarinda", "Kota Samarinda", True), ("province", "Provinsi Kalimantan Timur", False)],
)
def test_one_page_for_every_view_of_a_realm(browser: httpx2.Client, slug, name, zone) -> None:
    first = browser.get(f"/{slug}/")
    assert f'<meta name="realm" content="{slug}" data-name="{escape(name)}"' in first.text
    assert ("data-zone" in first.text) == zone
    for view in VIEWS:
        for address in (f"/{slug}/{view}", f"/{slug}/{view}/any/thing"):
            assert browser.get(address).text == first.text


def test_it_loads_from_here_alone_and_nobody_frames_it(
    world: World, browser: httpx2.Client
) -> None:
    page = browser.get("/samarinda/")
    policy = dict(
        part.strip().split(" ", 1) for part in page.headers["content-security-policy"].split(";")
    )
    socket = world.base_url.replace("http", "ws", 1)
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "connect-src": f"'self' {socket}",
        "worker-src": "'self'",
        "manifest-src": "'self'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "same-origin"
    assert not re.search(r"https?://", page.text)
    assert assets(page.text)


def test_the_camera_is_for_the_desk_alone(browser: httpx2.Client) -> None:
    for address in ("/samarinda/", "/samarinda/desk/any", "/samarinda/trips/desk", "/health"):
        assert browser.get(address).headers["permissions-policy"] == "camera=(), microphone=()"
    allowed = browser.get("/samarinda/desk").headers["permissions-policy"]
    assert allowed == "camera=(self), microphone=()"


def test_files_are_kept_for_ever_and_compressed_for_those_who_take_it(
    browser: httpx2.Client,
) -> None:
    for address in assets(browser.get("/samarinda/").text):
        plain = browser.get(address, headers={"Accept-Encoding": "identity"})
        assert plain.status_code == 200
        assert plain.content == (DIST / "assets" / address.rsplit("/", 1)[1]).read_bytes()
        assert "immutable" in plain.headers["cache-control"]
        kind = "text/css" if address.endswith(".css") else "text/javascript"
        assert plain.headers["content-type"].startswith(kind)
        with browser.stream("GET", address, headers={"Accept-Encoding": "gzip, br"}) as packed:
            assert packed.headers["content-encoding"] == "br"
            assert packed.headers["content-type"] == plain.headers["content-type"]
            # A line of a script gains nothing.
            assert sum(map(len, packed.iter_raw())) < max(len(plain.content) / 2, 500)


@pytest.mark.parametrize(
    "name", ["tidak-ada.js", "..", "..%2findex.html", "..%2F..%2F..%2Fapp.py", "%00", "."]
)
def test_only_files_of_the_console_are_served(browser: httpx2.Client, name: str) -> None:
    answer = browser.get(f"/console/assets/{name}")
    assert answer.status_code == 404
    assert "import" not in answer.text


def test_nobody_is_served_where_no_tenant_is_nor_where_no_view_is(browser: httpx2.Client) -> None:
    for address in ("/tidak-ada/", "/tidak-ada/trips", "/samarinda/tidak-ada"):
        assert browser.get(address).status_code == 404
