"""What destinations confirmed of a trip (*visum*), read beside its track.

A visum speaks of two moments: the arrival and the departure. Between them it fills what the track
leaves unknown, and gives way to what the track shows. Where the track shows somebody certainly
elsewhere at such a moment, one of the two is wrong: then neither is held against the traveller by
itself, and the contradiction is the finding.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np

from workers.case import Day, DayState, Dossier, PlannedLeg, Visum
from workers.days import Cover
from workers.fold import Rows
from workers.itinerary import Itinerary, Span, midnight
from workers.track import Bools, Floats

Interval = tuple[float, float]
"""Start and end, epoch s."""


@dataclass(frozen=True, slots=True, eq=False)
class Contradiction:
    """A visum and the moments of it, epoch s, at which the spells show somebody elsewhere."""

    visum: Visum
    moments: tuple[float, ...]
    spells: Bools


@dataclass(frozen=True, slots=True, eq=False)
class Attested:
    """The days with what the visa add, and what they contradict.

    given: the regions away from home that some visum names; reached: those whose visum the track
    does not contradict. vouched: the days known by visum alone; share: of the trip so far, what
    lies between confirmed arrivals and departures and is not known from the track. complete: each
    destination confirmed both. doubted: bool (n,), spells that a contradicted visum puts in doubt.
    """

    days: tuple[Day, ...]
    given: frozenset[str]
    reached: frozenset[str]
    vouched: tuple[date, ...]
    share: float
    complete: bool
    doubted: Bools
    contradicted: tuple[Contradiction, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """Of a track, what a visum is held against; arrays as `Observed` has them.

    may: which spells may lie in one of some regions.
    """

    trip: Itinerary
    until: float
    spans: tuple[Span, ...]
    days: tuple[Day, ...]
    spells: Rows
    edges: Floats
    known: Bools
    home: Bools
    cover: Cover
    may: Callable[[frozenset[str]], Bools]


def attest(track: Track, dossier: Dossier) -> Attested:
    """Reads the visa of a dossier against a track; without any, the days stay what they are."""
    trip = track.trip
    visa = tuple(one for one in dossier.visa if one.region != trip.plan.home)
    nowhere = np.zeros(len(track.spells), dtype=np.bool_)
    if not visa:
        return Attested(track.days, frozenset(), frozenset(), (), 0.0, False, nowhere, ())
    contradicted = tuple(_contradictions(track, visa))
    wrong = [one.visum for one in contradicted]
    sound = [one for one in visa if one not in wrong]
    doubts = [_lasting(trip, one) for one in wrong]
    doubted = nowhere.copy()
    for since, until in doubts:
        doubted |= (track.spells["end"] >= since) & (track.spells["start"] <= until)
    for one in contradicted:
        doubted |= one.spells
    told, vouched = _days(track, sound, doubts)
    legs = [leg for leg in trip.legs if leg.region != trip.plan.home]
    return Attested(
        days=told,
        given=frozenset(one.region for one in visa),
        reached=frozenset(one.region for one in sound),
        vouched=vouched,
        share=_share(track, sound),
        complete=bool(legs) and all(any(_whole(one, leg) for one in sound) for leg in legs),
        doubted=doubted,
        contradicted=contradicted,
    )


def _moments(visum: Visum) -> list[float]:
    return [at.timestamp() for at in (visum.arrived_at, visum.departed_at) if at is not None]


def _whole(visum: Visum, leg: PlannedLeg) -> bool:
    return visum.region == leg.region and len(_moments(visum)) == 2


def _lasting(trip: Itinerary, visum: Visum) -> Interval:
    """From arrival to departure; what is not confirmed is taken as planned."""
    moments = _moments(visum)
    leg = next((leg for leg in trip.legs if leg.region == visum.region), None)
    since, until = min(moments), max(moments)
    if leg is not None and visum.arrived_at is None:
        since = min(since, midnight(leg.arrive_on, leg.zone))
    if leg is not None and visum.departed_at is None:
        until = max(until, midnight(leg.depart_on + timedelta(days=1), leg.zone))
    return since, until


def _contradictions(track: Track, visa: tuple[Visum, ...]) -> Iterator[Contradiction]:
    for visum in visa:
        may = track.may(frozenset({visum.region}))
        shown = [(at, _elsewhere(track, may, at)) for at in _moments(visum)]
        moments = tuple(at for at, spells in shown if spells.any())
        if moments:
            spells = np.logical_or.reduce([spells for _, spells in shown])
            yield Contradiction(visum, moments, spells)


def _elsewhere(track: Track, may: Bools, at: float) -> Bools:
    """The spells around a moment, when the track shows that she was elsewhere all the while.

    None when one of them may lie in the region; nor when a silence could hide that she was there,
    unless the day is proven to have been spent at home.
    """
    rules, spells = track.trip.rules, track.spells
    around = np.zeros(len(spells), dtype=np.bool_)
    since = max(track.trip.start, at - rules.visum_seconds)
    until = min(track.until, at + rules.visum_seconds)
    if not since < until or not len(spells):
        return around
    around = (spells["end"] >= since) & (spells["start"] <= until)
    at_home = any(
        day.state is DayState.HOME and span.start <= at < span.end
        for day, span in zip(track.days, track.spans, strict=True)
    )
    hidden = not at_home and _longest(track, since, until) > rules.home_silence_seconds
    if hidden or (may & around).any():
        return np.zeros(len(spells), dtype=np.bool_)
    return np.asarray(around)


def _longest(track: Track, since: float, until: float) -> float:
    """Seconds of the longest silence that touches an interval; nights asleep do not count."""
    begun, over = track.edges[::2], track.edges[1::2]
    wakes, sleeps = (
        np.array([getattr(s, name) for s in track.spans]) for name in ("wakes", "sleeps")
    )
    waking = np.minimum(over[:, None], sleeps) - np.maximum(begun[:, None], wakes)
    seconds = np.where(track.known, np.maximum(waking, 0.0).sum(axis=1), over - begun)
    return float(np.max(seconds[(begun < until) & (over > since)], initial=0.0))


def _days(
    track: Track, sound: list[Visum], doubts: list[Interval]
) -> tuple[tuple[Day, ...], tuple[date, ...]]:
    """The days, and which of them are known by visum alone.

    A day at home that a contradicted visum puts elsewhere is unknown; an unknown one that a visum
    covers was spent away, unless the track has her at home while it lasts.
    """
    told, vouched = [], []
    for day, span in zip(track.days, track.spans, strict=True):
        if day.state is DayState.HOME and any(_meets(span, doubt) for doubt in doubts):
            told.append(replace(day, state=DayState.UNKNOWN))
            continue
        there = [
            one.region
            for one in sound
            if day.state is DayState.UNKNOWN
            and _meets(span, (min(_moments(one)), max(_moments(one))))
            and not _at_home(track, span, one)
        ]
        if there:
            seen = tuple(dict.fromkeys((*day.seen, *there)))
            told.append(replace(day, state=DayState.AWAY, seen=seen))
            vouched.append(day.date)
        else:
            told.append(day)
    return tuple(told), tuple(vouched)


def _meets(span: Span, interval: Interval) -> bool:
    return interval[0] < span.end and interval[1] >= span.start


def _at_home(track: Track, span: Span, visum: Visum) -> bool:
    """Whether the track shows her at home that day, between arrival and departure."""
    since, until = max(span.start, min(_moments(visum))), min(span.end, max(_moments(visum)))
    within = (track.spells["start"] > since) & (track.spells["end"] < until)
    return bool((track.home & within).any())


def _share(track: Track, sound: list[Visum]) -> float:
    """Share of the trip so far that lies between confirmations and is unknown to the track."""
    start, seconds, reached = track.trip.start, 0.0, track.trip.start
    for since, until in sorted((min(_moments(one)), max(_moments(one))) for one in sound):
        since, until = max(since, reached), min(until, track.until)  # noqa: PLW2901
        if until > since:
            seconds += until - since - float(track.cover.seconds(since, until))
            reached = until
    return seconds / (track.until - start) if track.until > start else 0.0
