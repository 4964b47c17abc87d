"""Overland for iOS: batches of GeoJSON features.

Source: the application's own README and source. Properties: `timestamp` ISO 8601, `speed` m/s (-1
unknown), `horizontal_accuracy` m, `battery_level` from 0 to 1.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from graphql_api.phones.reading import (
    MOST_MEMBERS,
    Columns,
    Object,
    Reason,
    Upload,
    document,
    inner,
    nothing,
    read_members,
    said,
    unusable,
)
from tenants.intake import Unusable


def read(
    body: bytes,
    _query: Mapping[str, str],
    *,
    now: datetime,
) -> Upload:
    """The fixes among the features of a batch."""
    held = document(body)
    if isinstance(held, Unusable):
        return nothing(held)
    features = held.get("locations") if isinstance(held, dict) else None
    if not isinstance(features, list):
        return unusable(Reason.BAD_VALUE, held)
    if len(features) > MOST_MEMBERS:
        return unusable(Reason.TOO_LARGE, {"members": len(features)})
    others = [Unusable(Reason.NO_FIX, said(each)) for each in features if _tells(each)]
    if others:
        features = [each for each in features if not _tells(each)]
    return read_members(features, _columns, now=now, others=others)


def _tells(feature: Any) -> bool:
    """Whether a feature tells of a visit, a trip or the application itself.

    Such have the time at which they were written with the position of another time.
    """
    properties = feature.get("properties") if type(feature) is dict else None
    return type(properties) is dict and ("action" in properties or properties.get("type") == "trip")


def _columns(features: list[Object]) -> Columns:
    properties = inner(features, "properties")
    positions = [
        each if type(each) is list and len(each) >= 2 else (None, None)
        for each in [geometry.get("coordinates") for geometry in inner(features, "geometry")]
    ]
    return Columns(
        time=[each.get("timestamp") for each in properties],
        lon=[position[0] for position in positions],
        lat=[position[1] for position in positions],
        accuracy=[each.get("horizontal_accuracy") for each in properties],
        speed=[each.get("speed") for each in properties],
        battery=[each.get("battery_level") for each in properties],
    )


def answer() -> bytes:
    """What alone lets the phone forget the batch."""
    return orjson.dumps({"result": "ok"})
