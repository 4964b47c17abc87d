"""What a regency's front ends may ask."""

from typing import Annotated
from uuid import UUID

import strawberry

from graphql_api import pages
from graphql_api.context import Info
from graphql_api.enums import Role
from graphql_api.inputs import DeviationFilterInput, TripFilter
from graphql_api.members import Member, Office
from graphql_api.pages import Connection
from graphql_api.plan_types import BoundarySet, Region
from graphql_api.types import Deviation, EvidenceHead, Trip
from tenants import access, boundaries, models, people, seals, trips, verdicts
from tenants.accesses import AccessKind
from tenants.evidence import DeviationRecord
from tenants.problems import NotFound

First = Annotated[int, strawberry.argument(description="1 to 100.")]
TripConditions = Annotated[TripFilter | None, strawberry.argument(name="filter")]
DeviationConditions = Annotated[DeviationFilterInput | None, strawberry.argument(name="filter")]
Id = Annotated[UUID, strawberry.argument(name="id")]


@strawberry.type
class Query:
    @strawberry.field(
        graphql_type=Member | None, description="Who asks; null when nobody is signed in."
    )
    async def viewer(self, info: Info) -> models.Member | None:
        viewer = info.context.viewer
        if viewer is None:
            return None
        return await info.context.read(people.one, viewer.member_id)

    @strawberry.field(description="The regions (kabupaten/kota) that a trip may go to, by code.")
    async def regions(self, info: Info) -> list[Region]:
        _ = info.context.signed_in
        named = await info.context.read(boundaries.named)
        return [Region(code=code, name=name, zone=zone) for code, name, zone in named]

    @strawberry.field(
        graphql_type=BoundarySet | None,
        description="A version of the boundaries (*batas daerah*), or the one in force.",
    )
    async def boundary_set(
        self, info: Info, version: int | None = None
    ) -> models.BoundarySet | None:
        _ = info.context.signed_in
        return await info.context.read(boundaries.boundary_set, version)

    @strawberry.field(graphql_type=list[Office], description="Every office, by name.")
    async def offices(self, info: Info) -> list[models.Office]:
        _ = info.context.signed_in
        return await info.context.read(people.all_offices)

    @strawberry.field(
        graphql_type=Connection[Member], description="The members whose trips you may see, by name."
    )
    async def members(
        self,
        info: Info,
        search: str | None = None,
        first: First = 20,
        after: str | None = None,
        role: Role | None = None,
        active: Annotated[
            bool | None,
            strawberry.argument(description="Those who are members now, or those who have left."),
        ] = None,
    ) -> Connection[models.Member]:
        rows = await info.context.read(
            people.page,
            info.context.signed_in,
            search=search,
            after=pages.decode_cursor(after, pages.name_key),
            first=pages.first_of(first),
            role=role,
            active=active,
        )
        return pages.connection(rows, first, after, lambda row: (row.name, row.id))

    @strawberry.field(
        graphql_type=Member | None,
        description="A member (*pegawai*); null when you may not see her trips.",
    )
    async def member(self, info: Info, key: Id) -> models.Member | None:
        viewer = info.context.signed_in
        try:
            return await info.context.read(access.member, viewer, key)
        except NotFound:
            return None

    @strawberry.field(
        graphql_type=Connection[Trip], description="The trips you may see, latest start first."
    )
    async def trips(
        self,
        info: Info,
        wanted: TripConditions = None,
        first: First = 20,
        after: str | None = None,
    ) -> Connection[models.Trip]:
        rows = await info.context.read(
            trips.page,
            info.context.signed_in,
            wanted=wanted.value() if wanted else trips.TripFilter(),
            after=pages.decode_cursor(after, pages.day_key),
            first=pages.first_of(first),
        )
        return pages.connection(rows, first, after, lambda row: (row.starts_on, row.id))

    @strawberry.field(graphql_type=Trip | None, description="A trip; null when not yours to see.")
    async def trip(self, info: Info, key: Id) -> models.Trip | None:
        viewer = info.context.signed_in
        try:
            found = await info.context.read(access.trip, viewer, key, *trips.SHOWN)
        except NotFound:
            return None
        info.context.looked(AccessKind.CASE, found.id)
        return found

    @strawberry.field(
        graphql_type=Connection[Deviation],
        description="The deviations (*temuan*) that stand on trips you may see, newest first unless"
        " asked for otherwise.",
    )
    async def deviations(
        self,
        info: Info,
        wanted: DeviationConditions = None,
        first: First = 20,
        after: str | None = None,
        oldest_first: bool = False,
    ) -> Connection[DeviationRecord]:
        rows = await info.context.read(
            verdicts.page,
            info.context.signed_in,
            wanted=wanted.value() if wanted else verdicts.DeviationFilter(),
            after=pages.decode_cursor(after, pages.time_key),
            first=pages.first_of(first),
            oldest_first=oldest_first,
        )
        info.context.looked(AccessKind.FINDING, *{row.trip_id for row in rows[:first]})
        return pages.connection(rows, first, after, lambda row: (row.found_at, row.id))

    @strawberry.field(
        graphql_type=Deviation | None, description="A deviation; null when not yours to see."
    )
    async def deviation(self, info: Info, key: Id) -> DeviationRecord | None:
        viewer = info.context.signed_in
        try:
            found = await info.context.read(access.deviation, viewer, key)
        except NotFound:
            return None
        info.context.looked(AccessKind.CASE, found.trip_id)
        return found

    @strawberry.field(
        graphql_type=EvidenceHead | None,
        description="The newest head of the evidence chain (*rantai bukti*), for the inspectorate.",
    )
    async def evidence_head(self, info: Info) -> seals.Seal | None:
        return await info.context.read(seals.head, info.context.signed_in)
