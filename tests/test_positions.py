"""Live positions: who sees whom, and until when."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from asking import ask, enter, nowhere
from conftest import BALIKPAPAN, Someone, plan, record
from test_track_endpoint import HOTEL, paired  # noqa: F401

from infra.front_end import FrontEnd, Refused

SHOWN = "trip { id } traveller { name } lon lat accuracy at deviceId"
LIVE = f"query ($office: UUID) {{ livePositions(officeId: $office) {{ {SHOWN} }} }}"


@dataclass(frozen=True)
class Away:
    who: Someone
    trip: str


@pytest.fixture(scope="module")
def go(people, issue):
    """Send somebody away, today; her phone has said where she is, a minute ago."""

    def go() -> Away:
        who = people.fresh()
        away = Away(who, issue(who, plan(starts=-1))["id"])
        moved(away, seconds_ago=60)
        return away

    return go


@pytest.fixture(scope="module")
def away(go):
    return go()


def moved(
    away: Away, *, seconds_ago: float = 0, lon: float = BALIKPAPAN[0], kept: bool = True
) -> datetime:
    at = datetime.now(UTC) - timedelta(seconds=seconds_ago)
    at = at.replace(microsecond=at.microsecond // 1000 * 1000)
    fix = {"time": at.isoformat(), "lon": lon, "lat": BALIKPAPAN[1], "accuracy": 12.0}
    assert record(away.who.front_end, away.trip, [fix])["accepted"] == kept
    return at


def live(viewer: FrontEnd, office: str | None = None) -> dict[str, dict[str, Any]]:
    found = viewer.ask(LIVE, office=office)["livePositions"]
    return {position["trip"]["id"]: position for position in found}


@pytest.fixture(scope="module")
def colleague(go):
    return go()


def offices(people) -> dict[str, str]:
    found = people.as_("admin").ask("{ offices { id name } }")["offices"]
    return {office["name"]: office["id"] for office in found}


class TestWhoSeesWhom:
    def test_the_traveller_sees_herself(self, away):
        at = moved(away, lon=116.85)
        (position,) = live(away.who.front_end).values()
        assert position == {
            "trip": {"id": away.trip},
            "traveller": {"name": away.who.name},
            "lon": 116.85,
            "lat": BALIKPAPAN[1],
            "accuracy": 12.0,
            "at": position["at"],
            "deviceId": None,
        }
        assert datetime.fromisoformat(position["at"]) == at

    @pytest.mark.parametrize("officer", ["inspektur", "kepala"])
    def test_so_do_the_inspectorate_and_her_head_of_office(self, people, away, officer):
        assert away.trip in live(people.as_(officer))

    @pytest.mark.parametrize("officer", ["operator", "admin"])
    @pytest.mark.usefixtures("away")
    def test_who_issues_and_pays_trips_does_not(self, people, officer):
        assert live(people.as_(officer)) == {}

    @pytest.mark.usefixtures("away")
    def test_nor_does_a_colleague(self, colleague):
        assert set(live(colleague.who.front_end)) == {colleague.trip}

    def test_nor_does_another_regency(self, people, away):
        for officer in ("inspektur", "kepala"):
            assert away.trip not in live(people.as_(officer, "balikpapan"))

    def test_the_province_has_none(self, people):
        with pytest.raises(Refused, match="VALIDATION"):
            people.as_("pengawas", "province").ask("{ livePositions { at } }")

    def test_nobody_sees_any_without_signing_in(self, http):
        answer = http.post("/samarinda/graphql", json={"query": "{ livePositions { at } }"})
        assert answer.json()["errors"][0]["extensions"]["code"] == "NOT_SIGNED_IN"

    def test_of_one_office_and_those_below_it(self, people, away):
        inspector = people.as_("inspektur")
        own = offices(people)["Sekretariat Daerah Kota Samarinda"]
        assert away.trip in live(inspector, own)
        beside = ask(people.as_("admin"), "addOffice", name="Badan Arsip", kind="AGENCY")["id"]
        assert live(inspector, beside) == live(inspector, nowhere()) == {}

    @pytest.mark.parametrize("first", [0, -1, 2001])
    def test_how_many(self, people, first):
        with pytest.raises(Refused, match="INVALID_INPUT"):
            people.as_("inspektur").ask(f"{{ livePositions(first: {first}) {{ at }} }}")

    def test_all_at_once_but_not_all_that_hangs_on_them(self, people):
        inspector = people.as_("inspektur")
        assert inspector.ask(f"{{ livePositions(first: 2000) {{ {SHOWN} }} }}")
        with pytest.raises(Refused, match="TOO_COSTLY"):
            inspector.ask(
                "{ livePositions(first: 2000) { trip { legs { regionCode zone arriveOn departOn } }"
                " traveller { office { name } } } }"
            )


class TestUntilWhen:
    @pytest.fixture(scope="class")
    @classmethod
    def leaving(cls, go):
        return go()

    def test_not_after_the_last_day_even_if_nobody_said_so(self, leaving):
        change = (
            "UPDATE trip SET starts_on = starts_on + :days, ends_on = ends_on + :days,"
            " ended_on = ended_on + :days WHERE id = CAST(:id AS uuid)"
        )
        enter(change, days=-2, id=leaving.trip)
        assert live(leaving.who.front_end) == {}
        enter(change, days=2, id=leaving.trip)
        assert set(live(leaving.who.front_end)) == {leaving.trip}

    def test_not_where_she_was_before_a_plan_that_begins_later(self, leaving):
        change = (
            "UPDATE trip_progress SET last_fix_at = last_fix_at + make_interval(days => :days)"
            " WHERE trip_id = CAST(:id AS uuid)"
        )
        enter(change, days=-3, id=leaving.trip)
        assert live(leaving.who.front_end) == {}
        enter(change, days=3, id=leaving.trip)
        assert set(live(leaving.who.front_end)) == {leaving.trip}

    def test_not_while_paused(self, people, leaving):
        ask(leaving.who.front_end, "pauseTracking", tripId=leaving.trip, reason="Ibadah")
        assert live(leaving.who.front_end) == {}
        assert leaving.trip not in live(people.as_("kepala"))
        ask(leaving.who.front_end, "resumeTracking", tripId=leaving.trip)
        assert set(live(leaving.who.front_end)) == {leaving.trip}

    def test_not_after_an_early_return(self, people, leaving):
        assert ask(leaving.who.front_end, "finishTrip", id=leaving.trip)["state"] == "FINISHED"
        assert live(leaving.who.front_end) == {}
        assert leaving.trip not in live(people.as_("inspektur"))

    def test_not_before_the_first_fix_nor_when_called_off(self, people, issue):
        who = people.fresh()
        away = Away(who, issue(who, plan(starts=-1))["id"])
        assert ask(who.front_end, "startTrip", id=away.trip)["state"] == "ACTIVE"
        assert live(who.front_end) == {}
        moved(away)
        assert set(live(who.front_end)) == {away.trip}
        assert ask(people.as_("operator"), "cancelTrip", id=away.trip, reason="Batal")["id"]
        assert live(who.front_end) == {}
