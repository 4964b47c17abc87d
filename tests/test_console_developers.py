"""What the console does for developers, and what it does when the service is another version."""

import re
from typing import Any

import pytest
from browsing import chromium, heading, visiting  # noqa: F401
from playwright.sync_api import Page, Route, expect
from test_positions import away, go, moved  # noqa: F401

# ruff: noqa: F811


def execute(page: Page) -> None:
    """Execute what is in the editor, which comes after the buttons."""
    expect(page.get_by_label("Query Editor")).to_contain_text("{")
    page.get_by_role("button", name=re.compile("Execute query")).click()


def test_graphiql_asks_as_who_signed_in(visiting, away):
    with visiting() as visit:
        page = visit.sign_in("inspektur")
        page.get_by_role("link", name="GraphiQL").click()
        execute(page)
        result = page.get_by_label("Result Window")
        expect(result).to_contain_text("Wahyu Inspektur")
        # The schema is read, and what is typed is completed from it.
        page.get_by_role("button", name="Show Documentation Explorer").click()
        expect(page.get_by_text("Root Types")).to_be_visible()
        editor = page.get_by_label("Query Editor").locator(".CodeMirror")
        editor.click()
        page.keyboard.press("ControlOrMeta+a")
        page.keyboard.insert_text("subscription { positions { trip { id } lon } }")
        execute(page)
        expect(result).to_contain_text('"positions"')
        moved(away, lon=116.987)
        expect(result).to_contain_text("116.987")


def test_graphiql_at_the_province_and_for_nobody(visiting):
    with visiting() as visit:
        page = visit.open("/province/graphiql")
        page.wait_for_url(f"{visit.world.issuers['province'].url}/**")
        page.locator('button[name="username"][value="pengawas"]').click()
        page.wait_for_url(f"{visit.world.base_url}/province/graphiql")
        execute(page)
        expect(page.get_by_label("Result Window")).to_contain_text("Nadia Pengawas")


@pytest.mark.parametrize("slug", ["samarinda", "province"])
def test_its_page_loads_from_here_alone(world, http, slug):
    page = http.get(f"/{slug}/graphiql")
    policy = page.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert re.findall(r"https?://\S+", policy) == []
    assert not re.search(r"https?://", page.text)


def test_the_console_sends_ids_and_says_reload_to_an_old_page(visiting):
    with visiting(quiet=False) as visit:  # the browser itself complains of a 400
        sent: list[dict[str, Any]] = []
        old = False

        def through(route: Route) -> None:
            body = route.request.post_data_json
            sent.append(body)
            route.continue_(post_data={**body, "documentId": "sha256:of-before"} if old else None)

        visit.page.route("**/graphql", through)
        page = visit.sign_in("inspektur")
        heading(page, "Antrean temuan")
        assert sent
        assert all(set(body) <= {"documentId", "variables"} for body in sent)
        old = True
        page.get_by_role("link", name="Perjalanan", exact=True).click()
        expect(page.get_by_role("alert")).to_contain_text("muat ulang")
        old = False
        page.get_by_role("button", name="Muat ulang").click()
        heading(page, "Perjalanan dinas")
        expect(page.get_by_role("alert")).to_have_count(0)
