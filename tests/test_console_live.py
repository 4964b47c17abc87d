"""The console's live map, in a real browser."""

import re

import pytest
from asking import ask
from browsing import chromium, heading, visiting  # noqa: F401
from playwright.sync_api import expect
from test_positions import away, go, moved  # noqa: F401

# ruff: noqa: F811


@pytest.fixture
def sockets(visiting):
    """A visit whose sockets can be cut as a network cuts them."""
    with visiting(quiet=False) as visit:  # a cut is complained of by the browser itself
        opened = []

        def through(socket) -> None:
            socket.connect_to_server()
            opened.append(socket)

        visit.page.route_web_socket(re.compile("/graphql$"), through)
        yield visit, opened


def test_the_live_map_moves_and_comes_back_after_a_cut(sockets, people, away):
    visit, opened = sockets
    page = visit.sign_in("inspektur", path="live")
    heading(page, "Peta langsung")
    expect(page.get_by_text("Tersambung", exact=True)).to_be_visible()
    page.get_by_role("button", name=away.who.name).click()
    here = page.locator(".pin.here")
    here.wait_for()
    visit.accessible()
    lon = 116.9
    for cut in (False, True):
        if cut:
            opened[-1].close(code=1001)
            expect(page.get_by_text("Sambungan terputus")).to_be_visible()
            expect(page.get_by_text("Tersambung", exact=True)).to_be_visible()
        before = here.get_attribute("style")
        lon += 0.1
        moved(away, lon=lon)
        expect(here).not_to_have_attribute("style", before)
    assert len(opened) > 1
    # Filtered by state, and by office.
    everybody = page.get_by_role("button", name=away.who.name)
    page.get_by_label("Keadaan").select_option("silent")
    expect(everybody).to_have_count(0)
    page.get_by_label("Keadaan").select_option("fresh")
    expect(everybody).to_have_count(1)
    ask(people.as_("admin"), "addOffice", name="Badan Peta", kind="AGENCY")
    page.reload()
    page.get_by_label("Perangkat daerah").select_option(label="Badan Peta")
    expect(page.get_by_text("Tidak ada pelaksana yang sedang bertugas.")).to_be_visible()
    # Signed out elsewhere, it says so instead of trying for ever.
    visit.context.clear_cookies()
    opened[-1].close(code=1001)
    page.get_by_role("alert").get_by_role("link", name="Masuk").wait_for()


def test_near_travellers_are_counted_together(visiting, go):
    both = [go(), go()]
    with visiting() as visit:
        page = visit.sign_in("inspektur", path="live")
        for each in both:
            page.get_by_role("button", name=each.who.name).wait_for()
        page.get_by_role("button", name=re.compile(r"^\d+ pelaksana; perbesar")).first.wait_for()
        visit.accessible()


def test_who_may_not_see_tracks_has_no_live_map(visiting):
    with visiting() as visit:
        page = visit.sign_in("operator", path="live")
        heading(page, "Halaman ini tidak ada")
        expect(page.get_by_role("link", name="Peta langsung")).to_have_count(0)
