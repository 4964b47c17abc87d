"""Fingerprints of tracks, by which those that are alike find each other without being compared."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import text
from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class Alike:
    """Another trip, how many fingerprints of a kind it shares, and how many of it it has."""

    kind: int
    trip_id: UUID
    shared: int
    total: int


def replace(session: Session, trip_id: UUID, prints: Mapping[int, NDArray[np.int64]]) -> bool:
    """Make these, by kind, the fingerprints that the trip has; whether any was not there.

    Writes what differs only. Of one kind each comes once.
    """
    given = {
        "trip_id": trip_id,
        "kinds": _literal(np.repeat(list(prints), [len(found) for found in prints.values()])),
        "prints": _literal(np.concatenate(list(prints.values()))),
    }
    return session.connection().execute(REPLACE, given).rowcount > 0


def _literal(numbers: NDArray[np.int64]) -> str:
    """An array as PostgreSQL reads it: element by element the driver takes as long as the query."""
    return "{" + ",".join(map(str, numbers.tolist())) + "}"


REPLACE = text(
    "WITH given AS (SELECT * FROM"
    " unnest(CAST(:kinds AS smallint[]), CAST(:prints AS bigint[])) AS given (kind, print)),"
    " gone AS (DELETE FROM track_print WHERE trip_id = :trip_id"
    " AND (kind, print) NOT IN (SELECT kind, print FROM given))"
    " INSERT INTO track_print (kind, print, trip_id) SELECT kind, print, :trip_id FROM given"
    " ON CONFLICT DO NOTHING"
)


def alike(session: Session, trip_id: UUID, *, least: int) -> list[Alike]:
    """The trips that share at least `least` fingerprints of a kind with this one, most first.

    The rest of the transaction does without sequential scans where it can.
    """
    # Where statistics are old or missing, reading the whole table can seem cheap.
    session.execute(text("SET LOCAL enable_seqscan = off"))
    rows = session.execute(ALIKE, {"trip_id": trip_id, "least": least})
    return [Alike(*row) for row in rows]


# OFFSET 0 keeps it a look-up for each fingerprint: a join could read the whole index instead.
ALIKE = text(
    "SELECT found.kind, found.trip_id, found.shared,"
    " (SELECT count(*) FROM track_print WHERE trip_id = found.trip_id AND kind = found.kind)"
    " FROM (SELECT mine.kind, other.trip_id, count(*) AS shared FROM track_print mine"
    "  CROSS JOIN LATERAL (SELECT trip_id FROM track_print"
    "   WHERE print = mine.print AND kind = mine.kind AND trip_id <> :trip_id OFFSET 0) AS other"
    "  WHERE mine.trip_id = :trip_id"
    "  GROUP BY mine.kind, other.trip_id HAVING count(*) >= :least) AS found"
    " ORDER BY found.shared DESC, found.trip_id"
)
