"""The head of office in a real browser: what waits is approved, and who is where today."""

from datetime import UTC, datetime, timedelta

import pytest
from asking import ask, enter, sql
from browsing import chromium, heading, visiting  # noqa: F401
from conftest import SANGATTA, plan, record, today
from playwright.sync_api import expect
from test_positions import go  # noqa: F401

# ruff: noqa: F811

HOSTILE = '<img src=x onerror="document.title=`diretas`"> & rapat'


@pytest.fixture(scope="module")
def head(people):
    """A head of an office that is hers alone, with nothing of other tests in it."""
    someone = people.fresh()
    office = ask(people.as_("admin"), "addOffice", name="Dinas Uji Kepala", kind="DEPARTMENT")
    enter(
        "UPDATE member SET roles = '{HEAD_OF_OFFICE}', office_id = CAST(:office AS uuid)"
        " WHERE id = CAST(:id AS uuid)",
        office=office["id"],
        id=someone.id,
    )
    return someone, office["id"]


@pytest.fixture(scope="module")
def staff(people, head):
    def staff():
        who = people.fresh()
        enter(
            "UPDATE member SET office_id = CAST(:office AS uuid) WHERE id = CAST(:id AS uuid)",
            office=head[1],
            id=who.id,
        )
        return who

    return staff


@pytest.fixture(scope="module")
def propose(people, head):
    def propose(who, number: str, planned: dict):
        letter = {
            "number": number,
            "dated": str(today()),
            "purpose": HOSTILE,
            "signedById": head[0].id,
        }
        made = ask(
            people.as_("admin"), "proposeTrip", letter=letter, travellerId=who.id, plan=planned
        )
        assert made["__typename"] == "TripProposal", made
        return made

    return propose


def test_proposals_are_approved_by_one_key_or_sent_back(visiting, people, head, staff, propose):
    who = [staff() for _ in range(3)]
    made = [
        propose(each, f"USUL/K/{number}", plan(starts=10, transit=["64.02"]))
        for number, each in enumerate(who)
    ]
    # Meanwhile one of them was sent elsewhere.
    letter = {
        "number": "USUL/K/LAIN",
        "dated": str(today()),
        "purpose": "Lain",
        "signedById": people.id_of("Surya Kepala"),
    }
    taken = ask(
        people.as_("admin"),
        "issueTrip",
        letter=letter,
        travellerId=who[1].id,
        plan=plan(starts=11),
    )
    assert taken["__typename"] == "Trip"
    with visiting() as visit:
        page = visit.sign_in(head[0].username)
        heading(page, "Hari ini")
        page.get_by_role("navigation").get_by_role("link", name="Usulan (3)").wait_for()
        page.get_by_role("link", name="3 usulan menunggu persetujuan").press("Enter")
        heading(page, "Usulan perjalanan dinas")
        first, second, third = (page.get_by_role("article", name=each.name) for each in who)
        # The plan is seen before it is approved; the newest comes first.
        expect(third).to_contain_text("Kota Balikpapan")
        expect(third).to_contain_text("Transit: Kabupaten Kutai Kartanegara")
        expect(third).to_contain_text(HOSTILE)
        visit.accessible()
        page.keyboard.press("ArrowDown")
        expect(third).to_be_focused()
        page.keyboard.press("a")
        expect(page.get_by_role("status")).to_contain_text(f"Perjalanan {who[2].name} disetujui")
        expect(third).to_have_count(0)
        page.get_by_role("navigation").get_by_role("link", name="Usulan (2)").wait_for()
        # Who is away by now cannot go, in words; the proposal stays.
        second.get_by_role("button", name="Setujui").click()
        expect(second.get_by_role("alert")).to_contain_text("USUL/K/LAIN")
        second.get_by_role("button", name="Kembalikan").press("Enter")
        reason = second.get_by_label("Alasan dikembalikan")
        expect(reason).to_be_focused()
        reason.fill("Pilih orang lain")
        reason.press("Enter")
        expect(second).to_have_count(0)
        first.get_by_role("button", name="Setujui").click()
        page.get_by_text("Tidak ada usulan di sini.").wait_for()
        page.get_by_label("Dikembalikan").check()
        expect(second).to_contain_text("Pilih orang lain")
        expect(second).to_contain_text(head[0].name)
        visit.accessible()
        assert page.title() != "diretas"
    states = "SELECT state FROM trip_proposal WHERE id = CAST(:id AS uuid)"
    assert [sql(states, id=each["id"])[0][0] for each in made] == [
        "APPROVED",
        "RETURNED",
        "APPROVED",
    ]


