"""Members and offices: who is made known, by whom, and what is seen of them."""

from datetime import UTC, datetime
from itertools import count
from unicodedata import normalize

import pytest
from asking import ask, enter, held, nothing_changes, nowhere, sql, threads

from infra.front_end import Refused

_serial = count(1)
PERSON = "query ($name: String!) { members(search: $name, first: 100) { nodes { id name nip } } }"


@pytest.fixture(scope="module")
def admin(people):
    return people.as_("admin")


def invite(who, name: str = "Tamu", **invitation) -> dict:
    given = {"name": name, "roles": ["TRAVELLER"]} | invitation
    return ask(who, "inviteMember", invitation=given)


def names(who, search: str) -> list[str]:
    return [each["name"] for each in who.ask(PERSON, name=search)["members"]["nodes"]]


def nip(year: int = 1990, appointed: int = 2015, month: str = "03", sex: int = 1) -> str:
    """18 digits that nobody else has."""
    return f"{year}0817{appointed}{month}{sex}{next(_serial):03}"


class TestNip:
    """Perka BKN 22/2007: birth date, appointment, sex, serial; PPPK: contract for month."""

    @pytest.mark.parametrize(
        "given",
        [
            "198503122010012901",
            "199001172021211902",  # PPPK: 21 is a contract
            "19850312 201001 1 903",
            "19850312.201001.2.904",
            " 198503122010121905 ",
            "200002292019011906",  # a leap day
            "200608172022011907",  # appointed in the year of the 16th birthday
        ],
    )
    def test_good_ones_are_kept_as_digits(self, admin, given):
        made = invite(admin, nip=given)
        assert made["nip"] == given.replace(" ", "").replace(".", "")
        kept = sql("SELECT nip FROM member WHERE id = CAST(:id AS uuid)", id=made["id"])
        assert kept[0].nip == made["nip"]

    @pytest.mark.parametrize(
        ("given", "says"),
        [
            ("19850312201001200", "18"),
            ("1985031220100120011", "18"),
            ("19850312201001200A", "18"),
            ("".join(chr(0xFF10 + int(digit)) for digit in "198503122010012001"), "18"),
            ("١٩٨٥٠٣١٢٢٠١٠٠١٢٠٠١", "18"),
            ("1985-0312-201001-2001", "18"),
            ("+98503122010012001", "18"),
            ("198503122010012001\x00", "18"),
            (" . . ", "18"),
            ("198513122010012001", "tanggal lahir"),
            ("198502302010012001", "tanggal lahir"),
            ("190002292010012001", "tanggal lahir"),
            ("000003122010012001", "tanggal lahir"),
            ("198503121999012001", "tahun pengangkatan"),
            ("198503122000012001", "tahun pengangkatan"),
            ("199503122010012001", "tahun pengangkatan"),
            ("198503122099012001", "tahun pengangkatan"),
            ("205003122070012001", "tahun pengangkatan"),
            ("198503122010002001", "bulan"),
            ("198503122010010001", "ke-15"),
            ("198503122010013001", "ke-15"),
        ],
    )
    def test_others_are_refused(self, admin, given, says):
        with nothing_changes():
            refused = invite(admin, nip=given)
        assert (refused["code"], refused["field"]) == ("INVALID_INPUT", "nip")
        assert says in refused["message"]
        # It tells birth date and sex, so no answer repeats it.
        assert given[:12] not in str(refused)

    def test_without_one(self, admin):
        assert invite(admin)["nip"] is None
        assert invite(admin, nip=None)["nip"] is None

    def test_one_nip_one_person(self, admin):
        given = nip()
        invite(admin, nip=given)
        with nothing_changes():
            for again in (given, f"{given[:8]} {given[8:14]} {given[14]} {given[15:]}"):
                refused = invite(admin, "Orang lain", nip=again)
                assert (refused["code"], refused["field"]) == ("INVALID_INPUT", "nip")

    def test_who_sees_it(self, people, issue):
        traveller, colleague = people.fresh(), people.fresh()
        given = nip()
        enter(
            "UPDATE member SET nip = :nip WHERE id = CAST(:id AS uuid)", nip=given, id=traveller.id
        )
        for who in (people.as_("operator"), people.as_("admin"), traveller.front_end):
            (seen,) = who.ask(PERSON, name=traveller.name)["members"]["nodes"]
            assert seen["nip"] == given
        for who in (people.as_("kepala"), people.as_("inspektur")):
            (seen,) = who.ask(PERSON, name=traveller.name)["members"]["nodes"]
            assert (seen["id"], seen["nip"]) == (traveller.id, None)
        assert names(colleague.front_end, traveller.name) == []
        # Nor by way of a trip.
        trip = issue(traveller)
        for who, sees in ((people.as_("inspektur"), None), (traveller.front_end, given)):
            found = who.ask(
                "query ($id: UUID!) { trip(id: $id) { traveller { nip } } }", id=trip["id"]
            )
            assert found["trip"]["traveller"]["nip"] == sees

    def test_no_log_holds_one(self, world, admin):
        given = nip(1967)
        invite(admin, nip=given)
        for refused in (given, given + "0", f"{given[:14]}3{given[15:]}"):
            assert invite(admin, nip=refused)["code"] == "INVALID_INPUT"
        for process in world.processes.values():
            assert given[:8] not in process.log.read_text(errors="replace")


