"""Gathering a case: all that a verdict depends on, read from the regency's database."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

import numpy as np
from sqlalchemy.orm import Session

from tenants import airports, boundaries, chunks, dossiers, rulesets, windows
from tenants.dossiers import OnRecord
from tenants.models import Trip, TripState
from tenants.realm import Tenant
from tenants.together import Row
from workers.case import (
    Assignment,
    Attendance,
    Claim,
    Companion,
    Dossier,
    Fixes,
    Flight,
    LawfulPlace,
    Plan,
    PlannedLeg,
    Position,
    Silence,
    SilenceReason,
    Stay,
    Verdict,
    Visum,
)
from workers.fold import State
from workers.itinerary import midnight, moment
from workers.judge import begin, conclude, fold
from workers.rules.records import report_due
from workers.ruleset import Ruleset, ruleset
from workers.track import RegionIndex

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

LOOK_AGAIN: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Versions:
    """The ruleset and the boundary set to judge by."""

    ruleset: int
    boundary_set: int


@dataclass(frozen=True, slots=True)
class Case:
    """A trip as it stood at one time; `watermark` says how much had arrived.

    `due_at`: when to look again by the clock; `companions`: the other trips under its letter;
    `over`: its time has run out.
    """

    trip_id: UUID
    watermark: int
    cancelled: bool
    due_at: datetime | None
    versions: Versions
    state: State
    dossier: Dossier
    companions: tuple[UUID, ...]
    over: bool

    def judged(self, now: datetime) -> Verdict | None:
        """The verdict; None on a cancelled trip."""
        return None if self.cancelled else conclude(self.state, self.dossier, as_of=now)


def gather(
    session: Session, tenant: Tenant, trip_id: UUID, *, now: datetime, by: Versions | None = None
) -> Case | None:
    """What a verdict on the trip needs; None when there is no such trip or nothing is due.

    A trip that is closed stays under the versions it was closed by, unless others are asked for:
    then it is due whatever its state.
    """
    found = dossiers.progress(session, trip_id)
    if found is None:
        return None
    progress, trip = found
    if not (
        by is not None
        or progress.arrived != progress.evaluated
        or (progress.due_at is not None and progress.due_at <= now)
    ):
        return None
    start, end = windows.start(trip, tenant.zone), windows.end(trip, tenant.zone)
    known = dossiers.read(session, trip, start=start, end=end)
    plan = _plan(trip, tenant, known)
    versions = by or Versions(*(known["closed"] or known["in_force"])[0])
    state = _state(session, tenant, trip_id, plan, versions)
    over = end <= now
    return Case(
        trip_id=trip_id,
        watermark=progress.arrived,
        cancelled=trip.state is TripState.CANCELLED,
        due_at=_due_at(trip, plan, state.itinerary.rules, now, over=over),
        versions=versions,
        state=state,
        dossier=_dossier(trip, known),
        companions=tuple(trip_id for trip_id, *_ in known["beside"]),
        over=over,
    )


def _due_at(
    trip: Trip, plan: Plan, rules: Ruleset, now: datetime, *, over: bool
) -> datetime | None:
    """When to look again though nothing arrives: in an hour, at the end, when the report is due."""
    if not over:
        end = windows.end(trip, plan.home_zone)
        return min(now + LOOK_AGAIN, max(end, now))
    due = moment(midnight(report_due(plan, rules) + timedelta(days=1), plan.home_zone))
    return due if trip.reported_on is None and due > now else None


def _plan(trip: Trip, tenant: Tenant, known: OnRecord) -> Plan:
    return Plan(
        home=tenant.code,
        home_zone=tenant.zone,
        starts_on=trip.starts_on,
        ends_on=trip.ends_on,
        legs=tuple(
            PlannedLeg(
                position,
                region,
                zone,
                arrive_on,
                depart_on,
                None if lon is None else Position(lon=lon, lat=lat),
            )
            for position, region, zone, arrive_on, depart_on, lon, lat in known["legs"]
        ),
        lawful_places=tuple(LawfulPlace(*place) for place in known["places"]),
        transit=frozenset(trip.transit),
        flights=tuple(_flights(known["flights"])),
        finished_at=trip.finished_at,
    )


def _flights(flights: Iterable[Row]) -> Iterator[Flight]:
    for number, origin, destination, departs_at, arrives_at in flights:
        here, there = airports.position(origin), airports.position(destination)
        if here is not None and there is not None:
            yield Flight(
                number,
                Position(lon=here[0], lat=here[1]),
                Position(lon=there[0], lat=there[1]),
                departs_at,
                arrives_at,
            )


def _dossier(trip: Trip, known: OnRecord) -> Dossier:
    (allowance,) = known["allowance"] or [(None,)]
    return Dossier(
        claim=None if trip.claimed_days is None else Claim(trip.claimed_days, *allowance),
        reported_on=trip.reported_on,
        assignments=tuple(Assignment(*other) for other in (*known["own"], *known["outside"])),
        attendance=tuple(Attendance(*presence) for presence in known["attendance"]),
        companions=tuple(Companion(tuple(map(_stay, stays or ()))) for _, stays in known["beside"]),
        silences=(
            *(Silence(start, end, SilenceReason(why)) for start, end, why in known["silences"]),
            *(Silence(start, end, SilenceReason.PAUSED) for start, end in known["pauses"]),
        ),
        visa=tuple(_visa(known["visa"])),
    )


def _visa(rows: Iterable[Row]) -> Iterator[Visum]:
    """What stands confirmed, each host and leg as one; the last word of each event."""
    withdrawn = {withdraws for *_, withdraws in rows if withdraws is not None}
    found: dict[tuple[str, int], dict[str, datetime]] = {}
    for visum_id, host, leg, event, happened_at, withdraws in rows:
        if withdraws is None and visum_id not in withdrawn:
            found.setdefault((host, leg), {})[event] = happened_at
    for (host, leg), events in sorted(found.items()):
        yield Visum(host, leg, events.get("ARRIVAL"), events.get("DEPARTURE"))


def _stay(said: Mapping[str, Any]) -> Stay:
    start, end = (datetime.fromisoformat(said[name]) for name in ("started_at", "ended_at"))
    return Stay(said["region"], start, end, said["fixes"])


def _index(session: Session, version: int) -> RegionIndex:
    loaded = boundaries.load(session, version)
    return RegionIndex(loaded.regions, loaded.tolerance_m)


def _ruleset(session: Session, version: int) -> Ruleset:
    return ruleset(version, rulesets.get(session, version).parameters)


class Kept(Generic[K, V]):
    """The values used most recently, as many as `capacity` allows by `weight`."""

    def __init__(self, capacity: int, weight: Callable[[V], int] = lambda _: 1) -> None:
        self._values: OrderedDict[K, V] = OrderedDict()
        self._capacity, self._weight, self._total = capacity, weight, 0
        self._lock = Lock()

    def get(self, key: K, make: Callable[[], V]) -> V:
        """The value kept for a key, or the one made now."""
        found = self.peek(key)
        if found is None:
            found = make()
            self.put(key, found)
        return found

    def peek(self, key: K) -> V | None:
        """The value kept for a key, if any."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def put(self, key: K, value: V) -> None:
        """Keep a value, and drop those not used for longest."""
        with self._lock:
            before = self._values.pop(key, None)
            self._total += self._weight(value) - (self._weight(before) if before else 0)
            self._values[key] = value
            while self._total > self._capacity and len(self._values) > 1:
                _, gone = self._values.popitem(last=False)
                self._total -= self._weight(gone)


