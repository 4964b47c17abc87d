"""Tracks that are alike: found by fingerprints in an index, then compared one with the other."""

from dataclasses import replace
from typing import Final
from uuid import UUID

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from tenants import chunks, prints, trips
from tenants.evidence import TrackChunk
from tenants.models import Trip
from tenants.realm import Tenant
from workers.case import Dossier, Fixes
from workers.gather import Case, fixes_of
from workers.likeness import FEWEST, cells, likeness, pair
from workers.likeness import prints as prints_of

COPIES, TOGETHER = 1, 2
MOST_COMPARED: Final = 10
SHARED: Final = 3
"""Phones in one bag share a cell of one grid in three; these are the least worth comparing."""


def imprinted(session: Session, tenant: Tenant, case: Case) -> Dossier:
    """As `compared`, once the fingerprints of a trip that is over are kept.

    If any is new, the trips that are alike have something to look at.
    """
    fixes = _fixes(case)
    fresh = bool(len(fixes.time)) and prints.replace(
        session, case.trip_id, {COPIES: prints_of(fixes), TOGETHER: cells(fixes)}
    )
    others = _others(session, case.trip_id)
    if fresh and others:
        trips.arrived(session, *others)
    return _compared(session, tenant, case, others)


def compared(session: Session, tenant: Tenant, case: Case) -> Dossier:
    """The dossier with the tracks that repeat this one, and the phones that never left it."""
    return _compared(session, tenant, case, _others(session, case.trip_id))


def _compared(session: Session, tenant: Tenant, case: Case, others: set[UUID]) -> Dossier:
    if not others:
        return case.dossier
    mine = _fixes(case)
    theirs = chunks.read(session, list(others), speed=False)
    arrived = dict(
        session.execute(
            select(TrackChunk.trip_id, func.min(TrackChunk.received_at))
            .where(TrackChunk.trip_id.in_([case.trip_id, *others]))
            .group_by(TrackChunk.trip_id)
        ).all()
    )
    rows = session.scalars(
        select(Trip)
        .where(Trip.id.in_([case.trip_id, *others]))
        .options(joinedload(Trip.letter))
        .order_by(Trip.id)
    )
    found = {trip.id: trip for trip in rows}
    likenesses, pairs = [], []
    for trip_id, trip in found.items():
        if trip_id == case.trip_id or trip_id not in theirs:
            continue
        other = fixes_of(theirs[trip_id])
        alike = likeness(
            mine,
            other,
            letter=trip.letter.number,
            first=arrived[case.trip_id] < arrived[trip_id],
        )
        if alike is not None:
            likenesses.append(alike)
        near = pair(mine, other, letter=trip.letter.number, zone=tenant.zone)
        if near is not None and trip.traveller_id != found[case.trip_id].traveller_id:
            pairs.append(near)
    return replace(case.dossier, likenesses=tuple(likenesses), pairs=tuple(pairs))


def _others(session: Session, trip_id: UUID) -> set[UUID]:
    """The trips worth comparing this one with."""
    found = prints.alike(session, trip_id, least=FEWEST)
    copies = [one for one in found if one.kind == COPIES]
    near = [one for one in found if one.kind == TOGETHER and one.shared * 2 * SHARED >= one.total]
    return {one.trip_id for one in (*copies[:MOST_COMPARED], *near[:MOST_COMPARED])}


def _fixes(case: Case) -> Fixes:
    """The track as folded: each time once."""
    hours = case.state.fixes
    rows = [hours[number] for number in sorted(hours)]

    def column(name: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.concatenate([np.zeros(0), *(part[name] for part in rows)])

    time = column("time")
    unknown = np.full(len(time), np.nan, dtype=np.float32)
    return Fixes(
        time,
        column("lon"),
        column("lat"),
        unknown,
        np.zeros(len(time), dtype=np.bool_),
        unknown,
        np.zeros(len(time), dtype=np.int32),
        (b"",),
    )
