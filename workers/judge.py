"""Judging a trip: its plan against its track, a pure function of both and of the hour.

state = fold(fold(begin(plan, ruleset, regions), fixes), more)
verdict = conclude(state, dossier, as_of=now)
"""

from datetime import datetime

import numpy as np

from workers.case import (
    DayState,
    Deviation,
    Dossier,
    Fixes,
    Outcome,
    Plan,
    Severity,
    Verdict,
)
from workers.fold import State, fold
from workers.itinerary import itinerary
from workers.observed import Observed, observe
from workers.parameter import Terms
from workers.rules import RULES
from workers.ruleset import Ruleset
from workers.track import RegionIndex

__all__ = ["begin", "conclude", "fold", "judge"]


def judge(
    plan: Plan,
    dossier: Dossier,
    ruleset: Ruleset,
    regions: RegionIndex,
    fixes: Fixes,
    *,
    as_of: datetime,
) -> Verdict:
    """The verdict on a trip as its track stands at `as_of`, all at once.

    It depends on the set of fixes within the trip's window, not on their order, repetition or
    chunks. A verdict at a later hour or with more fixes supersedes it.
    """
    past = fixes.time <= as_of.timestamp()
    if not past.all():
        fixes = fixes.only(past)
    return conclude(fold(begin(plan, ruleset, regions), fixes), dossier, as_of=as_of)


def begin(plan: Plan, ruleset: Ruleset, regions: RegionIndex) -> State:
    """The state of a trip of which nothing was heard yet."""
    return State(itinerary(plan, ruleset, regions))


def conclude(state: State, dossier: Dossier, *, as_of: datetime) -> Verdict:
    """The verdict on what was folded; a fix ahead of `as_of` moves the hour to its own."""
    trip = state.itinerary
    heard = state.spells["end"][-1] if len(state.spells) else -np.inf
    until = float(max(trip.start, min(trip.end, max(as_of.timestamp(), heard))))
    seen = observe(state, dossier, until=until, as_of=as_of.timestamp())
    deviations = tuple(
        deviation
        for rule in RULES
        if trip.rules.terms.get(rule.kind, Terms()).hold(trip.plan.starts_on)
        for deviation in rule.find(seen)
    )
    return Verdict(
        outcome=_outcome(seen, deviations),
        final=seen.final,
        coverage=seen.coverage,
        observed_days=seen.count(DayState.AWAY),
        unknown_days=seen.count(DayState.UNKNOWN),
        days=seen.days,
        stays=seen.stays,
        gaps=seen.gaps,
        deviations=deviations,
        ruleset=trip.rules.version,
        visum_coverage=seen.visa.share,
        vouched=seen.visa.vouched,
    )


def _outcome(seen: Observed, deviations: tuple[Deviation, ...]) -> Outcome:
    """Deviations decide; without them a trip conforms only when it was seen enough, and there."""
    if any(deviation.severity is not Severity.NOTE for deviation in deviations):
        return Outcome.DEVIATES
    trip, names = seen.itinerary, seen.itinerary.regions.names
    if not (len(seen.spells) or seen.visa.reached) or (seen.final and not seen.enough):
        return Outcome.UNVERIFIABLE
    for leg, present in zip(trip.legs, seen.present, strict=True):
        due = seen.final or seen.until >= trip.deadline(leg)
        # Regions without an outline cannot be told from one another.
        there = leg.region in seen.visa.reached or (leg.region in names and present.any())
        if due and not there:
            return Outcome.UNVERIFIABLE
    return Outcome.CONFORMS
