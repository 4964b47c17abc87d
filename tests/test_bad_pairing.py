"""What nobody should send to pair a phone or to pause: a code each, and nothing changes."""

import pytest
from asking import document, nothing_changes, nowhere
from conftest import plan
from refusals import bearer, refused


@pytest.fixture(scope="module")
def valid(issue, someone):
    """For each mutation, arguments that would be taken."""
    trip = issue(someone, plan(starts=-1))["id"]
    started = "mutation ($id: UUID!) { startTrip(id: $id) { __typename } }"
    assert someone.front_end.ask(started, id=trip)["startTrip"]["__typename"] == "Trip"
    return {
        "pairDevice": {"client": "TRACCAR", "name": "Ponsel", "tripId": trip, "memberId": None},
        "revokeDevice": {"id": nowhere()},
        "pauseTracking": {"tripId": trip, "reason": "Istirahat", "until": None},
        "resumeTracking": {"tripId": trip},
    }


def sent(http, someone, mutation, given):
    return http.post(
        "/samarinda/graphql",
        json={"query": document(mutation), "variables": given},
        headers=bearer(someone.front_end.token),
    )


WRONG_TYPES = [
    *(("pairDevice", "client", value) for value in ("traccar", "NOKIA", "", 0, None, [])),
    *(("pairDevice", "name", value) for value in (None, 7, [], {})),
    *(("pairDevice", "tripId", value) for value in ("1", "' or 1=1 --", "\x00", {}, 2**63)),
    *(("pairDevice", "memberId", value) for value in ("1", "x" * 40_000, 1)),
    *(("revokeDevice", "id", value) for value in (None, 1, "", "\x00", "x" * 40_000)),
    *(("pauseTracking", "tripId", value) for value in (None, "1", {})),
    *(("pauseTracking", "reason", value) for value in (None, 7, {})),
    *(
        ("pauseTracking", "until", value)
        for value in (
            "besok",
            "2026-11-25T08:00:00",
            "",
            1_764_038_400,
            "9999-12-31T23:59:59-12:00",
        )
    ),
    *(("resumeTracking", "tripId", value) for value in (None, "1", [])),
]


@pytest.mark.parametrize(
    ("mutation", "name", "value"), WRONG_TYPES, ids=lambda value: ascii(value)[:20]
)
def test_values_of_no_such_type(http, someone, valid, mutation, name, value):
    with nothing_changes():
        answer = sent(http, someone, mutation, valid[mutation] | {name: value})
    assert refused(answer) == (400, "BAD_USER_INPUT")


@pytest.mark.parametrize("until", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_times_at_the_ends_of_the_calendar(http, someone, valid, until):
    with nothing_changes():
        answer = sent(http, someone, "pauseTracking", valid["pauseTracking"] | {"until": until})
    assert refused(answer) == (200, "INVALID_INPUT")


@pytest.mark.parametrize("text", ["", " \n\t", "Ponsel\x00", "x" * 100_000], ids=len)
@pytest.mark.parametrize(
    ("mutation", "name"), [("pairDevice", "name"), ("pauseTracking", "reason")]
)
def test_text_that_cannot_be_kept(http, someone, valid, mutation, name, text):
    with nothing_changes():
        answer = sent(http, someone, mutation, valid[mutation] | {name: text})
    assert refused(answer) == (200, "INVALID_INPUT")


@pytest.mark.parametrize(
    "name", ["' or '1'='1", "'; drop table device; --", "<img src=x>", "🛶\u202ex"]
)
def test_names_are_kept_to_the_letter(http, someone, name):
    given = {"client": "OWNTRACKS", "name": name, "tripId": None, "memberId": None}
    made = sent(http, someone, "pairDevice", given).json()["data"]["pairDevice"]
    assert made["device"]["name"] == name
    assert name not in made["qr"]


@pytest.mark.parametrize(
    "mutation", ["pairDevice", "revokeDevice", "pauseTracking", "resumeTracking"]
)
def test_nobody_who_is_not_signed_in(http, valid, mutation):
    with nothing_changes():
        answer = http.post(
            "/samarinda/graphql", json={"query": document(mutation), "variables": valid[mutation]}
        )
    assert refused(answer)[1] == "NOT_SIGNED_IN"
