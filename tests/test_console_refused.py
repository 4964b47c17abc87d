"""What a browser may refuse: where it is, its camera; and a page older than what is served."""

from asking import happens, sql
from browsing import chromium, heading, installed, visiting  # noqa: F401
from conftest import host_desk, plan
from playwright.sync_api import expect
from visa import shown, told

# ruff: noqa: F811

SILENCES = """SELECT reason::text, ended_at > started_at FROM silence
    WHERE trip_id = CAST(:id AS uuid)"""


def test_a_refused_location_is_said_and_explains_the_silence(visiting, people, issue) -> None:
    who = people.fresh()
    trip_id = issue(who, plan(starts=-1))["id"]
    with visiting() as visit:
        visit.context.grant_permissions([])  # Chromium rejects what is not in the list.
        page = visit.sign_in(who.username)
        tracking = page.get_by_role("region", name="Anda sedang dilacak")
        page.get_by_role("button", name="Catat dengan halaman ini").click()
        expect(tracking).to_contain_text("Izinkan lokasi untuk halaman ini.")
        visit.accessible()
        assert sql(SILENCES, id=trip_id) == []
        # Allowed later, it goes on by itself, and the case says why it was silent till then.
        visit.context.set_geolocation({"longitude": 117.15, "latitude": -0.5, "accuracy": 9})
        visit.context.grant_permissions(["geolocation"])
        expect(tracking).to_contain_text("Halaman ini mencatat posisi")
        assert happens(lambda: sql(SILENCES, id=trip_id) == [("NO_PERMISSION", True)], 10)


def test_a_desk_without_a_camera_types_the_code(visiting, people, here) -> None:
    desk, (guest, trip) = host_desk(people), here
    told(desk.front_end, trip)
    with visiting() as visit:
        page = visit.sign_in(desk.username, "balikpapan", "desk")
        page.get_by_role("button", name="Pindai dengan kamera").click()
        expect(page.get_by_role("alert")).to_contain_text("Tidak ada kamera pada perangkat ini.")
        visit.accessible()
        code = page.get_by_label("Kode dari pelaksana")
        code.fill(shown(guest, trip).code)
        code.press("Enter")
        expect(page.get_by_role("status")).to_contain_text(f"{guest.name}: tiba")


def test_a_newer_version_is_offered_and_taken(visiting, people, issue) -> None:
    who = people.fresh()
    issue(who, plan(starts=-1))
    with visiting() as visit:
        page = visit.sign_in(who.username)
        heading(page, "Tugas saya")
        installed(page)
        page.reload()
        heading(page, "Tugas saya")
        offer = page.get_by_text("Versi baru tersedia.")
        expect(offer).to_have_count(0)
        # To the browser a script at another address is another version.
        page.evaluate("navigator.serviceWorker.register('/samarinda/worker.js?newer')")
        expect(offer).to_be_visible()
        visit.accessible()
        page.get_by_role("button", name="Muat ulang").click()
        heading(page, "Tugas saya")
        expect(offer).to_have_count(0)
