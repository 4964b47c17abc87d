"""The operator in a real browser: trips issued by keyboard, for several at once, and changed."""

import re
from collections.abc import Callable
from datetime import date, timedelta
from time import monotonic

import pytest
from asking import ask, trip_of
from browsing import chromium, heading, visiting  # noqa: F401
from conftest import plan, today
from playwright.sync_api import Page, expect

# ruff: noqa: F811

HOSTILE = '<img src=x onerror="document.title=`diretas`"> Budi'


@pytest.fixture(scope="module")
def invited(people) -> Callable[[str], str]:
    """Make somebody known in the operator's office, by name."""
    admin = people.as_("admin")
    query = "{ members(role: OPERATOR) { nodes { office { id } } } }"
    office = admin.ask(query)["members"]["nodes"][0]["office"]["id"]

    def invite(name: str) -> str:
        invitation = {"name": name, "roles": ["TRAVELLER"], "officeId": office}
        return ask(admin, "inviteMember", invitation=invitation)["id"]

    return invite


class Keyboard:
    """Hands that never leave the keyboard, and count: a word typed is as many keys as letters."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.pressed = 0
        self.typed = 0

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)
        self.pressed += len(keys)

    def type(self, words: str) -> None:
        self.page.keyboard.type(words)
        self.typed += len(words)

    def to(self, label: str) -> None:
        """Tab by tab to a field."""
        named = "document.activeElement.labels?.[0]?.innerText ?? ''"
        for _ in range(12):
            self.press("Tab")
            if self.page.evaluate(named).strip() == label:
                return
        raise AssertionError(label)

    def choose(self, typed: str) -> None:
        """Type until the list has one that fits, and take it."""
        self.type(typed)
        first = self.page.locator("[role=listbox]:not([hidden]) [aria-selected=true]")
        expect(first).to_contain_text(typed)
        self.press("Enter")

    def date(self, day: date) -> None:
        self.type(day.strftime("%d%m%Y"))


def soon(days: int) -> date:
    """The first day, after so many, whose month is its number: any browser's order writes it."""
    after = today() + timedelta(days=days)
    while after.day != after.month:
        after += timedelta(days=1)
    return after


def trips_of(operator, member: str) -> list[dict]:
    query = """query ($who: UUID!) { trips(filter: {travellerId: $who}) { nodes {
      id startsOn endsOn state letter { number purpose } legs { regionCode lodgingName lodgingLon }
      flights { number origin departsAt arrivesAt } transit lawfulPlaces { regionCode kind }
    } } }"""
    return operator.ask(query, who=member)["trips"]["nodes"]


def test_a_trip_is_issued_by_keyboard_in_under_a_minute(visiting, invited, operator, issue, people):
    issue(people.fresh())
    member = invited(HOSTILE)
    first = soon(40)
    with visiting() as visit:
        page = visit.sign_in("operator", path="trips/new")
        heading(page, "Terbitkan perjalanan dinas")
        # As the last letter was.
        expect(page.get_by_role("combobox", name="Pemberi tugas")).to_have_value("Surya Kepala")
        hands = Keyboard(page)
        began = monotonic()
        # The form waits where the first word is to be written.
        number = page.get_by_label("Nomor surat tugas")
        if number.input_value():
            purpose = page.get_by_label("Maksud perjalanan dinas")
            expect(purpose).to_be_focused()
            # Numbers that follow those of other tests are theirs.
            number.fill("094/0101/ST/2026")
            purpose.focus()
        else:
            expect(number).to_be_focused()
            hands.type("094/0101/ST/2026")
            hands.to("Maksud perjalanan dinas")
        hands.type("Rapat & <b>koordinasi</b>")
        hands.to("Pelaksana")
        hands.choose("Budi")
        hands.to("Kabupaten/kota tujuan")
        hands.choose("Balikpapan")
        hands.to("Tiba")
        hands.date(first)
        hands.press("Enter")
        expect(page.get_by_role("status")).to_contain_text(f"Perjalanan {HOSTILE} diterbitkan.")
        assert monotonic() - began < 60
        assert hands.pressed < 30, hands.pressed
        assert page.title() != "diretas"
        visit.accessible()
        # What is done is not kept for another day.
        page.reload()
        expect(page.get_by_label("Maksud perjalanan dinas")).to_have_value("")
    (trip,) = trips_of(operator, member)
    assert (trip["startsOn"], trip["endsOn"]) == (str(first), str(first))
    assert [leg["regionCode"] for leg in trip["legs"]] == ["64.71"]


