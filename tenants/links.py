"""Links: a trip's chunks read again as what they are for the evidence, a chain of digests."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from tenants import chunks


@dataclass(slots=True)
class Head:
    """How far a trip's chain of chunks has come: its newest link, and that one's arrival."""

    head: bytes
    arrived: int


@dataclass(frozen=True, slots=True)
class Link:
    """A stored chunk as a link of its trip's chain.

    `content` is the digest that its columns come to, None where they are those of no chunk of ours.
    """

    trip_id: UUID
    arrival: int
    started_at: datetime
    content: bytes | None
    digest: bytes
    link: bytes

    def follows(self, link: bytes) -> bool:
        """Whether this is the link after that one."""
        return self.link == hashlib.sha256(link + self.digest).digest()


def links(session: Session, trip_ids: Sequence[UUID]) -> Iterator[Link]:
    """The chunks of these trips, by trip and arrival, digested anew; read some at a time."""
    bit_by_bit = {"stream_results": True, "yield_per": AT_ONCE}
    found = session.execute(LINKS, {"ids": list(trip_ids)}, execution_options=bit_by_bit)
    for rows in found.partitions():
        for row, content in zip(rows, chunks.contents(rows), strict=True):
            digest, link = bytes(row.digest), bytes(row.link)
            yield Link(row.trip_id, row.arrival, row.started_at, content, digest, link)


AT_ONCE: Final = 512
LINKS: Final = text(
    "SELECT trip_id, arrival, started_at, ended_at, digest, link, device, mock,"
    " ST_AsEWKB(path, 'NDR') AS path, array_send(accuracy) AS accuracy,"
    " array_send(speed) AS speed, array_send(battery) AS battery"
    " FROM track_chunk WHERE trip_id = ANY(:ids) ORDER BY trip_id, arrival"
)


def heads(session: Session, trip_ids: Sequence[UUID]) -> dict[UUID, Head]:
    """How far these trips' chains have come, as their progress says."""
    rows = session.execute(HEADS, {"ids": list(trip_ids)})
    return {trip_id: Head(bytes(head), arrived) for trip_id, head, arrived in rows}


HEADS: Final = text(
    "SELECT trip_id, chain_head, arrived FROM trip_progress WHERE trip_id = ANY(:ids)"
)


def broken(session: Session, trip_ids: Sequence[UUID]) -> set[UUID]:
    """Those of these trips whose chain of digests does not follow from what is stored of them."""
    chains = {trip_id: Head(b"", 0) for trip_id in trip_ids}
    wrong = set()
    for link in links(session, trip_ids):
        chain = chains[link.trip_id]
        sound = link.content == link.digest and link.follows(chain.head)
        if not sound or link.arrival <= chain.arrived:
            wrong.add(link.trip_id)
        chain.head, chain.arrived = link.link, link.arrival
    return wrong | {
        trip_id
        for trip_id, said in heads(session, trip_ids).items()
        if said.head != chains[trip_id].head or said.arrived < chains[trip_id].arrived
    }
