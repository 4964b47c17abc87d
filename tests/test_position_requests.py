"""requestPosition: who may ask a phone where it is, and until when."""

from datetime import UTC, datetime

import pytest
from asking import ask, nothing_changes, nowhere
from conftest import plan
from test_track_endpoint import paired  # noqa: F401

# ruff: noqa: F811


@pytest.fixture(scope="module")
def away(people, issue):
    """Somebody on a trip of today."""
    who = people.fresh()
    issue(who, plan(starts=-1))
    return who


@pytest.fixture(scope="module")
def colleague(people):
    return people.fresh()


@pytest.fixture(scope="module")
def phone(away, paired):
    return paired(away, "OWNTRACKS")


@pytest.mark.parametrize("officer", ["inspektur", "kepala", None])
def test_owntracks_is_asked_once(people, away, phone, officer):
    viewer = people.as_(officer) if officer else away.front_end
    device = phone.pairing["device"]["id"]
    assert ask(viewer, "requestPosition", deviceId=device)["id"] == device
    answer = phone.fixes([datetime.now(UTC)])
    assert [each["action"] for each in answer.json()] == ["reportLocation"]
    assert phone.fixes([datetime.now(UTC)]).json() == []


def test_nobody_else_asks(people, phone, colleague):
    device = phone.pairing["device"]["id"]
    abroad = people.as_("inspektur", "balikpapan")
    with nothing_changes():
        for viewer in (people.as_("operator"), people.as_("admin"), colleague.front_end):
            refused = ask(viewer, "requestPosition", deviceId=device)
            assert refused == ask(viewer, "requestPosition", deviceId=nowhere())
            assert refused["code"] == "NOT_FOUND"
        assert ask(abroad, "requestPosition", deviceId=device)["code"] == "NOT_FOUND"


def test_only_while_the_assignment_lasts_and_is_not_paused(people, issue, paired):
    who = people.fresh()
    device = paired(who, "OWNTRACKS").pairing["device"]["id"]
    past = issue(who, plan(starts=-9))["id"]
    bound = paired(who, "OWNTRACKS", tripId=past).pairing["device"]["id"]

    def request(key: str = device) -> str:
        answer = ask(people.as_("kepala"), "requestPosition", deviceId=key)
        return answer.get("was", answer["__typename"])

    with nothing_changes():
        assert request() == "NOT_TRACKED"
    trip = issue(who, plan(starts=-1))["id"]
    assert request() == "Device"
    assert request(bound) == "NOT_TRACKED"
    assert ask(who.front_end, "startTrip", id=trip)["state"] == "ACTIVE"
    ask(who.front_end, "pauseTracking", tripId=trip, reason="Ibadah")
    assert request() == "PAUSED"
    ask(who.front_end, "resumeTracking", tripId=trip)
    assert request() == "Device"
    assert ask(who.front_end, "finishTrip", id=trip)["state"] == "FINISHED"
    assert request() == "NOT_TRACKED"


def test_only_phones_that_can_be_asked(away, paired):
    hers = away.front_end
    traccar = paired(away, "TRACCAR").pairing["device"]["id"]
    revoked = paired(away, "OWNTRACKS").pairing["device"]["id"]
    ask(hers, "revokeDevice", id=revoked)
    for device in (traccar, revoked):
        assert ask(hers, "requestPosition", deviceId=device)["field"] == "deviceId"
