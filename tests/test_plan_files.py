"""Plans from files: what the auditors' JSON means, and what contradicts itself is refused."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tenants.input_files import UnusableFile
from workers.case import (
    Assignment,
    Attendance,
    Claim,
    Dossier,
    LawfulPlace,
    PlannedLeg,
    Position,
    Silence,
    SilenceReason,
)
from workers.plan_files import PlanFile, read_plan

FIRST, SECOND, LAST = date(2026, 11, 24), date(2026, 11, 25), date(2026, 11, 26)
WITA, WIB = "Asia/Makassar", "Asia/Jakarta"
LEG = {"region": "64.71", "arrive": "2026-11-24", "depart": "2026-11-26"}
PLAN = {
    "traveller": "Sri Contoh",
    "home_region": "64.72",
    "starts_on": "2026-11-24",
    "ends_on": "2026-11-26",
    "legs": [LEG | {"lodging": {"lon": 116.845, "lat": -1.262}}],
    "claim": {"days": 3},
}
SEPINGGAN, SOETTA = {"lon": 116.894, "lat": -1.268}, {"lon": 106.656, "lat": -6.126}
FLIGHT = {
    "number": "XX 123",
    "from": SEPINGGAN,
    "to": SOETTA,
    "departs_at": "2026-11-24T08:00:00+08:00",
    "arrives_at": "2026-11-24T09:10:00+07:00",
}


def write(folder: Path, plan: Any) -> Path:
    path = folder / "plan.json"
    path.write_bytes(plan if isinstance(plan, bytes) else json.dumps(plan).encode())
    return path


def read(folder: Path, **changes: Any) -> PlanFile:
    return read_plan(write(folder, PLAN | changes))


def test_the_plan_of_the_readme(tmp_path):
    said = read(tmp_path)
    plan = said.plan
    assert (said.traveller, plan.home, plan.home_zone) == ("Sri Contoh", "64.72", WITA)
    assert (plan.starts_on, plan.ends_on) == (FIRST, LAST)
    assert plan.legs == (
        PlannedLeg(1, "64.71", WITA, FIRST, LAST, Position(lon=116.845, lat=-1.262)),
    )
    assert (plan.transit, plan.lawful_places, plan.flights) == (frozenset(), (), ())
    assert plan.finished_at is None
    assert said.dossier == Dossier(claim=Claim(3, None))


def test_all_that_a_plan_may_say(tmp_path):
    said = read(
        tmp_path,
        zone=WIB,
        transit=["31.71"],
        lawful_places=[{"region": "64.02", "from": "2026-11-26", "until": "2026-11-26"}],
        finished_at="2026-11-26T10:00:00+07:00",
        claim={"days": 3, "daily_allowance": "430000"},
        flights=[FLIGHT],
        attendance=[{"from": "2026-11-23T07:30:00+08:00", "until": "2026-11-23T16:00:00+08:00"}],
        assignments=[
            {
                "number": "090/2",
                "office": "Dinas Contoh",
                "starts_on": "2026-11-25",
                "ends_on": "2026-11-26",
            }
        ],
        reported_on="2026-12-01",
        silences=[
            {
                "from": "2026-11-24T10:00:00Z",
                "until": "2026-11-24T12:00:00Z",
                "reason": "NO_POWER",
            }
        ],
        ruleset={"min_coverage": 0.4, "visit_fixes": 4},
    )
    plan, dossier = said.plan, said.dossier
    assert (plan.home_zone, plan.transit) == (WIB, {"31.71"})
    assert plan.lawful_places == (LawfulPlace("64.02", LAST, LAST),)
    assert plan.finished_at == datetime(2026, 11, 26, 3, tzinfo=UTC)
    (flight,) = plan.flights
    assert (flight.number, flight.origin, flight.destination) == (
        "XX 123",
        Position(**SEPINGGAN),
        Position(**SOETTA),
    )
    assert flight.departs_at == datetime(2026, 11, 24, 0, tzinfo=UTC)
    assert flight.arrives_at == datetime(2026, 11, 24, 2, 10, tzinfo=UTC)
    assert dossier.claim == Claim(3, Decimal(430_000))
    assert dossier.attendance == (
        Attendance(
            datetime(2026, 11, 22, 23, 30, tzinfo=UTC), datetime(2026, 11, 23, 8, tzinfo=UTC)
        ),
    )
    assert dossier.assignments == (Assignment("090/2", "Dinas Contoh", SECOND, LAST),)
    assert dossier.reported_on == date(2026, 12, 1)
    assert dossier.silences == (
        Silence(
            datetime(2026, 11, 24, 10, tzinfo=UTC),
            datetime(2026, 11, 24, 12, tzinfo=UTC),
            SilenceReason.NO_POWER,
        ),
    )
    assert (said.ruleset.min_coverage, said.ruleset.visit_fixes) == (0.4, 4)


def test_the_local_date_of_a_time_counts(tmp_path):
    legs = [
        {"region": "31.71", "arrive": "2026-11-24T23:30:00", "depart": "2026-11-25T00:30:00+08:00"}
    ]
    (leg,) = read(tmp_path, legs=legs).plan.legs
    # 00:30 in Makassar is 23:30 of the day before in Jakarta.
    assert (leg.zone, leg.arrive_on, leg.depart_on) == (WIB, FIRST, FIRST)
    (leg,) = read(tmp_path, legs=[legs[0] | {"zone": WITA}]).plan.legs
    assert (leg.zone, leg.depart_on) == (WITA, SECOND)


@pytest.mark.parametrize(
    ("told", "dates"),
    [
        ([{}], [(FIRST, LAST)]),
        ([{}, {}], [(FIRST, LAST), (FIRST, LAST)]),
        ([{}, {"arrive": "2026-11-25"}], [(FIRST, SECOND), (SECOND, LAST)]),
        ([{"depart": "2026-11-25"}, {}], [(FIRST, SECOND), (SECOND, LAST)]),
        ([{"arrive": "2026-11-25"}, {"depart": "2026-11-25"}], [(SECOND, LAST), (SECOND, SECOND)]),
    ],
)
def test_dates_not_told_are_those_beside(tmp_path, told, dates):
    legs = [{"region": "64.71"} | leg for leg in told]
    found = read(tmp_path, legs=legs).plan.legs
    assert [(leg.arrive_on, leg.depart_on) for leg in found] == dates


def test_nothing_is_as_good_as_absent(tmp_path):
    assert read(tmp_path, claim=None, reported_on=None, finished_at=None, flights=None) == read(
        tmp_path, claim=None
    )


def test_a_region_of_no_known_province_lies_in_the_zone_of_home(tmp_path):
    said = read(tmp_path, home_region="99.01", zone=WIB, legs=[{"region": "99.02"}])
    assert (said.plan.home_zone, said.plan.legs[0].zone) == (WIB, WIB)


@pytest.mark.parametrize(
    "following",
    [
        {"region": "64.74", "arrive": "2026-11-26"},
        {"region": "64.74", "arrive": "2026-11-25", "depart": "2026-11-25"},
        {"region": "64.71", "arrive": "2026-11-25", "depart": "2026-11-26"},
    ],
)
def test_legs_may_share_days_but_no_nights_in_two_regions(tmp_path, following):
    """To leave one and reach the next on one day, a day's outing, two tasks in one region."""
    found = read(tmp_path, legs=[LEG, following]).plan.legs
    assert [one.region for one in found] == ["64.71", following["region"]]
    assert (found[0].depart_on, found[1].depart_on.isoformat()) == (
        LAST,
        following.get("depart", "2026-11-26"),
    )


