"""The GraphQL types of a plan: a letter, its destinations, flights and changes."""

from datetime import date, datetime
from typing import Annotated, ClassVar
from uuid import UUID

import strawberry

from graphql_api import pages
from graphql_api.context import Info
from graphql_api.enums import LawfulPlaceKind, TransportMode, TripChange
from graphql_api.scalars import GeoJSON
from tenants import boundaries, models, plans
from tenants.problems import InvalidInput


class Row:
    """A type whose values are rows of one table."""

    _of: ClassVar[type]

    def __init_subclass__(cls, of: type) -> None:
        cls._of = of

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, cls._of)


@strawberry.type(description="A kabupaten or kota; the code is Kemendagri's.")
class Region:
    code: str
    name: str
    zone: str = strawberry.field(description="IANA name of its time zone.")


@strawberry.type(
    description="A version of the regions' boundaries (*batas daerah*): verdicts name the one they"
    " used."
)
class BoundarySet(Row, of=models.BoundarySet):
    version: int
    source: str
    licence: str
    dated: date
    approximate: bool = strawberry.field(
        description="The product's own drawing, until official ones are imported."
    )
    tolerance_m: float = strawberry.field(name="toleranceMetres")

    @strawberry.field(description="A GeoJSON FeatureCollection, with `code` and `name`.")
    async def outlines(
        row: strawberry.Parent[models.BoundarySet],
        info: Info,
        codes: list[str],
        tolerance: Annotated[float, strawberry.argument(description="Metres, 10 to 10,000.")] = 500,
    ) -> GeoJSON:
        if not 10 <= tolerance <= 10_000:
            raise InvalidInput("tolerance", "harus 10-10000 m", "must be 10 to 10,000 m")
        if len(codes) > pages.MOST:
            raise InvalidInput("codes", f"paling banyak {pages.MOST}", f"at most {pages.MOST}")
        return GeoJSON(
            await info.context.read(
                boundaries.outlines, row.version, codes=codes, tolerance=tolerance
            )
        )


@strawberry.type(description="The letter that sends people on a trip (*surat tugas*).")
class AssignmentLetter(Row, of=models.AssignmentLetter):
    id: UUID
    number: str
    dated: date
    purpose: str = strawberry.field(description="*Maksud perjalanan dinas*.")
    signed_by_id: UUID = strawberry.field(description="The member who sends (*pemberi tugas*).")

    @strawberry.field(description="Her name.")
    async def signed_by_name(row: strawberry.Parent[models.AssignmentLetter], info: Info) -> str:
        return await info.context.names.load(row.signed_by_id)


@strawberry.type(description="A destination of a trip, with its local dates, both included.")
class Leg(Row, of=models.Leg):
    position: int
    region_code: str
    zone: str
    arrive_on: date
    depart_on: date
    transport: TransportMode
    lodging_name: str | None
    lodging_lon: float | None
    lodging_lat: float | None


@strawberry.type(description="A place where presence is lawful on these dates (*tempat sah*).")
class LawfulPlace(Row, of=models.LawfulPlace):
    region_code: str
    kind: LawfulPlaceKind
    from_on: date
    until_on: date


@strawberry.type(description="A flight of the plan; airports by their IATA codes.")
class Flight(Row, of=models.Flight):
    number: str
    origin: str
    destination: str
    departs_at: datetime
    arrives_at: datetime


@strawberry.type(description="A plan as it was kept: of a proposal, or before a revision.")
class KeptPlan(Row, of=plans.KeptPlan):
    starts_on: date
    ends_on: date
    transit: list[str]
    legs: list[Leg]
    flights: list[Flight]
    lawful_places: list[LawfulPlace]


@strawberry.type(description="A change of a trip (*perubahan surat tugas*), with the plan before.")
class TripRevision(Row, of=models.TripRevision):
    revision: int = strawberry.field(description="Of the plan before, counted from 1.")
    change: TripChange
    reason: str | None
    changed_at: datetime

    @strawberry.field(
        graphql_type=KeptPlan | None,
        description="What the plan was until then; null for MIGRATED, which took parts of it.",
    )
    def plan(row: strawberry.Parent[models.TripRevision]) -> plans.KeptPlan | None:
        return None if row.change is models.TripChange.MIGRATED else plans.kept(row.plan)

    @strawberry.field(description="Who changed it.")
    async def changed_by_name(row: strawberry.Parent[models.TripRevision], info: Info) -> str:
        return await info.context.names.load(row.changed_by_id)
