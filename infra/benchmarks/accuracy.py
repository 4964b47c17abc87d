"""How right verdicts are: simulated trips, honest and not, judged and held against the truth.

Needs no servers. The simulator knows nothing of the rules, and no rule was set by it.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import permutations
from typing import Any, Final

import numpy as np
import orjson
from rich.console import Console
from rich.table import Table

from infra.benchmarks.measure import followed, said
from tenants.regions import shipped
from workers.case import Companion, DeviationKind, Outcome, Severity, Verdict
from workers.itinerary import midnight
from workers.judge import judge
from workers.likeness import cells, likeness, pair, prints
from workers.ruleset import Ruleset
from workers.simulator import Scenario, Scene, World, kaltim, scene
from workers.simulator.cheats import DAYS_MISSING, FAKED, NOT_THERE
from workers.simulator.trips import NOTES
from workers.track import RegionIndex

Kind = DeviationKind
KNOWN: Final = 0.6
"""Share of the time with a fix around it, above which recall is asked for."""
SILENCE: Final = 4_500
"""Seconds between the fixes around it at most."""
QUARTER: Final = 900
"""The same for what only a phone heard so often can show: how somebody came to a place."""
STAY_SECONDS: Final = 2 * 3_600
"""Shorter stays away from home are not held against the verdict's: they belong to a journey."""
BARS: Final[dict[str, tuple[frozenset[DeviationKind], frozenset[DeviationKind], int]]] = {
    "never left": (frozenset({Kind.NEVER_LEFT}), frozenset({Kind.NEVER_LEFT}), SILENCE),
    "never left, by any rule": (frozenset({Kind.NEVER_LEFT}), NOT_THERE, SILENCE),
    "wrong region": (frozenset({Kind.WRONG_REGION}), frozenset({Kind.WRONG_REGION}), SILENCE),
    "short stay": (DAYS_MISSING, DAYS_MISSING, SILENCE),
    "spoofing": (FAKED, FAKED, SILENCE),
    "spoofing, fixes within 15 min": (FAKED, FAKED, QUARTER),
    "copies": (frozenset({Kind.COPIED_TRACK}), frozenset({Kind.COPIED_TRACK}), SILENCE),
}
"""What belongs together: where any of the first must be found, any of the second is enough; and
how near a fix must be for a time to be known."""


@dataclass(slots=True)
class Found:
    """How often something was so, and was said: of the first those with enough coverage count.

    `noted`: said only as a note, which accuses nobody.
    """

    so: int = 0
    hit: int = 0
    noted: int = 0
    false: int = 0

    @property
    def recall(self) -> float | None:
        return self.hit / self.so if self.so else None

    @property
    def told(self) -> float | None:
        """Recall where a note is enough: an inspector reads it, though nobody is accused."""
        return (self.hit + self.noted) / self.so if self.so else None

    @property
    def precision(self) -> float | None:
        return self.hit / (self.hit + self.false) if self.hit + self.false else None


@dataclass(slots=True)
class Group:
    """Trips with something in common: all, those of a story, those of a kind of phone.

    `suspected`: honest trips with a note that the phone may have been made to lie.
    """

    trips: int = 0
    unverifiable: int = 0
    coverage: float = 0.0
    honest: int = 0
    honest_days: int = 0
    honest_unverifiable: int = 0
    accused: Counter[str] = field(default_factory=Counter)
    suspected: int = 0
    found: Found = field(default_factory=Found)
    arrivals: list[float] = field(default_factory=list)
    departures: list[float] = field(default_factory=list)
    stays: int = 0

    @property
    def accusations(self) -> float:
        """False ones per hundred days of honest trips."""
        return 100 * self.accused.total() / self.honest_days if self.honest_days else 0.0

    def told(self) -> dict[str, Any]:
        return {
            "trips": self.trips,
            "unverifiable": _share(self.unverifiable, self.trips),
            "coverage": _share(self.coverage, self.trips),
            "honest_trips": self.honest,
            "honest_days": self.honest_days,
            "honest_unverifiable": _share(self.honest_unverifiable, self.honest),
            "honest_suspected": self.suspected,
            "false_accusations": dict(self.accused),
            "false_accusations_per_100_honest_days": self.accusations,
            "expected": self.found.so,
            "recall": self.found.recall,
            "stays": self.stays,
            "stays_found": len(self.arrivals),
            "arrival_minutes": _quantiles(self.arrivals),
            "departure_minutes": _quantiles(self.departures),
        }


