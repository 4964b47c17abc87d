"""The console for admins: people, offices, rules, rates, sharing, phones."""

import re
from datetime import timedelta

import pytest
from asking import ask
from browsing import chromium, heading, visiting  # noqa: F401
from conftest import today
from playwright.sync_api import expect

# ruff: noqa: F811, RUF001

HOSTILE = '<img src=x onerror="document.title=`diretas`"> & "rapat"'


def day(days: int) -> str:
    return (today() + timedelta(days=days)).isoformat()


def test_a_person_is_invited_changes_and_leaves(visiting, people):
    with visiting() as visit:
        page = visit.sign_in("admin")
        heading(page, "Pegawai")
        # Invited in the console, with a name that means harm.
        page.get_by_text("Undang pegawai").click()
        page.get_by_label("Nama", exact=True).fill(HOSTILE)
        page.get_by_label("NIP (bila ada)").fill("123")
        page.get_by_role("button", name="Undang", exact=True).click()
        expect(page.get_by_role("alert")).to_contain_text("harus 18 angka")
        page.get_by_label("NIP (bila ada)").fill("")
        page.get_by_role("button", name="Undang", exact=True).click()
        page.get_by_text("sekarang dikenal").wait_for()
        page.get_by_label("Cari nama").fill(HOSTILE[:20])
        expect(page.get_by_role("link", name=HOSTILE)).to_have_count(1)
        visit.accessible()
        page.get_by_role("link", name=HOSTILE).click()
        heading(page, HOSTILE)
        # Another role and position; what was stays.
        page.get_by_label("Bendahara").check()
        page.get_by_role("combobox", name="Perangkat daerah").select_option(
            label="Sekretariat Daerah Kota Samarinda"
        )
        page.get_by_label("Jabatan").fill("Bendahara pembantu")
        page.get_by_role("button", name="Simpan").click()
        expect(page.get_by_role("status")).to_contain_text("Tersimpan.")
        expect(page.get_by_text("sebelumnya: Pelaksana")).to_be_visible()
        expect(page.get_by_text("Pelaksana, Bendahara · Bendahara pembantu")).to_be_visible()
        visit.accessible()
        # She leaves, and comes back.
        page.get_by_text("Akhiri keanggotaan").first.click()
        expect(page.get_by_text("tetap tersimpan sebagai bukti")).to_be_visible()
        page.get_by_label("Alasan").fill("Mutasi ke Bontang")
        page.get_by_role("button", name="Akhiri keanggotaan").click()
        expect(page.get_by_text("Mutasi ke Bontang")).to_be_visible()
        expect(page.get_by_role("button", name="Simpan")).to_have_count(0)
        page.get_by_role("navigation", name="Kelola").get_by_role("link", name="Pegawai").click()
        page.get_by_label("Cari nama").fill(HOSTILE[:20])
        expect(page.get_by_text("Tidak ada pegawai di sini.")).to_be_visible()
        page.get_by_label("Keanggotaan").select_option("Sudah keluar")
        expect(page.get_by_role("link", name=HOSTILE)).to_have_count(1)
        assert page.title() != "diretas"
        # The last admin cannot let go of it.
        page.get_by_label("Keanggotaan").select_option("Aktif")
        page.get_by_label("Cari nama").fill("Yuli Admin")
        page.get_by_role("link", name="Yuli Admin").click()
        page.get_by_label("Admin daerah").uncheck()
        page.get_by_role("button", name="Simpan").click()
        expect(page.get_by_role("alert")).to_contain_text("Admin daerah yang terakhir")


def test_offices_grow_as_a_tree(visiting):
    with visiting() as visit:
        page = visit.sign_in("admin", path="offices")
        heading(page, "Perangkat daerah")
        for name, below in ((f"Dinas {HOSTILE}", None), ("UPTD Uji", f"Dinas {HOSTILE}")):
            page.get_by_text("Tambah perangkat daerah").wait_for()
            if below is None:
                page.get_by_text("Tambah perangkat daerah").click()
            else:
                page.get_by_label("Di bawah").select_option(label=below)
            page.get_by_label("Nama").fill(name)
            page.get_by_role("button", name="Tambah", exact=True).click()
            expect(page.get_by_role("status")).to_contain_text(f"{name} ditambahkan.")
        branch = page.get_by_role("listitem").filter(has_text=f"Dinas {HOSTILE}")
        expect(branch.get_by_role("listitem")).to_contain_text("UPTD Uji")
        visit.accessible()


def test_rules_are_read_and_added(visiting):
    with visiting() as visit:
        page = visit.sign_in("admin", path="rules")
        heading(page, "Aturan penilaian")
        first = page.get_by_role("region", name="Berlaku sekarang")
        first.get_by_text("Laporan terlambat").click()
        expect(first.get_by_text("hari kerja untuk melapor: 5")).to_be_visible()
        visit.accessible()
        page.get_by_role("link", name="Tambah versi").click()
        heading(page, "Versi aturan baru")
        expect(page.get_by_text("jejak rules try samarinda")).to_be_visible()
        page.get_by_label("Dasar hukum").first.fill(f"Perwali {HOSTILE}")
        # Long over: no trip of another test is judged by it.
        page.get_by_label("Mulai berlaku").first.fill("2002-01-01")
        page.get_by_label("Sampai dengan").first.fill("2002-12-31")
        page.get_by_text("Laporan terlambat").click()
        visit.accessible()
        page.get_by_label("hari kerja untuk melapor").fill("7")
        page.get_by_role("button", name="Tambahkan versi ini").click()
        expect(page.get_by_role("status")).to_contain_text("ditambahkan")
        page.get_by_role("link", name="Ke daftar versi").click()
        added = page.get_by_role("region").filter(has_text=f"Perwali {HOSTILE}").first
        expect(added).to_contain_text("report_working_days 7 (Baku 5)")
        # Whoever is judged may read by what, and change nothing.
        with visiting() as other:
            theirs = other.sign_in("operator", path="rules")
            heading(theirs, "Aturan penilaian")
            expect(theirs.get_by_role("link", name="Tambah versi")).to_have_count(0)
            for path, title in (("rules/new", "Halaman ini tidak ada"), ("people", "Halaman ini")):
                other.open(f"/samarinda/{path}")
                heading(theirs, title)


