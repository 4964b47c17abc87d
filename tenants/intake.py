"""What paired phones send, of many of them at once: one row of the log holds it all."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import numpy as np
import orjson
from sqlalchemy import text
from sqlalchemy.orm import Session

from tenants import journal, pauses, windows
from tenants.fixes import Bools, Fixes, Floats, Ints, joined, time_of
from tenants.windows import Window

OUTSIDE: Final = "OUTSIDE_ASSIGNMENT"
PAUSED: Final = "PAUSED"
REFUSED: Final = "REFUSED"
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


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a request; `device_id` is None when no device that may send has its token.

    `asked`: somebody wants to know where this device is now.
    """

    device_id: UUID | None = None
    asked: bool = False


UNKNOWN: Final = Taken()


@dataclass(slots=True)
class _Device:
    """Who sends; `tracked` are the numbers of the windows of its traveller's trips."""

    id: UUID
    taken: Taken
    tracked: list[int] = field(default_factory=list)


def take(session: Session, arrivals: Sequence[Arrival], *, zone: str, now: datetime) -> list[Taken]:
    """Log what the phones sent: each fix for the trip of its traveller that it was made on.

    `settle` puts it into the tracks later; the trip has begun, though. Fixes outside every
    assignment, and those of a pause, are not even logged; that a phone sent such is noted once a
    day, without a position. What is no fix is kept apart as it came.
    """
    devices, sources, tracked, issued = _devices(session, arrivals, zone, now)
    sent = [
        (devices[arrival.token_hash], arrival)
        for arrival in arrivals
        if arrival.token_hash in devices
    ]
    apart = [
        (device.id, _shown(part, [tracked[each] for each in device.tracked], now))
        for device, arrival in sent
        for part in arrival.unusable
    ]
    left_out: set[tuple[UUID, str]] = set()
    if sent:
        fixes = joined([arrival.fixes for _, arrival in sent])
        of = np.repeat(np.arange(len(sent)), [len(arrival.fixes) for _, arrival in sent])
        number, paused = _sorted(fixes.time, of, [device.tracked for device, _ in sent], tracked)
        for which, reason in ((number < 0, OUTSIDE), (paused, PAUSED)):
            if which.any():
                left_out |= {(sent[each][0].id, reason) for each in of[which].tolist()}
        kept = (number >= 0) & ~paused
        if kept.any():
            used, source = np.unique(number[kept], return_inverse=True)
            journal.write(session, fixes.only(kept), source, [sources[each] for each in used])
            if begun := [_trip(sources[each]) for each in used if each in issued]:
                session.execute(BEGIN, {"trips": begun, "now": now})
    set_apart(session, apart, left_out, now)
    return [
        devices[arrival.token_hash].taken if arrival.token_hash in devices else UNKNOWN
        for arrival in arrivals
    ]


def _sorted(
    times: Floats, of: Ints, tracked: Sequence[Sequence[int]], given: Sequence[Window]
) -> tuple[Ints, Bools]:
    """The number of the window each time falls into, or -1, and whether into a pause of it.

    `of` is the number of the request it came with, `tracked` says which windows each may fall into.
    """
    number = np.full(len(times), -1, dtype=np.intp)
    paused = np.zeros(len(times), dtype=np.bool_)
    for rank in range(max(map(len, tracked))):
        nth = np.array([each[rank] if rank < len(each) else -1 for each in tracked], dtype=np.intp)
        candidate = np.where(number < 0, nth[of], -1)
        inside, resting = windows.divide(times, candidate, given)
        number[inside] = candidate[inside]
        paused |= resting
    return number, paused


def _shown(part: Unusable, tracked: Sequence[Window], now: datetime) -> Unusable:
    """As it may be kept: where nobody is tracked, without a position."""
    at = now.timestamp() if part.time is None else part.time
    return part if any(window.tracks(at) for window in tracked) else part.without_position()


