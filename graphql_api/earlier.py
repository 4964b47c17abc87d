"""What helps to fill in a plan: airports, and what the regency's letters and trips had before."""

from datetime import datetime
from typing import Annotated

import strawberry

from graphql_api.context import Info
from graphql_api.plan_types import AssignmentLetter
from tenants import earlier, letters, models
from tenants.airports import Airport as KnownAirport
from tenants.airports import matching

Search = Annotated[str, strawberry.argument(description="Words it has; all, when empty.")]


@strawberry.type(description="A lodging (*penginapan*) of earlier plans.")
class Lodging:
    name: str
    lon: float | None
    lat: float | None
    trips: int = strawberry.field(description="How many went there.")

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, earlier.Lodging)


@strawberry.type(description="A flight of earlier plans, as the newest had it.")
class KnownFlight:
    number: str
    origin: str
    destination: str
    departs_at: datetime
    arrives_at: datetime

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, earlier.KnownFlight)


@strawberry.type(description="An airport (*bandara*).")
class Airport:
    iata: str
    name: str
    city: str
    zone: str = strawberry.field(description="IANA name of its time zone.")

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, KnownAirport)


@strawberry.type
class EarlierQuery:
    @strawberry.field(
        graphql_type=AssignmentLetter | None,
        description="The letter (*surat tugas*) that you issued last.",
    )
    async def latest_letter(self, info: Info) -> models.AssignmentLetter | None:
        return await info.context.read(letters.latest, info.context.signed_in)

    @strawberry.field(
        graphql_type=list[Lodging],
        description="Up to 20 lodgings (*penginapan*) of earlier plans in a region, those of most"
        " trips first; for OPERATOR and TENANT_ADMIN.",
    )
    async def lodgings(self, info: Info, region: str, search: Search = "") -> list[earlier.Lodging]:
        return await info.context.read(
            earlier.lodgings, info.context.signed_in, region=region, search=search
        )

    @strawberry.field(
        graphql_type=list[KnownFlight],
        description="Up to 20 flights (*penerbangan*) of earlier plans, by number; for OPERATOR and"
        " TENANT_ADMIN.",
    )
    async def known_flights(self, info: Info, search: Search = "") -> list[earlier.KnownFlight]:
        return await info.context.read(earlier.flights, info.context.signed_in, search=search)

    @strawberry.field(
        graphql_type=list[Airport],
        description="Up to 20 airports (*bandara*) by code, name or city, Indonesia's first.",
    )
    async def airports(self, info: Info, search: Search = "") -> list[KnownAirport]:
        _ = info.context.signed_in
        return matching(search)
