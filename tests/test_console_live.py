"""The console's live map and the operator's form, in a real browser."""

import re
from datetime import timedelta
from time import monotonic

import pytest
from asking import ask, trip_of
from browsing import chromium, heading, visiting  # noqa: F401
from conftest import today
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
            expect(page.get_by_text("Tersambung", exact=True)).to_be_visible(timeout=15_000)
        before = here.get_attribute("style")
        lon += 0.1
        moved(away, lon=lon)
        expect(here).not_to_have_attribute("style", before, timeout=15_000)
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


def choose(page, label: str, typed: str) -> None:
    """As a hand does that never leaves the keyboard."""
    page.get_by_role("combobox", name=label).press_sequentially(typed)
    page.get_by_role("option", name=re.compile(re.escape(typed))).first.wait_for()
    page.keyboard.press("Enter")


def test_the_operator_issues_a_trip_in_under_a_minute(visiting, people):
    admin = people.as_("admin")
    query = "{ members(role: OPERATOR) { nodes { office { id } } } }"
    office = admin.ask(query)["members"]["nodes"][0]["office"]["id"]
    name = '<img src=x onerror="document.title=1"> Budi'
    invitation = {"name": name, "roles": ["TRAVELLER"], "officeId": office}
    ask(admin, "inviteMember", invitation=invitation)
    first = today() + timedelta(days=30)
    with visiting() as visit:
        page = visit.sign_in("operator")
        heading(page, "Perjalanan dinas")
        page.get_by_role("link", name="Terbitkan perjalanan").click()
        heading(page, "Terbitkan perjalanan dinas")
        began = monotonic()
        signer = page.get_by_role("combobox", name="Pemberi tugas")
        expect(signer).to_have_value("Surya Kepala")
        page.get_by_label("Nomor surat tugas").fill("094/77/ST")
        page.get_by_label("Maksud perjalanan dinas").fill("Rapat & <b>koordinasi</b>")
        choose(page, "Pelaksana", name)
        choose(page, "Kabupaten/kota tujuan", "Balikpapan")
        page.get_by_label("Tiba").fill(first.isoformat())
        page.get_by_label("Kembali").fill((first + timedelta(days=2)).isoformat())
        page.get_by_role("button", name="Terbitkan", exact=True).click()
        expect(page.get_by_role("status")).to_contain_text(f"Perjalanan {name} diterbitkan.")
        assert monotonic() - began < 60
        visit.accessible()
        # Another letter for the same days is refused, in words.
        choose(page, "Pelaksana", name)
        page.get_by_label("Nomor surat tugas").fill("094/78/ST")
        page.get_by_role("button", name="Terbitkan", exact=True).click()
        expect(page.get_by_role("alert")).to_contain_text("094/77/ST")
        page.get_by_role("link", name="Perjalanan", exact=True).click()
        page.get_by_label("Keadaan").select_option("ISSUED")
        row = page.get_by_role("listitem").filter(has_text=name)
        expect(row).to_contain_text("Kota Balikpapan")
        expect(row).to_contain_text("Rapat & <b>koordinasi</b>")
        visit.accessible()
        row.get_by_role("link").click()
        heading(page, name)
        trip_id = page.url.rsplit("/", 1)[1]
        expect(page.get_by_text("Tidak ada jejak yang dapat Anda lihat.")).to_be_visible()
    issued = trip_of(people.as_("operator"), trip_id)
    assert issued["startsOn"] == first.isoformat()