@dataclass(slots=True)
class Accuracy:
    """What was found, by rule, by what the product promises, by story and by phone.

    `cases` names each false accusation and each miss by the number of its scene.
    """

    seed: int
    everything: Group = field(default_factory=Group)
    rules: dict[str, Found] = field(default_factory=lambda: {kind.value: Found() for kind in Kind})
    bars: dict[str, Found] = field(default_factory=lambda: {name: Found() for name in BARS})
    stories: dict[str, Group] = field(default_factory=lambda: defaultdict(Group))
    phones: dict[str, Group] = field(default_factory=lambda: defaultdict(Group))
    cases: list[dict[str, Any]] = field(default_factory=list)

    def add(self, number: int, trip: Scenario, verdict: Verdict) -> None:
        truth, known = trip.truth, heard(trip, SILENCE) > KNOWN
        since, until = truth.interval
        said = [d for d in verdict.deviations if _counts(d.kind, d.severity)]
        then = [d for d in verdict.deviations if d.started_at <= until and d.ended_at >= since]
        hits = {d.kind for d in then if _counts(d.kind, d.severity)}
        noted = {d.kind for d in then} - hits
        false = {d.kind for d in said} - truth.must - truth.may - NOTES
        missed = {kind for kind in truth.must - hits if known or kind in NOTES}
        for kind in truth.must:
            if known or kind in NOTES:
                self.rules[kind].so += 1
                self.rules[kind].hit += kind in hits
                self.rules[kind].noted += kind in noted
        for kind in false:
            self.rules[kind].false += 1
        for name, (asked, enough, silence) in BARS.items():
            if truth.must & asked and heard(trip, silence) > KNOWN:
                self.bars[name].so += 1
                self.bars[name].hit += bool(hits & enough)
                self.bars[name].noted += bool(noted & enough) and not hits & enough
        for group in (self.everything, self.stories[trip.story], self.phones[trip.client]):
            _add(group, trip, verdict, false)
            if known and truth.must:
                group.found.so += 1
                group.found.hit += truth.must <= hits
        if missed or (false and truth.honest):
            self.cases.append(
                {
                    "seed": self.seed,
                    "scene": number,
                    "story": trip.story,
                    "traveller": trip.traveller,
                    "phone": trip.client,
                    "coverage": round(verdict.coverage, 2),
                    "missed": sorted(missed),
                    "noted": sorted(missed & noted),
                    "false": sorted(false),
                    "said": [d.message_en for d in verdict.deviations],
                }
            )

    def told(self) -> dict[str, Any]:
        return {
            "seed": self.seed,
            **self.everything.told(),
            "bars": {name: _told(found) for name, found in self.bars.items()},
            "rules": {kind: _told(found) for kind, found in self.rules.items()},
            "stories": {name: group.told() for name, group in self.stories.items()},
            "phones": {name: group.told() for name, group in self.phones.items()},
            "cases": self.cases,
        }

    def print(self, *, as_json: bool) -> None:
        if as_json:
            print(orjson.dumps(self.told(), option=orjson.OPT_INDENT_2).decode())
            return
        console, whole = Console(highlight=False), self.everything
        console.print(
            _table(
                ("Aturan", "Rule"),
                (("benar ada", "so"), ("ditemukan", "found"), ("dicatat saja", "only noted")),
                (("keliru", "false"), ("ketepatan", "precision"), ("perolehan", "recall")),
                (("dengan catatan", "with notes"),),
                rows=[
                    (
                        name,
                        *map(str, (found.so, found.hit, found.noted, found.false)),
                        *map(_percent, (found.precision, found.recall, found.told)),
                    )
                    for name, found in (*self.rules.items(), *self.bars.items())
                ],
            )
        )
        for title, groups in (
            (("Ponsel", "Phone"), self.phones),
            (("Cerita", "Story"), self.stories),
            (("Semua", "All"), {"": whole}),
        ):
            console.print(
                _table(
                    title,
                    (("perjalanan", "trips"), ("cakupan", "coverage")),
                    (("tak pasti", "unverifiable"), ("tuduhan keliru/100 hari", "false/100 days")),
                    (("perolehan", "recall"), ("tiba, menit", "arrival, min")),
                    (("pergi, menit", "departure, min"),),
                    rows=[
                        (
                            name,
                            str(group.trips),
                            _percent(_share(group.coverage, group.trips)),
                            _percent(_share(group.unverifiable, group.trips)),
                            f"{group.accusations:.2f}",
                            _percent(group.found.recall),
                            _shown(group.arrivals),
                            _shown(group.departures),
                        )
                        for name, group in groups.items()
                    ],
                )
            )
        accused = ", ".join(f"{kind} {count}" for kind, count in whole.accused.most_common())
        console.print(
            said(
                "Tuduhan keliru per 100 hari perjalanan jujur: ",
                "False accusations per 100 honest trip-days: ",
            )
            + f"{whole.accusations:.2f} ({accused or '-'})"
        )


def measure(*, trips: int = 1_000, seed: int = 1) -> Accuracy:
    """Judges at least so many simulated trips of a seed."""
    outlines = kaltim()
    world, regions = World.of(outlines), RegionIndex(outlines, shipped().tolerance_m)
    found, rules, number = Accuracy(seed), Ruleset(version=1), 0
    for _ in followed(range(trips)):
        if found.everything.trips >= trips:
            continue
        story = scene(world, seed, number)
        for trip, verdict in zip(story, judged(story, rules, regions), strict=True):
            found.add(number, trip, verdict)
        number += 1
    return found


