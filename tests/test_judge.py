"""What a track proves of a trip, and what it does not."""

from datetime import timedelta
from decimal import Decimal

import pytest

from tests.tracks import (
    BIG,
    CITY,
    FAR,
    HOME,
    HOTEL,
    INN,
    ISLE,
    NEXT,
    OFFICE,
    PORT,
    START,
    VILLAGE,
    WIB,
    WITA,
    accusations,
    at,
    claim,
    trip,
    verdict,
    walk,
)
from workers.case import (
    Claim,
    DayState,
    Deviation,
    DeviationKind,
    LawfulPlace,
    Outcome,
    Plan,
    PlannedLeg,
    Severity,
    Verdict,
)

AWAY, AT_HOME, UNKNOWN = DayState.AWAY, DayState.HOME, DayState.UNKNOWN
IDLE = walk((0, OFFICE), (72, OFFICE))
HONEST = walk((0, OFFICE), (8, OFFICE), (10, HOTEL), (58, HOTEL), (60, OFFICE), (72, OFFICE))
ASTRAY = walk((0, OFFICE), (8, OFFICE), (11, VILLAGE), (58, VILLAGE), (61, OFFICE), (72, OFFICE))
ONE_DAY = walk((0, OFFICE), (8, OFFICE), (10, HOTEL), (18, HOTEL), (20, OFFICE), (72, OFFICE))


EDGES = (DeviationKind.LATE_START, DeviationKind.EARLY_RETURN)


def only(judged: Verdict) -> Deviation:
    assert judged.outcome is Outcome.DEVIATES
    (deviation,) = (found for found in accusations(judged) if found.kind not in EDGES)
    return deviation


def states(judged: Verdict) -> list[DayState]:
    return [day.state for day in judged.days]


def kinds(judged: Verdict) -> list[DeviationKind]:
    return [deviation.kind for deviation in judged.deviations]


def spoilt(judged: Verdict, outcome: Outcome = Outcome.CONFORMS) -> bool:
    return judged.outcome is not outcome or accusations(judged) != []


def test_an_honest_trip_conforms():
    judged = verdict(trip(CITY), HONEST, claim(3))
    assert not spoilt(judged)
    assert judged.final
    assert judged.ruleset == 7
    assert judged.coverage == pytest.approx(1.0)
    assert (judged.observed_days, judged.unknown_days) == (3, 0)
    assert [day.seen for day in judged.days] == [(HOME, CITY), (CITY,), (CITY, HOME)]
    assert [day.planned for day in judged.days] == [(CITY,)] * 3
    assert judged.days[1].known_seconds == 86_400
    assert [stay.region for stay in judged.stays] == [HOME, CITY, HOME]
    assert judged.gaps == ()


def test_never_left():
    deviation = only(verdict(trip(CITY), IDLE, claim(3)))
    assert deviation.kind is DeviationKind.NEVER_LEFT
    assert deviation.severity is Severity.HIGH
    assert (deviation.leg, deviation.region, deviation.planned_region) == (1, HOME, CITY)
    assert deviation.amount == Decimal(1_290_000)
    assert (deviation.started_at, deviation.ended_at) == (at(0), at(72))
    assert deviation.evidence == IDLE.digests
    assert deviation.message_id == (
        "Tidak pernah meninggalkan Kota Samarinda antara Sel 24 Nov 2026 00.00 WITA dan "
        "Jum 27 Nov 2026 00.00 WITA (jejak mencakup 100% waktu), padahal ditugaskan ke "
        "Kota Balikpapan; diklaim 3 hari, Rp1.290.000."
    )
    assert "Never left Kota Samarinda between Tue 24 Nov 2026 00:00" in deviation.message_en


@pytest.mark.parametrize(
    ("hour", "outcome"),
    [(20, Outcome.CONFORMS), (35, Outcome.CONFORMS), (37, Outcome.DEVIATES)],
)
def test_never_left_live_waits_for_the_day_of_arrival_and_a_grace(hour: float, outcome: Outcome):
    plan = trip(CITY)
    legs = (PlannedLeg(1, CITY, WITA, START, START + timedelta(days=2)),)
    judged = verdict(Plan(HOME, WITA, plan.starts_on, plan.ends_on, legs), IDLE, hour=hour)
    assert judged.outcome is outcome
    assert not judged.final


