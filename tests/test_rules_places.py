"""Where the traveller slept and whether he flew, against what he declared."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from tests.findings import finding
from tests.tracks import (
    CITY,
    FAR,
    HOME,
    HONEST,
    HOTEL,
    NEXT,
    OFFICE,
    PORT,
    START,
    VILLAGE,
    Place,
    at,
    claim,
    moved,
    silence,
    trip,
    walk,
)
from workers.case import DeviationKind, Fixes, Flight, Plan, PlannedLeg, Position, Severity

NOTE, LOW, MEDIUM, HIGH = Severity
BORDER: Place = (117.25, -0.502)  # 200 m beyond home's border, well within its tolerance
FRIENDS: Place = (117.25, -0.55)  # 22 km north of the hotel, in the same city


def position(place: Place) -> Position:
    return Position(lon=place[0], lat=place[1])


def severity(found):
    return found and found.severity


def lodged(place: Place | None = HOTEL, *, days: int = 4, region: str = CITY) -> Plan:
    """A trip with one leg over all its days and a lodging there."""
    plan = trip(region, days=days)
    lodging = place and position(place)
    return replace(plan, legs=tuple(replace(leg, lodging=lodging) for leg in plan.legs))


def nights(*places: Place, silent=(), accuracy: float = 20) -> Fixes:
    """Days of duty in the city from the first at 10 to the last at 18, nights at places."""
    stops = [(0.0, OFFICE), (8.0, OFFICE), (10.0, HOTEL)]
    for i, place in enumerate(places):
        stops += [(24 * i + 18.0, HOTEL), (24 * i + 20.0, place)]
        stops += [(24 * i + 31.0, place), (24 * i + 33.0, HOTEL)]
    last = 24.0 * len(places)
    stops += [(last + 18, HOTEL), (last + 20, OFFICE), (last + 24, OFFICE)]
    return walk(*stops, silent=silent, accuracy=accuracy)


class TestLodging:
    find = staticmethod(partial(finding, DeviationKind.LODGING_MISMATCH))

    @pytest.mark.parametrize(
        ("places", "expected"),
        [
            ((HOTEL, HOTEL, HOTEL), None),
            ((HOTEL, FRIENDS, HOTEL), LOW),
            ((FRIENDS, FRIENDS, HOTEL), LOW),
            ((FRIENDS, FRIENDS, FRIENDS), MEDIUM),
            ((OFFICE, OFFICE, OFFICE), MEDIUM),
            ((VILLAGE, HOTEL, HOTEL), LOW),
            # Within what addresses and fixes are good for.
            (((117.25, -0.79), (117.25, -0.71), (117.285, -0.75)), None),
        ],
    )
    def test_nights_far_from_the_lodging(self, places, expected):
        assert severity(self.find(lodged(), nights(*places))) is expected

    def test_rough_fixes_may_be_at_the_lodging(self):
        near = (117.25, -0.82)
        assert self.find(lodged(), nights(near, near, near)).severity is MEDIUM
        assert self.find(lodged(), nights(near, near, near, accuracy=4_000)) is None

    def test_it_tells_the_nights_the_distance_and_no_coordinates(self):
        found = self.find(lodged(), nights(HOTEL, FRIENDS, FRIENDS))
        assert (found.leg, found.region, found.planned_region) == (1, CITY, CITY)
        assert (found.started_at, found.ended_at) == (at(47), at(77))
        assert found.evidence
        assert found.message_id == (
            "2 dari 3 malam sekitar 22 km dari penginapan di Kota Balikpapan yang dinyatakan, di "
            "Kota Balikpapan, antara Rab 25 Nov 2026 23.00 WITA dan Jum 27 Nov 2026 05.00 WITA."
        )
        assert found.message_en.startswith("2 of 3 nights about 22 km from the declared lodging ")

    def test_one_night_is_low_even_when_it_is_the_only_one(self):
        assert self.find(lodged(days=2), nights(FRIENDS)).severity is LOW

    def test_without_a_lodging_nothing_is_said(self):
        assert self.find(lodged(None), nights(FRIENDS, FRIENDS, FRIENDS)) is None

    def test_a_silent_night_says_nothing(self):
        away = [(20.5, 40.5), (44.5, 64.5), (68.5, 80.5)]
        track = nights(FRIENDS, OFFICE, VILLAGE, silent=away)
        assert self.find(lodged(), track) is None
        assert self.find(lodged(), silence()) is None

    def test_a_phone_asleep_at_one_place_was_there(self):
        asleep = [(20.5, 30.5), (44.5, 54.5), (68.5, 78.5)]
        assert self.find(lodged(), nights(FRIENDS, FRIENDS, FRIENDS, silent=asleep)) is not None
        assert self.find(lodged(), nights(HOTEL, HOTEL, HOTEL, silent=asleep)) is None

    def test_a_night_mostly_silent_says_nothing(self):
        track = nights(FRIENDS, HOTEL, HOTEL, silent=[(25.5, 40)])
        assert self.find(lodged(), track) is None
        track = nights(FRIENDS, HOTEL, HOTEL, silent=[(26.5, 40)])
        assert self.find(lodged(), track).severity is LOW

    def test_working_late_elsewhere_is_no_night_there(self):
        stops = (
            (0, OFFICE), (8, OFFICE), (10, HOTEL), (18, HOTEL), (20, FRIENDS),
            (25, FRIENDS), (26, HOTEL), (42, HOTEL), (44, OFFICE), (48, OFFICE),
        )  # fmt: skip
        assert self.find(lodged(days=2), walk(*stops)) is None
        assert self.find(lodged(days=2), walk(*stops, every=3600)) is None

    def test_nights_on_the_way_and_after_coming_home_are_no_nights_there(self):
        late = walk((0, OFFICE), (30, OFFICE), (33, HOTEL), (88, HOTEL), (90, OFFICE), (96, OFFICE))
        early = walk((0, OFFICE), (8, OFFICE), (10, HOTEL), (40, HOTEL), (42, OFFICE), (96, OFFICE))
        assert self.find(lodged(), late) is None
        assert self.find(lodged(), early) is None

    @pytest.mark.parametrize(
        ("place", "lodging", "days", "expected"),
        [
            (BORDER, HOTEL, 4, MEDIUM),
            (BORDER, HOTEL, None, MEDIUM),
            (BORDER, HOTEL, 3, None),  # came home early, and claims no more
            (BORDER, BORDER, 4, None),
            (OFFICE, HOTEL, 4, None),  # certainly at home: that is NEVER_LEFT's
            (VILLAGE, HOTEL, 4, None),  # certainly elsewhere: WRONG_REGION's
        ],
    )
    def test_nights_at_a_border_are_at_the_lodging_or_not(self, place, lodging, days, expected):
        track = walk((0, place), (96, place))
        assert severity(self.find(lodged(lodging), track, claim=days and claim(days))) is expected

    def test_at_a_border_every_night_must_be_known(self):
        along = partial(walk, (0, BORDER), (40, (117.3, -0.5)), (96, BORDER))
        assert self.find(lodged(), along()) is not None
        for silent in ((20, 50), (70, 96), (0, 30)):
            assert self.find(lodged(), along(silent=[silent])) is None

    def test_of_legs_that_share_a_night_either_lodging_is_right(self):
        plan = lodged()
        (leg,) = plan.legs
        other = replace(leg, position=2, lodging=position(FRIENDS))
        track = nights(FRIENDS, FRIENDS, HOTEL)
        assert self.find(replace(plan, legs=(leg, other)), track) is None
        assert self.find(replace(plan, legs=(leg, replace(other, lodging=None))), track) is None

    def test_each_leg_has_its_own_nights_in_its_own_zone(self):
        second, third = (START.replace(day=START.day + n) for n in (1, 3))
        legs = (
            PlannedLeg(1, CITY, "Asia/Makassar", START, second, position(HOTEL)),
            PlannedLeg(2, NEXT, "Asia/Jakarta", second, third, position(VILLAGE)),
        )
        plan = replace(trip(CITY, NEXT, days=4), legs=legs)
        stops = [(0, OFFICE), (8, OFFICE), (10, HOTEL), (33, HOTEL), (36, VILLAGE), (42, VILLAGE)]
        honest = walk(*stops, (90, VILLAGE), (96, OFFICE))
        assert self.find(plan, honest) is None
        hut = (116.55, -0.75)
        track = walk(*stops, (44, hut), (55, hut), (57, VILLAGE), (90, VILLAGE), (96, OFFICE))
        found = self.find(plan, track)
        assert (found.leg, found.started_at, found.ended_at) == (2, at(48), at(54))
        assert "1 dari 2 malam" in found.message_id

    def test_while_the_night_lasts_it_is_not_judged(self):
        track = nights(FRIENDS, HOTEL, HOTEL)
        assert self.find(lodged(), track, hour=28) is None
        assert self.find(lodged(), track, hour=36).severity is LOW


# A flight over 278 km from the first airport to the second, from 12:00 to 13:00 on the first day.
ORIGIN: Place = (117.25, -0.25)
DESTINATION: Place = (119.75, -0.25)
MIDWAY: Place = (118.5, -0.25)
SUBURB: Place = (117.25, -0.05)  # 22 km from the first airport, with the tolerances
HAMLET: Place = (117.05, -0.02)  # 34 km from it
CHURCH: Place = (119.98, -0.02)  # 36 km from the second


def flying(*flights: tuple[str, float], days: int = 3, back: bool = False) -> Plan:
    ends = (DESTINATION, ORIGIN) if back else (ORIGIN, DESTINATION)
    return replace(
        trip(FAR, days=days),
        flights=tuple(
            Flight(number, *map(position, ends), at(hour), at(hour + 1)) for number, hour in flights
        ),
    )


def flown(hour: float, *, landed: float = 1, every: float = 300, silent=None) -> Fixes:
    """From a hamlet by way of the airport to the far one, in the air from an hour on."""
    stops = [(0, HAMLET), (hour - 2, HAMLET), (hour - 1, ORIGIN), (hour, ORIGIN)]
    stops += [(hour + landed, DESTINATION), (hour + landed + 1, PORT), (72, PORT)]
    return walk(*stops, every=every, silent=[(hour, hour + landed)] if silent is None else silent)


class TestFlight:
    find = staticmethod(partial(finding, DeviationKind.FLIGHT_MISMATCH))
    plan = flying(("XY 100", 12))

    @pytest.mark.parametrize(
        ("track", "expected"),
        [
            (flown(12), None),
            # Fixes from the air.
            (flown(12, silent=[]), None),
            # Early, late, and a day later.
            (flown(10.5), None),
            (flown(12.75), None),
            (flown(15), NOTE),
            (flown(23), NOTE),
            (flown(36), NOTE),
            # Flew before: at the far end, away from its airport.
            (walk((0, ORIGIN), (1, ORIGIN), (2, DESTINATION), (3, CHURCH), (72, CHURCH)), NOTE),
            # Waited at the airport, or near it, for a flight that never came.
            (walk((0, ORIGIN), (72, ORIGIN)), None),
            (walk((0, (117.25, -0.1)), (72, (117.25, -0.1))), None),
            # Stayed in the hamlet.
            (walk((0, HAMLET), (72, HAMLET)), MEDIUM),
            # Went by road, and came there too late for any flight.
            (walk((0, HAMLET), (60, HAMLET), (72, DESTINATION)), LOW),
            (
                walk((0, ORIGIN), (1, ORIGIN), (3, HAMLET), (60, HAMLET), (72, DESTINATION)),
                LOW,
            ),
            # Flew later, from somewhere else.
            (walk((0, HAMLET), (13.5, HAMLET), (14.5, DESTINATION), (72, DESTINATION)), NOTE),
            # Phone off during the flight, or all the time after it.
            (walk((0, HAMLET), (72, HAMLET), silent=[(11.9, 13.1)]), None),
            (walk((0, HAMLET), (72, HAMLET), silent=[(12.2, 13.5)]), None),
            (silence(), None),
            (walk((0, HAMLET), (13, HAMLET)), NOTE),
            # Asleep at one place is known, a silence from here to there may hide the flight.
            (walk((0, HAMLET), (72, HAMLET), silent=[(20, 30)]), MEDIUM),
            (walk((0, HAMLET), (14, HAMLET), (19, CHURCH), (72, CHURCH), silent=[(14, 19)]), NOTE),
        ],
    )
    def test_on_the_ground_during_the_flight(self, track, expected):
        assert severity(self.find(self.plan, track)) is expected

    def test_a_diverted_flight_is_only_noted(self):
        diverted = walk(
            (0, ORIGIN), (12, ORIGIN), (12.3, MIDWAY), (16, MIDWAY), (16.4, DESTINATION), (72, PORT)
        )
        assert severity(self.find(self.plan, diverted)) is NOTE

    def test_a_silence_in_a_long_flight_is_not_time_on_the_ground(self):
        (flight,) = self.plan.flights
        plan = replace(self.plan, flights=(replace(flight, arrives_at=at(15)),))
        stayed = (0, HAMLET), (72, HAMLET)
        assert self.find(plan, walk(*stayed, silent=[(12.2, 14.8)])) is None
        assert self.find(plan, walk(*stayed)).severity is MEDIUM

    def test_it_names_the_flight_the_time_and_the_distance(self):
        found = self.find(self.plan, walk((0, HAMLET), (72, HAMLET)))
        assert (found.leg, found.region) == (None, HOME)
        assert found.started_at == at(12)
        assert found.evidence
        assert found.message_id == (
            "Di darat 1 jam, 34 km dari bandara terdekat, sejak Sel 24 Nov 2026 12.00 WITA, pada "
            "jam terbang XY 100."
        )
        assert found.message_en == (
            "On the ground for 1 h, 34 km from the nearer airport, from Tue 24 Nov 2026 12:00 "
            "WITA, during flight XY 100."
        )

    def test_all_flights_are_one_deviation_as_severe_as_the_worst(self):
        plan = flying(("XY 100", 12), ("XY 102", 36))
        back = flying(("XY 101", 14), ("XY 103", 60), back=True).flights
        track = flown(15)
        assert "XY 102" not in self.find(plan, track).message_id
        found = self.find(
            replace(plan, flights=(*plan.flights, *back)), walk((0, HAMLET), (72, HAMLET))
        )
        assert found.severity is MEDIUM
        assert [number in found.message_id for number in ("100", "101", "102")] == [True] * 3
        assert (found.started_at, found.ended_at.hour) == (at(12), 5)

    def test_a_flight_home_on_the_last_evening_cannot_be_told_from_a_later_one(self):
        plan = flying(("XY 104", 68), back=True)
        stayed = walk((0, CHURCH), (72, CHURCH))
        assert self.find(plan, stayed).severity is NOTE
        assert self.find(flying(("XY 104", 40), back=True), stayed).severity is MEDIUM

    def test_while_he_may_still_fly_it_is_only_noted(self):
        track = walk((0, HAMLET), (72, HAMLET))
        assert self.find(self.plan, track, hour=12.2) is None
        assert self.find(self.plan, track, hour=14).severity is NOTE
        assert self.find(self.plan, track, hour=30).severity is MEDIUM

    def test_few_or_rough_fixes_accuse_nobody(self):
        assert self.find(self.plan, walk((0, HAMLET), (72, HAMLET), every=2400)) is None
        rough = walk((0, SUBURB), (72, SUBURB), accuracy=4_000)
        assert self.find(self.plan, rough) is None

    def test_a_plane_that_circles_is_not_on_the_ground(self):
        def circle(fixes: Fixes) -> None:
            up = (fixes.time >= at(12).timestamp()) & (fixes.time <= at(13).timestamp())
            turn = np.arange(up.sum())
            fixes.lon[up] = MIDWAY[0] + 0.1 * np.cos(2 * turn)
            fixes.lat[up] = MIDWAY[1] + 0.1 * np.sin(2 * turn)

        assert self.find(self.plan, moved(flown(12, silent=[]), circle)) is None

    def test_a_plan_without_flights_says_nothing(self):
        assert self.find(trip(CITY), HONEST) is None