@dataclass(frozen=True, slots=True)
class _Read:
    """A track as far as it was folded: chunks up to `arrival`, against one plan and its rules."""

    against: tuple[Plan, Ruleset, RegionIndex]
    arrival: int
    state: State


_indexes: Final[Kept[tuple[str, int], RegionIndex]] = Kept(32)  # takes longer than a verdict
_rulesets: Final[Kept[tuple[str, int], Ruleset]] = Kept(256)
# A fix takes some 50 bytes: 200 MB at most.
_tracks: Final[Kept[tuple[str, UUID], _Read]] = Kept(
    4_000_000, lambda read: 1_000 + 13 * sum(map(len, read.state.seen.values()))
)


def _state(
    session: Session, tenant: Tenant, trip_id: UUID, plan: Plan, versions: Versions
) -> State:
    """The trip's track folded: only what arrived since it was last looked at is read."""
    regions = _indexes.get(
        (tenant.dsn, versions.boundary_set), lambda: _index(session, versions.boundary_set)
    )
    rules = _rulesets.get(
        (tenant.dsn, versions.ruleset), lambda: _ruleset(session, versions.ruleset)
    )
    key, against = (tenant.dsn, trip_id), (plan, rules, regions)
    read = _tracks.peek(key)
    if read is None or read.against != against:
        read = _Read(against, 0, begin(plan, rules, regions))
    more = chunks.read(session, [trip_id], after=read.arrival, speed=False).get(trip_id)
    if more is None:
        return read.state
    state = fold(read.state, fixes_of(more))
    _tracks.put(key, _Read(against, more.arrival, state))
    return state


def fixes_of(track: chunks.Track) -> Fixes:
    """A track of the database as the judge takes it."""
    fixes = track.fixes
    return Fixes(
        fixes.time,
        fixes.lon,
        fixes.lat,
        fixes.accuracy.astype(np.float32),
        fixes.mock,
        fixes.battery.astype(np.float32),
        track.chunk,
        track.digests,
    )