def _devices(
    session: Session, arrivals: Sequence[Arrival], zone: str, now: datetime
) -> tuple[dict[bytes, _Device], list[bytes], list[Window], set[int]]:
    """The devices that may send, by the hashes of their tokens; that they did is noted.

    Beside them what they may send for, when that is, and the numbers of those not begun.
    """
    times = [arrival.fixes.time for arrival in arrivals]
    others = [
        now.timestamp() if part.time is None else part.time
        for arrival in arrivals
        for part in arrival.unusable
    ]
    whole = np.concatenate([*times, others, [now.timestamp()]])
    hashes = {arrival.token_hash for arrival in arrivals}
    given = {
        # Spelt here: an array of bytes takes its driver longer than all else.
        "hashes": "{" + ",".join(f'"\\\\x{key.hex()}"' for key in hashes) + "}",
        "quiet": now - SEEN_EVERY,
        "recent": now - ASKED_FOR,
        "first": time_of(whole.min()).date() - ONE_DAY,
        "last": time_of(whole.max()).date() + ONE_DAY,
    }
    rows = session.connection().execute(DEVICES, given).all()
    quiet = {row.id for row in rows if row.quiet or row.asked}
    if quiet:
        session.execute(SEEN, {"devices": list(quiet), "now": now})
    rested = pauses.paused(session, [_trip(row.source) for row in rows if row.paused])
    devices: dict[bytes, _Device] = {}
    sources: list[bytes] = []
    tracked: list[Window] = []
    issued: set[int] = set()
    for row in rows:
        key, device_id, _, asked, source, *dates, paused, not_begun = row
        device = devices.get(key)
        if device is None:
            device = devices[key] = _Device(device_id, Taken(device_id, bool(asked)))
        if source is not None:
            if not_begun:
                issued.add(len(sources))
            device.tracked.append(len(sources))
            sources.append(source)
            pauses_of = rested.get(_trip(source), ()) if paused else ()
            tracked.append(windows.window(windows.Dates(*dates), zone, pauses_of))
    return devices, sources, tracked, issued


def _trip(source: bytes) -> UUID:
    return UUID(bytes=source[:16])


DEVICES: Final = text(
    "SELECT token_hash, device.id, last_seen_at IS NULL OR last_seen_at < :quiet AS quiet,"
    " asked_at > :recent AS asked, uuid_send(trip.id) || uuid_send(device.id) AS source,"
    " starts_on, ends_on, finished_at,"
    " EXISTS (SELECT 1 FROM pause WHERE pause.trip_id = trip.id) AS paused,"
    " state = 'ISSUED' AS not_begun"
    " FROM device JOIN member ON member.id = device.member_id"
    " LEFT JOIN trip ON traveller_id = member.id AND trip.id = coalesce(device.trip_id, trip.id)"
    " AND state <> 'CANCELLED' AND starts_on <= :last AND ends_on >= :first"
    " WHERE token_hash = ANY(CAST(:hashes AS bytea[]))"
    " AND revoked_at IS NULL AND suspended_at IS NULL ORDER BY device.id, starts_on"
)
BEGIN: Final = text(
    "UPDATE trip SET state = 'ACTIVE', started_at = :now WHERE id IN (SELECT id FROM trip"
    " WHERE id = ANY(CAST(:trips AS uuid[])) AND state = 'ISSUED' ORDER BY id FOR NO KEY UPDATE)"
)
SEEN: Final = text(
    "UPDATE device SET last_seen_at = greatest(last_seen_at, :now), asked_at = NULL WHERE id IN"
    " (SELECT id FROM device WHERE id = ANY(CAST(:devices AS uuid[])) ORDER BY id"
    "  FOR NO KEY UPDATE SKIP LOCKED)"
)


def set_apart(
    session: Session,
    unusable: Sequence[tuple[UUID, Unusable]],
    left_out: Collection[tuple[UUID, str]],
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
