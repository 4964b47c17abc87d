"""Rules on where the traveller declared to sleep and from where to fly."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from workers.case import Deviation, DeviationKind, Flight, PlannedLeg, Position, Severity
from workers.fold import Rows
from workers.itinerary import midnight, moment
from workers.observed import Observed, runs
from workers.rules.rule import Rule, Text
from workers.rules.wording import duration_en, duration_id, when_en, when_id
from workers.track import Bools, Floats, distance

DAY = timedelta(days=1)


def lodging_mismatch(seen: Observed) -> Iterator[Deviation]:
    """Nights spent far from the declared lodging, between two presences at the destination.

    A night counts when the track shows the traveller farther away during at least half of it.
    Nights before he arrived and after he left are on the way; silent ones say nothing. Where a
    border leaves it open whether he was at the destination at all, all of the leg's nights count,
    once all are known and claimed: who sleeps at a border is at the lodging or is not.
    """
    for leg, present in zip(seen.itinerary.legs, seen.present, strict=True):
        there = np.flatnonzero(present)
        if leg.lodging is None or not (len(there) or _undecided(seen)):
            continue
        arrived, left = -np.inf, np.inf
        if len(there):
            arrived, left = seen.spells["start"][there[0]], seen.spells["end"][there[-1]]
        planned = [leg.arrive_on + i * DAY for i in range((leg.depart_on - leg.arrive_on).days)]
        nights = [
            night
            for night in (_night(seen, leg, day) for day in planned)
            if night is not None and arrived <= night.start and night.end <= left
        ]
        far = [night for night in nights if night.metres is not None]
        if far and (len(there) or len(far) == len(planned)):
            everything = len(far) > 1 and len(far) == sum(night.known for night in nights)
            yield _mismatch(seen, leg, far, len(planned), everything)


def _undecided(seen: Observed) -> bool:
    """Whether the whole of a trip that is over may have been where it was to be, or at home.

    Coming home early is a duty once the work is done, so days that are not claimed say nothing.
    """
    claim = seen.dossier.claim
    if not seen.final or (claim and claim.days < len(seen.spans)):
        return False
    known = seen.coverage >= seen.rules.never_left_coverage
    return known and bool(seen.right.all()) and not seen.home.all()


@dataclass(frozen=True, slots=True)
class _Night:
    """A night, epoch s; `known` at least half of it. `metres`: how far from the lodging."""

    start: float
    end: float
    known: bool
    metres: float | None


def _night(seen: Observed, leg: PlannedLeg, day: date) -> _Night | None:
    """The night that begins on a day; None when not every leg then says where it is spent."""
    rules = seen.rules
    late = rules.lodging_from_hour >= rules.lodging_until_hour
    start = midnight(day if late else day + DAY, leg.zone, rules.lodging_from_hour)
    end = midnight(day + DAY, leg.zone, rules.lodging_until_hour)
    lodgings = [
        other.lodging for other in seen.itinerary.legs if other.arrive_on <= day < other.depart_on
    ]
    # Those before and after belong to it too: a silence may lie between.
    first, last = np.searchsorted(seen.sightings["start"], (start, end))
    rows = seen.sightings[max(0, first - 1) : last + 1]
    metres = np.full(len(rows), np.inf)
    for lodging in lodgings:
        if lodging is None:
            return None
        metres = np.minimum(metres, distance(_at(rows), _projected(seen, lodging)))
    far = metres > rules.lodging_m + rows["reach"]
    far = far[:-1] & far[1:]
    bounds = np.clip(rows["start"], start, end)
    away = np.where(far, seen.cover.seconds(bounds[:-1], bounds[1:]), 0.0)
    enough = away.sum() >= (end - start) / 2
    return _Night(
        start,
        end,
        seen.cover.share(start, end) >= 0.5,
        float(np.median(metres[:-1][away > 0])) if enough and end > start else None,
    )


def _at(sightings: Rows) -> Floats:
    return np.column_stack((sightings["x"], sightings["y"]))


def _projected(seen: Observed, place: Position) -> Floats:
    lon, lat = np.array([place.lon]), np.array([place.lat])
    return np.asarray(seen.itinerary.regions.project(lon=lon, lat=lat)[0])


def _within(seen: Observed, start: float, end: float) -> Bools:
    """The spells that touch an interval."""
    return np.asarray((seen.spells["end"] >= start) & (seen.spells["start"] <= end))


def _held(seen: Observed, spells: Bools) -> str | None:
    """The region most of these spells are held in."""
    found = Counter(seen.region[spells].tolist()).most_common(1)
    return found[0][0] if found else None


def _mismatch(
    seen: Observed, leg: PlannedLeg, far: list[_Night], planned: int, everything: bool
) -> Deviation:
    spells = np.zeros(len(seen.spells), dtype=np.bool_)
    for night in far:
        spells |= _within(seen, night.start, night.end)
    start, end, zone = far[0].start, far[-1].end, leg.zone
    region, there = _held(seen, spells), seen.name(leg.region)
    away = round(float(np.median([night.metres for night in far if night.metres])) / 1_000)
    return Deviation(
        kind=DeviationKind.LODGING_MISMATCH,
        severity=Severity.MEDIUM if everything else Severity.LOW,
        leg=leg.position,
        started_at=moment(start),
        ended_at=moment(end),
        region=region,
        planned_region=leg.region,
        coverage=seen.cover.share(start, end),
        amount=None,
        evidence=seen.evidence(spells),
        message_id=(
            f"{len(far)} dari {planned} malam sekitar {away} km dari penginapan di {there} yang "
            f"dinyatakan, di {seen.name(region)}, antara {when_id(start, zone)} dan "
            f"{when_id(end, zone)}."
        ),
        message_en=(
            f"{len(far)} of {planned} nights about {away} km from the declared lodging in {there}, "
            f"in {seen.name(region)}, between {when_en(start, zone)} and {when_en(end, zone)}."
        ),
    )


@dataclass(frozen=True, slots=True)
class _Missed:
    """A flight during which the traveller was on the ground, from `start` to `end`, epoch s."""

    flight: Flight
    start: float
    end: float
    metres: float
    flew: bool
    severity: Severity


def flight_mismatch(seen: Observed) -> Iterator[Deviation]:
    """On the ground and away from both airports while the flight was to be in the air.

    Flying at another time is only noted, as is what a silence may hide. Waiting at an airport,
    fixes from the air and a phone that is off raise nothing.
    """
    missed = [found for flight in seen.plan.flights if (found := _missed(seen, flight))]
    if not missed:
        return
    spells = np.zeros(len(seen.spells), dtype=np.bool_)
    for one in missed:
        spells |= _within(seen, one.start, one.end)
    first = min(missed, key=lambda one: one.start)
    start, end = first.start, max(one.end for one in missed)
    region = _held(seen, spells & _within(seen, first.start, first.end))
    yield Deviation(
        kind=DeviationKind.FLIGHT_MISMATCH,
        severity=max((one.severity for one in missed), key=list(Severity).index),
        leg=None,
        started_at=moment(start),
        ended_at=moment(end),
        region=region,
        planned_region=None,
        coverage=seen.cover.share(start, end),
        amount=None,
        evidence=seen.evidence(spells),
        message_id="; ".join(_said_id(seen, one) for one in missed) + ".",
        message_en="; ".join(_said_en(seen, one) for one in missed) + ".",
    )


def _said_id(seen: Observed, one: _Missed) -> str:
    return (
        f"Di darat {duration_id(one.end - one.start)}, {round(one.metres / 1_000)} km dari bandara "
        f"terdekat, sejak {when_id(one.start, seen.plan.home_zone)}, pada jam terbang "
        f"{one.flight.number}{' (terbang pada waktu lain)' if one.flew else ''}"
    )


def _said_en(seen: Observed, one: _Missed) -> str:
    return (
        f"On the ground for {duration_en(one.end - one.start)}, {round(one.metres / 1_000)} km "
        f"from the nearer airport, from {when_en(one.start, seen.plan.home_zone)}, during flight "
        f"{one.flight.number}{' (flew at another time)' if one.flew else ''}"
    )


def _missed(seen: Observed, flight: Flight) -> _Missed | None:
    rules, rows, at = seen.rules, seen.sightings, _at(seen.sightings)
    start, end, reach = rows["start"], rows["end"], rows["reach"]
    departs, arrives = flight.departs_at.timestamp(), flight.arrives_at.timestamp()
    airports = [_projected(seen, place) for place in (flight.origin, flight.destination)]
    metres = np.array([distance(at, airport) for airport in airports])
    away = (metres > rules.airport_m + reach).all(axis=0) & (start >= departs) & (end <= arrives)
    # By road, as the crow flies; where bins meet, what the fixes are good to is no movement.
    step, wait = distance(at[1:], at[:-1]), np.diff((start + end) / 2)
    slow = step <= rules.road_mps * wait + reach[1:] + reach[:-1]
    first, last = runs(away[1:] & away[:-1] & slow & (start[1:] - end[:-1] <= rules.gap_seconds))
    last += 1
    if not len(first):
        return None
    longest = np.argmax(end[last] - start[first])
    since, until = float(start[first[longest]]), float(end[last[longest]])
    run = slice(first[longest], last[longest] + 1)
    if until - since < rules.flight_seconds or rows["fixes"][run].sum() < rules.visit_fixes:
        return None
    near = metres <= rules.airport_m + reach
    closes = arrives + rules.flight_later_seconds
    later = near[1] & (start > until) & (start <= closes)
    # Who drives covers every part of the way slowly; a flight is fast, or a silence that leaps.
    leap = step * (step > np.maximum(rules.road_mps * wait, rules.still_m))
    by_air = leap.sum() >= distance(*airports) / 2
    crossed = _crossed(start[near[0]], start[near[1]], closes - arrives)
    flew = bool(by_air and (later.any() or crossed))
    unknown = closes - until - float(seen.cover.seconds(until, closes))
    hidden = unknown >= distance(*airports) / rules.air_mps
    severity = Severity.LOW if near[1].any() else Severity.MEDIUM
    return _Missed(
        flight,
        since,
        until,
        float(np.median(metres.min(axis=0)[run])),
        flew,
        Severity.NOTE if flew or hidden else severity,
    )


def _crossed(origin: Floats, destination: Floats, most: float) -> bool:
    """Whether being at one airport was followed by being at the other, soon enough for a flight."""
    before = np.searchsorted(origin, destination) - 1
    followed = before >= 0
    return bool((destination[followed] - origin[before[followed]] <= most).any())


PLACES = (
    Rule(
        DeviationKind.LODGING_MISMATCH,
        lodging_mismatch,
        Text(
            "Malam dihabiskan jauh dari penginapan yang dinyatakan.",
            "Nights were spent far from the declared lodging.",
        ),
        Text(
            "Hanya malam di antara dua kehadiran di tujuan, yang setidaknya separuhnya pasti jauh; "
            "malam tanpa jejak, di jalan, atau tanpa penginapan yang dinyatakan tidak dinilai. Di "
            "perbatasan, bila tujuan mungkin saja tercapai: hanya bila semua malam yang diklaim "
            "pasti jauh.",
            "Only nights between two presences at the destination, at least half of them certainly "
            "far; silent ones, those on the way or without a declared lodging are not judged. At a "
            "border, where the destination may have been reached: only if all the nights claimed "
            "are certainly far.",
        ),
        Text(
            "Kuitansi penginapan lain, atau pernyataan tidak menginap.",
            "A receipt from another lodging, or the statement of not having stayed at one.",
        ),
    ),
    Rule(
        DeviationKind.FLIGHT_MISMATCH,
        flight_mismatch,
        Text(
            "Berada di darat, jauh dari kedua bandara, pada jam terbang.",
            "On the ground, away from both airports, during a flight.",
        ),
        Text(
            "Menunggu di bandara, titik dari udara dan ponsel mati tidak dinilai; terbang pada "
            "waktu lain, atau diam yang dapat menyembunyikannya, hanya catatan.",
            "Waiting at an airport, fixes from the air and a phone that is off raise nothing; "
            "flying at another time, or a silence that may hide it, is a note.",
        ),
        Text(
            "Tiket yang diubah dan pas naik, atau keterangan maskapai tentang pengalihan.",
            "A changed ticket with its boarding pass, or the airline's word on a diversion.",
        ),
    ),
)