def judged(story: Scene, rules: Ruleset, regions: RegionIndex) -> Sequence[Verdict]:
    """The verdicts on a scene's trips, each with what the others' tracks say about it."""

    def alone(trip: Scenario) -> Verdict:
        return judge(trip.plan, trip.dossier, rules, regions, trip.fixes, as_of=trip.judged_at)

    verdicts = [alone(trip) for trip in story]
    return verdicts if len(story) == 1 else [alone(trip) for trip in _acquainted(story, verdicts)]


def _acquainted(story: Scene, verdicts: Sequence[Verdict]) -> Iterable[Scenario]:
    """The trips, with each other in their dossiers, found by fingerprints."""
    printed, placed = ([f(trip.fixes) for trip in story] for f in (prints, cells))
    dossiers = [trip.dossier for trip in story]
    for i, j in permutations(range(len(story)), 2):
        mine, theirs, dossier = story[i], story[j], dossiers[i]
        if mine.letter == theirs.letter:
            there = {leg.region for leg in mine.plan.legs}
            seen = tuple(stay for stay in verdicts[j].stays if stay.region in there)
            companion = Companion(seen)
            dossier = replace(dossier, companions=(*dossier.companions, companion))
        if len(np.intersect1d(printed[i], printed[j])):
            alike = likeness(
                mine.fixes,
                theirs.fixes,
                letter=theirs.letter,
                first=i < j,
            )
            dossier = replace(
                dossier, likenesses=(*dossier.likenesses, *([alike] if alike else []))
            )
        if len(np.intersect1d(placed[i], placed[j])):
            near = pair(mine.fixes, theirs.fixes, letter=theirs.letter, zone=mine.plan.home_zone)
            dossier = replace(dossier, pairs=(*dossier.pairs, *([near] if near else [])))
        dossiers[i] = dossier
    return (replace(trip, dossier=dossier) for trip, dossier in zip(story, dossiers, strict=True))


def heard(trip: Scenario, silence: int) -> float:
    """Share of a trip's time between fixes that are at most so many seconds apart.

    Unlike a verdict's coverage it leaves out silences that end where they began.
    """
    start = midnight(trip.plan.starts_on, trip.plan.home_zone)
    end = midnight(trip.plan.ends_on + timedelta(days=1), trip.plan.home_zone)
    time = np.sort(trip.fixes.time[(trip.fixes.time >= start) & (trip.fixes.time < end)])
    wait = np.diff(np.concatenate(([start], time, [end])))
    return float(wait[wait <= silence].sum()) / (end - start)


def _counts(kind: DeviationKind, severity: Severity) -> bool:
    return severity is not Severity.NOTE or kind in NOTES


def _add(group: Group, trip: Scenario, verdict: Verdict, false: set[DeviationKind]) -> None:
    unverifiable = verdict.outcome is Outcome.UNVERIFIABLE
    group.trips += 1
    group.unverifiable += unverifiable
    group.coverage += verdict.coverage
    if trip.truth.honest:
        group.honest += 1
        group.honest_days += len(verdict.days)
        group.honest_unverifiable += unverifiable
        group.accused.update(kind.value for kind in false)
        noted = (d.kind for d in verdict.deviations if d.severity is Severity.NOTE)
        group.suspected += not FAKED.isdisjoint(noted)
    if trip.truth.must & (FAKED | {Kind.COPIED_TRACK, Kind.CARRIED_PHONE}):
        return
    for code, arrived, left in trip.truth.stays:
        if code == trip.plan.home or left - arrived < STAY_SECONDS:
            continue
        group.stays += 1
        spans = [
            (stay.started_at.timestamp(), stay.ended_at.timestamp())
            for stay in verdict.stays
            if stay.region == code
        ]
        spans = [(a, b) for a, b in spans if a < left and b > arrived]
        if spans:
            group.arrivals.append(abs(min(a for a, _ in spans) - arrived) / 60)
            group.departures.append(abs(max(b for _, b in spans) - left) / 60)


def _told(found: Found) -> dict[str, Any]:
    return {
        "so": found.so,
        "found": found.hit,
        "only_noted": found.noted,
        "false": found.false,
        "precision": found.precision,
        "recall": found.recall,
        "recall_with_notes": found.told,
    }


def _table(name: tuple[str, str], *titles: tuple[tuple[str, str], ...], rows: Any) -> Table:
    table = Table(padding=(0, 0, 0, 1))
    table.add_column(said(*name), no_wrap=True, min_width=max(len(row[0]) for row in rows))
    for title in (title for some in titles for title in some):
        table.add_column(said(*title), justify="right")
    for row in rows:
        table.add_row(*row)
    return table


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _quantiles(minutes: list[float]) -> dict[str, float] | None:
    if not minutes:
        return None
    return {"median": float(np.median(minutes)), "p90": float(np.percentile(minutes, 90))}


def _shown(minutes: list[float]) -> str:
    found = _quantiles(minutes)
    return f"{found['median']:.0f} / {found['p90']:.0f}" if found else "-"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"
