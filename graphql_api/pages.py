"""Relay connections over keyset pages: a cursor says after which row, never how many."""

import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

import orjson
import strawberry

from tenants.problems import InvalidInput

MOST = 100
T = TypeVar("T")


@strawberry.type
class PageInfo:
    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None


@strawberry.type
class Edge(Generic[T]):
    cursor: str
    node: T


@strawberry.type
class Connection(Generic[T]):
    edges: list[Edge[T]]
    page_info: PageInfo

    @strawberry.field(description="The nodes of the edges.")
    def nodes(self) -> list[T]:
        return [edge.node for edge in self.edges]


def first_of(first: int, most: int = MOST) -> int:
    """`first` as asked, from 1 to `most`; raises `InvalidInput`."""
    if not 1 <= first <= most:
        raise InvalidInput("first", f"harus 1-{most}", f"must be 1 to {most}")
    return first


def encode_cursor(*keys: object) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(keys)).decode().rstrip("=")


def decode_cursor(cursor: str | None, key: Callable[[str], Any]) -> tuple[Any, UUID] | None:
    """The sort key (read by `key`) and the id in a cursor; raises `InvalidInput`."""
    first, last = decode_keys(cursor, key, UUID) or (None, None)
    return None if last is None else (first, last)


def decode_keys(cursor: str | None, *keys: Callable[[str], Any]) -> list[Any] | None:
    """What a cursor holds, each read by its key; raises `InvalidInput`."""
    if cursor is None:
        return None
    try:
        if len(cursor) > 1024:
            raise ValueError
        held = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        return [key(str(each)) for key, each in zip(keys, held, strict=True)]
    except (ValueError, TypeError, AttributeError, binascii.Error):
        raise InvalidInput("after", "bukan kursor", "is no cursor") from None


day_key = date.fromisoformat


def pair_key(text: str) -> tuple[date, UUID]:
    day, one = text.split(" ")
    return date.fromisoformat(day), UUID(one)


def name_key(text: str) -> str:
    if "\x00" in text:
        raise ValueError
    return text


def time_key(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError
    return time


def connection(
    rows: Sequence[T], first: int, after: object, key: Callable[[T], tuple[object, ...]]
) -> Connection[T]:
    """The connection of up to `first` + 1 rows, `key` giving what a cursor must hold."""
    edges = [Edge(cursor=encode_cursor(*key(row)), node=row) for row in rows[:first]]
    return Connection(
        edges=edges,
        page_info=PageInfo(
            has_next_page=len(rows) > first,
            has_previous_page=after is not None,
            start_cursor=edges[0].cursor if edges else None,
            end_cursor=edges[-1].cursor if edges else None,
        ),
    )
