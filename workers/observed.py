"""What a track shows of a trip: the facts the rules look at, each with its doubt kept."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workers.attested import Attested, Track, attest
from workers.case import Day, DayState, Dossier, Gap, Plan, SilenceReason, Stay
from workers.days import Cover, cover_of, day_states
from workers.fold import Label, Rows, State
from workers.itinerary import Itinerary, Span, moment
from workers.ruleset import Ruleset
from workers.track import Bools, Floats, Ints, distance

EMPTY_BATTERY = 0.05
MOST_EVIDENCE = 500


@dataclass(frozen=True, slots=True, eq=False)
class Observed:
    """All that a rule may look at; arrays run over the n spells of the track.

    until, as_of: how far the trip has run, and the hour it is judged at, epoch s. region: the
    region each spell is held in. home: certainly there. maybe_away: in a presence perhaps outside
    home. right: perhaps where the plan allows it that day. present: per leg, in a presence there
    that is not perhaps at home. dwelling: near one place. known: bool (n + 1,), the intervals
    before each spell and after the last that are not unknown. cover: known time. visa: what
    destinations confirmed. spans: the times of the days begun so far.
    """

    state: State
    dossier: Dossier
    until: float
    as_of: float
    spells: Rows
    region: NDArray[np.object_]
    home: Bools
    maybe_away: Bools
    right: Bools
    present: tuple[Bools, ...]
    dwelling: Bools
    known: Bools
    cover: Cover
    spans: tuple[Span, ...]
    visa: Attested
    stays: tuple[Stay, ...]
    gaps: tuple[Gap, ...]

    @property
    def itinerary(self) -> Itinerary:
        """The plan judged, and what follows from it."""
        return self.state.itinerary

    @property
    def sightings(self) -> Rows:
        """All of them; a rule looks at them where the spells do not rule it out."""
        return self.state.sightings

    @property
    def plan(self) -> Plan:
        """The plan judged."""
        return self.itinerary.plan

    @property
    def rules(self) -> Ruleset:
        """The parameters judged by."""
        return self.itinerary.rules

    @property
    def final(self) -> bool:
        """Whether the trip's time is over."""
        return self.until >= self.itinerary.end

    @property
    def days(self) -> tuple[Day, ...]:
        """Those begun so far."""
        return self.visa.days

    @property
    def enough(self) -> bool:
        """Whether so much of the trip is known, by track or visum, that it can conform."""
        return self.visa.complete or self.coverage + self.visa.share >= self.rules.min_coverage

    @property
    def coverage(self) -> float:
        """Known share of the trip so far, 0 to 1."""
        return self.cover.share(self.itinerary.start, self.until)

    def count(self, state: DayState) -> int:
        """Days of one state."""
        return sum(day.state is state for day in self.days)

    def idle(self, span: Span, day: Day) -> bool:
        """Whether a day that has ended was spent at home though it should not have been."""
        return span.testable and span.end <= self.until and day.state is DayState.HOME

    def name(self, code: str | None) -> str:
        """A region as people call it."""
        return self.itinerary.regions.names.get(code, code) if code else "luar peta wilayah"

    def evidence(self, spells: Bools | Ints) -> tuple[bytes, ...]:
        """Digests of the uploads that hold what these spells are made of, sorted.

        Of more than 500 sightings, as many spread evenly among them: the times name the rest.
        """
        chosen = np.zeros(len(self.spells), dtype=np.bool_)
        chosen[spells] = True
        if not chosen.any():
            return ()
        start = self.sightings["start"]
        spell = np.searchsorted(self.spells["start"], start, side="right") - 1
        proof = np.flatnonzero(chosen[spell] & (start <= self.spells["end"][spell]) & (spell >= 0))
        if len(proof) > MOST_EVIDENCE:
            proof = proof[np.linspace(0, len(proof) - 1, MOST_EVIDENCE).astype(np.intp)]
        chunks = np.unique(self.sightings["chunk"][proof]).tolist()
        return tuple(sorted({self.state.digests[i] for i in chunks}))


