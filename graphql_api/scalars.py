"""Scalars that are stricter than the library's: times carry their zone, rupiah stay decimal."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, NewType

from graphql import GraphQLError
from strawberry import scalar
from strawberry.schema.config import StrawberryConfig
from strawberry.types.scalar import ScalarDefinition

Rupiah = NewType("Rupiah", Decimal)
GeoJSON = NewType("GeoJSON", dict[str, Any])


def _time(value: object) -> datetime:
    try:
        time = datetime.fromisoformat(str(value))
    except ValueError:
        raise GraphQLError("A time is written like 2026-11-25T08:00:00+08:00.") from None
    if time.tzinfo is None:
        raise GraphQLError("A time needs its zone, like 2026-11-25T08:00:00+08:00.")
    return time.astimezone(UTC)


def _day(value: object) -> date:
    try:
        if not isinstance(value, str) or len(value) != len("2026-11-25"):
            raise ValueError
        return date.fromisoformat(value)
    except ValueError:
        raise GraphQLError("A date is written like 2026-11-25.") from None


SCALARS: dict[object, ScalarDefinition] = {
    datetime: scalar(
        name="DateTime",
        description="A time with its zone (ISO 8601). Answers are in UTC.",
        serialize=lambda time: time.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        parse_value=_time,
    ),
    date: scalar(
        name="Date",
        description="A local date (ISO 8601).",
        serialize=date.isoformat,
        parse_value=_day,
    ),
    Rupiah: scalar(
        name="Rupiah",
        description="An amount in rupiah, as a decimal string.",
        serialize=str,
        parse_value=lambda value: Rupiah(Decimal(str(value))),
    ),
    GeoJSON: scalar(
        name="GeoJSON",
        description="A GeoJSON object (RFC 7946): longitude first, WGS 84.",
        serialize=lambda value: value,
        parse_value=lambda value: value,
    ),
}


def config() -> StrawberryConfig:
    return StrawberryConfig(disable_field_suggestions=True, scalar_map=SCALARS)