def test_airports_by_their_codes(tmp_path):
    said = read(tmp_path, flights=[FLIGHT | {"from": "BPN", "to": " cgk "}])
    (flight,) = said.plan.flights
    assert (flight.origin.lon, flight.origin.lat) == pytest.approx((116.894, -1.268), abs=0.01)
    assert (flight.destination.lon, flight.destination.lat) == pytest.approx(
        (106.656, -6.126), abs=0.01
    )


def leg(**changes: Any) -> dict[str, Any]:
    return {"legs": [LEG | changes]}


@pytest.mark.parametrize(
    ("changes", "where", "why"),
    [
        ({"ends_on": "2026-11-23"}, "ends_on", "ends before it starts"),
        ({"ends_on": "2028-11-23"}, "ends_on", "more than a year"),
        ({"ends_on": None}, "ends_on", "is required"),
        ({"starts_on": 20261124}, "starts_on", "must be text"),
        ({"starts_on": "24-11-2026"}, "starts_on", "is no date"),
        ({"starts_on": "1926-11-24"}, "starts_on", "is not within 2000 to 2099"),
        ({"home_region": "6472"}, "home_region", "is no region's code"),
        ({"home_region": None}, "home_region", "is required"),
        ({"zone": "WITA"}, "zone", "is no IANA time zone"),
        ({"zone": "../passwd"}, "zone", "is no IANA time zone"),
        ({"traveler": "Sri"}, "traveler", "this key is unknown"),
        ({"traveller": 7}, "traveller", "must be text"),
        ({"legs": []}, "legs", "has no destination"),
        ({"legs": {}}, "legs", "must be a list"),
        ({"legs": ["64.71"]}, "legs[0]", "must be a JSON object"),
        (leg(region="64.7"), "legs[0].region", "is no region's code"),
        (leg(arrive="2026-11-23"), "legs[0]", "is outside the trip's dates"),
        (leg(depart="2026-11-27"), "legs[0]", "is outside the trip's dates"),
        (leg(arrive="2026-11-26", depart="2026-11-25"), "legs[0]", "departs before it arrives"),
        (leg(arrive="besok"), "legs[0].arrive", "is no date"),
        (leg(hotel="Contoh"), "legs[0].hotel", "this key is unknown"),
        (leg(lodging={"lon": 116.8}), "legs[0].lodging.lat", "is required"),
        (leg(lodging={"lon": 116.8, "lat": "-1"}), "legs[0].lodging.lat", "must be a number"),
        (leg(lodging={"lon": -1.2, "lat": 116.8}), "legs[0].lodging.lat", "is beyond -90 to 90"),
        (leg(lodging=[116.8, -1.2]), "legs[0].lodging", "must be a JSON object"),
        (
            {"legs": [LEG, {"region": "64.74", "arrive": "2026-11-25"}]},
            "legs[1]",
            "spends a night that is planned in another region",
        ),
        (
            {"legs": [LEG | {"arrive": SECOND.isoformat()}, LEG]},
            "legs[1]",
            "is out of order",
        ),
        ({"claim": {"days": -1}}, "claim.days", "must be a whole number"),
        ({"claim": {"days": 2.5}}, "claim.days", "must be a whole number"),
        ({"claim": {"days": True}}, "claim.days", "must be a whole number"),
        ({"claim": {}}, "claim.days", "is required"),
        ({"claim": {"days": 1, "hari": 1}}, "claim.hari", "this key is unknown"),
        ({"claim": {"days": 1, "daily_allowance": "430.000"}}, "claim.daily_allowance", "rupiah"),
        ({"claim": {"days": 1, "daily_allowance": -1}}, "claim.daily_allowance", "rupiah"),
        ({"transit": "31.71"}, "transit", "must be a list"),
        ({"transit": ["Jakarta"]}, "transit", "is no region's code"),
        ({"finished_at": "2026-11-26T10:00:00"}, "finished_at", "a time without a zone"),
        ({"finished_at": "2026-11-20T10:00:00Z"}, "finished_at", "before the trip starts"),
        ({"finished_at": "sore"}, "finished_at", "is no time in ISO 8601"),
        ({"reported_on": "2026-11-20"}, "reported_on", "before the trip starts"),
        ({"flights": [FLIGHT | {"from": None}]}, "flights[0].from", "is required"),
        ({"flights": [FLIGHT | {"from": "XQX"}]}, "flights[0].from", "is no known IATA code"),
        ({"flights": [FLIGHT | {"to": "Jakarta"}]}, "flights[0].to", "is no known IATA code"),
        ({"flights": [FLIGHT | {"to": " "}]}, "flights[0].to", "must be text"),
        ({"flights": [FLIGHT | {"to": 7}]}, "flights[0].to", "must be a JSON object"),
        (
            {"flights": [FLIGHT | {"arrives_at": FLIGHT["departs_at"]}]},
            "flights[0].arrives_at",
            "lands before it departs",
        ),
        (
            {"attendance": [{"from": "2026-11-24T08:00:00Z", "until": "2026-11-24T07:00:00Z"}]},
            "attendance[0].until",
            "ends before it starts",
        ),
        (
            {"lawful_places": [{"region": "64.02", "from": "2026-11-26", "until": "2026-11-25"}]},
            "lawful_places[0].until",
            "ends before it starts",
        ),
        (
            {
                "silences": [
                    {"from": "2026-11-24T08:00:00Z", "until": "2026-11-24T09:00:00Z", "reason": "X"}
                ]
            },
            "silences[0].reason",
            "is none of NO_POWER",
        ),
        ({"ruleset": {"min_covrage": 1}}, "ruleset.min_covrage", "no such parameter"),
        ({"ruleset": {"min_coverage": "1"}}, "ruleset.min_coverage", "must be a number"),
        ({"ruleset": [1]}, "ruleset", "must be a JSON object"),
    ],
)
def test_a_plan_that_contradicts_itself_is_refused(tmp_path, changes, where, why):
    with pytest.raises(UnusableFile) as caught:
        read(tmp_path, **changes)
    problem, path = caught.value, tmp_path / "plan.json"
    assert problem.message_en.startswith(f"{path}, {where}: ")
    assert problem.message_id.startswith(f"{path}, {where}: ")
    assert why in problem.message_en
    assert problem.message_id != problem.message_en
    assert "116.8" not in problem.message_en + problem.message_id


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"", "line 1: is no JSON"),
        (b"{\n'", "line 2: is no JSON"),
        (b"[]", "must be a JSON object"),
        (b"\xff", "is no JSON"),
        (b'{"a": NaN}', "is no JSON"),
        (b"[" * 200_000, "is no JSON"),
        (b'{"claim": {"days": 3, "days": 4}}', "days: this key occurs twice"),
    ],
)
def test_what_is_no_plan_is_refused(tmp_path, text, why):
    with pytest.raises(UnusableFile) as caught:
        read_plan(write(tmp_path, text))
    assert why in caught.value.message_en
