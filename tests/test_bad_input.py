"""What nobody should send: each gets its code, changes nothing and learns nothing."""

import copy
import time
from itertools import count
from typing import Any

import httpx2
import pytest
from asking import ask, document, nothing_changes, nowhere, sql, trip_of
from conftest import plan
from refusals import NIP, POSITION, bearer, refused

from infra.world import HEAD_OF_OFFICE


@pytest.fixture(scope="module")
def trip(issue, someone):
    return issue(someone)["id"]


_far = count()
MORNING = "2026-01-05T00:00:00Z"


def letter(people, **changes) -> dict:
    return {
        "number": "ST/buruk",
        "dated": "2026-01-05",
        "purpose": "Rapat",
        "signedById": people.id_of(HEAD_OF_OFFICE),
    } | changes


@pytest.fixture
def valid(people, someone, trip) -> dict[str, dict[str, Any]]:
    """For each mutation, arguments that would be taken; in days that no other test uses."""
    number = next(_far)
    planned = plan(starts=1000 + 5 * number)
    first = planned["startsOn"]
    planned["legs"][0] |= {"lodgingName": "Hotel"}
    planned |= {
        "flights": [
            {
                "number": "XY 100",
                "origin": "AAP",
                "destination": "BPN",
                "departsAt": f"{first}T02:00:00Z",
                "arrivesAt": f"{first}T03:00:00Z",
            }
        ],
        "transit": ["64.02"],
        "lawfulPlaces": [{"region": "64.02", "kind": "LEAVE", "fromOn": first, "untilOn": first}],
    }
    return {
        "issueTrip": {
            "letter": letter(people),
            "travellerId": someone.id,
            "plan": planned,
            "spdNumber": "SPD/1",
        },
        "reviseTrip": {"id": trip, "plan": planned, "reason": "Pindah"},
        "extendTrip": {"id": trip, "endsOn": plan(days=9)["endsOn"], "reason": "Lebih lama"},
        "cancelTrip": {"id": trip, "reason": "Batal"},
        "finishTrip": {"id": trip, "finishedAt": "2026-01-01T00:00:00Z"},
        "claimTrip": {"id": trip, "days": 1},
        "recordTrack": {
            "tripId": trip,
            "fixes": [{"time": f"{plan()['startsOn']}T02:00:00Z"} | POSITION],
            "device": "ponsel",
            "silences": [
                {"startedAt": MORNING, "endedAt": "2026-01-05T08:00:00Z", "reason": "NO_POWER"}
            ],
        },
        "fileReport": {"id": trip, "filedOn": first},
        "recordAttendance": {
            "source": "Presensi",
            "entries": [
                {"memberId": someone.id, "startedAt": MORNING, "endedAt": "2026-01-05T08:00:00Z"}
            ],
        },
        "recordOutsideAssignment": {
            "source": "Temuan",
            "memberId": someone.id,
            "number": "ST/LUAR",
            "office": "Dinas Lain",
            "startsOn": first,
            "endsOn": first,
        },
        "inviteMember": {
            "invitation": {"name": "Tamu", "roles": ["TRAVELLER"], "nip": f"{NIP}{number:03}"}
        },
        "addOffice": {"name": "Dinas", "kind": "AGENCY", "parentId": None},
    }