def observe(state: State, dossier: Dossier, *, until: float, as_of: float) -> Observed:
    """Reads a folded track against its plan, as far as the trip has run."""
    trip, spells = state.itinerary, state.spells
    rules, home = trip.rules, trip.plan.home
    start, end = spells["start"], spells["end"]
    labels = _Labels(state)
    allowed = _allowed(trip, spells, labels)
    region = _regions(trip, spells, labels)
    edges = np.concatenate(([trip.start], np.column_stack((start, end)).ravel(), [until]))
    silence = edges[1::2] - edges[::2]
    still = silence > rules.gap_seconds
    still[1:-1] &= distance(spells["first"][1:], spells["last"][:-1]) <= rules.still_m
    still[[0, -1]] = False
    # A phone that was told to look away does not show that it stood still.
    still &= _paused(edges, dossier) <= rules.gap_seconds
    known = (silence <= rules.gap_seconds) | (still & (silence <= rules.still_seconds))
    if not len(spells):
        known[:] = False
    dwelling = spells["dwelling"] | (still & known)[:-1] | (still & known)[1:]
    cover = cover_of(edges, np.ones(len(spells), dtype=np.bool_), known)
    maybe_home = labels.may(frozenset({home}))
    certain = labels.where(lambda label: _certainly(home, label, trip))
    away, maybe_away = _presence(~maybe_home, spells, rules), _presence(~certain, spells, rules)
    spans = tuple(span for span in trip.spans if span.start < until)
    stays = _stays(spells, region, np.cumsum(~known[:-1]), rules)
    states = day_states(
        trip, spans, spells, edges, certain=certain, known=known, still=still,
        away=away, maybe_away=maybe_away,
    )  # fmt: skip
    starts = np.array([span.start for span in spans])
    seconds = cover.seconds(starts, np.minimum([span.end for span in spans], until))
    days = tuple(
        Day(span.date, span.planned, seen, float(known_seconds), state)
        for span, seen, known_seconds, state in zip(
            spans, _seen(spans, stays), seconds, states, strict=True
        )
    )
    track = Track(trip, until, spans, days, spells, edges, known, certain, cover, labels.may)
    return Observed(
        state=state,
        dossier=dossier,
        until=until,
        as_of=as_of,
        spells=spells,
        region=region,
        home=certain,
        maybe_away=maybe_away,
        right=allowed | (labels.where(lambda label: label[0] is None) & spells["ashore"]),
        present=tuple(
            _presence(
                labels.may(frozenset({leg.region})) & (~maybe_home | (leg.region == home)),
                spells,
                rules,
            )
            for leg in trip.legs
        ),
        dwelling=dwelling,
        known=known,
        cover=cover,
        spans=spans,
        visa=attest(track, dossier),
        stays=stays,
        gaps=_gaps(spells, edges, known, dossier),
    )


class _Labels:
    """The labels of a track's spells, looked at once each."""

    def __init__(self, state: State) -> None:
        self.mapped = state.itinerary.regions.names
        self.labels = state.labels
        self.number = state.spells["label"]

    def where(self, holds: Callable[[Label], bool]) -> Bools:
        """Which spells have a label of this kind."""
        table = np.array([holds(label) for label in self.labels], dtype=np.bool_)
        return np.asarray(table[self.number]) if len(table) else np.zeros(0, dtype=np.bool_)

    def known_as(self, codes: frozenset[str]) -> frozenset[str | None]:
        """Regions as labels have them: those without outline are outside of all that have one."""
        return frozenset(code if code in self.mapped else None for code in codes)

    def may(self, codes: frozenset[str]) -> Bools:
        """Which spells may lie in one of these regions."""
        wanted = self.known_as(codes)
        return self.where(lambda label: not wanted.isdisjoint(label[1]))


def _certainly(code: str, label: Label, trip: Itinerary) -> bool:
    """Whether it can lie in no region that the plan allows besides.

    Just over the border of home, where nobody was sent, is no journey. Off the shore counts as
    home, unless the plan leads to a region without outline: it may be just there.
    """
    mapped = trip.regions.names
    inside, may = label
    if code not in may or code not in mapped or (may - {code, None}) & trip.allowed:
        return False
    return inside is not None or all(leg.region in mapped for leg in trip.legs)