def test_a_rate_is_entered_and_ended(visiting):
    with visiting() as visit:
        page = visit.sign_in("admin", path="rates")
        heading(page, "Uang harian")
        page.get_by_text("Tambah tarif").click()
        amount = page.get_by_label("Rupiah per hari")
        expect(amount).to_have_value("")
        page.get_by_label("Provinsi tujuan").select_option("Bali")
        amount.fill("480.000")
        expect(page.locator("output")).to_have_text(re.compile(r"Rp\s480\.000"))
        page.get_by_label("Mulai berlaku").fill("2026-01-01")
        page.get_by_label("Dasar hukum").fill(HOSTILE)
        page.get_by_role("button", name="Tambah", exact=True).click()
        expect(page.get_by_role("status")).to_contain_text("Tarif ditambahkan.")
        row = page.get_by_role("listitem").filter(has_text=HOSTILE)
        expect(row).to_contain_text(re.compile(r"Bali\s+Rp\s480\.000\s+sejak 1 Jan 2026"))
        row.get_by_text("Tentukan hari terakhir").first.click()
        row.get_by_label("Hari terakhir tarif Bali").fill("2026-12-31")
        row.get_by_role("button", name="Tentukan hari terakhir").click()
        expect(row).to_contain_text(re.compile(r"1 Jan\s–\s31 Des 2026"))
        visit.accessible()


@pytest.fixture
def shares_again(people):
    """What other tests count on is agreed again afterwards."""
    yield
    agreement = {"number": "Uji", "validFrom": day(0), "level": "CASES", "severity": "NOTE"} | {
        "travellers": "PSEUDONYMOUS"
    }
    declared = ask(people.as_("admin"), "declareSharingAgreement", agreement=agreement)
    assert declared["__typename"] == "SharingAgreement"


@pytest.mark.usefixtures("shares_again")
def test_sharing_is_declared_and_withdrawn_knowingly(visiting):
    with visiting() as visit:
        page = visit.sign_in("admin", path="sharing")
        heading(page, "Berbagi data dengan provinsi")
        page.get_by_text("Nyatakan perjanjian baru").click()
        page.get_by_label("Nomor perjanjian").fill(HOSTILE)
        page.get_by_label("Mulai berlaku").fill(day(0))
        page.get_by_label("Tingkat").select_option("Angka dan kasus")
        page.get_by_label("Temuan paling ringan yang dibagi").select_option("Sedang")
        page.get_by_label("Siapa pelaksananya").select_option("Nama samaran")
        expect(page.get_by_text("Setiap temuan bertingkat Sedang ke atas")).to_be_visible()
        visit.accessible()
        page.get_by_role("button", name="Nyatakan", exact=True).click()
        valid = page.get_by_role("region", name="Berlaku sekarang")
        expect(valid).to_contain_text(HOSTILE)
        expect(valid).to_contain_text("Pelaksana hanya sebagai nama samaran")
        expect(valid).to_contain_text("Jejak dan posisi.")
        page.get_by_text("Cabut perjanjian").click()
        page.get_by_label("Alasan").fill("Uji pencabutan")
        # Not without saying so once more.
        page.get_by_role("button", name="Cabut sekarang").click()
        expect(valid).to_contain_text(HOSTILE)
        page.get_by_label("Ya, tarik semua").check()
        page.get_by_role("button", name="Cabut sekarang").click()
        expect(valid).to_contain_text("provinsi tidak melihat apa pun")
        expect(page.get_by_text("Uji pencabutan").first).to_be_visible()


def test_a_phone_is_revoked(visiting, people):
    who, other = people.fresh(), people.fresh()
    for owner, name in ((who, HOSTILE), (other, "Ponsel lain")):
        ask(owner.front_end, "pairDevice", client="OWNTRACKS", name=name)
    with visiting() as visit:
        page = visit.sign_in("admin", path="devices")
        heading(page, "Ponsel yang disandingkan")
        page.get_by_text("Ponsel lain").wait_for()
        page.get_by_label("Cari nama pemilik").fill(who.name)
        row = page.get_by_role("listitem").filter(has_text=who.name)
        expect(page.get_by_text("Ponsel lain")).to_have_count(0)
        expect(row).to_contain_text(HOSTILE)
        expect(row).to_contain_text("belum pernah terdengar")
        row.get_by_role("button", name=f"Cabut {HOSTILE}").click()
        visit.accessible()
        row.get_by_role("button", name="Ya").click()
        expect(page.get_by_text("Tidak ada ponsel di sini.")).to_be_visible()
        page.get_by_label("Keadaan").select_option("Dicabut")
        expect(row).to_contain_text("dicabut")
