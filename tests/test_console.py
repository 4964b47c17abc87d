"""The console in a real browser: each role's way through it, from sign-in to its end."""

import re
from datetime import timedelta

import pytest
from browsing import chromium, heading, visiting  # noqa: F401
from conftest import SAMARINDA, SANGATTA, VERDICT, fixes_at, plan, record, today, verdict
from playwright.sync_api import Locator, Page, expect

# ruff: noqa: F811, RUF001

HOSTILE = '<img src=x onerror="document.title=`diretas`"> & "rapat"'


@pytest.fixture(scope="module")
def case(people, issue):
    """A trip to Balikpapan that went to Sangatta, with a purpose that means harm."""
    who = people.fresh()
    trip = issue(who, plan(starts=-6), purpose=HOSTILE)
    first = today() - timedelta(days=6)
    for place, begin, end in (
        (SAMARINDA, 5, 8),
        (SANGATTA, 12, 36),
        (SANGATTA, 44, 62),
        (SAMARINDA, 66, 70),
    ):
        record(who.front_end, trip["id"], fixes_at(place, first, begin, end))
    finish = """mutation ($id: UUID!) {
      finishTrip(id: $id) { __typename } claimTrip(id: $id, days: 3) { __typename } }"""
    who.front_end.ask(finish, id=trip["id"])
    found = verdict(people.as_("inspektur"), trip["id"])
    assert "WRONG_REGION" in {each["kind"] for each in found["deviations"]}
    return who, trip


def test_from_the_queue_to_the_case_to_reply_and_ruling(visiting, case):
    who, trip = case
    with visiting() as visit:
        page = visit.sign_in("inspektur")
        heading(page, "Antrean temuan")
        visit.accessible()
        in_queue(page, who.name).click()
        heading(page, who.name)
        assert page.url.endswith(f"/samarinda/trips/{trip['id']}")
        page.locator(".map canvas").wait_for()
        expect(page.get_by_text(HOSTILE)).to_be_visible()
        finding = page.get_by_role("article", name="Daerah lain dari tujuan")
        expect(finding).to_contain_text("Rp\u00a01.290.000")
        # Proof is shown, on paper without asking.
        finding.get_by_text("Bukti").click()
        (proof,) = [each for each in found_in(who, trip) if each["kind"] == "WRONG_REGION"]
        assert finding.locator("code").all_inner_texts() == proof["evidence"]
        visit.accessible()
        with visiting() as other:
            theirs = other.sign_in(who.username, path=f"trips/{trip['id']}")
            heading(theirs, who.name)
            answered = theirs.get_by_role("article", name="Daerah lain dari tujuan")
            answered.get_by_label("Jawab temuan ini").fill(f"Saya ditugaskan lisan. {HOSTILE}")
            answered.get_by_role("button", name="Kirim jawaban").click()
            expect(answered.locator("blockquote")).to_contain_text(HOSTILE)
            expect(answered).to_contain_text("Sudah dijawab")
            expect(answered.get_by_role("button", name="Tegakkan")).to_have_count(0)
            assert theirs.title() != "diretas"
        page.reload()
        expect(finding.locator("blockquote")).to_contain_text("Saya ditugaskan lisan.")
        finding.get_by_label("Alasan putusan").fill("Tidak ada surat tambahan.")
        finding.get_by_role("button", name="Tegakkan").click()
        expect(finding.locator("blockquote").last).to_contain_text("Ditegakkan.")
        expect(finding.locator("blockquote").last).to_contain_text("Wahyu Inspektur")
        page.get_by_role("link", name="Temuan").click()
        page.get_by_label("Sudah diputus").check()
        in_queue(page, who.name)


def in_queue(page: Page, name: str) -> Locator:
    """The link to somebody's case, however many wait longer."""
    found = page.get_by_role("link", name=name).first
    more = page.get_by_role("button", name="Tampilkan berikutnya").first
    for _ in range(40):
        found.or_(more).first.wait_for()
        if found.is_visible():
            return found
        more.click()
    raise AssertionError(f"{name} is not in the queue")


