"""The province's overseer in a real browser, and the inspector who answers her."""

import re
from collections.abc import Iterator
from random import Random

import pytest
from browsing import chromium, heading, visiting  # noqa: F401
from chained import seal
from conftest import SANGATTA, plan, verdict
from playwright.sync_api import Page, expect
from published import Published, standing_in
from test_overlaps import overlaps, twice  # noqa: F401
from test_verdicts import travel

from infra.play import until
from infra.world import World
from tenants import catalogue

# ruff: noqa: F811, RUF001

HOSTILE = '<img src=x onerror="document.title=`diretas`"> & "Kutai"'
SPAN = {"from": "2026-01-01", "to": "2026-06-01"}
RANKING = """
query ($from: Date!, $to: Date!) {
  ranking(firstMonth: $from, lastMonth: $to, first: 100) {
    nodes { place fromPlace toPlace distinguishable name deviating judged interval { low high } }
  }
}"""


@pytest.fixture(scope="module")
def published(world: World) -> Iterator[Published]:
    """Three regencies beside the real ones, in the first half of 2026; the last means harm."""
    found, random = Published(), Random(7)  # noqa: S311
    for number, trips in ((1, 90), (2, 25), (3, 4)):
        found.some(found.regency(number), random, trips=trips)
    code, slug, _ = found.regencies[2]
    found.regencies[2] = code, slug, HOSTILE
    refused = (
        "INSERT INTO refused_row (regency_code, relation, reason, times) VALUES (%s, %s, %s, 7)"
    )
    with standing_in(world, found) as province:
        province.execute(refused, [code, "shared_trip", "FOREIGN"])
        yield found
        province.execute("DELETE FROM refused_row WHERE regency_code = %s", [code])


@pytest.fixture(scope="module")
def overseer(people):
    return people.as_("pengawas", "province")


def choose_span(page: Page) -> None:
    choose(page, "Dari bulan", SPAN["from"])
    choose(page, "Sampai bulan", SPAN["to"])


def choose(page: Page, label: str, value: str) -> None:
    page.get_by_role("combobox", name=label, exact=True).select_option(value)


def test_regencies_side_by_side_and_their_trends(visiting, published):
    code, _, name = published.regencies[0]
    with visiting() as visit:
        page = visit.sign_in("pengawas", "province")
        heading(page, "Daerah berdampingan")
        choose_span(page)
        choose(page, "Ukuran", "trips")
        expect(page.get_by_role("img", name=name)).to_be_visible()
        months = page.get_by_role("region", name="Angka per bulan")
        wanted = [str(published.figures(code, [each])["trips"]) for each in range(1, 7)]
        whole = str(published.figures(code)["trips"])
        expect(months.get_by_role("row", name=name).get_by_role("cell")).to_have_text(
            [*wanted, whole]
        )
        whole_row = page.get_by_role("region", name="Semua ukuran").get_by_role("row", name=name)
        figures = published.figures(code)
        expect(whole_row).to_contain_text(
            f"{figures['verdicts']['CONFORMS']} / {sum(figures['verdicts'].values())}"
        )
        # The made-up regencies have no database that could be heard of; the real ones have.
        expect(whole_row).to_contain_text("Belum pernah terhubung")
        fresh = page.get_by_role("listitem").filter(
            has=page.get_by_role("heading", name="Kota Samarinda")
        )
        expect(fresh).to_contain_text("Diperbarui")
        hostile = page.get_by_role("heading", name=HOSTILE)
        expect(hostile).to_be_visible()
        visit.accessible()
        with page.expect_download() as download:
            page.get_by_role("link", name="CSV").click()
        table = download.value.path().read_text()
        assert download.value.suggested_filename == "indicators.csv"
        assert name in table
        assert "2025-12" not in table
        assert page.title() != "diretas"


def test_the_ranking_says_what_it_cannot_tell(visiting, published, overseer):
    ranked = overseer.ask(RANKING, **SPAN)["ranking"]["nodes"]
    with visiting() as visit:
        page = visit.sign_in("pengawas", "province", "ranking")
        heading(page, "Peringkat daerah")
        choose_span(page)
        rows = page.get_by_role("listitem")
        expect(rows).to_have_count(len(ranked))
        for row, wanted in zip(rows.all(), ranked, strict=True):
            expect(row.get_by_role("heading")).to_have_text(wanted["name"])
            expect(row).to_contain_text(f"{wanted['deviating']} dari {wanted['judged']} perjalanan")
            interval = wanted["interval"]
            few = row.get_by_text("Sedikit perjalanan")
            expect(few).to_have_count(int(interval["high"] - interval["low"] > 0.5))
            together = "dapat juga {fromPlace}–{toPlace}".format_map(wanted)
            expect(row).to_contain_text(
                "Dapat dibedakan" if wanted["distinguishable"] else together
            )
            bar = row.locator("svg .whisker").first
            low = float(bar.get_attribute("x1").rstrip("%"))
            high = float(bar.get_attribute("x2").rstrip("%"))
            assert (low, high) == pytest.approx((100 * interval["low"], 100 * interval["high"]))
        assert {row["distinguishable"] for row in ranked} == {False}
        visit.accessible()


