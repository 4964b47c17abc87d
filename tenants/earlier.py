"""What earlier trips of the regency offer to a new plan: lodgings and flights."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from tenants import access
from tenants.access import Viewer
from tenants.models import Flight, Leg
from tenants.problems import InvalidInput, UnknownRegion
from tenants.regions import CODE

MOST: Final = 20


@dataclass(frozen=True, slots=True)
class Lodging:
    """A lodging of earlier plans, degrees (EPSG:4326) where one had its position, and how many."""

    name: str
    lon: float | None
    lat: float | None
    trips: int


@dataclass(frozen=True, slots=True)
class KnownFlight:
    """A flight of earlier plans, as the newest of them had it."""

    number: str
    origin: str
    destination: str
    departs_at: datetime
    arrives_at: datetime


def lodgings(session: Session, viewer: Viewer, *, region: str, search: str) -> list[Lodging]:
    """Up to 20 lodgings in a region, those of most trips first; for who issues trips."""
    viewer.require(*access.ISSUERS)
    if not CODE.fullmatch(region):
        raise UnknownRegion(region[:20])
    used = func.count(Leg.trip_id.distinct())
    rows = session.execute(
        select(Leg.lodging_name, Leg.lodging_lon, Leg.lodging_lat, used)
        .where(Leg.region_code == region, _has(Leg.lodging_name, search))
        .group_by(Leg.lodging_name, Leg.lodging_lon, Leg.lodging_lat)
        .order_by(used.desc(), Leg.lodging_name, Leg.lodging_lon, Leg.lodging_lat)
        .limit(MOST)
    )
    return [Lodging(name, lon, lat, trips) for name, lon, lat, trips in rows if name]


def flights(session: Session, viewer: Viewer, *, search: str) -> list[KnownFlight]:
    """Up to 20 flights by their number, each once; for who issues trips."""
    viewer.require(*access.ISSUERS)
    rows = session.execute(
        select(
            Flight.number, Flight.origin, Flight.destination, Flight.departs_at, Flight.arrives_at
        )
        .distinct(Flight.number, Flight.origin, Flight.destination)
        .where(_has(Flight.number, search))
        .order_by(Flight.number, Flight.origin, Flight.destination, Flight.departs_at.desc())
        .limit(MOST)
    )
    return [KnownFlight(*row) for row in rows]


def _has(
    column: InstrumentedAttribute[str] | InstrumentedAttribute[str | None], search: str
) -> ColumnElement[bool]:
    if "\x00" in search:
        raise InvalidInput("search", "bukan nama", "is no name")
    return column.icontains(search, autoescape=True)