def test_never_left_live_needs_the_traveller_still_seen_at_home():
    judged = verdict(trip(CITY), walk((0, OFFICE), (23, OFFICE)), hour=40)
    assert not spoilt(judged, Outcome.UNVERIFIABLE)


def test_a_late_departure_withdraws_never_left():
    late = walk((0, OFFICE), (40, OFFICE), (42, HOTEL), (60, HOTEL), (62, OFFICE), (72, OFFICE))
    assert verdict(trip(CITY), late, hour=39).outcome is Outcome.DEVIATES
    assert not spoilt(verdict(trip(CITY), late))


def test_a_trip_within_the_home_region_is_neither_left_nor_short():
    judged = verdict(trip(HOME, days=1), walk((0, OFFICE), (24, OFFICE)), claim(1))
    assert not spoilt(judged)
    assert states(judged) == [UNKNOWN]


def test_home_as_lawful_place_on_all_days_is_no_offence():
    lawful = [LawfulPlace(HOME, START, START + timedelta(days=2))]
    judged = verdict(trip(CITY, lawful=lawful), IDLE, claim(3))
    assert not spoilt(judged, Outcome.UNVERIFIABLE)
    assert only(verdict(trip(CITY, lawful=[LawfulPlace(HOME, START, START)]), IDLE))


def test_leaving_on_a_lawful_day_at_home_is_having_left():
    lawful = [LawfulPlace(HOME, START, START)]
    assert DeviationKind.NEVER_LEFT not in kinds(verdict(trip(CITY, lawful=lawful), ONE_DAY))
    assert kinds(verdict(trip(CITY, lawful=lawful), IDLE)) == [DeviationKind.NEVER_LEFT]


def test_never_left_names_the_first_leg_away_from_home():
    legs = (
        PlannedLeg(1, HOME, WITA, START, START),
        PlannedLeg(2, CITY, WITA, START + timedelta(days=1), START + timedelta(days=2)),
    )
    plan = Plan(HOME, WITA, START, START + timedelta(days=2), legs)
    assert only(verdict(plan, IDLE)).leg == 2
    assert not spoilt(verdict(plan, IDLE, hour=40))


def test_wrong_region():
    deviation = only(verdict(trip(CITY), ASTRAY, claim(3)))
    assert deviation.kind is DeviationKind.WRONG_REGION
    assert deviation.severity is Severity.HIGH
    assert (deviation.leg, deviation.region, deviation.planned_region) == (1, NEXT, CITY)
    assert deviation.started_at == pytest.approx(at(11), abs=timedelta(hours=1))
    assert deviation.ended_at == pytest.approx(at(58), abs=timedelta(hours=1))
    assert deviation.amount == Decimal(1_290_000)
    assert deviation.coverage == pytest.approx(1.0)
    assert 0 < len(deviation.evidence) < len(ASTRAY.digests)
    assert " di Kabupaten Paser antara Sel 24 Nov 2026 1" in deviation.message_id
    assert deviation.message_id.endswith("ditugaskan ke Kota Balikpapan; nilai Rp1.290.000.")
    assert "in Kabupaten Paser between Tue 24 Nov" in deviation.message_en


def test_wrong_region_is_one_deviation_however_often_it_was_entered():
    days = [
        (hour + d, place)
        for d in (0, 24, 48)
        for hour, place in ((9, HOTEL), (11, VILLAGE), (15, VILLAGE), (17, HOTEL))
    ]
    deviation = only(verdict(trip(CITY), walk((0, OFFICE), (7, OFFICE), *days), claim(3)))
    assert (deviation.region, deviation.amount) == (NEXT, 0)  # each day was mostly spent in CITY
    assert deviation.message_id.endswith("ditugaskan ke Kota Balikpapan.")


