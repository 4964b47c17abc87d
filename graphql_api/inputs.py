"""What front ends and phones send, and how it becomes what the domain takes."""

from datetime import date, datetime
from uuid import UUID

import numpy as np
import strawberry
from strawberry.types import get_object_definition

from graphql_api.enums import (
    DeviationKind,
    DeviationState,
    LawfulPlaceKind,
    Role,
    Severity,
    SilenceReason,
    TransportMode,
    TripState,
)
from tenants import trips
from tenants.fixes import Fixes
from tenants.letters import Letter
from tenants.people import Invitation
from tenants.plans import PlannedFlight, PlannedLawfulPlace, PlannedLeg, TripPlan
from tenants.records import Presence
from tenants.silences import Silence
from tenants.verdicts import DeviationFilter


@strawberry.input(description="The assignment letter (*surat tugas*).")
class LetterInput:
    number: str
    dated: date
    purpose: str
    signed_by_id: UUID

    def value(self) -> Letter:
        return Letter(self.number, self.dated, self.purpose, self.signed_by_id)


@strawberry.input(description="A destination: local dates, both included; the way to it.")
class LegInput:
    region: str = strawberry.field(description="Kemendagri code, like 64.71.")
    arrive_on: date
    depart_on: date
    transport: TransportMode
    lodging_name: str | None = None
    lodging_lon: float | None = None
    lodging_lat: float | None = None


@strawberry.input(description="Where presence is lawful on these dates (*tempat sah*).")
class LawfulPlaceInput:
    region: str
    kind: LawfulPlaceKind
    from_on: date
    until_on: date


@strawberry.input(description="A flight, between two airports by their IATA codes.")
class FlightInput:
    number: str
    origin: str
    destination: str
    departs_at: datetime
    arrives_at: datetime


@strawberry.input(description="Where and when; dates in the regency's zone, both included.")
class PlanInput:
    starts_on: date
    ends_on: date
    legs: list[LegInput]
    transit: list[str] = strawberry.field(
        default_factory=list, description="Regions passed through on the way."
    )
    lawful_places: list[LawfulPlaceInput] = strawberry.field(default_factory=list)
    flights: list[FlightInput] = strawberry.field(default_factory=list)

    def value(self) -> TripPlan:
        return TripPlan(
            starts_on=self.starts_on,
            ends_on=self.ends_on,
            legs=[PlannedLeg(**vars(leg)) for leg in self.legs],
            transit=self.transit,
            lawful_places=[PlannedLawfulPlace(**vars(place)) for place in self.lawful_places],
            flights=[PlannedFlight(**vars(flight)) for flight in self.flights],
        )


@strawberry.input(description="A position with its time, as the phone's clock had it.")
class FixInput:
    time: datetime
    lon: float
    lat: float
    accuracy: float | None = strawberry.field(default=None, description="Metres.")
    speed: float | None = strawberry.field(default=None, description="Metres a second.")
    mock: bool | None = strawberry.field(
        default=False, description="The phone calls it simulated; null where it does not say."
    )
    battery: float | None = strawberry.field(default=None, description="Charge, 0 to 1.")


# Half of the time of an upload went into converting its fixes one argument at a time; their names
# are the same in GraphQL and in Python, so they need no converting.
get_object_definition(FixInput, strict=True).from_input = lambda kind, value, _context: kind(
    **value
)


def fixes_of(fixes: list[FixInput]) -> Fixes:
    def column(values: list[float | None]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.array(values, dtype=np.float64)

    return Fixes(
        time=column([fix.time.timestamp() for fix in fixes]),
        lon=column([fix.lon for fix in fixes]),
        lat=column([fix.lat for fix in fixes]),
        accuracy=column([fix.accuracy for fix in fixes]),
        speed=column([fix.speed for fix in fixes]),
        mock=np.array([fix.mock is True for fix in fixes], dtype=np.bool_),
        battery=column([fix.battery for fix in fixes]),
    )


@strawberry.input(description="A time in which the phone recorded nothing, and why.")
class SilenceInput:
    started_at: datetime
    ended_at: datetime
    reason: SilenceReason

    def value(self) -> Silence:
        return Silence(self.started_at, self.ended_at, self.reason)


@strawberry.input(description="Somebody at the home office, from clocking in to clocking out.")
class AttendanceInput:
    member_id: UUID
    started_at: datetime
    ended_at: datetime

    def value(self) -> Presence:
        return Presence(self.member_id, self.started_at, self.ended_at)


@strawberry.input(description="Conditions that all must hold.")
class TripFilter:
    states: list[TripState] | None = None
    traveller_id: UUID | None = None
    starts_from: date | None = None
    starts_until: date | None = None
    ends_from: date | None = strawberry.field(
        default=None, description="Its last day is this or a later one."
    )

    def value(self) -> trips.TripFilter:
        return trips.TripFilter(**vars(self))


@strawberry.input(description="Conditions that all must hold.")
class DeviationFilterInput:
    kinds: list[DeviationKind] | None = None
    states: list[DeviationState] | None = None
    severities: list[Severity] | None = None
    trip_id: UUID | None = None

    def value(self) -> DeviationFilter:
        return DeviationFilter(self.kinds, self.states, self.severities, self.trip_id)


@strawberry.input(description="A person to be known to the regency.")
class InvitationInput:
    name: str
    roles: list[Role]
    office_id: UUID | None = None
    nip: str | None = strawberry.field(default=None, description="18 digits, PNS or PPPK.")
    position: str | None = None
    invited_as: str | None = strawberry.field(
        default=None, description="What the issuer will call her; without it she cannot sign in."
    )

    def value(self) -> Invitation:
        return Invitation(
            name=self.name,
            roles=frozenset(self.roles),
            office_id=self.office_id,
            nip=self.nip,
            position=self.position,
            invited_as=self.invited_as,
        )
