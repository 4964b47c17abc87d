"""What a trip's plan is made of, how it is checked, and how it is kept when it changes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime, time, timedelta
from typing import Any, Final, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from tenants import airports
from tenants.boundaries import zones
from tenants.models import (
    Flight,
    LawfulPlace,
    LawfulPlaceKind,
    Leg,
    TransportMode,
    Trip,
    TripRevision,
)
from tenants.problems import InvalidInput

EARLIEST: Final = date(2000, 1, 1)
LATEST: Final = date(2099, 12, 31)
LONGEST_TRIP: Final = timedelta(days=366)
ONE_DAY: Final = timedelta(days=1)
MOST_FLIGHTS: Final = 20

P = TypeVar("P", Leg, Flight, LawfulPlace)


@dataclass(frozen=True, slots=True)
class PlannedLeg:
    """A destination: Kemendagri code, local dates there (both included), lodging, the way to it."""

    region: str
    arrive_on: date
    depart_on: date
    transport: TransportMode
    lodging_name: str | None = None
    lodging_lon: float | None = None
    lodging_lat: float | None = None


@dataclass(frozen=True, slots=True)
class PlannedFlight:
    """A flight, between two airports by their IATA codes."""

    number: str
    origin: str
    destination: str
    departs_at: datetime
    arrives_at: datetime


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
    flights: Sequence[PlannedFlight] = ()
    lawful_places: Sequence[PlannedLawfulPlace] = ()


def apply(session: Session, trip: Trip, plan: TripPlan, *, home_zone: str) -> None:
    """Check the plan and write it into the trip; dates must follow one another."""
    check_dates(plan.starts_on, plan.ends_on)
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
    flights = _flights(plan, home_zone)
    codes = {leg.region for leg in plan.legs} | set(plan.transit)
    zone = zones(session, codes | {place.region for place in plan.lawful_places})
    trip.legs.clear()
    trip.flights.clear()
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
            lodging_name=leg.lodging_name and text_of("lodgingName", leg.lodging_name),
            lodging_lon=leg.lodging_lon,
            lodging_lat=leg.lodging_lat,
        )
        for position, leg in enumerate(plan.legs, start=1)
    )
    trip.flights.extend(flights)
    trip.lawful_places.extend(
        LawfulPlace(
            region_code=place.region,
            kind=place.kind,
            from_on=place.from_on,
            until_on=place.until_on,
        )
        for place in plan.lawful_places
    )


def check_dates(starts_on: date, ends_on: date) -> None:
    """Refuse days that no letter can be for; raises `InvalidInput`, returns nothing."""
    for field, day in (("startsOn", starts_on), ("endsOn", ends_on)):
        if not EARLIEST <= day <= LATEST:
            raise InvalidInput(field, "di luar 2000-2099", "is not within 2000 to 2099")
    if ends_on < starts_on:
        raise InvalidInput("endsOn", "sebelum tanggal berangkat", "is before the start")
    if ends_on - starts_on > LONGEST_TRIP:
        raise InvalidInput("endsOn", "lebih dari setahun", "is more than a year after the start")


def _flights(plan: TripPlan, home_zone: str) -> list[Flight]:
    """The plan's flights, checked; they may lie a day outside its dates, in the home zone."""
    if len(plan.flights) > MOST_FLIGHTS:
        raise InvalidInput("flights", f"paling banyak {MOST_FLIGHTS}", "are too many")
    earliest, latest = (
        datetime.combine(day, time(), ZoneInfo(home_zone))
        for day in (plan.starts_on - ONE_DAY, plan.ends_on + 2 * ONE_DAY)
    )
    flights = []
    for index, flight in enumerate(plan.flights):
        field = f"flights.{index}"
        origin, destination = flight.origin.strip().upper(), flight.destination.strip().upper()
        if None in (airports.position(origin), airports.position(destination)):
            raise InvalidInput(field, "bandara tidak dikenal", "has an unknown airport")
        if origin == destination:
            raise InvalidInput(field, "kembali ke bandara asal", "lands where it took off")
        if flight.arrives_at <= flight.departs_at:
            raise InvalidInput(field, "tiba sebelum berangkat", "arrives before it departs")
        if flight.departs_at < earliest or flight.arrives_at >= latest:
            raise InvalidInput(field, "di luar tanggal perjalanan", "is outside the trip's dates")
        flights.append(
            Flight(
                position=index + 1,
                number=text_of(field, flight.number, 12),
                origin=origin,
                destination=destination,
                departs_at=flight.departs_at,
                arrives_at=flight.arrives_at,
            )
        )
    return flights


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
        "flights": [_columns(flight) for flight in trip.flights],
        "lawful_places": [_columns(place) for place in trip.lawful_places],
    }