def found_in(who, trip):
    return who.front_end.ask(VERDICT, trip=trip["id"])["trip"]["deviations"]


def test_days_move_the_map_and_the_track_has_gaps(visiting, case):
    _, trip = case
    with visiting() as visit:
        page = visit.sign_in("inspektur", path=f"trips/{trip['id']}")
        page.locator(".map canvas").wait_for()
        # Where the phone was silent, the moment is unknown and nobody stands on the map.
        moment = page.get_by_label("Saat")
        midnight = int(moment.get_attribute("min"))
        here = page.locator(".pin.here")
        for hour, word, shown in ((7, "di kedudukan", 1), (10, "Tidak diketahui", 0)):
            moment.fill(str(midnight + hour * 3_600_000))
            expect(page.locator("output")).to_contain_text(word)
            expect(here).to_have_count(shown)
        moment.fill(str(midnight + 30 * 3_600_000))
        expect(page.locator("output")).to_contain_text("di luar rencana")
        before = here.get_attribute("style")
        day = page.get_by_role("button", name="Seluruh perjalanan")
        expect(day).to_have_attribute("aria-pressed", "true")
        days = page.locator("ol > li")
        expect(days).to_have_count(3)
        expect(days.nth(0)).to_contain_text("Kota Samarinda 05.00–08.00 (di kedudukan)")
        expect(days.nth(0)).to_contain_text("08.00–12.00 (tanpa keterangan)")
        expect(days.nth(1)).to_contain_text("00.00–24.00")
        days.nth(1).get_by_role("button").click()
        expect(here).to_have_count(0)
        moment.fill(str(midnight + 30 * 3_600_000))
        expect(here).not_to_have_attribute("style", before)


def test_on_paper_it_is_an_annex(visiting, case):
    _, trip = case
    with visiting() as visit:
        page = visit.sign_in("inspektur", path=f"trips/{trip['id']}")
        page.locator(".map canvas").wait_for()
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        page.emulate_media(media="print")
        expect(page.get_by_text("Lampiran laporan hasil pemeriksaan")).to_be_visible()
        expect(page.get_by_role("navigation")).to_be_hidden()
        expect(page.get_by_label("Alasan putusan")).to_be_hidden()
        expect(page.locator("article code").first).to_be_visible()
        expect(page.get_by_text("Dicetak oleh Wahyu Inspektur (Inspektur)")).to_be_visible()
        expect(page.get_by_text("PMK 113/PMK.05/2012")).to_be_visible()
        # The whole map is on the sheet, as it was on the screen.
        box, drawn = (page.locator(each).bounding_box() for each in (".map", ".map canvas"))
        assert box["width"] <= 541
        assert drawn["width"] == pytest.approx(box["width"], abs=3)
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        page.emulate_media(media="null")
        # A usual case takes one.
        sheets = re.findall(rb"/Type */Page\b", page.pdf(prefer_css_page_size=True))
        assert len(sheets) == 1


def test_in_english_too(visiting):
    with visiting() as visit:
        page = visit.sign_in("inspektur")
        page.get_by_role("button", name="English").click()
        heading(page, "Queue of deviations")
        expect(page.locator("html")).to_have_attribute("lang", "en")
        page.reload()
        heading(page, "Queue of deviations")


def test_two_regencies_in_one_browser(visiting, case):
    who, trip = case
    with visiting() as visit:
        visit.sign_in("inspektur")
        page = visit.sign_in("inspektur", "balikpapan", path=f"trips/{trip['id']}")
        # The other regency's trip is not found here, and the first sign-in still stands.
        heading(page, "Halaman ini tidak ada")
        page.goto(f"{visit.world.base_url}/samarinda/trips/{trip['id']}")
        heading(page, who.name)
        page.get_by_role("button", name="Keluar").click()
        heading(page, "Kota Samarinda")
        expect(page.get_by_role("link", name="Masuk")).to_be_visible()
        visit.accessible()
        page.goto(f"{visit.world.base_url}/balikpapan/")
        heading(page, "Antrean temuan")
