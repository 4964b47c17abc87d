"""What a visum adds to a track, what it contradicts, and what it leaves alone."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import pytest

from tenants.regions import shipped
from tests.tracks import (
    ALLOWANCE,
    CITY,
    HOME,
    HONEST,
    HOTEL,
    IDLE,
    ISLE,
    NEXT,
    OFFICE,
    START,
    VILLAGE,
    accusations,
    at,
    claim,
    silence,
    states,
    trip,
    walk,
)
from tests.tracks import SQUARES as REGIONS
from workers.case import (
    Companion,
    DayState,
    DeviationKind,
    Dossier,
    Outcome,
    Severity,
    Stay,
    Verdict,
    Visum,
)
from workers.evaluate import detail_of
from workers.itinerary import midnight, moment
from workers.judge import judge
from workers.parameter import Terms
from workers.ruleset import Ruleset
from workers.simulator import Scenario, World, kaltim, scene
from workers.track import RegionIndex

AWAY, AT_HOME, UNKNOWN = DayState.AWAY, DayState.HOME, DayState.UNKNOWN
CONFORMS, DEVIATES, UNVERIFIABLE = Outcome.CONFORMS, Outcome.DEVIATES, Outcome.UNVERIFIABLE
RULES = Ruleset(version=7)
TO_VILLAGE = walk(
    (0, OFFICE), (8, OFFICE), (11, VILLAGE), (58, VILLAGE), (61, OFFICE), (72, OFFICE)
)
ONE_DAY = walk((0, OFFICE), (8, OFFICE), (10, HOTEL), (18, HOTEL), (20, OFFICE), (72, OFFICE))


def visum(arrived=None, departed=None, region=CITY, leg=1) -> Visum:
    """Confirmed at hours of the trip."""
    return Visum(
        region,
        leg,
        None if arrived is None else at(arrived),
        None if departed is None else at(departed),
    )


def judged(plan, fixes, *visa, hour=1000, claimed=None, rules=RULES, **record) -> Verdict:
    dossier = Dossier(claim=claimed, reported_on=START, visa=visa, **record)
    return judge(plan, dossier, rules, REGIONS, fixes, as_of=at(hour))


def kinds(found: Verdict) -> list[DeviationKind]:
    return [one.kind for one in accusations(found)]


@pytest.mark.parametrize("fixes", [HONEST, IDLE, TO_VILLAGE, ONE_DAY, silence()])
@pytest.mark.parametrize("days", [1, 3])
def test_without_one_nothing_is_said_of_it(fixes, days):
    found = judged(trip(CITY, days=days), fixes, claimed=claim(days))
    assert (found.vouched, found.visum_coverage) == ((), 0.0)
    assert detail_of(found).keys() == {"days", "stays", "gaps", "deviations"}
    home = judged(trip(CITY, days=days), fixes, visum(9, 15, HOME), claimed=claim(days))
    assert detail_of(home) == detail_of(found), "home is no destination"


class TestSilentPhone:
    @pytest.mark.parametrize(
        ("visa", "outcome", "expected", "share"),
        [
            ([visum(10, 63)], CONFORMS, [AWAY, AWAY, AWAY], 53 / 72),
            ([visum(10, 34)], CONFORMS, [AWAY, AWAY, UNKNOWN], 24 / 72),
            ([visum(10, 15)], CONFORMS, [AWAY, UNKNOWN, UNKNOWN], 5 / 72),
            ([visum(10)], UNVERIFIABLE, [AWAY, UNKNOWN, UNKNOWN], 0),
            ([visum(None, 63)], UNVERIFIABLE, [UNKNOWN, UNKNOWN, AWAY], 0),
            ([visum(10, 63, NEXT)], UNVERIFIABLE, [AWAY, AWAY, AWAY], 53 / 72),
            ([visum(10, 40), visum(30, 63, leg=2)], CONFORMS, [AWAY, AWAY, AWAY], 53 / 72),
            ([], UNVERIFIABLE, [UNKNOWN, UNKNOWN, UNKNOWN], 0),
        ],
    )
    def test_arrival_and_departure_suffice(self, visa, outcome, expected, share):
        found = judged(trip(CITY), silence(), *visa, claimed=claim(3))
        assert (found.outcome, accusations(found)) == (outcome, [])
        assert states(found) == expected
        assert found.visum_coverage == pytest.approx(share)
        assert found.coverage == 0
        assert found.vouched == tuple(day.date for day in found.days if day.state is AWAY)

    def test_each_destination_must_confirm_both(self):
        two = trip(CITY, NEXT)
        assert judged(two, silence(), visum(10, 30)).outcome is UNVERIFIABLE
        both = visum(10, 30), visum(34, 60, NEXT, leg=2)
        assert judged(two, silence(), *both).outcome is CONFORMS

    def test_a_region_without_outline_can_be_confirmed(self):
        assert judged(trip(ISLE), silence(), visum(10, 60, ISLE)).outcome is CONFORMS

    def test_live_it_says_as_much_as_was_confirmed(self):
        found = judged(trip(CITY), silence(), visum(10), hour=20)
        assert (found.outcome, found.final) == (CONFORMS, False)
        assert states(found) == [AWAY]

    def test_little_track_and_a_visum_together(self):
        part = walk((0, OFFICE), (8, OFFICE), (10, HOTEL), (14, HOTEL))
        assert judged(trip(CITY), part).outcome is UNVERIFIABLE
        found = judged(trip(CITY), part, visum(10.5, 63))
        assert found.outcome is CONFORMS
        assert states(found) == [AWAY, AWAY, AWAY]
        assert found.vouched == tuple(day.date for day in found.days[1:])
        assert found.coverage + found.visum_coverage == pytest.approx(63 / 72, abs=0.01)

    def test_it_supports_a_claim(self):
        found = judged(trip(CITY), silence(), visum(10, 63), claimed=claim(3))
        assert kinds(found) == []
        assert found.observed_days == 3


class TestTrackThatAgrees:
    @pytest.mark.parametrize("hours", [(10, 57), (11, 40), (9.8, 66), (2, 69)])
    def test_a_desk_that_signs_early_or_late_contradicts_nothing(self, hours):
        found = judged(trip(CITY), HONEST, visum(*hours), claimed=claim(3))
        assert (found.outcome, accusations(found)) == (CONFORMS, [])
        assert found.vouched == ()
        without = judged(trip(CITY), HONEST, claimed=claim(3))
        assert replace(found, visum_coverage=0.0) == without

    def test_between_its_moments_the_track_has_its_say(self):
        """There for both signatures, at home for days between them."""
        plan = trip(CITY, days=5)
        home_between = walk(
            *((0, OFFICE), (8, OFFICE), (10, HOTEL), (18, HOTEL), (20, OFFICE), (104, OFFICE)),
            *((106, HOTEL), (112, HOTEL), (114, OFFICE), (120, OFFICE)),
        )
        found = judged(plan, home_between, visum(10.5, 111), claimed=claim(5))
        assert states(found) == [AWAY, AT_HOME, AT_HOME, AT_HOME, AWAY]
        assert kinds(found) == [DeviationKind.SHORT_STAY]

    def test_a_side_trip_is_no_contradiction(self):
        aside = walk(
            *((0, OFFICE), (8, OFFICE), (10, HOTEL), (16, HOTEL), (18, VILLAGE), (54, VILLAGE)),
            *((56, HOTEL), (62, HOTEL), (64, OFFICE), (72, OFFICE)),
        )
        plain = judged(trip(CITY), aside, claimed=claim(3))
        found = judged(trip(CITY), aside, visum(10.5, 61), claimed=claim(3))
        assert kinds(found) == kinds(plain) == [DeviationKind.WRONG_REGION]


class TestTrackThatContradicts:
    @pytest.mark.parametrize(
        ("hours", "severity", "days"),
        [
            ((10, 63), Severity.HIGH, 3),
            ((30, None), Severity.MEDIUM, 1),
            ((None, 40), Severity.MEDIUM, 1),
        ],
    )
    def test_at_home_while_a_visum_says_there(self, hours, severity, days):
        assert kinds(judged(trip(CITY), IDLE, claimed=claim(3))) == [DeviationKind.NEVER_LEFT]
        found = judged(trip(CITY), IDLE, visum(*hours), claimed=claim(days))
        (mismatch,) = accusations(found)
        assert (mismatch.kind, mismatch.severity) == (DeviationKind.VISUM_MISMATCH, severity)
        assert (mismatch.leg, mismatch.region, mismatch.planned_region) == (1, HOME, CITY)
        assert mismatch.amount == days * ALLOWANCE
        assert mismatch.evidence
        assert found.outcome is DEVIATES
        assert AWAY not in states(found)
        assert (found.vouched, found.visum_coverage) == ((), 0.0)

    def test_elsewhere_while_a_visum_says_there(self):
        plain = judged(trip(CITY), TO_VILLAGE, claimed=claim(3))
        assert kinds(plain) == [DeviationKind.WRONG_REGION]
        found = judged(trip(CITY), TO_VILLAGE, visum(30, 45), claimed=claim(3))
        (mismatch,) = accusations(found)
        assert (mismatch.kind, mismatch.region) == (DeviationKind.VISUM_MISMATCH, NEXT)
        assert "Kabupaten Paser" in mismatch.message_id
        assert "Kota Balikpapan" in mismatch.message_en

    def test_days_outside_it_are_judged_by_the_track(self):
        """A phone at home for five days, a visum for one of them, all five claimed."""
        idle = walk((0, OFFICE), (120, OFFICE))
        found = judged(trip(CITY, days=5), idle, visum(10, 15), claimed=claim(5))
        assert states(found) == [UNKNOWN, AT_HOME, AT_HOME, AT_HOME, AT_HOME]
        assert kinds(found) == [DeviationKind.SHORT_STAY, DeviationKind.VISUM_MISMATCH]

    @pytest.mark.parametrize(
        "fixes",
        [
            silence(),
            walk((0, OFFICE), (72, OFFICE), silent=[(20, 45)]),
            walk((0, OFFICE), (26, OFFICE)),
            walk((40, OFFICE), (72, OFFICE)),
        ],
    )
    def test_what_a_silence_could_hide_is_none(self, fixes):
        found = judged(trip(CITY), fixes, visum(30, 33), claimed=claim(3))
        assert DeviationKind.VISUM_MISMATCH not in kinds(found)
        assert DeviationKind.NEVER_LEFT not in kinds(found)

    @pytest.mark.parametrize("lon_lat", [(117.25, -0.495), (117.25, -0.503)])
    def test_nor_is_it_one_at_the_border(self, lon_lat):
        near = walk((0, lon_lat), (72, lon_lat))
        found = judged(trip(CITY), near, visum(30, 33))
        assert DeviationKind.VISUM_MISMATCH not in kinds(found)

    def test_a_visum_beyond_the_trip_says_nothing_of_it(self):
        found = judged(trip(CITY), IDLE, visum(100, 110), claimed=claim(3))
        assert DeviationKind.VISUM_MISMATCH not in kinds(found)

    def test_two_hosts_told_of_one_leg_are_one_finding(self):
        visa = visum(10, 20), visum(30, 40, NEXT)
        assert kinds(judged(trip(CITY), IDLE, *visa)) == [DeviationKind.VISUM_MISMATCH]

    def test_where_the_rule_is_off_it_still_does_not_conform(self):
        off = Ruleset(version=7, terms={DeviationKind.VISUM_MISMATCH: Terms(enabled=False)})
        found = judged(trip(CITY), IDLE, visum(10, 63), claimed=claim(3), rules=off)
        assert (found.outcome, accusations(found)) == (UNVERIFIABLE, [])

    def test_a_companion_there_accuses_nobody_with_a_visum(self):
        there = Companion((Stay(CITY, at(10), at(58), 300),))
        plain = judged(trip(CITY), IDLE, companions=(there,))
        assert DeviationKind.GROUP_HEADCOUNT in kinds(plain)
        found = judged(trip(CITY), IDLE, visum(10, 58), companions=(there,))
        assert kinds(found) == [DeviationKind.VISUM_MISMATCH]


OUTLINES = kaltim()
WORLD, KALTIM = World.of(OUTLINES), RegionIndex(OUTLINES, shipped().tolerance_m)


def with_visa(trip: Scenario, visa: Iterable[Visum]) -> tuple[Verdict, Verdict]:
    """The verdict on a simulated trip, without and with them."""
    without, beside = (
        judge(trip.plan, dossier, RULES, KALTIM, trip.fixes, as_of=trip.judged_at)
        for dossier in (trip.dossier, replace(trip.dossier, visa=tuple(visa)))
    )
    return without, beside


def true_visa(trip: Scenario) -> Iterator[Visum]:
    """Signed half an hour after arriving and before leaving."""
    for leg in trip.plan.legs:
        there = [(come, gone) for code, come, gone in trip.truth.stays if code == leg.region]
        long = [(come, gone) for come, gone in there if gone - come > 3_600]
        if long and leg.region != trip.plan.home:
            arrived, departed = moment(long[0][0] + 1_800), moment(long[-1][1] - 1_800)
            yield Visum(leg.region, leg.position, arrived, departed)


def false_visa(trip: Scenario) -> Iterator[Visum]:
    """Signed as planned, whatever the traveller did."""
    for leg in trip.plan.legs:
        if leg.region != trip.plan.home:
            arrived, departed = midnight(leg.arrive_on, leg.zone), midnight(leg.depart_on, leg.zone)
            yield Visum(
                leg.region, leg.position, moment(arrived + 36_000), moment(departed + 50_400)
            )


def told(found: Verdict) -> set[DeviationKind]:
    return {one.kind for one in accusations(found)}


def test_a_true_visum_accuses_no_honest_traveller_and_a_false_one_clears_no_liar():
    honest = lying = 0
    for made in (one for number in range(80) for one in scene(WORLD, 2, number)):
        if made.truth.honest:
            without, beside = with_visa(made, true_visa(made))
            assert told(beside) <= told(without), made.story
            honest += 1
        else:
            without, beside = with_visa(made, false_visa(made))
            if without.outcome is DEVIATES:
                assert beside.outcome is DEVIATES, made.story
                lying += 1
    assert honest >= 40
    assert lying >= 20