def spoilt(given: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    """The arguments with one value exchanged, or one more."""
    given = copy.deepcopy(given)
    *way, last = (int(part) if part.isdigit() else part for part in path.split("."))
    place: Any = given
    for part in way:
        place = place[part]
    place[last] = value
    return given


def sent(http, people, someone, mutation: str, given: dict[str, Any]) -> httpx2.Response:
    who = {
        "recordTrack": someone.front_end,
        "inviteMember": people.as_("admin"),
        "addOffice": people.as_("admin"),
        "recordAttendance": people.as_("admin"),
        "recordOutsideAssignment": people.as_("admin"),
    }.get(mutation, people.as_("operator"))
    return http.post(
        "/samarinda/graphql",
        json={"query": document(mutation), "variables": given},
        headers=bearer(who.token),
    )


UNKNOWN_FIELDS = [
    ("issueTrip", "plan.state"),
    ("issueTrip", "plan.tenant"),
    ("issueTrip", "plan.revision"),
    ("issueTrip", "plan.claimedDays"),
    ("issueTrip", "plan.legs.0.zone"),
    ("issueTrip", "letter.issuedById"),
    ("issueTrip", "letter.id"),
    ("reviseTrip", "plan.travellerId"),
    ("recordTrack", "fixes.0.mock"),
    ("recordTrack", "fixes.0.tripId"),
    ("recordTrack", "fixes.0.receivedAt"),
    ("inviteMember", "invitation.id"),
    ("inviteMember", "invitation.subject"),
    ("inviteMember", "invitation.issuer"),
    ("inviteMember", "invitation.joinedAt"),
    ("inviteMember", "invitation.suspendedAt"),
    ("inviteMember", "invitation.tenant"),
]


@pytest.mark.parametrize(("mutation", "path"), UNKNOWN_FIELDS)
def test_nothing_is_assigned_that_is_not_offered(http, people, someone, valid, mutation, path):
    with nothing_changes():
        answer = sent(http, people, someone, mutation, spoilt(valid[mutation], path, "x"))
    assert refused(answer) == (400, "BAD_USER_INPUT")


BAD_VALUES = [
    *(
        ("claimTrip", "days", value)
        for value in (2**31, -(2**31) - 1, 2**53 + 1, 10**40, 1.5, "1", True, None, [])
    ),
    *(
        ("claimTrip", "id", value)
        for value in (1, 2**63, "1", "", "x" * 40_000, "' or 1=1 --", "\x00", None, {})
    ),
    *(
        ("extendTrip", "endsOn", value)
        for value in ("2026-02-30", "besok", "0000-01-01", "10000-01-01", "", "\x00", 1.5, [])
    ),
    *(
        ("finishTrip", "finishedAt", value)
        for value in (
            *("2026-11-25T08:00:00", "2026-11-25", "kemarin", "2026-11-25T25:00:00Z", ""),
            *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "now()", "\x00"),
            *("2026-11-25T08:00:00+99:00", 1_764_038_400, 1_764_038_400_000, 2**63, {}),
        )
    ),
    *(
        ("recordTrack", "fixes.0.time", value)
        for value in ("2026-11-25T08:00:00", "kemarin", "0001-01-01T00:00:00+14:00", None, 1)
    ),
    *(
        ("recordTrack", "fixes.0.lon", value)
        for value in ("117.1482736", "NaN", "Infinity", None, True, "POINT(117 0)", [], 10**400)
    ),
    ("recordTrack", "fixes", None),
    ("recordTrack", "fixes", "x"),
    ("recordTrack", "device", None),
    ("recordTrack", "device", 7),
    ("addOffice", "kind", "KANTOR"),
    ("addOffice", "kind", "agency"),
    ("addOffice", "kind", 0),
    ("addOffice", "name", None),
    ("addOffice", "parentId", "1"),
    ("inviteMember", "invitation.roles", ["ROOT"]),
    ("inviteMember", "invitation.roles", None),
    ("inviteMember", "invitation.roles", [None]),
    ("inviteMember", "invitation.nip", int(NIP + "000")),
    ("issueTrip", "plan.legs.0.transport", "TELEPORT"),
    ("issueTrip", "plan.legs.0.arriveOn", None),
    ("issueTrip", "plan.legs", None),
    ("issueTrip", "letter", None),
]


def label(value: object) -> str | None:
    return None if isinstance(value, str) and "." in value else str(value)[:20]


@pytest.mark.parametrize(("mutation", "path", "value"), BAD_VALUES, ids=label)
def test_values_of_no_such_type(http, people, someone, valid, mutation, path, value):
    given = spoilt(valid[mutation], path, value)
    with nothing_changes():
        answer = sent(http, people, someone, mutation, given)
    assert refused(answer) in ((400, "BAD_USER_INPUT"), (400, "BAD_REQUEST"))
    assert (refused(answer)[1] == "BAD_REQUEST") is (value == 10**400)


