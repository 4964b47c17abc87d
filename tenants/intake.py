"""What paired phones send, of many of them at once: one transaction stores it all."""

from collections import defaultdict
from collections.abc import Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import numpy as np
import orjson
from sqlalchemy import text
from sqlalchemy.orm import Session

from tenants import chunks, fixes, pauses, tracks, windows
from tenants.chunks import Addition, Chain
from tenants.fixes import NOTHING, Fixes
from tenants.models import TripState

OUTSIDE: Final = "OUTSIDE_ASSIGNMENT"
PAUSED: Final = "PAUSED"
SEEN_EVERY: Final = timedelta(minutes=1)
ASKED_FOR: Final = timedelta(hours=1)
ONE_DAY: Final = timedelta(days=1)
CLOCKS: Final = frozenset(("tst", "time", "timestamp", "created_at"))
QUALITIES: Final = frozenset(("acc", "accuracy", "horizontal_accuracy", "batt", "valid", "mock"))
KINDS: Final = frozenset(("_type", "type", "action", "error", "bytes", "members", "points"))
TELLING_NO_PLACE: Final = CLOCKS | QUALITIES | KINDS | {"properties"}


@dataclass(frozen=True, slots=True)
class Unusable:
    """A part of a request that is no fix; `reason` is a constant that says why.

    `said` is what the phone sent, bounded and such that PostgreSQL takes it as jsonb; it may hold
    a position. `time`, epoch s, is when, where that is known.
    """

    reason: str
    said: dict[str, Any] | None = None
    time: float | None = None

    def without_position(self) -> "Unusable":
        """The same, telling nothing of where the phone was: nobody is tracked at other times."""
        return self if self.said is None else replace(self, said=_without_position(self.said))


def _without_position(what: dict[str, Any]) -> dict[str, Any]:
    return {
        key: _without_position(value) if isinstance(value, dict) else value
        for key, value in what.items()
        if key in TELLING_NO_PLACE and not isinstance(value, list)
    }


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request of a phone, by the hash of its token; `fixes.check` lets its fixes pass."""

    token_hash: bytes
    fixes: Fixes
    unusable: Sequence[Unusable] = ()


@dataclass(slots=True)
class Taken:
    """What became of a request; `device_id` is None when no device that may send has its token.

    `asked`: somebody wants to know where this device is now.
    """

    device_id: UUID | None = None
    asked: bool = False
    trip_ids: set[UUID] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Device:
    id: UUID
    member_id: UUID
    trip_id: UUID | None
    asked: bool


@dataclass(frozen=True, slots=True)
class _Window:
    """When a trip's traveller is tracked: epoch seconds, both included, but for the pauses."""

    trip_id: UUID
    start: float
    end: float
    finished: bool
    issued: bool
    pauses: Sequence[tuple[float, float]]

    def divide(self, sent: Fixes) -> tuple[Fixes, bool, Fixes]:
        """The fixes to keep, whether any fall into a pause, and those that are not of this trip."""
        if not len(sent):
            return sent, False, sent
        time = sent.time
        if not self.pauses and self.start <= time.min() and time.max() <= self.end:
            return sent, False, NOTHING
        inside = (time >= self.start) & (time <= self.end)
        paused = np.zeros(len(time), dtype=np.bool_)
        for start, end in self.pauses:
            paused |= inside & (time >= start) & (time < end)
        return sent.only(inside & ~paused), bool(paused.any()), sent.only(~inside)

    def tracks(self, at: float) -> bool:
        """Whether the traveller is tracked at a time."""
        paused = any(start <= at < end for start, end in self.pauses)
        return self.start <= at <= self.end and not paused


def take(session: Session, arrivals: Sequence[Arrival], *, zone: str, now: datetime) -> list[Taken]:
    """Store what the phones sent: each fix with the trip of its traveller that it was made on.

    Fixes outside every assignment, and those of a pause, are not kept; that a phone sent such is
    noted once a day, without a position. What is no fix is kept apart as it came. The same again
    changes nothing.
    """
    devices = _devices(session, arrivals, now)
    taken = [Taken() for _ in arrivals]
    sent = [
        (one, devices[arrival.token_hash], arrival)
        for one, arrival in zip(taken, arrivals, strict=True)
        if arrival.token_hash in devices
    ]
    tracked, chains = _windows(session, sent, zone, now)
    parts: list[tuple[Taken, _Window, Addition]] = []
    apart: list[tuple[UUID, Unusable]] = []
    left_out: set[tuple[UUID, str]] = set()
    for one, device, arrival in sent:
        one.device_id, one.asked = device.id, device.asked
        mine = [
            window
            for window in tracked.get(device.member_id, ())
            if device.trip_id in (None, window.trip_id)
        ]
        apart += [(device.id, _shown(each, mine, now)) for each in arrival.unusable]
        rest = arrival.fixes
        for window in mine:
            kept, paused, rest = window.divide(rest)
            if paused:
                left_out.add((device.id, PAUSED))
            if len(kept) and window.finished:
                kept = tracks.unknown(session, window.trip_id, fixes.canonical(kept))
            parts += [
                (one, window, Addition(window.trip_id, str(device.id), part))
                for part in kept.parts()
            ]
        if len(rest):
            left_out.add((device.id, OUTSIDE))
    counts = chunks.append(session, [addition for *_, addition in parts], chains)
    begun = set()
    for (one, window, _), count in zip(parts, counts, strict=True):
        if count:
            one.trip_ids.add(window.trip_id)
            if window.issued:
                begun.add(window.trip_id)
    if begun:
        session.execute(BEGIN, {"trips": list(begun), "now": now})
    _set_apart(session, apart, left_out, now)
    return taken


