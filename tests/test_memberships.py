"""Memberships change, end and resume on an admin's word, and nobody is left without an admin."""

from uuid import UUID

import pytest
from asking import (
    LOCK_MEMBER,
    ask,
    codes,
    enter,
    held,
    nothing_changes,
    nowhere,
    sql,
    threads,
)

from infra.front_end import Refused

HOSTILE = '<img src=x onerror="x"> {{7*7}} %s'


@pytest.fixture(scope="module")
def admin(people):
    return people.as_("admin")


def changed(who, member_id, roles=("TRAVELLER",), **given):
    return ask(who, "changeMember", id=member_id, roles=list(roles), **given)


@pytest.fixture
def second(people):
    """Another admin, for as long as a test lasts; she has her former role back afterwards."""
    someone = people.fresh()
    set_roles = "UPDATE member SET roles = :roles, suspended_at = NULL WHERE id = :id"
    enter(set_roles, roles=["TENANT_ADMIN"], id=UUID(someone.id))
    identity = someone.id
    someone.front_end.ask("{ viewer { name } }")
    yield someone
    enter(set_roles, roles=["TRAVELLER"], id=UUID(identity))


def test_roles_and_office_change_and_what_was_is_kept(people, admin):
    someone = people.fresh()
    phone, identity = someone.front_end, someone.id
    office = ask(admin, "addOffice", name=f"Dinas {HOSTILE}", kind="AGENCY")
    before = admin.ask(
        "query ($id: UUID!) { member(id: $id) { position office { id } } }", id=identity
    )["member"]
    made = changed(
        admin, identity, ["TREASURER", "TRAVELLER"], officeId=office["id"], position=HOSTILE
    )
    assert sorted(made["roles"]) == ["TRAVELLER", "TREASURER"]
    assert (made["office"], made["position"]) == ({"id": office["id"]}, HOSTILE)
    assert made["revisions"] == [
        {
            "change": "CHANGED",
            "reason": None,
            "roles": ["TRAVELLER"],
            "memberName": "Yuli Admin",
            **before,
        }
    ]
    # At once, also for a token that was given before; what she was is for admins to know.
    shown = phone.ask("{ viewer { roles revisions { change } invitedAs joinedAt } }")["viewer"]
    assert sorted(shown.pop("roles")) == ["TRAVELLER", "TREASURER"]
    assert shown == {"revisions": [], "invitedAs": None, "joinedAt": None}


def test_who_leaves_keeps_no_access_and_may_come_back(people, admin):
    someone = people.fresh()
    phone, identity = someone.front_end, someone.id
    paired = ask(phone, "pairDevice", client="OWNTRACKS", name="Ponsel")
    made = ask(admin, "endMembership", id=identity, reason="Mutasi")
    assert made["endedAt"]
    assert made["revisions"][0]["reason"] == "Mutasi"
    with pytest.raises(Refused, match="NOT_SIGNED_IN"):
        phone.ask("{ viewer { name } }")
    (device,) = sql(
        "SELECT revoked_at FROM device WHERE id = CAST(:id AS uuid)", id=paired["device"]["id"]
    )
    assert device.revoked_at is not None
    listed = "query ($n: String, $a: Boolean) { members(search: $n, active: $a) { nodes { id } } }"
    for active, found in ((True, []), (False, [{"id": identity}]), (None, [{"id": identity}])):
        assert admin.ask(listed, n=someone.name, a=active)["members"]["nodes"] == found
    with nothing_changes():
        again = ask(admin, "endMembership", id=identity, reason="Lagi")
        other = changed(admin, identity)
    assert codes(again, other) == ["WRONG_STATE", "WRONG_STATE"]
    made = ask(admin, "resumeMembership", id=identity, reason="Kembali")
    assert (made["endedAt"], made["roles"]) == (None, ["TRAVELLER"])
    assert [each["change"] for each in made["revisions"]] == ["RESUMED", "ENDED"]
    assert phone.ask("{ viewer { name } }") == {"viewer": {"name": someone.name}}
    assert ask(admin, "resumeMembership", id=identity, reason="x")["code"] == "WRONG_STATE"


def test_only_an_admin(people):
    someone, victim = people.fresh(), people.fresh().id
    officers = ("operator", "kepala", "bendahara", "inspektur", "penerima")
    others = [someone.front_end, *map(people.as_, officers)]
    with nothing_changes():
        for who in others:
            for refused in (
                changed(who, someone.id, ["TENANT_ADMIN"]),
                ask(who, "endMembership", id=victim, reason="x"),
                ask(who, "resumeMembership", id=victim, reason="x"),
            ):
                assert refused["code"] == "NOT_ALLOWED"
                assert refused["allowed"] == ["TENANT_ADMIN"]
        abroad = people.as_("admin", "balikpapan")
        assert changed(abroad, victim)["code"] == "NOT_FOUND"


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"roles": ["OVERSEER"]}, "NOT_ALLOWED"),
        ({"officeId": nowhere()}, "NOT_FOUND"),
        ({"position": ""}, "INVALID_INPUT"),
        ({"position": "x" * 501}, "INVALID_INPUT"),
        ({"position": "a\x00b"}, "INVALID_INPUT"),
        ({"member_id": nowhere()}, "NOT_FOUND"),
    ],
    ids=lambda value: str(value)[:24],
)
def test_changes_that_cannot_be(people, admin, given, code):
    asked = {"member_id": people.id_of("Dewi Penerima"), "roles": ["HOST_DESK"]} | given
    with nothing_changes():
        assert changed(admin, **asked)["code"] == code
    reason = "\x00" if code == "INVALID_INPUT" else "x"
    with nothing_changes():
        refused = ask(admin, "endMembership", id=nowhere(), reason=reason)
    assert refused["code"] == "NOT_FOUND"


class TestTheLastAdmin:
    def test_stays(self, people, admin):
        own = people.id_of("Yuli Admin")
        with nothing_changes():
            refused = [
                changed(admin, own, ["TRAVELLER"]),
                changed(admin, own, []),
                ask(admin, "endMembership", id=own, reason="Pensiun"),
            ]
        assert codes(*refused) == ["LAST_ADMIN"] * 3
        # Who can never sign in is no successor.
        made = ask(admin, "inviteMember", invitation={"name": "Tak Ada", "roles": ["TENANT_ADMIN"]})
        assert changed(admin, own, ["TRAVELLER"])["code"] == "LAST_ADMIN"
        assert "id" in ask(admin, "endMembership", id=made["id"], reason="Uji")

    def test_of_two_who_go_at_once_one_stays(self, people, admin, second):
        own, other = people.id_of("Yuli Admin"), second.id
        with threads(2) as submit:
            with held(LOCK_MEMBER, ids=[own, other]) as waiting:
                going = [
                    submit(ask, admin, "endMembership", id=other, reason="x"),
                    submit(ask, second.front_end, "endMembership", id=own, reason="x"),
                ]
                waiting(2)
            answers = codes(*(each.result() for each in going))
        assert answers == ["Member", "NOT_ALLOWED"]
        (left,) = sql(
            "SELECT count(*) FROM member WHERE suspended_at IS NULL"
            " AND 'TENANT_ADMIN' = ANY(roles) AND (subject IS NOT NULL OR invited_as IS NOT NULL)"
        )
        assert left[0] == 1
        enter("UPDATE member SET suspended_at = NULL WHERE id = CAST(:id AS uuid)", id=own)