FIRST, LAST = ("0001-01-01", "9999-12-31")
AT_FIRST, AT_LAST = (f"{FIRST}T00:00:00Z", f"{LAST}T23:59:59Z")
FIRST_SECOND = "0001-01-01T00:00:01Z"
NO_SUCH_DAYS = [
    *(
        ("recordAttendance", {"entries.0.startedAt": start, "entries.0.endedAt": end})
        for start, end in (
            *((AT_FIRST, AT_FIRST), (AT_FIRST, FIRST_SECOND), (AT_FIRST, AT_LAST)),
            *((AT_LAST, AT_LAST), (AT_LAST, AT_FIRST), (MORNING, AT_LAST)),
            ("1999-12-31T23:59:59Z", "2000-01-01T08:00:00Z"),
        )
    ),
    *(
        ("recordOutsideAssignment", {"startsOn": start, "endsOn": end})
        for start, end in (
            *((FIRST, FIRST), (FIRST, LAST), (LAST, LAST), (LAST, FIRST)),
            *(("1999-12-31", "2000-01-01"), ("2099-12-31", "2100-01-01")),
        )
    ),
    *(("fileReport", {"filedOn": day}) for day in (FIRST, LAST)),
    *(
        ("recordTrack", {"silences.0.startedAt": start, "silences.0.endedAt": end})
        for start, end in ((AT_FIRST, AT_FIRST), (AT_FIRST, AT_LAST), (AT_LAST, AT_FIRST))
    ),
    *(
        (mutation, {"plan.flights.0.departsAt": departs, "plan.flights.0.arrivesAt": arrives})
        for mutation in ("issueTrip", "reviseTrip")
        for departs, arrives in ((AT_FIRST, FIRST_SECOND), (AT_FIRST, AT_LAST), (AT_LAST, AT_FIRST))
    ),
    *(
        (mutation, {"plan.startsOn": start, "plan.endsOn": end})
        for mutation in ("issueTrip", "reviseTrip")
        for start, end in ((FIRST, FIRST), (LAST, LAST))
    ),
    ("extendTrip", {"endsOn": LAST}),
]


@pytest.mark.parametrize(("mutation", "changes"), NO_SUCH_DAYS, ids=str)
def test_days_at_the_ends_of_the_calendar(http, people, someone, valid, mutation, changes):
    given = valid[mutation]
    for path, value in changes.items():
        given = spoilt(given, path, value)
    with nothing_changes():
        answer = sent(http, people, someone, mutation, given)
    assert refused(answer) == (200, "INVALID_INPUT")


STRINGS = [
    ("issueTrip", "letter.number", "INVALID_INPUT"),
    ("issueTrip", "letter.purpose", "INVALID_INPUT"),
    ("issueTrip", "spdNumber", "INVALID_INPUT"),
    ("issueTrip", "plan.legs.0.region", "UNKNOWN_REGION"),
    ("issueTrip", "plan.legs.0.lodgingName", "INVALID_INPUT"),
    ("issueTrip", "plan.transit.0", "UNKNOWN_REGION"),
    ("issueTrip", "plan.lawfulPlaces.0.region", "UNKNOWN_REGION"),
    ("reviseTrip", "plan.legs.0.region", "UNKNOWN_REGION"),
    ("reviseTrip", "plan.legs.0.lodgingName", "INVALID_INPUT"),
    ("reviseTrip", "reason", "INVALID_INPUT"),
    ("extendTrip", "reason", "INVALID_INPUT"),
    ("cancelTrip", "reason", "INVALID_INPUT"),
    ("recordTrack", "device", "INVALID_INPUT"),
    ("recordAttendance", "source", "INVALID_INPUT"),
    ("recordOutsideAssignment", "source", "INVALID_INPUT"),
    ("recordOutsideAssignment", "number", "INVALID_INPUT"),
    ("recordOutsideAssignment", "office", "INVALID_INPUT"),
    ("issueTrip", "plan.flights.0.number", "INVALID_INPUT"),
    ("issueTrip", "plan.flights.0.origin", "INVALID_INPUT"),
    ("inviteMember", "invitation.name", "INVALID_INPUT"),
    ("inviteMember", "invitation.nip", "INVALID_INPUT"),
    ("inviteMember", "invitation.position", "INVALID_INPUT"),
    ("inviteMember", "invitation.invitedAs", "INVALID_INPUT"),
    ("addOffice", "name", "INVALID_INPUT"),
]
TOO_MUCH = {"NUL": "Dinas\x00Kesehatan", "100,000 letters": "x" * 100_000}


@pytest.mark.parametrize("text", TOO_MUCH.values(), ids=TOO_MUCH)
@pytest.mark.parametrize(("mutation", "path", "code"), STRINGS)
def test_text_that_cannot_be_kept(http, people, someone, valid, mutation, path, code, text):
    with nothing_changes():
        answer = sent(http, people, someone, mutation, spoilt(valid[mutation], path, text))
    assert refused(answer) == (200, code)


