"""What one rule finds of a trip in the small world."""

from typing import Any

from tests.tracks import SQUARES, at
from workers.case import Deviation, DeviationKind, Dossier, Fixes, Plan
from workers.judge import judge
from workers.ruleset import Ruleset


def finding(
    kind: DeviationKind, plan: Plan, fixes: Fixes, *, hour: float = 1000, **record: Any
) -> Deviation | None:
    """The only deviation of a kind, judged at an hour of the trip on what is on record."""
    judged = judge(plan, Dossier(**record), Ruleset(version=7), SQUARES, fixes, as_of=at(hour))
    found = [one for one in judged.deviations if one.kind is kind]
    assert len(found) <= 1
    return found[0] if found else None