def test_a_day_in_two_wrong_regions_is_charged_once():
    both = walk((0, OFFICE), (1, OFFICE), (3, INN), (12, INN), (15, VILLAGE), (24, VILLAGE))
    judged = verdict(trip(CITY, days=1), both, claim(1))
    assert [(d.region, d.amount) for d in accusations(judged)] == [(BIG, 430_000), (NEXT, 0)]


def test_no_more_days_are_charged_than_claimed():
    assert only(verdict(trip(CITY), ASTRAY, claim(1))).amount == Decimal(430_000)


def test_wrong_region_needs_no_coverage():
    brief = walk((8, OFFICE), (11, VILLAGE), (20, VILLAGE))
    judged = verdict(trip(CITY), brief)
    assert judged.coverage < 0.5
    assert only(judged).severity is Severity.LOW


@pytest.mark.parametrize(
    "accepted",
    [
        trip(CITY, NEXT),
        trip(CITY, transit=[NEXT]),
        trip(CITY, lawful=[LawfulPlace(NEXT, START, START + timedelta(days=2))]),
    ],
)
def test_planned_transit_and_lawful_places_are_right(accepted: Plan):
    assert accusations(verdict(accepted, ASTRAY)) == []


def test_a_lawful_place_is_lawful_on_its_dates_only():
    weekend = LawfulPlace(NEXT, START, START)
    assert only(verdict(trip(CITY, lawful=[weekend]), ASTRAY)).started_at == at(24)


def test_a_second_leg_has_its_own_deviation():
    legs = (
        PlannedLeg(1, CITY, WITA, START, START + timedelta(days=1)),
        PlannedLeg(2, FAR, WITA, START + timedelta(days=1), START + timedelta(days=2)),
    )
    judged = verdict(Plan(HOME, WITA, START, START + timedelta(days=2), legs), ASTRAY, claim(3))
    assert [(d.leg, d.planned_region) for d in accusations(judged)] == [(1, CITY), (2, FAR)]
    assert [d.amount for d in accusations(judged)] == [Decimal(430_000), Decimal(860_000)]


def test_an_afternoon_elsewhere_is_tolerated_only_when_the_destination_was_reached():
    errand = walk((8, HOTEL), (30, HOTEL), (31, VILLAGE), (35, VILLAGE), (36, HOTEL), (72, HOTEL))
    instead = walk((0, OFFICE), (30, OFFICE), (33, VILLAGE), (37, VILLAGE), (40, OFFICE))
    assert not spoilt(verdict(trip(CITY), errand))
    assert only(verdict(trip(CITY), instead)).kind is DeviationKind.WRONG_REGION


ROAD = walk(
    *((0, OFFICE), (14, OFFICE), (19, INN), (29, INN), (33, PORT), (50, PORT)),
    *((54, INN), (64, INN), (69, OFFICE), (72, OFFICE)),
)


def test_a_night_on_the_road_through_a_large_regency_conforms():
    assert not spoilt(verdict(trip(FAR), ROAD, claim(3)))


def test_a_night_on_the_road_is_no_excuse_when_the_road_led_nowhere():
    nowhere = walk((0, OFFICE), (14, OFFICE), (19, INN), (29, INN), (34, OFFICE), (72, OFFICE))
    assert only(verdict(trip(FAR), nowhere)).region == BIG


def test_a_night_off_the_road_is_no_stop_on_the_way():
    detour = walk(
        *((0, OFFICE), (8, OFFICE), (12, VILLAGE), (22, VILLAGE)),
        *((29, PORT), (60, PORT), (66, OFFICE)),
    )
    assert only(verdict(trip(FAR), detour)).region == NEXT


def test_two_nights_on_the_road_are_a_stay():
    slow = walk((0, OFFICE), (5, OFFICE), (10, INN), (50, INN), (54, PORT), (70, PORT))
    assert only(verdict(trip(FAR), slow)).region == BIG


def test_driving_through_a_large_regency_is_no_stay():
    crawl = walk((0, OFFICE), (2, OFFICE), (30, PORT), (60, PORT), (66, OFFICE), (72, OFFICE))
    assert not spoilt(verdict(trip(FAR), crawl))
    nowhere = walk((0, OFFICE), (8, OFFICE), (13, (119.4, -0.25)), (18, OFFICE), (72, OFFICE))
    assert not spoilt(verdict(trip(FAR), nowhere), Outcome.UNVERIFIABLE)