def test_a_letter_for_several_of_whom_one_is_away(visiting, invited, operator, issue, people):
    names = [f"Anggota Rombongan {each}" for each in ("Satu", "Dua", "Tiga")]
    members = [invited(name) for name in names]
    first = soon(60)
    starts = (first - today()).days
    away = ask(
        operator,
        "issueTrip",
        letter={
            "number": "094/0555/ST/2026",
            "dated": str(today()),
            "purpose": "Sudah pergi",
            "signedById": people.id_of("Surya Kepala"),
        },
        travellerId=members[1],
        plan=plan(starts=starts + 1),
    )
    assert away["__typename"] == "Trip"
    with visiting() as visit:
        page = visit.sign_in("operator", path="trips/new")
        # The number follows the last letter of hers.
        expect(page.get_by_label("Nomor surat tugas")).to_have_value("094/0556/ST/2026")
        hands = Keyboard(page)
        hands.type("Studi banding")
        hands.to("Pelaksana")
        for name in names:
            hands.choose(name)
        hands.to("Kabupaten/kota tujuan")
        hands.choose("Bontang")
        hands.to("Tiba")
        hands.date(first)
        page.get_by_label("Kembali", exact=True).fill(str(first + timedelta(days=2)))
        # A draft survives a reload.
        page.reload()
        chosen = page.get_by_role("list", name="Pelaksana yang dipilih").get_by_role("listitem")
        expect(chosen).to_have_count(3)
        expect(page.get_by_role("combobox", name="Kabupaten/kota tujuan")).to_have_value(
            "Kota Bontang"
        )
        page.get_by_role("button", name="Terbitkan", exact=True).press("Enter")
        done = page.get_by_role("status").get_by_role("listitem")
        expect(done).to_have_count(2)
        failed = page.get_by_role("alert")
        expect(failed).to_contain_text(f"{names[1]}: belum jadi.")
        expect(failed).to_contain_text("094/0555/ST/2026")
        expect(chosen).to_have_count(1)
        expect(chosen).to_contain_text(names[1])
        visit.accessible()
        # Other days for the one who is left, under the same letter.
        page.get_by_label("Kembali", exact=True).fill(str(first))
        page.get_by_role("button", name="Terbitkan", exact=True).press("Enter")
        expect(done).to_contain_text(f"Perjalanan {names[1]} diterbitkan.")
        expect(chosen).to_have_count(0)
    letters = {
        trip["letter"]["number"] for member in members for trip in trips_of(operator, member)
    }
    assert letters == {"094/0556/ST/2026", "094/0555/ST/2026"}


def test_flights_lodging_and_lawful_places_and_a_copy(visiting, invited, operator):
    member = invited("Pelaksana Lengkap")
    first = today() + timedelta(days=80)
    with visiting() as visit:
        page = visit.sign_in("operator", path="trips/new")
        page.get_by_label("Nomor surat tugas").fill("094/0700/ST/2026")
        page.get_by_label("Maksud perjalanan dinas").fill("Bimbingan teknis")
        choose(page, "Pelaksana", "Pelaksana Lengkap")
        choose(page, "Kabupaten/kota tujuan", "Kabupaten Berau")
        page.get_by_label("Tiba", exact=True).fill(str(first))
        page.get_by_label("Kembali", exact=True).fill(str(first + timedelta(days=2)))
        page.get_by_label("Angkutan").select_option("AIR")
        page.get_by_role("combobox", name="Penginapan").fill("Wisma Uji Berau")
        at = page.get_by_label("Posisi penginapan")
        at.fill("Jalan Merdeka 1")
        page.get_by_role("button", name="Terbitkan", exact=True).click()
        assert at.evaluate("each => each.validationMessage").startswith("Tulis dua angka")
        at.fill("2.1500, 117.4900")
        page.get_by_text("Penerbangan, transit, tempat sah").click()
        page.get_by_role("button", name="Tambah penerbangan").click()
        page.get_by_role("combobox", name="Nomor penerbangan").fill("QX 7070")
        choose(page, "Bandara asal", "BPN")
        choose(page, "Bandara tujuan", "Surabaya")
        page.get_by_role("button", name="Tambah tempat sah").click()
        choose(page, "Kabupaten/kota tempat sah", "Kabupaten Kutai Timur")
        choose(page, "Daerah yang dilewati (transit)", "Kota Bontang")
        visit.accessible()
        page.get_by_role("button", name="Terbitkan", exact=True).click()
        page.get_by_role("status").get_by_role("link", name="Buka perjalanan").click()
        heading(page, "Pelaksana Lengkap")
        (trip,) = trips_of(operator, member)
        assert trip["legs"][0]["lodgingName"] == "Wisma Uji Berau"
        assert trip["legs"][0]["lodgingLon"] == 117.49
        (flight,) = trip["flights"]
        # 08.00 WITA, and 10.00 WIB.
        assert flight["departsAt"] == f"{first}T00:00:00Z"
        assert flight["arrivesAt"] == f"{first}T03:00:00Z"
        assert trip["transit"] == ["64.74"]
        assert trip["lawfulPlaces"] == [{"regionCode": "64.08", "kind": "LEAVE"}]
        # The copy begins today, and all of it moves along.
        page.get_by_role("link", name="Salin ke perjalanan baru").click()
        heading(page, "Terbitkan salinan perjalanan")
        expect(page.get_by_label("Nomor surat tugas")).to_have_value("094/0701/ST/2026")
        expect(page.get_by_label("Tiba", exact=True)).to_have_value(str(today()))
        expect(page.get_by_label("Kembali", exact=True)).to_have_value(
            str(today() + timedelta(days=2))
        )
        # What was stayed at before is offered, with its position.
        lodging = page.get_by_role("combobox", name="Penginapan")
        expect(lodging).to_have_value("Wisma Uji Berau")
        lodging.fill("")
        choose(page, "Penginapan", "Wisma Uji")
        expect(page.get_by_label("Posisi penginapan")).to_have_value("2.15, 117.49")
        page.get_by_role("button", name="Hapus penerbangan ini").click()
        page.get_by_role("button", name="Tambah penerbangan").click()
        choose(page, "Nomor penerbangan", "QX 70", down=True)
        expect(page.get_by_role("combobox", name="Bandara asal")).to_have_value(re.compile("^BPN "))
        expect(page.get_by_label("Berangkat (waktu bandara asal)")).to_have_value(
            f"{today()}T08:00"
        )
        page.get_by_role("button", name="Terbitkan", exact=True).click()
        page.get_by_role("status").get_by_text("diterbitkan").wait_for()
    copy = next(each for each in trips_of(operator, member) if each["id"] != trip["id"])
    assert copy["startsOn"] == str(today())
    assert copy["letter"] == {"number": "094/0701/ST/2026", "purpose": "Bimbingan teknis"}
    assert copy["legs"] == trip["legs"]
    assert [each["number"] for each in copy["flights"]] == ["QX 7070"]
    assert copy["flights"][0]["departsAt"] == f"{today()}T00:00:00Z"
    assert (copy["transit"], copy["lawfulPlaces"]) == (trip["transit"], trip["lawfulPlaces"])


