"""What a phone says of the times in which it recorded nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from tenants.problems import InvalidInput

MOST_SILENCES: Final = 100
REASONS: Final = frozenset({"NO_POWER", "NO_PERMISSION", "NO_NETWORK"})


@dataclass(frozen=True, slots=True)
class Silence:
    """A silence and the phone's reason for it, one of `REASONS`."""

    started_at: datetime
    ended_at: datetime
    reason: str


def check(explained: Sequence[Silence], *, earliest: datetime, latest: datetime) -> None:
    """Refuse silences that can be none; raises `InvalidInput`, returns nothing."""
    if len(explained) > MOST_SILENCES:
        raise InvalidInput(
            "silences", f"paling banyak {MOST_SILENCES}", f"must be {MOST_SILENCES} at most"
        )
    for index, silence in enumerate(explained):
        field = f"silences.{index}"
        if silence.reason not in REASONS:
            raise InvalidInput(field, "tidak menyebut sebab", "gives no reason")
        if not earliest <= silence.started_at <= latest or silence.ended_at > latest:
            raise InvalidInput(field, "waktunya tidak sah", "has no valid time")
        if silence.ended_at <= silence.started_at:
            raise InvalidInput(field, "tidak berakhir setelah mulai", "does not end after it began")


def add(
    session: Session,
    trip_id: UUID,
    explained: Sequence[Silence],
    *,
    device: str,
    start: datetime,
    end: datetime,
) -> int:
    """Keep what lies between `start` and `end` and is not known; how many that were.

    The caller holds the trip's progress, so that no other upload adds to them now.
    """
    cut = [
        (max(each.started_at, start), min(each.ended_at, end), each.reason) for each in explained
    ]
    kept = [each for each in cut if each[0] < each[1]]
    if not kept:
        return 0
    starts, ends, reasons = map(list, zip(*kept, strict=True))
    return len(
        session.execute(
            ADD,
            {
                "trip_id": trip_id,
                "device": device,
                "starts": starts,
                "ends": ends,
                "reasons": reasons,
            },
        ).all()
    )


# An early return shortens what is kept of a silence sent again: what lies in a known one is known.
ADD = text(
    "INSERT INTO silence (trip_id, started_at, ended_at, reason, device)"
    " SELECT :trip_id, started_at, ended_at, reason, :device"
    " FROM unnest(CAST(:starts AS timestamptz[]), CAST(:ends AS timestamptz[]),"
    " CAST(:reasons AS text[])) AS told (started_at, ended_at, reason)"
    " WHERE NOT EXISTS (SELECT 1 FROM silence known WHERE known.trip_id = :trip_id"
    " AND known.reason = told.reason AND known.started_at <= told.started_at"
    " AND known.ended_at >= told.ended_at)"
    " ON CONFLICT DO NOTHING RETURNING 1"
)
