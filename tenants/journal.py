"""The intake's log: what phones sent, on disk before it is sorted into the tracks of trips."""

import logging
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import text
from sqlalchemy.orm import Session

from tenants.chunks import Source
from tenants.fixes import Fixes, Ints

log = logging.getLogger(__name__)

VERSION: Final = 1
HEAD: Final = struct.Struct("<BI")
"""What a row's content begins with: its form, and how many sources follow, before the fixes."""

SOURCE_BYTES: Final = 32
"""The ids of a trip and of a device."""

FIX: Final = np.dtype(
    {
        "names": ("source", *Fixes.__slots__),
        "formats": ("<u4", "<f8", "<f8", "<f8", "<f4", "<f4", "?", "<f4"),
    }
)


@dataclass(frozen=True, slots=True)
class Entries:
    """Rows of the log: fixes in the order they came, `source` of each its number in `sources`.

    `left` is about how many fixes the log holds beside them.
    """

    ids: Sequence[int]
    fixes: Fixes
    source: Ints
    sources: Sequence[Source]
    left: int


def write(session: Session, fixes: Fixes, source: Ints, sources: Sequence[bytes]) -> None:
    """Add what one transaction acknowledges: one row, however many phones sent it.

    A source is the bytes of its trip's id and of its device's, `source` its number for each fix.
    """
    head = HEAD.pack(VERSION, len(sources))
    rows = np.empty(len(fixes), dtype=FIX)
    rows["source"] = source
    for name in Fixes.__slots__:
        rows[name] = getattr(fixes, name)
    session.connection().execute(WRITE, {"content": b"".join((head, *sources, rows.tobytes()))})


WRITE: Final = text("INSERT INTO intake_log (content) VALUES (:content)")


def read(session: Session, *, most: int) -> Entries:
    """The oldest entries, of together `most` fixes and one entry more.

    One that is not in the form of this version is left to the version that wrote it.
    """
    rows = session.connection().execute(READ, {"most": most * FIX.itemsize}).all()
    numbers: dict[bytes, int] = {}
    ids, fixes, source = [], [], []
    left = int(rows[0].held) if rows else 0
    for row in rows:
        found = _entry(row.content)
        if found is None:
            log.error("the intake's log holds an entry that cannot be read: %d", row.id)
            continue
        named, written = found
        own = np.array([numbers.setdefault(each, len(numbers)) for each in named], dtype=np.intp)
        ids.append(row.id)
        fixes.append(written)
        source.append(own[written["source"]])
        left -= len(row.content)
    whole = np.concatenate([np.zeros(0, dtype=FIX), *fixes])
    columns = (whole[name] for name in Fixes.__slots__)
    return Entries(
        ids,
        Fixes(*(each.astype("?" if each.dtype == np.bool_ else "f8") for each in columns)),
        np.concatenate([np.zeros(0, dtype=np.intp), *source]),
        [Source(UUID(bytes=each[:16]), str(UUID(bytes=each[16:]))) for each in numbers],
        left // FIX.itemsize,
    )


READ: Final = text(
    "SELECT id, content, (SELECT sum(octet_length(content)) FROM intake_log) AS held"
    " FROM (SELECT id, content,"
    " sum(octet_length(content)) OVER (ORDER BY id) - octet_length(content) AS before"
    " FROM (SELECT id, content FROM intake_log ORDER BY id LIMIT 1000) AS oldest) AS summed"
    " WHERE before < :most ORDER BY id"
)


def _entry(content: bytes) -> tuple[list[bytes], NDArray[Any]] | None:
    """The sources and the fixes of a row, as they were written."""
    try:
        version, number = HEAD.unpack_from(content)
        start = HEAD.size + number * SOURCE_BYTES
        written = np.frombuffer(content, dtype=FIX, offset=start)
    except (struct.error, ValueError):
        return None
    if version != VERSION or written["source"].max() >= number:
        return None
    named = range(HEAD.size, start, SOURCE_BYTES)
    return [content[each : each + SOURCE_BYTES] for each in named], written


def remove(session: Session, ids: Sequence[int]) -> None:
    """Take away what has been settled."""
    session.connection().execute(REMOVE, {"ids": list(ids)})


REMOVE: Final = text("DELETE FROM intake_log WHERE id = ANY(CAST(:ids AS bigint[]))")


def left(session: Session) -> int:
    """About how many fixes are not settled."""
    return int(session.connection().execute(LEFT).scalar_one() or 0) // FIX.itemsize


LEFT: Final = text("SELECT sum(octet_length(content)) FROM intake_log")
