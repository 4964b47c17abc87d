"""The console for treasurers: claims, and what is paid back after a ruling."""

import re
from datetime import timedelta

import pytest
from asking import ask
from browsing import chromium, heading, visiting  # noqa: F401
from conftest import SAMARINDA, fixes_at, plan, record, today, verdict
from playwright.sync_api import expect

# ruff: noqa: F811

HOSTILE = '<img src=x onerror="document.title=`diretas`">'


@pytest.fixture(scope="module")
def case(people, issue):
    """A claim of three days for a trip that was never made, and the finding that says so."""
    who = people.fresh()
    trip = issue(who, plan(starts=-6), number=f"UJI/{HOSTILE}")
    record(who.front_end, trip["id"], fixes_at(SAMARINDA, today() - timedelta(days=6), 0, 72))
    finish = """mutation ($id: UUID!) {
      finishTrip(id: $id) { __typename } claimTrip(id: $id, days: 3) { __typename } }"""
    who.front_end.ask(finish, id=trip["id"])
    found = verdict(people.as_("inspektur"), trip["id"])["deviations"]
    (never,) = [each["id"] for each in found if each["kind"] == "NEVER_LEFT"]
    return who, trip, never


def test_from_the_claim_to_the_money(visiting, people, case):
    who, trip, never = case
    with visiting() as visit:
        page = visit.sign_in("bendahara")
        heading(page, "Pertanggungjawaban")
        day = trip["startsOn"]
        page.get_by_label("Berangkat sejak").fill(day)
        page.get_by_label("Berangkat sampai").fill(day)
        page.get_by_label("Keadaan").select_option("Masih diperiksa")
        row = page.get_by_role("listitem").filter(has=page.get_by_role("link", name=who.name))
        expect(row).to_contain_text(f"UJI/{HOSTILE}")
        expect(row).to_contain_text("Hari diklaim: 3")
        expect(row).to_contain_text("Hari didukung: 0")
        expect(row).to_contain_text("Laporan: belum masuk")
        expect(row).to_contain_text(re.compile(r"Menunggu putusan: Rp\s1\.290\.000"))
        visit.accessible()
        # Before a ruling there is nothing to record.
        row.get_by_role("link", name=who.name).click()
        heading(page, who.name)
        finding = page.get_by_role("article", name="Tidak pernah berangkat")
        expect(finding.get_by_role("heading", name="Pengembalian")).to_have_count(0)
        ask(people.as_("inspektur"), "ruleOnDeviation", id=never, upheld=True, reason="Terbukti")
        page.reload()
        expect(finding).to_contain_text(re.compile(r"Harus dikembalikan: Rp\s1\.290\.000"))
        # Paid in two parts; the first is entered wrongly, and taken back.
        pay(finding, "1.000.000", f"STS/{HOSTILE}")
        expect(finding).to_contain_text(re.compile(r"Belum dikembalikan: Rp\s290\.000"))
        expect(finding).to_contain_text(f"bukti setor STS/{HOSTILE}")
        finding.get_by_text("Salah catat? Tarik").click()
        finding.get_by_label("Alasan menarik").fill("Salah nomor")
        finding.get_by_role("button", name="Tarik catatan ini").click()
        expect(finding).to_contain_text("Belum ada pengembalian.")
        pay(finding, "1.000.000", "STS/7")
        expect(finding).to_contain_text(re.compile(r"Belum dikembalikan: Rp\s290\.000"))
        pay(finding, None, "STS/8")
        expect(finding).to_contain_text(re.compile(r"Belum dikembalikan: Rp\s0"))
        expect(finding.get_by_role("button", name="Catat pengembalian")).to_have_count(0)
        visit.accessible()
        page.emulate_media(media="print")
        expect(finding).to_contain_text("bukti setor STS/8, dicatat oleh Ratna Bendahara")
        expect(finding.get_by_text("Salah catat? Tarik").first).to_be_hidden()
        page.emulate_media(media="screen")
        # It is settled, and can be taken along as a table.
        page.get_by_role("link", name="Pertanggungjawaban").click()
        page.get_by_label("Berangkat sejak").fill(day)
        page.get_by_label("Berangkat sampai").fill(day)
        page.get_by_label("Keadaan").select_option("Selesai")
        expect(row).to_contain_text(re.compile(r"Sudah dikembalikan: Rp\s1\.290\.000"))
        with page.expect_download() as taken:
            page.get_by_role("link", name="Unduh CSV").click()
        lines = taken.value.path().read_text("utf-8-sig").splitlines()
        (ours,) = [line for line in lines if line.startswith(trip["id"])]
        assert ours.endswith(",SETTLED,0,1290000.00,1290000.00,0.00"), ours
        assert page.title() != "diretas"


def pay(finding, amount, receipt):
    button = finding.get_by_role("button", name="Catat pengembalian")
    if not button.is_visible():
        finding.get_by_text("Catat pengembalian").first.click()
    typed = finding.get_by_label("Rupiah yang disetor")
    if amount is not None:
        typed.fill(amount)
    finding.get_by_label("Nomor bukti setor").fill(receipt)
    button.click()


def test_others_see_what_was_paid_back_and_record_nothing(visiting, case):
    who, trip, _ = case
    with visiting() as visit:
        page = visit.sign_in(who.username, path=f"trips/{trip['id']}")
        heading(page, who.name)
        finding = page.get_by_role("article", name="Tidak pernah berangkat")
        expect(finding.get_by_text("Catat pengembalian")).to_have_count(0)
        visit.open("/samarinda/claims")
        heading(page, "Halaman ini tidak ada")