def test_the_operator_proposes_and_amends_what_came_back(visiting, people):
    who = people.fresh()
    with visiting() as visit:
        page = visit.sign_in("operator", path="trips/new")
        page.get_by_label("Nomor surat tugas").fill("USUL/OP/1")
        page.get_by_label("Maksud perjalanan dinas").fill("Pendampingan")
        for label, typed in (
            ("Pelaksana", who.name),
            ("Kabupaten/kota tujuan", "Kabupaten Paser"),
        ):
            page.get_by_role("combobox", name=label, exact=True).press_sequentially(typed)
            page.get_by_role("option", name=typed).first.wait_for()
            page.keyboard.press("Enter")
        page.get_by_label("Tiba", exact=True).fill(str(today() + timedelta(days=25)))
        page.get_by_role("button", name="Usulkan ke pemberi tugas").click()
        expect(page.get_by_role("status")).to_contain_text(f"Perjalanan {who.name} diusulkan.")
        page.get_by_role("link", name="Lihat usulan").click()
        waiting = page.get_by_role("article", name=who.name)
        expect(waiting).to_contain_text("Menunggu persetujuan")
        # She may take it back, but not approve it herself.
        expect(waiting.get_by_role("button")).to_have_accessible_name(
            f"Tarik usulan untuk {who.name}"
        )
        with visiting() as other:
            theirs = other.sign_in("kepala", path="proposals")
            proposal = theirs.get_by_role("article", name=who.name)
            proposal.get_by_role("button", name="Kembalikan").click()
            proposal.get_by_label("Alasan dikembalikan").fill("Satu hari cukup, ke Bontang")
            proposal.get_by_role("button", name="Kembalikan", exact=True).click()
            expect(proposal).to_have_count(0)
        page.get_by_label("Dikembalikan").check()
        expect(waiting).to_contain_text("Satu hari cukup, ke Bontang")
        waiting.get_by_role("link", name="Perbaiki dan usulkan lagi").click()
        heading(page, "Usulkan lagi")
        expect(page.get_by_text("Satu hari cukup, ke Bontang")).to_be_visible()
        expect(page.get_by_label("Nomor surat tugas")).to_have_value("USUL/OP/1")
        region = page.get_by_role("combobox", name="Kabupaten/kota tujuan")
        expect(region).to_have_value("Kabupaten Paser")
        visit.accessible()
        region.fill("")
        region.press_sequentially("Bontang")
        page.get_by_role("option", name="Kota Bontang").wait_for()
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Usulkan ke pemberi tugas").click()
        expect(page.get_by_role("status")).to_contain_text("diusulkan")
        page.get_by_role("link", name="Lihat usulan").click()
        waiting.get_by_role("button", name="Tarik usulan").click()
        expect(waiting).to_contain_text("Tarik usulan ini?")
        visit.accessible()
        waiting.get_by_role("button", name="Ya").click()
        expect(page.get_by_role("status")).to_contain_text(f"Usulan untuk {who.name} ditarik.")
        expect(waiting).to_have_count(0)
        page.get_by_label("Ditarik").check()
        waiting.get_by_role("link", name="Perbaiki dan usulkan lagi").wait_for()


def test_who_is_where_today(visiting, people, head, staff, go):
    there, planned = staff(), staff()
    letter = {"dated": str(today()), "purpose": HOSTILE, "signedById": head[0].id}
    for number, who in enumerate((there, planned)):
        issued = ask(
            people.as_("admin"),
            "issueTrip",
            letter=letter | {"number": f"KINI/{number}"},
            travellerId=who.id,
            plan=plan(starts=-1),
        )
        assert issued["__typename"] == "Trip"
        if who is there:
            seen = issued
    fix = {
        "time": datetime.now(UTC).isoformat(),
        "lon": SANGATTA[0],
        "lat": SANGATTA[1],
        "accuracy": 12.0,
    }
    assert record(there.front_end, seen["id"], [fix])["accepted"] == 1
    go()  # Somebody of another office, who is not hers to see.
    with visiting() as visit:
        page = visit.sign_in(head[0].username)
        heading(page, "Hari ini")
        rows = page.get_by_role("row")
        expect(rows).to_have_count(3)
        hers = rows.filter(has_text=there.name)
        expect(hers).to_contain_text("Kota Balikpapan")
        expect(hers).to_contain_text("Kabupaten Kutai Timur")
        expect(hers).to_contain_text("di luar rencana hari ini")
        unknown = rows.filter(has_text=planned.name)
        expect(unknown).to_contain_text("tidak diketahui")
        expect(unknown).to_contain_text(HOSTILE)
        visit.accessible()
        assert page.title() != "diretas"
        page.get_by_role("link", name="Lihat di peta langsung").click()
        heading(page, "Peta langsung")


def test_views_of_others_are_not_offered(visiting):
    with visiting() as visit:
        page = visit.sign_in("operator", path="today")
        heading(page, "Halaman ini tidak ada")
        page.goto(f"{visit.world.base_url}/samarinda/trips")
        expect(page.get_by_role("link", name="Hari ini")).to_have_count(0)
        page = visit.sign_in("inspektur", "balikpapan", path="proposals")
        heading(page, "Halaman ini tidak ada")