@pytest.mark.parametrize(
    ("hour", "outcome"), [(27, Outcome.CONFORMS), (32, Outcome.CONFORMS), (37, Outcome.DEVIATES)]
)
def test_live_a_traveller_is_on_the_way_until_he_is_late(hour: float, outcome: Outcome):
    resting = walk((0, OFFICE), (14, OFFICE), (19, INN), (72, INN))
    assert verdict(trip(FAR), resting, hour=hour).outcome is outcome


def test_short_stay():
    deviation = only(verdict(trip(CITY), ONE_DAY, claim(3)))
    assert deviation.kind is DeviationKind.SHORT_STAY
    assert deviation.severity is Severity.HIGH
    assert (deviation.leg, deviation.region) == (None, HOME)
    assert deviation.amount == Decimal(860_000)
    assert (deviation.started_at, deviation.ended_at) == (at(24), at(72))
    assert deviation.evidence == ONE_DAY.digests[24 * 12 // 50 :]
    assert deviation.message_id == (
        "Diklaim 3 hari, padahal paling banyak 1 hari di luar Kota Samarinda (1 hari pasti, "
        "0 hari tidak diketahui): selisih 2 hari, Rp860.000."
    )
    assert "3 days claimed, but at most 1 day outside Kota Samarinda" in deviation.message_en


def test_coming_home_early_is_a_duty_and_no_deviation():
    assert not spoilt(verdict(trip(CITY), ONE_DAY))
    assert not spoilt(verdict(trip(CITY), ONE_DAY, claim(1)))


def test_short_stay_waits_for_the_end_of_the_trip():
    assert not spoilt(verdict(trip(CITY), ONE_DAY, claim(3), hour=71.9))


def test_days_without_a_track_count_for_the_traveller():
    half = walk((0, OFFICE), (8, OFFICE), (10, HOTEL), (18, HOTEL), (20, OFFICE), (48, OFFICE))
    judged = verdict(trip(CITY), half, claim(2))
    assert states(judged) == [AWAY, AT_HOME, UNKNOWN]
    assert not spoilt(judged)
    assert only(verdict(trip(CITY), half, claim(3))).amount == Decimal(430_000)


def test_days_beyond_the_plan_are_claimed_in_vain():
    assert only(verdict(trip(CITY), HONEST, claim(5))).amount == Decimal(860_000)


def test_finishing_early_ends_the_days():
    done = trip(CITY, finished=34)
    assert len(verdict(done, ONE_DAY).days) == 2
    assert verdict(done, ONE_DAY, hour=35).final
    assert only(verdict(done, ONE_DAY, claim(2))).kind is DeviationKind.SHORT_STAY


def test_without_a_rate_no_amount_is_known():
    deviation = only(verdict(trip(CITY), ONE_DAY, Claim(3, None)))
    assert deviation.amount is None
    assert deviation.message_id.endswith("selisih 2 hari.")


def test_a_day_in_the_zone_of_its_leg():
    # Back home at 00:30 WITA of the second day, which is 23:30 WIB of the first.
    plan, wib = trip(ISLE, days=2), trip(ISLE, days=2, zone=WIB)
    back = walk((0, OFFICE), (4, OFFICE), (6, HOTEL), (24.5, HOTEL), (24.9, OFFICE), (48, OFFICE))
    assert states(verdict(plan, back)) == [AWAY, AWAY]
    assert states(verdict(wib, back)) == [AWAY, AT_HOME]


def test_waking_hours_in_the_zone_of_the_leg():
    # Silent from 06:00 to 10:30 WITA: four and a half waking hours there, three and a half in WIB.
    late = walk((0, OFFICE), (24, OFFICE), silent=[(6, 10.5)])
    assert states(verdict(trip(ISLE, days=1), late)) == [UNKNOWN]
    assert states(verdict(trip(ISLE, days=1, zone=WIB), late)) == [AT_HOME]
