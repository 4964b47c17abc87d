"""Trails: one trip's chunks, whether they make a chain, and where they do not."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from itertools import islice
from typing import Any, Final
from uuid import UUID

from tenants.links import Head, Link

EACH: Final = 10
"""Faults told of one trip: where a chain is in pieces, more say nothing."""


class What(StrEnum):
    """What happened to evidence, as far as it can be told."""

    ALTERED = "ALTERED"
    REMOVED = "REMOVED"
    INSERTED = "INSERTED"
    REORDERED = "REORDERED"


@dataclass(frozen=True, slots=True)
class Fault:
    """Evidence that is not what it was, where it is and why it is known, in English.

    `chunk` counts the trip's chunks in order of arrival, from 1; `at` is the time of its first fix
    or when a row says it was made; `row_id` is of a verdict, deviation, reply, ruling
    or check-in.
    """

    what: What
    place: str
    why: str
    trip_id: UUID | None = None
    chunk: int | None = None
    row_id: UUID | None = None
    at: datetime | None = None
    seal: int | None = None


def shown(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def of_chain(trip_id: UUID, chain: Sequence[Link], said: Head | None) -> Iterator[Fault]:
    """Where chunks, in order of arrival, are no chain up to what the trip's progress says."""
    yield from islice(_of_links(trip_id, chain, said), EACH)


def _of_links(trip_id: UUID, chain: Sequence[Link], said: Head | None) -> Iterator[Fault]:
    def fault(what: What, index: int, why: str) -> Fault:
        at = chain[index].started_at
        place = f"trip {trip_id}, chunk {index + 1}, of {shown(at)}"
        return Fault(what, place, why, trip_id=trip_id, chunk=index + 1, at=at)

    previous, arrival = b"", 0
    for index, link in enumerate(chain):
        if link.content != link.digest:
            yield fault(What.ALTERED, index, "its fixes are not those of its digest")
        elif not link.follows(previous):
            follower = chain[index + 1] if index + 1 < len(chain) else None
            if _place_of(link, chain) is not None:
                why = f"it belongs after {_place_of(link, chain)}"
                yield fault(What.REORDERED, index, why)
            elif follower.follows(previous) if follower else said and said.head == previous:
                yield fault(What.INSERTED, index, "the chain goes on without it")
                continue
            elif link.arrival > arrival + 1:
                why = "a chunk before it is gone, or its digest was changed"
                yield fault(What.REMOVED, index, why)
            else:
                yield fault(What.ALTERED, index, "it does not follow from the chunk before")
        elif link.arrival <= arrival:
            yield fault(What.REORDERED, index, "its order of arrival was changed")
        previous, arrival = link.link, link.arrival
    yield from _of_end(trip_id, chain, said, Head(previous, arrival))


def _place_of(link: Link, chain: Sequence[Link]) -> str | None:
    """After which of the chunks a link belongs, None where after none of them."""
    if link.follows(b""):
        return "none, as the first"
    found = (n for n, other in enumerate(chain, start=1) if link.follows(other.link))
    number = next(found, None)
    return None if number is None else f"chunk {number}"


def _of_end(trip_id: UUID, chain: Sequence[Link], said: Head | None, end: Head) -> Iterator[Fault]:
    if said is None:
        if chain:
            place = f"trip {trip_id}, of {shown(chain[0].started_at)}"
            yield Fault(What.REMOVED, place, "its progress is gone", trip_id=trip_id)
        return
    at = chain[-1].started_at if chain else None
    after = f"after that of {shown(at)}" if at else "its first"
    if said.head == end.head:
        if said.arrived < end.arrived:
            why = f"{end.arrived} arrived, the trip's progress says {said.arrived}"
            yield Fault(What.ALTERED, f"trip {trip_id}", why, trip_id=trip_id, at=at)
        return
    known = [number for number, link in enumerate(chain, start=1) if link.link == said.head]
    if known or not said.head:
        number = known[0] + 1 if known else 1
        at = chain[number - 1].started_at
        place = f"trip {trip_id}, chunk {number}, of {shown(at)}"
        why = "the trip's chain ends before it"
        yield Fault(What.INSERTED, place, why, trip_id=trip_id, chunk=number, at=at)
    else:
        number = len(chain) + 1
        place = f"trip {trip_id}, chunk {number}, {after}"
        why = "it is gone: the trip's newest link is of none that is there"
        yield Fault(What.REMOVED, place, why, trip_id=trip_id, chunk=number, at=at)


def of_trip(trip_id: UUID, chain: Sequence[Link], sealed: Sequence[Any]) -> Iterator[Fault]:
    """Where a chain that is one in itself is not the one that was sealed.

    `sealed` are the trip's items in order of their seals, with the time of each.
    """
    reached = 0
    for item in sealed:
        first = reached
        while reached < len(chain) and chain[reached].arrival <= item.version:
            reached += 1
        if (chain[reached - 1].link if reached else b"") == item.digest:
            continue
        # Where it is only one chunk between two seals, this says which.
        numbers = f"chunk {first + 1}" if reached <= first + 1 else f"chunks {first + 1}-{reached}"
        at = chain[first].started_at if first < len(chain) else item.sealed_at
        place = f"trip {trip_id}, {numbers}, of {shown(at)}"
        gone = reached == first
        why = f"seal {item.seal}, of {shown(item.sealed_at)}, is over another chain"
        yield Fault(
            *(What.REMOVED if gone else What.ALTERED, place, why),
            trip_id=trip_id,
            chunk=first + 1,
            at=at,
            seal=item.seal,
        )
        return