def _shown(part: Unusable, windows: Sequence[_Window], now: datetime) -> Unusable:
    """As it may be kept: where nobody is tracked, without a position."""
    at = now.timestamp() if part.time is None else part.time
    return part if any(window.tracks(at) for window in windows) else part.without_position()


def _devices(session: Session, arrivals: Sequence[Arrival], now: datetime) -> dict[bytes, _Device]:
    """The devices that may send, by the hashes of their tokens; that they did is noted."""
    given = {"hashes": list({arrival.token_hash for arrival in arrivals})}
    rows = (
        session.connection()
        .execute(DEVICES, given | {"quiet": now - SEEN_EVERY, "recent": now - ASKED_FOR})
        .all()
    )
    quiet = [row.id for row in rows if row.quiet or row.asked]
    if quiet:
        session.execute(SEEN, {"devices": quiet, "now": now})
    return {
        bytes(row.token_hash): _Device(row.id, row.member_id, row.trip_id, bool(row.asked))
        for row in rows
    }


DEVICES: Final = text(
    "SELECT device.id, member_id, trip_id, token_hash,"
    " last_seen_at IS NULL OR last_seen_at < :quiet AS quiet, asked_at > :recent AS asked"
    " FROM device"
    " JOIN member ON member.id = member_id WHERE token_hash = ANY(CAST(:hashes AS bytea[]))"
    " AND revoked_at IS NULL AND suspended_at IS NULL"
)
SEEN: Final = text(
    "UPDATE device SET last_seen_at = greatest(last_seen_at, :now), asked_at = NULL WHERE id IN"
    " (SELECT id FROM device WHERE id = ANY(CAST(:devices AS uuid[])) ORDER BY id"
    "  FOR NO KEY UPDATE SKIP LOCKED)"
)
BEGIN: Final = text(
    "UPDATE trip SET state = 'ACTIVE', started_at = :now"
    " WHERE id = ANY(CAST(:trips AS uuid[])) AND state = 'ISSUED'"
)


def _windows(
    session: Session, sent: Sequence[tuple[Taken, _Device, Arrival]], zone: str, now: datetime
) -> tuple[dict[UUID, list[_Window]], dict[UUID, Chain]]:
    """The trips that the fixes may be of, by traveller, and their chains, locked."""
    times = [arrival.fixes.time for *_, arrival in sent if len(arrival.fixes)]
    others = [
        now.timestamp() if part.time is None else part.time
        for *_, arrival in sent
        for part in arrival.unusable
    ]
    if not times and not others:
        return {}, {}
    whole = np.concatenate([*times, others])
    first, last = fixes.time_of(whole.min()), fixes.time_of(whole.max())
    given = {
        "members": list({device.member_id for _, device, _ in sent}),
        "first": first.date() - ONE_DAY,
        "last": last.date() + ONE_DAY,
    }
    locked = session.connection().execute(LOCK, given).all()
    chains = {row.trip_id: Chain(bytes(row.chain_head), row.arrived) for row in locked}
    # Read once no change to them is under way: what has ended takes no more fixes.
    rows = session.connection().execute(WINDOWS, {"trips": list(chains)}).all() if chains else ()
    paused = pauses.paused(session, chains) if chains else {}
    found: dict[UUID, list[_Window]] = defaultdict(list)
    for row in rows:
        found[row.traveller_id].append(
            _Window(
                row.id,
                windows.start(row, zone).timestamp(),
                windows.end(row, zone).timestamp(),
                row.finished_at is not None,
                row.state == TripState.ISSUED,
                [(since.timestamp(), until.timestamp()) for since, until in paused.get(row.id, ())],
            )
        )
    return found, chains


LOCK: Final = text(
    "SELECT trip_id, chain_head, arrived FROM trip_progress WHERE trip_id IN (SELECT id FROM trip"
    " WHERE traveller_id = ANY(CAST(:members AS uuid[])) AND state <> 'CANCELLED'"
    " AND starts_on <= :last AND ends_on >= :first) ORDER BY trip_id FOR UPDATE"
)
WINDOWS: Final = text(
    "SELECT id, traveller_id, starts_on, ends_on, finished_at, state FROM trip"
    " WHERE id = ANY(CAST(:trips AS uuid[])) AND state <> 'CANCELLED'"
)


def _set_apart(
    session: Session,
    unusable: Sequence[tuple[UUID, Unusable]],
    left_out: Set[tuple[UUID, str]],
    now: datetime,
) -> None:
    """Keep what is no fix as it came, and once a day that a phone sent what is not kept."""
    if unusable:
        given = {
            "devices": [device_id for device_id, _ in unusable],
            "reasons": [each.reason for _, each in unusable],
            "said": [
                None if each.said is None else orjson.dumps(each.said).decode()
                for _, each in unusable
            ],
        }
        session.execute(SET_APART, given)
    if left_out:
        devices, reasons = zip(*left_out, strict=True)
        given = {"devices": list(devices), "reasons": list(reasons)}
        session.execute(LEFT_OUT, given | {"since": now - timedelta(days=1)})


SET_APART: Final = text(
    "INSERT INTO quarantine (device_id, reason, said) SELECT device_id, reason, said"
    " FROM unnest(CAST(:devices AS uuid[]), CAST(:reasons AS text[]), CAST(:said AS jsonb[]))"
    " AS sent (device_id, reason, said)"
)
LEFT_OUT: Final = text(
    "INSERT INTO quarantine (device_id, reason) SELECT device_id, reason"
    " FROM unnest(CAST(:devices AS uuid[]), CAST(:reasons AS text[])) AS sent (device_id, reason)"
    " WHERE NOT EXISTS (SELECT 1 FROM quarantine known WHERE known.device_id = sent.device_id"
    " AND known.reason = sent.reason AND known.received_at > :since)"
)