class TestInviting:
    def test_all_that_is_said_is_kept(self, admin, people):
        office = ask(admin, "addOffice", name="Dinas Perhubungan", kind="DEPARTMENT")
        made = invite(
            admin,
            "Lengkap Sekali",
            roles=["TREASURER", "TRAVELLER"],
            officeId=office["id"],
            nip=nip(),
            position="Bendahara pengeluaran",
            invitedAs="lengkap",
        )
        made.pop("__typename")
        found = admin.ask(
            '{ members(search: "lengkap sekali")'
            " { nodes { id name nip position roles office { id name } } } }"
        )
        assert found["members"]["nodes"] == [made]
        assert made["position"] == "Bendahara pengeluaran"
        assert sorted(made["roles"]) == ["TRAVELLER", "TREASURER"]
        assert made["office"] == {"id": office["id"], "name": "Dinas Perhubungan"}
        # In its own office, and so not for the operator of another.
        assert names(people.as_("operator"), "lengkap sekali") == []

    def test_only_a_tenant_admin_invites_and_adds(self, people):
        someone = people.fresh()
        phones = [someone.front_end, *map(people.as_, ("operator", "kepala", "inspektur"))]
        with nothing_changes():
            for who in phones:
                for refused in (
                    invite(who),
                    invite(who, roles=["TENANT_ADMIN"]),
                    ask(who, "addOffice", name="Dinas", kind="AGENCY"),
                ):
                    assert refused["code"] == "NOT_ALLOWED"
                    assert refused["allowed"] == ["TENANT_ADMIN"]

    def test_nobody_makes_an_overseer(self, admin):
        with nothing_changes():
            for roles in (["OVERSEER"], ["TRAVELLER", "OVERSEER"]):
                assert invite(admin, roles=roles)["code"] == "NOT_ALLOWED"

    @pytest.mark.parametrize(
        ("wrong", "code"),
        [
            ({"officeId": nowhere()}, "NOT_FOUND"),
            ({"invitedAs": "operator"}, "INVALID_INPUT"),
            ({"name": ""}, "INVALID_INPUT"),
            ({"name": " \t\n"}, "INVALID_INPUT"),
            ({"name": "x" * 501}, "INVALID_INPUT"),
            ({"invitedAs": ""}, "INVALID_INPUT"),
            ({"invitedAs": "x" * 501}, "INVALID_INPUT"),
            ({"position": "x" * 501}, "INVALID_INPUT"),
        ],
        ids=lambda value: str(value)[:24],
    )
    def test_an_invitation_that_cannot_be(self, admin, wrong, code):
        with nothing_changes():
            refused = invite(admin, **wrong)
        assert refused["code"] == code
        if code == "INVALID_INPUT":
            assert refused["field"] == next(iter(wrong))

    @pytest.mark.parametrize("field", ["nip", "invitedAs"])
    def test_of_two_invitations_at_once_one_wins(self, admin, field):
        given = nip()
        column = {"nip": "nip", "invitedAs": "invited_as"}[field]
        other = (
            f"INSERT INTO member (id, name, roles, {column})"  # noqa: S608
            " VALUES (gen_random_uuid(), 'Kembar', '{TRAVELLER}', :given)"
        )
        with threads(1) as submit:
            with held(other, given=given) as waiting:
                racing = submit(invite, admin, **{field: given})
                waiting(1)
            refused = racing.result()
        assert (refused["code"], refused["field"]) == ("INVALID_INPUT", field)

    def test_a_suspended_member_is_refused_at_once(self, world, people):
        someone = people.fresh()
        phone = someone.front_end
        asked = "{ viewer { name } }"
        assert phone.ask(asked) == {"viewer": {"name": someone.name}}
        change = "UPDATE member SET suspended_at = :at WHERE id = CAST(:id AS uuid)"
        enter(change, at=datetime.now(UTC), id=someone.id)
        start = f'mutation {{ startTrip(id: "{nowhere()}") {{ __typename }} }}'
        with nothing_changes(), world.sign_in("samarinda", someone.username) as anew:
            for who in (phone, anew):
                for query in (asked, start):
                    with pytest.raises(Refused, match="NOT_SIGNED_IN"):
                        who.ask(query)
        enter(change, at=None, id=someone.id)
        assert phone.ask(asked) == {"viewer": {"name": someone.name}}


