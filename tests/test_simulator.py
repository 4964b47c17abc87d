"""Simulated trips are what they say they are, and as dirty as real ones."""

from collections import Counter

import numpy as np
from shapely import box

from workers.case import DeviationKind
from workers.simulator import CLIENTS, Scenario, Scene, World, kaltim, scene
from workers.track import METRES_PER_DEGREE

WORLD = World.of(kaltim())
SCENES = [scene(WORLD, 11, number) for number in range(120)]
TRIPS = [trip for told in SCENES for trip in told]


def of(story: str) -> list[Scenario]:
    return [trip for trip in TRIPS if trip.story == story]


def seconds(trip: Scenario, code: str) -> float:
    return sum(left - arrived for region, arrived, left in trip.truth.stays if region == code)


def test_the_same_seed_and_number_tell_the_same_story():
    def same(one: Scene, other: Scene) -> bool:
        return all(
            (a.plan, a.dossier, a.truth, a.fixes.digests)
            == (b.plan, b.dossier, b.truth, b.fixes.digests)
            and np.array_equal(a.fixes.time, b.fixes.time)
            and np.array_equal(a.fixes.lon, b.fixes.lon)
            for a, b in zip(one, other, strict=True)
        )

    for number in (0, 7, 83):
        assert same(scene(WORLD, 11, number), SCENES[number])
    assert not same(scene(WORLD, 12, 0), SCENES[0])


def test_every_client_and_every_finding_occurs():
    assert {trip.client for trip in TRIPS} == set(CLIENTS)
    musts = Counter(kind for trip in TRIPS for kind in trip.truth.must)
    # No host confirms anything there: tests/test_rules_visum.py.
    assert set(musts) == set(DeviationKind) - {DeviationKind.VISUM_MISMATCH}
    honest = sum(trip.truth.honest for trip in TRIPS) / len(TRIPS)
    assert 0.35 < honest < 0.65


def test_fixes_come_in_chunks_with_a_digest_each():
    for trip in TRIPS:
        fixes = trip.fixes
        assert len(set(fixes.digests)) == len(fixes.digests)
        assert np.all(np.diff(fixes.chunk) >= 0)
        if len(fixes.chunk):
            assert 0 <= fixes.chunk.min() <= fixes.chunk.max() < len(fixes.digests)
        for values in (fixes.lon, fixes.lat, fixes.accuracy, fixes.mock, fixes.battery):
            assert len(values) == len(fixes.time)
        assert np.isfinite(fixes.lon).all()
        assert np.isfinite(fixes.lat).all()


def test_who_never_left_was_home_all_the_time_and_who_went_was_there():
    for trip in of("never_left"):
        assert {region for region, *_ in trip.truth.stays} == {trip.plan.home}
    for story in ("neighbour", "to_jakarta", "several_legs", "lodging_elsewhere"):
        for trip in of(story):
            for leg in trip.plan.legs:
                assert seconds(trip, leg.region) > 3 * 3_600, (story, leg)
    for trip in of("wrong_region"):
        assert seconds(trip, trip.plan.legs[0].region) < 3 * 3_600


def test_the_honest_claim_no_more_days_than_they_travelled():
    for trip in TRIPS:
        days = (trip.plan.ends_on - trip.plan.starts_on).days + 1
        assert trip.dossier.claim is not None
        assert 1 <= trip.dossier.claim.days <= days
    assert all(
        trip.dossier.claim is not None
        and trip.dossier.claim.days < (trip.plan.ends_on - trip.plan.starts_on).days + 1
        for story in ("early_return", "late_start")
        for trip in of(story)
    )


def test_noise_is_that_of_real_phones():
    """2.7 % of real steps on the ground exceed 200 km/h, and phones differ widely."""
    fast, late, repeated, lying = [], 0, 0, 0
    for trip in TRIPS:
        fixes = trip.fixes
        if not trip.truth.honest or trip.plan.flights or trip.story == "tablet_at_home":
            continue
        late += bool(np.any(np.diff(fixes.time) < -600))
        order = np.argsort(fixes.time, kind="stable")
        time, lon, lat = fixes.time[order], fixes.lon[order], fixes.lat[order]
        steps = METRES_PER_DEGREE * np.hypot(np.diff(lon), np.diff(lat))
        moves = np.diff(time) > 0
        if moves.sum() > 30:
            fast.append(float((steps[moves] / np.diff(time)[moves] > 55.6).mean()))
            repeated += bool((steps[moves] == 0).mean() > 0.02)
            lying += bool(np.any((steps > 1_000) & (fixes.accuracy[order][1:] < 15)))
    assert 0.01 < np.mean(fast) < 0.05
    assert np.percentile(fast, 90) > 5 * max(np.percentile(fast, 30), 1e-4)
    assert late > 5
    assert repeated > 10
    assert lying > 10


def test_phones_that_stand_still_fall_silent_by_client():
    gaps = {
        client: np.median(
            [
                np.diff(np.sort(trip.fixes.time)).max()
                for trip in TRIPS
                if trip.client == client and len(trip.fixes.time) > 30
            ]
        )
        for client in CLIENTS
    }
    assert gaps["traccar"] > 4 * 3_600
    assert gaps["owntracks_quiet"] > 4 * 3_600


def test_a_copy_repeats_another_track_and_a_carried_phone_does_not():
    def steps(trip: Scenario) -> set[tuple[float, float]]:
        order = np.argsort(trip.fixes.time, kind="stable")
        lon, lat = np.diff(trip.fixes.lon[order]), np.diff(trip.fixes.lat[order])
        return {
            (round(a, 5), round(b, 5))
            for a, b in zip(lon.tolist(), lat.tolist(), strict=True)
            if abs(a) + abs(b) > 3e-4
        }

    for one, other in (told for told in SCENES if told[0].story == "copied"):
        assert len(steps(one) & steps(other)) > 0.5 * len(steps(other))
    for one, other in (told for told in SCENES if told[0].story.startswith("carried")):
        assert len(steps(one) & steps(other)) <= 0.3 * len(steps(other))


def test_any_map_will_do():
    squares = World.of(
        [
            ("33.01", "Barat", box(109.0, -7.8, 109.5, -7.3)),
            ("33.02", "Tengah", box(109.5, -7.8, 110.0, -7.3)),
            ("33.03", "Timur", box(110.0, -7.8, 110.5, -7.3)),
        ]
    )
    told = [trip for number in range(40) for trip in scene(squares, 1, number)]
    assert {trip.plan.home for trip in told} == squares.outlines.keys()
    assert all(region in squares.outlines for trip in told for region, *_ in trip.truth.stays)
    assert not any(trip.plan.flights for trip in told)