def _allowed(trip: Itinerary, spells: Rows, labels: _Labels) -> Bools:
    """Spells that may lie where the plan allows it that day."""
    found = np.zeros(len(spells), dtype=np.bool_)
    for right in {span.right for span in trip.spans}:
        on_day = np.array([span.right == right for span in trip.spans])
        found |= on_day[spells["day"]] & labels.may(right)
    return found


def _regions(trip: Itinerary, spells: Rows, labels: _Labels) -> NDArray[np.object_]:
    """The region each spell is held in.

    That is the last one as long as it may be, so that borders do not flap, until another has held
    for long. In doubt it is a right one, a destination first.
    """
    if not len(spells):
        return np.zeros(0, dtype=np.object_)
    planned = [leg.region for leg in trip.legs]
    order = (*planned, trip.plan.home)

    def read(label: Label, span: Span) -> tuple[str | None, frozenset[str | None]]:
        inside, may = label
        right = may & labels.known_as(span.right)
        if not right or inside in right:
            return inside, right or may
        sure = next((code for code in order if code in right), None)
        return sure or min(right, key=lambda code: (code is None, code or "")), right

    number, day = labels.number, spells["day"]
    starts = np.append(0, np.flatnonzero((np.diff(number) != 0) | (np.diff(day) != 0)) + 1)
    ends = np.append(starts[1:], len(spells))
    cached: dict[tuple[int, frozenset[str]], tuple[str | None, frozenset[str | None]]] = {}
    runs = []
    for label, on in zip(number[starts].tolist(), day[starts].tolist(), strict=True):
        span = trip.spans[on]
        key = (label, span.right)
        if key not in cached:
            cached[key] = read(labels.labels[label], span)
        runs.append(cached[key])
    since, until = spells["start"][starts].tolist(), spells["end"][ends - 1].tolist()
    held: list[str | None] = []
    current = runs[0][0]
    for first, last in _alike([inside for inside, _ in runs]):
        inside = runs[first][0]
        settled = until[last] - since[first] >= trip.rules.settle_seconds
        for _, may in runs[first : last + 1]:
            if settled or current not in may:
                current = inside
            held.append(current)
    return np.repeat(np.array(held, dtype=np.object_), ends - starts)


def _alike(values: Sequence[object]) -> Iterator[tuple[int, int]]:
    """First and last index of each run of equal values."""
    first = 0
    for i in range(1, len(values) + 1):
        if i == len(values) or values[i] != values[first]:
            yield first, i - 1
            first = i


def runs(mask: Bools) -> tuple[Ints, Ints]:
    """First and last index of each run of True."""
    steps = np.diff(mask.astype(np.int8), prepend=0, append=0)
    return np.flatnonzero(steps == 1), np.flatnonzero(steps == -1) - 1


def visits(mask: Bools, spells: Rows, rules: Ruleset) -> tuple[Ints, Ints]:
    """The runs of spells long enough in number of fixes and time to be a presence."""
    first, last = runs(mask)
    total = np.append(0, np.cumsum(spells["fixes"]))
    long = _lasting(
        total[last + 1] - total[first], spells["end"][last], spells["start"][first], rules
    )
    return first[long], last[long]


def _lasting(fixes: Ints, end: Floats, start: Floats, rules: Ruleset) -> Bools:
    """Whether it is a presence: enough fixes over some time, or two that frame a silence."""
    counts = np.where(end - start > rules.gap_seconds, 2, rules.visit_fixes)
    return np.asarray((fixes >= counts) & (end - start >= rules.visit_seconds))


def _presence(mask: Bools, spells: Rows, rules: Ruleset) -> Bools:
    """The spells of a mask that belong to a presence, not to a stray one or two."""
    depth = np.zeros(len(mask) + 1, dtype=np.intp)
    first, last = visits(mask, spells, rules)
    depth[first] += 1
    depth[last + 1] -= 1
    return np.asarray(np.cumsum(depth)[:-1] > 0)


