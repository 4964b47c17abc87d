"""A verdict is a function of the set of fixes: what holds for every track."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tracks import (
    BIG,
    CITY,
    FAR,
    HOME,
    HOTEL,
    INN,
    MIDNIGHT,
    NEXT,
    OFFICE,
    PORT,
    VILLAGE,
    Place,
    claim,
    trip,
    verdict,
)
from workers.case import DayState, DeviationKind, Fixes, Outcome, Severity, Verdict

PLACES = st.sampled_from([OFFICE, HOTEL, VILLAGE, INN, PORT, (116.99, -0.75), (110.0, -6.0)])
PLANS = st.sampled_from([trip(CITY), trip(FAR), trip(CITY, NEXT), trip(HOME), trip(BIG, FAR)])


@st.composite
def journeys(draw: st.DrawFn, places: st.SearchStrategy[Place] = PLACES) -> Fixes:
    """A life between places with jitter, holes, repeated times and missing accuracy."""
    hours = sorted(draw(st.lists(st.integers(-2, 74), min_size=2, max_size=10, unique=True)))
    stops = [draw(places) for _ in hours]
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n = draw(st.integers(1, 300))
    t = np.round(np.sort(rng.uniform(hours[0], hours[-1], n)) * 12) / 12
    if draw(st.booleans()):
        t = t[(t < 20) | (t > 20 + draw(st.integers(0, 40)))]
    n = len(t)
    accuracy = rng.choice([5.0, 20.0, 900.0, 17_000.0, np.nan], n, p=[0.4, 0.4, 0.1, 0.05, 0.05])
    return Fixes(
        time=MIDNIGHT.timestamp() + t * 3600,
        lon=np.interp(t, hours, [lon for lon, _ in stops]) + rng.normal(0, 0.002, n),
        lat=np.interp(t, hours, [lat for _, lat in stops]) + rng.normal(0, 0.002, n),
        accuracy=accuracy.astype(np.float32),
        mock=np.zeros(n, dtype=np.bool_),
        battery=np.full(n, np.nan, dtype=np.float32),
        chunk=np.zeros(n, dtype=np.int32),
        digests=(b"all",),
    )


def unproven(judged: Verdict) -> Verdict:
    """A verdict without its evidence, which names the chunks."""
    return replace(
        judged, deviations=tuple(replace(found, evidence=()) for found in judged.deviations)
    )


@settings(deadline=None, max_examples=150)
@given(journeys(), PLANS, st.integers(0, 2**32), st.integers(1, 4), st.floats(-1, 80))
def test_order_repetition_and_chunks_do_not_matter(fixes, plan, seed, parts, hour):
    rng = np.random.default_rng(seed)
    n = len(fixes.time)
    order = rng.permutation(np.concatenate((np.arange(n), rng.integers(0, max(n, 1), min(n, 20)))))
    shuffled = Fixes(
        fixes.time[order],
        fixes.lon[order],
        fixes.lat[order],
        fixes.accuracy[order],
        fixes.mock[order],
        fixes.battery[order],
        rng.integers(0, parts, len(order)).astype(np.int32),
        tuple(bytes([i]) for i in range(parts)),
    )
    once = verdict(plan, fixes, claim(3), hour=hour)
    assert unproven(verdict(plan, shuffled, claim(3), hour=hour)) == unproven(once)
    if once.deviations and plan is not None:
        assert all(set(found.evidence) <= {b"all"} for found in once.deviations)


@settings(deadline=None, max_examples=60)
@given(journeys(), PLANS, st.integers(0, 2**32))
def test_evidence_does_not_depend_on_the_order_of_chunks(fixes, plan, seed):
    rng = np.random.default_rng(seed)
    chunk = rng.integers(0, 5, len(fixes.time)).astype(np.int32)
    names = tuple(bytes([i]) for i in range(5))
    order = rng.permutation(5)
    place = np.argsort(order).astype(np.int32)
    one = replace(fixes, chunk=chunk, digests=names)
    other = replace(fixes, chunk=place[chunk], digests=tuple(names[i] for i in order))
    assert verdict(plan, one, claim(3)) == verdict(plan, other, claim(3))


@settings(deadline=None, max_examples=150)
@given(journeys(), PLANS, st.integers(0, 6), st.floats(-1, 80))
def test_a_verdict_is_consistent(fixes, plan, days, hour):
    judged = verdict(plan, fixes, claim(days), hour=hour)
    assert 0 <= judged.coverage <= 1 + 1e-9
    accused = [found for found in judged.deviations if found.severity is not Severity.NOTE]
    assert (judged.outcome is Outcome.DEVIATES) == bool(accused)
    assert judged.observed_days == sum(day.state is DayState.AWAY for day in judged.days)
    kinds = [found.kind for found in judged.deviations]
    assert not {DeviationKind.NEVER_LEFT, DeviationKind.SHORT_STAY} <= set(kinds)
    if DeviationKind.NEVER_LEFT in kinds:
        assert judged.observed_days == 0
    found = [(d.kind, d.leg, d.region) for d in judged.deviations]
    assert len(found) == len(set(found))
    for one, next_one in zip(judged.stays, judged.stays[1:], strict=False):
        assert one.ended_at <= next_one.started_at
    for deviation in judged.deviations:
        assert deviation.started_at < deviation.ended_at
        assert 0 <= deviation.coverage <= 1 + 1e-9
        beyond = {DeviationKind.SHORT_STAY, DeviationKind.LOW_COVERAGE, DeviationKind.REPORT_LATE}
        assert deviation.kind in beyond or deviation.evidence


@settings(deadline=None, max_examples=100)
@given(journeys(st.sampled_from([OFFICE, HOTEL])), st.integers(0, 3))
def test_nobody_is_accused_of_a_wrong_region_between_home_and_destination(fixes, days):
    kinds = {found.kind for found in verdict(trip(CITY), fixes, claim(days)).deviations}
    assert DeviationKind.WRONG_REGION not in kinds


@settings(deadline=None, max_examples=150)
@given(journeys(st.sampled_from([OFFICE, OFFICE, HOTEL])), st.floats(0, 1))
def test_a_phone_that_falls_silent_makes_no_day_a_day_at_home(fixes, share):
    whole = verdict(trip(CITY), fixes)
    n = int(len(fixes.time) * share)
    cut = fixes.only(np.arange(len(fixes.time)) < n)
    part = verdict(trip(CITY), cut)
    assert part.observed_days <= whole.observed_days
    heard = (fixes.time[n - 1] - MIDNIGHT.timestamp()) / 86_400 if n else 0
    for i, (before, after) in enumerate(zip(whole.days, part.days, strict=True)):
        # Not its last day, on which a trip may end, nor one a presence was cut off from.
        if after.state is DayState.HOME and i < 2 and not i + 1 <= heard < i + 1 + 1 / 24:
            assert before.state is DayState.HOME