def choose(page: Page, label: str, typed: str, *, down: bool = False) -> None:
    page.get_by_role("combobox", name=label, exact=label == "Pelaksana").press_sequentially(typed)
    page.get_by_role("option", name=re.compile(re.escape(typed))).first.wait_for()
    if down or label == "Penginapan":
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")


def test_revised_extended_and_called_off_for_a_reason(visiting, people, issue, operator):
    who = people.fresh()
    trip = issue(who, plan(starts=100))
    last = date.fromisoformat(trip["endsOn"])
    with visiting() as visit:
        page = visit.sign_in("operator", path=f"trips/{trip['id']}")
        heading(page, who.name)
        page.get_by_role("link", name="Ubah rencana").click()
        heading(page, f"Ubah rencana perjalanan {who.name}")
        region = page.get_by_role("combobox", name="Kabupaten/kota tujuan")
        expect(region).to_have_value("Kota Balikpapan")
        region.fill("")
        choose(page, "Kabupaten/kota tujuan", "Kota Bontang")
        page.get_by_label("Alasan perubahan").fill(HOSTILE)
        visit.accessible()
        page.get_by_label("Alasan perubahan").press("Enter")
        heading(page, f"Perjalanan dinas {who.name}")
        changes = page.get_by_role("listitem").filter(has_text="oleh Rina Operator")
        expect(changes).to_contain_text(HOSTILE)
        expect(changes).to_contain_text("Kota Balikpapan")
        page.get_by_role("button", name="Perpanjang…").press("Enter")
        ends = page.get_by_label("Berakhir pada")
        expect(ends).to_be_focused()
        ends.fill(str(last + timedelta(days=2)))
        page.get_by_label("Alasan", exact=True).fill("Belum rampung")
        page.get_by_label("Alasan", exact=True).press("Enter")
        expect(changes).to_have_count(2)
        expect(changes.last).to_contain_text("Diperpanjang")
        page.get_by_role("button", name="Batalkan…").press("Enter")
        visit.accessible()
        page.get_by_label("Alasan", exact=True).fill("Acara ditiadakan")
        page.get_by_role("button", name="Batalkan perjalanan").press("Enter")
        expect(changes).to_have_count(3)
        expect(page.get_by_text("(Dibatalkan)")).to_be_visible()
        expect(page.get_by_role("link", name="Ubah rencana")).to_have_count(0)
        assert page.title() != "diretas"
    after = trip_of(operator, trip["id"])
    assert (after["state"], after["revision"]) == ("CANCELLED", 4)
    assert after["endsOn"] == str(last + timedelta(days=2))
    assert [leg["regionCode"] for leg in after["legs"]] == ["64.74"]
    with visiting() as visit:
        # Who may not issue is offered no change, and sees what was changed.
        page = visit.sign_in("inspektur", path=f"trips/{trip['id']}")
        page.get_by_text("Acara ditiadakan").wait_for()
        expect(page.get_by_role("link", name="Salin ke perjalanan baru")).to_have_count(0)