@pytest.mark.parametrize("text", ["", " \n\t"], ids=["empty", "blank"])
@pytest.mark.parametrize(
    ("mutation", "path"),
    [
        ("issueTrip", "letter.number"),
        ("issueTrip", "letter.purpose"),
        ("reviseTrip", "reason"),
        ("extendTrip", "reason"),
        ("cancelTrip", "reason"),
    ],
)
def test_text_that_says_nothing(http, people, someone, valid, mutation, path, text):
    with nothing_changes():
        answer = sent(http, people, someone, mutation, spoilt(valid[mutation], path, text))
    assert refused(answer) == (200, "INVALID_INPUT")


INJECTIONS = {
    "or": "' or '1'='1",
    "drop": "'; drop table trip; --",
    "union": "') union all select dsn from realm --",
    "sleep": "'||pg_sleep(5)||'",
    "backslash": "\\'; \\x00 \\",
    "placeholders": "%s %(id)s :id $1 {0}",
    "like": "%_%",
    "quotes": "\"\"\"'''``",
    "markup": "<img src=x onerror=alert(1)>",
    "override": "surat \u202egnapmas\u202c 🛶",
}


class TestInjections:
    @pytest.mark.parametrize(("number", "text"), [*enumerate(INJECTIONS.values())], ids=INJECTIONS)
    def test_are_kept_to_the_letter(self, people, someone, operator, number, text):
        planned = copy.deepcopy(plan(starts=700 + 10 * number))
        planned["legs"][0] |= {"lodgingName": text}
        started = time.monotonic()
        made = ask(
            operator,
            "issueTrip",
            letter=letter(people, number=f"{text} {number}", purpose=text),
            travellerId=someone.id,
            plan=planned,
            spdNumber=text,
        )
        revised = ask(operator, "reviseTrip", id=made["id"], plan=planned, reason=text)
        assert revised["revision"] == 2
        ask(operator, "cancelTrip", id=made["id"], reason=text)
        assert time.monotonic() - started < 4
        shown = trip_of(operator, made["id"])
        assert shown["letter"]["number"] == f"{text} {number}"
        assert (shown["letter"]["purpose"], shown["spdNumber"]) == (text, text)
        assert shown["legs"][0]["lodgingName"] == text
        reasons = sql(
            "SELECT reason FROM trip_revision WHERE trip_id = CAST(:id AS uuid)", id=made["id"]
        )
        assert {row.reason for row in reasons} == {text}

    @pytest.mark.parametrize("text", INJECTIONS.values(), ids=INJECTIONS)
    @pytest.mark.parametrize(
        ("mutation", "path", "code"),
        [
            ("issueTrip", "plan.legs.0.region", (200, "UNKNOWN_REGION")),
            ("issueTrip", "plan.transit.0", (200, "UNKNOWN_REGION")),
            ("issueTrip", "travellerId", (400, "BAD_USER_INPUT")),
            ("claimTrip", "id", (400, "BAD_USER_INPUT")),
            ("inviteMember", "invitation.nip", (200, "INVALID_INPUT")),
            ("inviteMember", "invitation.officeId", (400, "BAD_USER_INPUT")),
        ],
    )
    def test_or_refused(self, http, people, someone, valid, mutation, path, code, text):
        started = time.monotonic()
        with nothing_changes():
            answer = sent(http, people, someone, mutation, spoilt(valid[mutation], path, text))
        assert refused(answer) == code
        assert time.monotonic() - started < 4

    @pytest.mark.parametrize("text", [*INJECTIONS.values(), "\x00", "a\x00b"], ids=ascii)
    @pytest.mark.parametrize("argument", ["search", "after"])
    def test_in_what_is_asked(self, http, operator, argument, text):
        query = f"query ($text: String) {{ members({argument}: $text) {{ nodes {{ id }} }} }}"
        answer = http.post(
            "/samarinda/graphql",
            json={"query": query, "variables": {"text": text}},
            headers=bearer(operator.token),
        )
        if argument == "after" or "\x00" in text:
            assert refused(answer)[1] == "INVALID_INPUT"
        else:
            found = answer.json()["data"]["members"]["nodes"]
            assert all(sql("SELECT 1 FROM member WHERE strpos(name, :text) > 0", text=text))
            assert len(found) <= 3

    def test_ids_of_what_is_not_there(self, http, operator):
        query = "query ($id: UUID!) { trip(id: $id) { id } deviation(id: $id) { id } }"
        for key in (nowhere(), "00000000-0000-0000-0000-000000000000", "f" * 32):
            answer = http.post(
                "/samarinda/graphql",
                json={"query": query, "variables": {"id": key}},
                headers=bearer(operator.token),
            )
            assert answer.json() == {"data": {"trip": None, "deviation": None}}