def test_from_a_new_case_to_the_question_and_the_answer(visiting, people, issue):
    with visiting() as visit, visiting() as other:
        page = visit.sign_in("pengawas", "province", "cases")
        heading(page, "Temuan yang dibagikan")
        choose(page, "Daerah", "64.72")
        choose(page, "Jenis", "WRONG_REGION")
        expect(page.get_by_text("Belum ada temuan baru")).to_be_visible()
        who, trip = travel(people, issue, where=SANGATTA, days=2, claim=2)
        (found,) = verdict(people.as_("inspektur"), trip)["deviations"]
        expect(page.get_by_role("status")).to_contain_text(re.compile(r"\d+ temuan baru"))
        page.get_by_role("button", name="Tampilkan yang baru").click()
        visit.accessible()
        page.locator(f'a[href$="/cases/{found["id"]}"]').click()
        heading(page, "Daerah lain dari tujuan, Kota Samarinda")
        expect(page.get_by_text(found["message"])).to_be_visible()
        # Whose it is stays in the regency, unless it agreed to share names.
        expect(page.get_by_text(who.name)).to_have_count(0)
        asked = f"Mengapa di Sangatta? {HOSTILE}"
        page.get_by_label("Pertanyaan").fill(asked)
        page.get_by_role("button", name="Kirim pertanyaan").click()
        question = page.get_by_role("article", name="Mengapa di Sangatta?")
        expect(question).to_contain_text("Menunggu jawaban")
        visit.accessible()

        theirs = other.sign_in("inspektur")
        heading(theirs, "Antrean temuan")
        expect(theirs.get_by_text("pertanyaan provinsi menunggu jawaban")).to_be_visible()
        theirs.get_by_role("link", name="Buka pertanyaan").click()
        heading(theirs, "Permintaan penjelasan")
        ours = theirs.get_by_role("article").filter(has=theirs.get_by_role("link", name=who.name))
        expect(ours.get_by_role("heading", level=2)).to_have_text(asked)
        other.accessible()
        ours.get_by_label("Jawaban kepada provinsi").fill(f"Ada tugas tambahan. {HOSTILE}")
        ours.get_by_role("button", name="Kirim jawaban").click()
        expect(ours).to_contain_text("Sudah dijawab")
        ours.get_by_role("link", name=who.name).click()
        heading(theirs, who.name)

        # The answer appears by itself.
        expect(question.locator("blockquote")).to_contain_text(f"Ada tugas tambahan. {HOSTILE}")
        question.get_by_label("Catatan penutup").fill("Cukup.")
        question.get_by_role("button", name="Tutup pertanyaan").click()
        expect(question).to_contain_text(": Cukup.")
        page.get_by_role("link", name="Penjelasan").click()
        heading(page, "Permintaan penjelasan")
        choose(page, "Keadaan", "CLOSED")
        closed = page.get_by_role("listitem").filter(
            has=page.locator(f'a[href$="/cases/{found["id"]}"]')
        )
        expect(closed).to_contain_text(asked)
        visit.accessible()
        assert "diretas" not in (page.title(), theirs.title())


def test_agreements_and_the_chain_of_evidence(visiting, people, issue, overseer, published):
    travel(people, issue, where=SANGATTA, days=1)
    seal(catalogue.tenant("samarinda"))
    asked = """{ sharing { name agreement { number } }
      regencies(codes: ["64.72"]) { nodes { evidenceHead { number } } } }"""
    assert until(lambda: overseer.ask(asked)["regencies"]["nodes"][0]["evidenceHead"])
    with visiting() as visit:
        page = visit.sign_in("pengawas", "province", "sharing")
        heading(page, "Perjanjian berbagi data")
        for regency in overseer.ask(asked)["sharing"]:
            article = page.get_by_role("article", name=regency["name"], exact=True)
            agreed = regency["agreement"]
            expect(article).to_contain_text(agreed["number"] if agreed else "tidak membagikan")
        harmful = page.get_by_role("article", name=HOSTILE)
        expect(harmful.get_by_role("row", name="shared_trip")).to_contain_text(
            re.compile("menyebut daerah lain.*7")
        )
        sealed = page.get_by_role("article", name="Kota Samarinda")
        expect(sealed).to_contain_text("Segel ke-")
        expect(sealed).to_contain_text("Tidak ada kepala segel yang bertentangan")
        visit.accessible()


def test_overlaps(visiting, twice, issue, overseer):
    here, there = twice
    trips = [issue(here, plan(40, 4)), issue(there, plan(42, 5, "64.72"))]
    assert until(lambda: overlaps(overseer, trips[0]["id"]))
    with visiting() as visit:
        page = visit.sign_in("pengawas", "province", "overlaps")
        heading(page, "Tugas rangkap")
        (found,) = overlaps(overseer, trips[0]["id"])
        row = page.get_by_role("listitem").filter(has_text=found["pseudonym"]).first
        expect(row).to_contain_text("2 hari rangkap")
        expect(row.get_by_role("listitem")).to_contain_text(["Kota Balikpapan", "Kota Samarinda"])
        expect(page.get_by_text(here.name)).to_have_count(0)
        visit.accessible()
