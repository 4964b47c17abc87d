"""The page after sign-in, as a browser meets it: through the issuer, asked, and out again."""

import re
from html import unescape

import httpx2
import pytest
from graphql import build_schema, parse, validate

from graphql_api import province, schema
from graphql_api.start import OF_PROVINCE, OF_TENANT
from infra.world import World


@pytest.fixture
def browser(world: World):
    with httpx2.Client(base_url=world.base_url, follow_redirects=True, timeout=30) as client:
        yield client


def sign_in(browser: httpx2.Client, slug: str, username: str) -> httpx2.Response:
    form = browser.get(f"/{slug}/login")
    return browser.post(form.url, data={"username": username})


@pytest.mark.parametrize(
    ("slug", "username", "name"),
    [
        ("samarinda", "inspektur", "Wahyu Inspektur"),
        ("province", "pengawas", "Nadia Pengawas"),
    ],
)
def test_in_asked_and_out(world: World, browser: httpx2.Client, slug, username, name) -> None:
    before = browser.get(f"/{slug}/")
    assert f'href="/{slug}/login"' in before.text
    page = sign_in(browser, slug, username)
    assert (page.status_code, page.url.path) == (200, f"/{slug}/")
    assert f"<strong>{name}</strong>" in page.text
    query = unescape(re.search(r"<textarea[^>]*>(.*)</textarea>", page.text, re.DOTALL)[1])
    asked = browser.get(
        f"/{slug}/graphql", params={"query": query}, headers={"Accept": "text/html,*/*;q=0.8"}
    )
    assert asked.status_code == 200
    assert asked.json()["data"]
    assert "errors" not in asked.json()
    # As a browser sends the form of a page with this referrer policy.
    assert page.headers["referrer-policy"] == "same-origin"
    own = {"Origin": world.base_url, "Sec-Fetch-Site": "same-origin"}
    out = browser.post(f"/{slug}/logout", headers=own)
    assert f'href="/{slug}/login"' in out.text


def test_it_loads_nothing_and_nobody_frames_it(browser: httpx2.Client) -> None:
    page = browser.get("/samarinda/")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert page.headers["cache-control"] == "no-store"
    assert "<script" not in page.text
    assert not re.search(r"https?://", page.text)


def test_nobody_is_served_where_no_tenant_is(browser: httpx2.Client) -> None:
    assert browser.get("/tidak-ada/").status_code == 404


@pytest.mark.parametrize(
    ("served", "query"), [(schema.schema, OF_TENANT), (province.schema, OF_PROVINCE)]
)
def test_its_examples_fit_the_schema(served, query: str) -> None:
    assert validate(build_schema(served.as_str()), parse(query)) == []
