"""The intake's log: what phones sent, on disk before it is sorted into the tracks of trips."""

import logging
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import numpy as np
from sqlalchemy import text
from sqlalchemy.orm import Session

from tenants.chunks import Source
from tenants.fixes import Fixes, Ints

log = logging.getLogger(__name__)

VERSION: Final = 1
HEAD: Final = struct.Struct("<BI")
"""What a row's content begins with: its form, and how many sources follow, before the fixes."""

SOURCE: Final = struct.Struct("<16s16s")
FIX: Final = np.dtype(
    {
        "names": ("source", *Fixes.__slots__),
        "formats": ("<u4", "<f8", "<f8", "<f8", "<f4", "<f4", "?", "<f4"),
    }
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the log: fixes in the order they came, `source` of each its number in `sources`."""

    id: int
    fixes: Fixes
    source: Ints
    sources: Sequence[Source]


def write(session: Session, fixes: Fixes, source: Ints, sources: Sequence[Source]) -> None:
    """Add what one transaction acknowledges: one row, however many phones sent it."""
    head = HEAD.pack(VERSION, len(sources))
    named = [SOURCE.pack(each.trip_id.bytes, UUID(each.device).bytes) for each in sources]
    rows = np.empty(len(fixes), dtype=FIX)
    rows["source"] = source
    for name in Fixes.__slots__:
        rows[name] = getattr(fixes, name)
    session.connection().execute(WRITE, {"content": b"".join((head, *named, rows.tobytes()))})


WRITE: Final = text("INSERT INTO intake_log (content) VALUES (:content)")


def read(session: Session, *, most: int) -> list[Entry]:
    """The oldest entries, of together `most` fixes and one entry more.

    One that is not in the form of this version is left to the version that wrote it.
    """
    rows = session.connection().execute(READ, {"most": most * FIX.itemsize}).all()
    entries = [_entry(*row) for row in rows]
    if None in entries:
        log.error("the intake's log holds entries that cannot be read")
    return [entry for entry in entries if entry is not None]


READ: Final = text(
    "SELECT id, content FROM (SELECT id, content,"
    " sum(octet_length(content)) OVER (ORDER BY id) - octet_length(content) AS before"
    " FROM (SELECT id, content FROM intake_log ORDER BY id LIMIT 1000) AS oldest) AS summed"
    " WHERE before < :most ORDER BY id"
)


def _entry(key: int, content: bytes) -> Entry | None:
    try:
        version, number = HEAD.unpack_from(content)
        start = HEAD.size + number * SOURCE.size
        named = list(SOURCE.iter_unpack(content[HEAD.size : start]))
        rows = np.frombuffer(content, dtype=FIX, offset=start)
    except (struct.error, ValueError):
        return None
    source = rows["source"].astype(np.intp)
    if version != VERSION or source.max() >= number:
        return None
    sources = [Source(UUID(bytes=trip), str(UUID(bytes=device))) for trip, device in named]
    columns = (rows[name] for name in Fixes.__slots__)
    fixes = Fixes(*(each if each.dtype == np.bool_ else each.astype("f8") for each in columns))
    return Entry(key, fixes, source, sources)


def remove(session: Session, ids: Sequence[int]) -> None:
    """Take away what has been settled."""
    session.connection().execute(REMOVE, {"ids": list(ids)})


REMOVE: Final = text("DELETE FROM intake_log WHERE id = ANY(CAST(:ids AS bigint[]))")


def left(session: Session) -> int:
    """About how many fixes are not settled."""
    return int(session.connection().execute(LEFT).scalar_one() or 0) // FIX.itemsize


LEFT: Final = text("SELECT sum(octet_length(content)) FROM intake_log")