class TestOffices:
    def test_a_tree(self, admin, people):
        parent = ask(admin, "addOffice", name=" Dinas Kesehatan ", kind="DEPARTMENT")
        child = ask(
            admin, "addOffice", name="Puskesmas", kind="TECHNICAL_UNIT", parentId=parent["id"]
        )
        assert (parent["name"], parent["parentId"]) == ("Dinas Kesehatan", None)
        shown = people.as_("kepala").ask("{ offices { id name kind parentId } }")["offices"]
        assert shown == sorted(shown, key=lambda office: office["name"])
        child.pop("__typename")
        assert child in shown
        assert child["parentId"] == parent["id"]

    @pytest.mark.parametrize(
        ("wrong", "code"),
        [
            ({"parentId": nowhere()}, "NOT_FOUND"),
            ({"name": ""}, "INVALID_INPUT"),
            ({"name": "x" * 501}, "INVALID_INPUT"),
        ],
        ids=lambda value: str(value)[:24],
    )
    def test_an_office_that_cannot_be(self, admin, wrong, code):
        with nothing_changes():
            refused = ask(admin, "addOffice", **{"name": "Dinas", "kind": "AGENCY"} | wrong)
        assert refused["code"] == code


NAMES = {
    "markup": "<script>alert(1)</script>",
    "quotes": 'Bu O\'Neil "Ani" \\ `x`',
    "formula": '=HYPERLINK("http://x","klik")',
    "override": "Ani \u202eitsel\u202c",
    "zero width": "A\u200bni\u200d",
    "emoji": "Ani 👩🏽‍💼🇮🇩",
    "aksara": "ꦄꦤꦶ Lestari",
    "composed": normalize("NFC", "José"),
    "decomposed": normalize("NFD", "José"),
    "long": "x" * 500,
    "line": "Ani\r\nBcc: semua",
    "template": "{{7*7}} ${7*7} %s %(x)s {0}",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_name_is_kept_to_the_letter(admin, name):
    made = invite(admin, name)
    assert made["name"] == name
    kept = sql("SELECT name FROM member WHERE id = CAST(:id AS uuid)", id=made["id"])
    assert kept[0].name == name
    assert name in names(admin, name)


@pytest.fixture(scope="module")
def known(admin):
    for name in ("Persen 100% Asli", "Persen 1000 Palsu", "Garis a_b", "Garis axb", "Balik a\\b"):
        invite(admin, name)


@pytest.mark.usefixtures("known")
class TestSearch:
    @pytest.mark.parametrize(
        ("search", "found"),
        [
            ("100%", ["Persen 100% Asli"]),
            ("persen 100", ["Persen 100% Asli", "Persen 1000 Palsu"]),
            ("a_b", ["Garis a_b"]),
            ("GARIS A", ["Garis a_b", "Garis axb"]),
            ("a\\b", ["Balik a\\b"]),
            ("%Asli", []),
            ("Garis a%", []),
            ("Garis .*", []),
            ("(a+)+$", []),
            ("' OR '1'='1", []),
            ("x" * 100_000, []),
            ("%" * 10_000 + "a", []),
        ],
        ids=lambda value: str(value)[:20],
    )
    def test_is_for_these_letters(self, admin, search, found):
        assert names(admin, search) == found

    def test_for_nothing_finds_all(self, admin):
        ((everybody,),) = sql("SELECT count(*) FROM member")
        assert len(names(admin, "")) == min(everybody, 100)

    def test_is_for_a_role_too(self, admin, people):
        query = """query ($name: String, $role: Role) {
          members(search: $name, role: $role, first: 100) { nodes { name roles } } }"""
        heads = admin.ask(query, role="HEAD_OF_OFFICE")["members"]["nodes"]
        assert "Surya Kepala" in {head["name"] for head in heads}
        assert all("HEAD_OF_OFFICE" in head["roles"] for head in heads)
        assert admin.ask(query, name="Surya Kepala", role="INSPECTOR")["members"]["nodes"] == []
        # A role opens nobody's door.
        somebody = people.fresh().front_end
        assert somebody.ask(query, role="HEAD_OF_OFFICE")["members"]["nodes"] == []
