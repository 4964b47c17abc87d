"""Notices (*pemberitahuan*): which other regencies are told of a trip, before it comes to them."""

import secrets
from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import and_, delete, exists, func, or_, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from tenants import catalogue
from tenants.catalogue import encrypt
from tenants.evidence import TravelNotice
from tenants.models import AssignmentLetter, Leg, Member, Office, Trip, TripState

KEPT: Final = timedelta(days=30)
"""After the planned departure; what the host confirmed stays with the host."""

DUE: Final = (
    select(
        Leg.trip_id,
        Leg.position.label("leg"),
        Leg.region_code.label("destination"),
        Leg.arrive_on,
        Leg.depart_on,
        AssignmentLetter.number.label("letter_number"),
        Member.name.label("traveller"),
        Member.position.label("position"),
        Office.name.label("office"),
    )
    .join(Trip, Trip.id == Leg.trip_id)
    .join(Trip.letter)
    .join(Trip.traveller)
    .outerjoin(Member.office)
    .where(
        Trip.state != TripState.CANCELLED,
        Leg.region_code != Trip.tenant,
        Leg.depart_on >= func.current_date() - KEPT.days,
    )
)
SAID: Final = tuple(DUE.selected_columns.keys())[2:]


def follow(session: Session, *trip_ids: UUID) -> None:
    """Bring the notices in line with these trips, or with all: to served regencies, to no others.

    So a plan that changes changes them, and a trip that is called off takes them back.
    """
    hosts = [tenant.code for tenant in catalogue.tenants()]
    legs, ours = DUE.where(Leg.region_code.in_(hosts)), []
    if not trip_ids:
        # One trip that changes meanwhile has its say after this.
        session.execute(text("LOCK TABLE travel_notice IN SHARE ROW EXCLUSIVE MODE"))
    else:
        legs = legs.where(Leg.trip_id.in_(trip_ids))
        ours = [TravelNotice.trip_id.in_(trip_ids)]
    due = legs.cte("due")
    same_leg = and_(due.c.trip_id == TravelNotice.trip_id, due.c.leg == TravelNotice.leg)
    session.execute(delete(TravelNotice).where(*ours, ~exists().where(same_leg)))
    differs = or_(*(due.c[name].is_distinct_from(getattr(TravelNotice, name)) for name in SAID))
    changed = session.execute(select(due).outerjoin(TravelNotice, same_leg).where(differs)).all()
    if not changed:
        return
    keys = _keys(session, {row.trip_id for row in changed})
    rows = [
        {
            **row._asdict(),
            "code_key": keys.setdefault((row.trip_id, row.destination), _key()),
        }
        for row in changed
    ]
    given = insert(TravelNotice)
    session.execute(
        given.on_conflict_do_update(
            index_elements=["trip_id", "leg"],
            set_={name: given.excluded[name] for name in (*SAID, "code_key")},
        ),
        rows,
    )


def _keys(session: Session, trip_ids: set[UUID]) -> dict[tuple[UUID, str], str]:
    """The key of each trip and destination that has one."""
    known = select(TravelNotice.trip_id, TravelNotice.destination, TravelNotice.code_key)
    rows = session.execute(known.where(TravelNotice.trip_id.in_(trip_ids)))
    return {(trip_id, destination): key for trip_id, destination, key in rows}


def _key() -> str:
    return encrypt(secrets.token_urlsafe(32))