def _stays(
    spells: Rows, region: NDArray[np.object_], silence: Ints, rules: Ruleset
) -> tuple[Stay, ...]:
    """Presences by region: short visits merge into what surrounds them, silence separates."""
    start, end, total = spells["start"], spells["end"], np.append(0, np.cumsum(spells["fixes"]))
    if not len(spells):
        return ()
    moves = region[1:] != region[:-1]
    cuts = np.flatnonzero(moves | (np.diff(silence) > 0)) + 1
    firsts, lasts = np.append(0, cuts), np.append(cuts, len(spells)) - 1
    counts = total[lasts + 1] - total[firsts]
    # Some minutes of fixes on arriving are a presence, though the phone then sleeps for hours.
    first = np.append(0, np.flatnonzero(moves) + 1)
    last = np.append(first[1:], len(spells)) - 1
    lasting = _lasting(total[last + 1] - total[first], end[last], start[first], rules)
    long = lasting[np.searchsorted(first, firsts, side="right") - 1] & (end[lasts] > start[firsts])
    merged: list[list[int]] = []
    for first, last, fixes in np.column_stack((firsts, lasts, counts))[long].tolist():
        if merged:
            before = merged[-1][1]
            if region[before] == region[first] and silence[before] == silence[first]:
                merged[-1][1], merged[-1][2] = last, merged[-1][2] + fixes
                continue
        merged.append([first, last, fixes])
    return tuple(
        Stay(region[first], moment(start[first]), moment(end[last]), fixes)
        for first, last, fixes in merged
    )


def _seen(spans: tuple[Span, ...], stays: tuple[Stay, ...]) -> list[tuple[str, ...]]:
    """The regions seen on each day, in order."""
    seen: list[dict[str, None]] = [{} for _ in spans]
    i = 0
    for stay in stays:
        if stay.region is None:
            continue
        start, end = stay.started_at.timestamp(), stay.ended_at.timestamp()
        while spans[i].end <= start and i + 1 < len(spans):
            i += 1
        for j in range(i, len(spans)):
            if spans[j].start > end:
                break
            seen[j][stay.region] = None
    return [tuple(codes) for codes in seen]


def _paused(edges: Floats, dossier: Dossier) -> Floats:
    """The seconds of each silence in which tracking was paused."""
    start, end = edges[::2], edges[1::2]
    total = np.zeros(len(start))
    for silence in dossier.silences:
        if silence.reason is SilenceReason.PAUSED:
            begun, over = silence.started_at.timestamp(), silence.ended_at.timestamp()
            total += np.maximum(np.minimum(end, over) - np.maximum(start, begun), 0.0)
    return total


def _gaps(spells: Rows, edges: Floats, known: Bools, dossier: Dossier) -> tuple[Gap, ...]:
    """The silences, in order of time, each with what the phone says of it."""
    found = []
    for i in np.flatnonzero(~known).tolist():
        start, end = edges[2 * i], edges[2 * i + 1]
        if end > start:
            battery = spells["battery"][i - 1] if i else np.nan
            reason = _reason(start, end, float(battery), dossier)
            found.append(Gap(moment(start), moment(end), reason))
    return tuple(found)


def _reason(start: float, end: float, battery: float, dossier: Dossier) -> SilenceReason:
    """What the phone said covers most of the silence, or that its battery was about to die."""
    shared: dict[SilenceReason, float] = {}
    for silence in dossier.silences:
        both = min(end, silence.ended_at.timestamp()) - max(start, silence.started_at.timestamp())
        shared[silence.reason] = shared.get(silence.reason, 0.0) + max(both, 0.0)
    longest = max(shared, key=lambda reason: (shared[reason], reason), default=None)
    if longest is not None and 2 * shared[longest] >= end - start:
        return longest
    return SilenceReason.NO_POWER if battery <= EMPTY_BATTERY else SilenceReason.UNKNOWN
