"""Judging a trip: its plan against its track, a pure function of both and of the hour."""

from datetime import datetime

from workers.case import Claim, DayState, Deviation, Fixes, Outcome, Plan, Ruleset, Verdict
from workers.observed import Observed, observe, trip
from workers.rules import RULES
from workers.track import RegionIndex


def judge(
    plan: Plan,
    claim: Claim | None,
    ruleset: Ruleset,
    regions: RegionIndex,
    fixes: Fixes,
    *,
    as_of: datetime,
) -> Verdict:
    """The verdict on a trip as its track stands at `as_of`.

    It depends on the set of fixes within the trip's window, not on their order, repetition or
    chunks. A verdict at a later hour or with more fixes supersedes it.
    """
    seen = observe(trip(plan, ruleset, regions, as_of), claim, fixes)
    deviations = tuple(deviation for rule in RULES for deviation in rule(seen))
    return Verdict(
        outcome=_outcome(seen, deviations),
        final=seen.trip.final,
        coverage=seen.coverage,
        observed_days=seen.count(DayState.AWAY),
        unknown_days=seen.count(DayState.UNKNOWN),
        days=seen.days,
        stays=seen.stays,
        gaps=seen.track.gaps(),
        deviations=deviations,
        ruleset=ruleset.version,
    )


def _outcome(seen: Observed, deviations: tuple[Deviation, ...]) -> Outcome:
    """Deviations decide; without them a trip conforms only when it was seen enough, and there."""
    if deviations:
        return Outcome.DEVIATES
    final, names = seen.trip.final, seen.trip.regions.names
    if not len(seen.track.time) or (final and seen.coverage < seen.trip.rules.min_coverage):
        return Outcome.UNVERIFIABLE
    for leg, present in zip(seen.trip.legs, seen.present, strict=True):
        due = final or seen.trip.until >= seen.trip.deadline(leg)
        # Regions without an outline cannot be told from one another.
        if due and not (leg.region in names and present.any()):
            return Outcome.UNVERIFIABLE
    return Outcome.CONFORMS