@dataclass(frozen=True, slots=True)
class KeptPlan(Dates):
    """A plan as it was kept, in rows that belong to no trip."""

    transit: Sequence[str]
    legs: Sequence[Leg]
    flights: Sequence[Flight]
    lawful_places: Sequence[LawfulPlace]

    def again(self) -> TripPlan:
        """The same as somebody asks for it."""
        return TripPlan(
            starts_on=self.starts_on,
            ends_on=self.ends_on,
            transit=self.transit,
            legs=[PlannedLeg(leg.region_code, **_of_fields(PlannedLeg, leg)) for leg in self.legs],
            flights=[PlannedFlight(**_of_fields(PlannedFlight, flight)) for flight in self.flights],
            lawful_places=[
                PlannedLawfulPlace(place.region_code, **_of_fields(PlannedLawfulPlace, place))
                for place in self.lawful_places
            ],
        )


def kept(plan: Mapping[str, Any]) -> KeptPlan:
    """What `snapshot` made of a plan, read again."""
    return KeptPlan(
        starts_on=date.fromisoformat(plan["starts_on"]),
        ends_on=date.fromisoformat(plan["ends_on"]),
        transit=plan["transit"],
        legs=[_row(Leg, leg) for leg in plan["legs"]],
        flights=[_row(Flight, flight) for flight in plan.get("flights", ())],
        lawful_places=[_row(LawfulPlace, place) for place in plan["lawful_places"]],
    )


def _of_fields(kind: type, row: Leg | Flight | LawfulPlace) -> dict[str, Any]:
    names = {field.name for field in fields(kind)} - {"region"}
    return {name: getattr(row, name) for name in names}


def _row(kind: type[P], columns: Mapping[str, Any]) -> P:
    columns_of = kind.__table__.columns

    def read(name: str, value: Any) -> Any:
        known = columns_of[name].type.python_type
        if value is None or isinstance(value, known):
            return value
        return known.fromisoformat(value) if issubclass(known, date) else known(value)

    # An old plan may have what rows no longer have.
    kept = {name: value for name, value in columns.items() if name in columns_of}
    return kind(**{name: read(name, value) for name, value in kept.items()})


def _columns(row: Leg | Flight | LawfulPlace) -> dict[str, Any]:
    values = ((column.key, getattr(row, column.key)) for column in row.__table__.columns)
    return {
        key: value.isoformat() if isinstance(value, date) else value
        for key, value in values
        if key not in ("id", "trip_id")
    }


def legs_of(session: Session, trip_ids: Sequence[UUID]) -> Mapping[UUID, list[Leg]]:
    """The legs of each trip, in order; the caller has made sure that the trips may be seen."""
    return _of(session, trip_ids, select(Leg).order_by(Leg.position))


def flights_of(session: Session, trip_ids: Sequence[UUID]) -> Mapping[UUID, list[Flight]]:
    """The flights of each trip, in order; the caller has made sure that the trips may be seen."""
    return _of(session, trip_ids, select(Flight).order_by(Flight.position))


def lawful_places_of(
    session: Session, trip_ids: Sequence[UUID]
) -> Mapping[UUID, list[LawfulPlace]]:
    """The lawful places of each trip; the caller has made sure that the trips may be seen."""
    return _of(session, trip_ids, select(LawfulPlace).order_by(LawfulPlace.from_on))


def revisions_of(session: Session, trip_ids: Sequence[UUID]) -> Mapping[UUID, list[TripRevision]]:
    """The changes of each trip, in order; the caller has made sure that the trips may be seen."""
    found: dict[UUID, list[TripRevision]] = {trip_id: [] for trip_id in trip_ids}
    query = select(TripRevision).where(TripRevision.trip_id.in_(trip_ids))
    for row in session.scalars(query.order_by(TripRevision.revision)):
        found[row.trip_id].append(row)
    return found


def _of(session: Session, trip_ids: Sequence[UUID], query: Select[P]) -> Mapping[UUID, list[P]]:
    found: dict[UUID, list[P]] = {trip_id: [] for trip_id in trip_ids}
    for part in session.scalars(query.where(query.selected_columns.trip_id.in_(trip_ids))):
        found[part.trip_id].append(part)
    return found
