"""A track as one value: GeoJSON with gaps left open, and Google's encoded polyline."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tenants.fixes import Fixes, Floats

SILENCE_SECONDS: Final = 3_600


def feature(fixes: Fixes) -> dict[str, Any]:
    """A GeoJSON Feature (RFC 7946) of fixes in order of time.

    A line for each stretch without a silence of more than an hour: across a silence nothing is
    drawn. `times` and `accuracies` have the shape of the coordinates; unknown accuracy is null.
    """
    cuts = np.flatnonzero(np.diff(fixes.time) > SILENCE_SECONDS) + 1
    coordinates = np.round(np.column_stack([fixes.lon, fixes.lat]), 6)
    lines = [line.tolist() for line in np.split(coordinates, cuts)]
    known = np.round(fixes.accuracy, 1).astype(object)
    known[np.isnan(fixes.accuracy)] = None
    return {
        "type": "Feature",
        "geometry": {
            "type": "MultiLineString",
            "coordinates": [_line(line) for line in lines],
        },
        "properties": {
            "times": [_line(part.tolist()) for part in np.split(fixes.time, cuts)],
            "accuracies": [_line(part.tolist()) for part in np.split(known, cuts)],
        },
    }


def _line(values: list[Any]) -> list[Any]:
    """A line has at least two positions; a lonely fix is a line that goes nowhere."""
    return values if len(values) > 1 else values * 2


def encode(*, lon: Floats, lat: Floats) -> str:
    """Google's encoded polyline with five decimals (latitude first) of n positions.

    Differences of consecutive positions, zigzagged, in groups of five bits, lowest first, each
    shifted to printable ASCII.
    """
    scaled = np.round(np.column_stack([lat, lon]) * 1e5).astype(np.int64)
    steps = np.diff(scaled, axis=0, prepend=np.zeros((1, 2), dtype=np.int64)).ravel()
    zigzag = (steps << 1) ^ (steps >> 63)
    groups = zigzag[:, None] >> np.arange(0, 30, 5)
    more = groups[:, 1:] > 0
    letters: NDArray[np.int64] = (groups & 0x1F) + 63
    letters[:, :-1] += np.where(more, 0x20, 0)
    used = np.column_stack([np.ones(len(groups), dtype=np.bool_), more])
    return letters[used].astype(np.uint8).tobytes().decode("ascii")
