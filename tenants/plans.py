"""What a trip's plan is made of, how it is checked, and how it is kept when it changes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy.orm import Session

from tenants.boundaries import zones
from tenants.models import LawfulPlace, LawfulPlaceKind, Leg, TransportMode, Trip
from tenants.problems import InvalidInput

EARLIEST: Final = date(2000, 1, 1)
LATEST: Final = date(2099, 12, 31)
LONGEST_TRIP: Final = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class PlannedLeg:
    """A destination: Kemendagri code, local dates there (both included), lodging, the way to it."""

    region: str
    arrive_on: date
    depart_on: date
    transport: TransportMode
    flight_number: str | None = None
    lodging_name: str | None = None
    lodging_lon: float | None = None
    lodging_lat: float | None = None


@dataclass(frozen=True, slots=True)
class PlannedLawfulPlace:
    region: str
    kind: LawfulPlaceKind
    from_on: date
    until_on: date


@dataclass(frozen=True, slots=True)
class Dates:
    """A trip's first and last day, local dates of the regency's zone."""

    starts_on: date
    ends_on: date


@dataclass(frozen=True, slots=True)
class TripPlan(Dates):
    """Where and when the traveller is sent."""

    legs: Sequence[PlannedLeg]
    transit: Sequence[str] = ()
    lawful_places: Sequence[PlannedLawfulPlace] = ()


@dataclass(frozen=True, slots=True)
class Letter:
    """*Surat tugas*; a number that is already there adds the traveller to that letter."""

    number: str
    dated: date
    purpose: str
    signed_by: UUID


def apply(session: Session, trip: Trip, plan: TripPlan) -> None:
    """Check the plan and write it into the trip; dates must follow one another."""
    for field, day in (("startsOn", plan.starts_on), ("endsOn", plan.ends_on)):
        if not EARLIEST <= day <= LATEST:
            raise InvalidInput(field, "di luar 2000-2099", "is not within 2000 to 2099")
    if plan.ends_on < plan.starts_on:
        raise InvalidInput("endsOn", "sebelum tanggal berangkat", "is before the start")
    if plan.ends_on - plan.starts_on > LONGEST_TRIP:
        raise InvalidInput("endsOn", "lebih dari setahun", "is more than a year after the start")
    if not 1 <= len(plan.legs) <= 20:
        raise InvalidInput("legs", "harus 1-20 tujuan", "must be 1 to 20 destinations")
    earliest = plan.starts_on
    for leg in plan.legs:
        if not earliest <= leg.arrive_on <= leg.depart_on <= plan.ends_on:
            raise InvalidInput("legs", "tanggal tidak berurutan", "dates are out of order")
        earliest = leg.depart_on
        _position(leg)
    for place in plan.lawful_places:
        if place.until_on < place.from_on:
            raise InvalidInput("lawfulPlaces", "tanggal terbalik", "dates are reversed")
    codes = {leg.region for leg in plan.legs} | set(plan.transit)
    zone = zones(session, codes | {place.region for place in plan.lawful_places})
    trip.legs.clear()
    trip.lawful_places.clear()
    session.flush()
    trip.starts_on, trip.ends_on, trip.ended_on = plan.starts_on, plan.ends_on, plan.ends_on
    trip.transit = sorted(set(plan.transit))
    trip.legs.extend(
        Leg(
            position=position,
            region_code=leg.region,
            zone=zone[leg.region],
            arrive_on=leg.arrive_on,
            depart_on=leg.depart_on,
            transport=leg.transport,
            flight_number=leg.flight_number and text_of("flightNumber", leg.flight_number, 12),
            lodging_name=leg.lodging_name and text_of("lodgingName", leg.lodging_name),
            lodging_lon=leg.lodging_lon,
            lodging_lat=leg.lodging_lat,
        )
        for position, leg in enumerate(plan.legs, start=1)
    )
    trip.lawful_places.extend(
        LawfulPlace(
            region_code=place.region,
            kind=place.kind,
            from_on=place.from_on,
            until_on=place.until_on,
        )
        for place in plan.lawful_places
    )


def _position(leg: PlannedLeg) -> None:
    lon, lat = leg.lodging_lon, leg.lodging_lat
    if (lon is None) != (lat is None) or (
        lon is not None and lat is not None and not (abs(lon) <= 180 and abs(lat) <= 90)
    ):
        raise InvalidInput("lodging", "bukan posisi", "is no position")


def text_of(field: str, text: str, longest: int = 500) -> str:
    text = text.strip()
    if not text or len(text) > longest or "\x00" in text:
        raise InvalidInput(field, f"harus 1-{longest} huruf", f"must be 1 to {longest} characters")
    return text


def snapshot(trip: Trip) -> dict[str, Any]:
    return {
        "starts_on": trip.starts_on.isoformat(),
        "ends_on": trip.ends_on.isoformat(),
        "state": trip.state,
        "transit": trip.transit,
        "legs": [_columns(leg) for leg in trip.legs],
        "lawful_places": [_columns(place) for place in trip.lawful_places],
    }


def _columns(row: Leg | LawfulPlace) -> dict[str, Any]:
    values = ((column.key, getattr(row, column.key)) for column in row.__table__.columns)
    return {
        key: value.isoformat() if isinstance(value, date) else value
        for key, value in values
        if key not in ("id", "trip_id")
    }
