"""Fingerprints of tracks, by which those that are alike find each other without being compared."""

from dataclasses import dataclass
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import text
from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class Alike:
    """Another trip, how many fingerprints it shares, and how many it has."""

    trip_id: UUID
    shared: int
    total: int


def replace(session: Session, trip_id: UUID, kind: int, prints: NDArray[np.int64]) -> bool:
    """Make these the fingerprints of one kind that the trip has; whether any was not there.

    Writes what differs only.
    """
    given = {"trip_id": trip_id, "kind": kind, "prints": np.unique(prints).tolist()}
    session.execute(REMOVE, given)
    return session.execute(ADD, given).first() is not None


REMOVE = text(
    "DELETE FROM track_print WHERE trip_id = :trip_id AND kind = :kind"
    " AND print NOT IN (SELECT unnest(CAST(:prints AS bigint[])))"
)
ADD = text(
    "INSERT INTO track_print (kind, print, trip_id)"
    " SELECT :kind, print, :trip_id FROM unnest(CAST(:prints AS bigint[])) AS print"
    " ON CONFLICT DO NOTHING RETURNING print"
)


def alike(session: Session, trip_id: UUID, kind: int, *, least: int) -> list[Alike]:
    """The trips that share at least `least` fingerprints of a kind with this one, most first."""
    rows = session.execute(ALIKE, {"trip_id": trip_id, "kind": kind, "least": least})
    return [Alike(*row) for row in rows]


ALIKE = text(
    "SELECT found.trip_id, found.shared,"
    " (SELECT count(*) FROM track_print WHERE trip_id = found.trip_id AND kind = :kind)"
    " FROM (SELECT other.trip_id, count(*) AS shared FROM track_print mine"
    "  JOIN track_print other ON other.print = mine.print AND other.kind = :kind"
    "  AND other.trip_id <> :trip_id"
    "  WHERE mine.trip_id = :trip_id AND mine.kind = :kind"
    "  GROUP BY other.trip_id HAVING count(*) >= :least) AS found"
    " ORDER BY found.shared DESC, found.trip_id"
)
