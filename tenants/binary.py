"""PostgreSQL's binary form of what chunks hold: arrays of one dimension, and paths."""

import struct
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tenants.fixes import Floats

WKB_POINT, WKB_LINESTRING, WKB_M, WKB_SRID = 1, 2, 0x40000000, 0x20000000
POINT_BYTES: Final = 24
REAL, FLAG = (np.dtype([("bytes", ">i4"), ("value", kind)]) for kind in (">f4", "?"))
"""Elements of arrays of real and boolean as PostgreSQL sends and takes them."""

REAL_TYPE, FLAG_TYPE = 700, 16
UNKNOWN: Final = np.array((4, np.nan), dtype=REAL).tobytes()


def elements(values: NDArray[Any], kind: np.dtype[Any]) -> NDArray[Any]:
    """The elements of an array, each after its length, as rows of one of the kinds above."""
    made = np.empty(len(values), kind)
    made["bytes"], made["value"] = kind["value"].itemsize, values
    return made


def head(count: int, element_type: int) -> bytes:
    """What precedes the elements of an array of one dimension without nulls."""
    return struct.pack(">iiIii", 1, 0, element_type, count, 1)


def ewkb(count: int) -> bytes:
    """What precedes the points of a POINT M or LINESTRING M in EPSG:4326."""
    if count == 1:
        return struct.pack("<BII", 1, WKB_POINT | WKB_M | WKB_SRID, 4326)
    return struct.pack("<BIII", 1, WKB_LINESTRING | WKB_M | WKB_SRID, 4326, count)


def points(ewkb: bytes) -> bytes:
    """The points (lon, lat, seconds) of a path as PostGIS gives it out."""
    return ewkb[9 if ewkb[1] == WKB_POINT else 13 :]


def reals(sent: Sequence[bytes | None], sizes: Sequence[int]) -> Floats:
    """Columns of type real[], of one dimension, as PostgreSQL sends them; NaN where there is none.

    Each has five words before its elements. Read as text, number by number, they took most of the
    time of reading a track.
    """
    whole = b"".join(
        UNKNOWN * size if each is None else each[20:]
        for each, size in zip(sent, sizes, strict=True)
    )
    return np.frombuffer(whole, dtype=REAL)["value"].astype(np.float64)
