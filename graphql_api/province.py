"""The province's schema: /province/graphql. It has no track to ask for."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry
from strawberry.tools import merge_types

from graphql_api import pages
from graphql_api.context import ProvinceInfo
from graphql_api.enums import DeviationKind, DeviationState, Outcome, Severity
from graphql_api.errors import Schema
from graphql_api.limits import guards
from graphql_api.pages import Connection
from graphql_api.scalars import Rupiah, config
from graphql_api.sharing import SharingQuery
from tenants import province


@strawberry.type(description="How many trips have this outcome now.")
class OutcomeCount:
    outcome: Outcome
    trips: int


@strawberry.type(description="A kabupaten or kota in figures, as it publishes them.")
class Regency:
    code: str
    name: str
    trips: int = strawberry.field(description="Trips issued and not cancelled.")
    open_deviations: int
    settled_deviations: int
    amount_at_stake: Rupiah = strawberry.field(description="Of the open deviations, in rupiah.")

    @strawberry.field
    def verdicts(row: strawberry.Parent[province.Figures]) -> list[OutcomeCount]:
        return [
            OutcomeCount(outcome=outcome, trips=row.verdicts.get(outcome, 0)) for outcome in Outcome
        ]

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, province.Figures)


@strawberry.type(description="A case (*temuan*) as a regency shares it: no position.")
class SharedDeviation:
    id: UUID
    tenant: str = strawberry.field(name="regencyCode", description="Kemendagri code.")
    trip_id: UUID
    kind: DeviationKind
    severity: Severity
    state: DeviationState
    started_at: datetime
    ended_at: datetime
    region_code: str | None
    planned_region_code: str | None
    coverage: float
    amount: Rupiah | None
    message_id: str = strawberry.field(name="message")
    message_en: str
    found_at: datetime
    pseudonym: str | None = strawberry.field(
        description="The same for one person in all regencies; null for who has no NIP."
    )
    traveller_name: str | None = strawberry.field(
        description="Only where the regency agreed to share names."
    )
    traveller_nip: str | None = strawberry.field(description="The same.")

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, province.SharedDeviation)


@strawberry.type
class Query:
    @strawberry.field(description="The name of who asks; null when nobody is signed in.")
    def viewer_name(self, info: ProvinceInfo) -> str | None:
        viewer = info.context.viewer
        return viewer.name if viewer else None

    @strawberry.field(
        graphql_type=list[Regency], description="Every regency with its figures, by code."
    )
    async def regencies(self, info: ProvinceInfo) -> list[province.Figures]:
        return await info.context.read(province.figures, info.context.signed_in)

    @strawberry.field(
        graphql_type=Connection[SharedDeviation],
        description="The shared cases of all regencies, newest first.",
    )
    async def deviations(
        self,
        info: ProvinceInfo,
        regency_code: str | None = None,
        states: list[DeviationState] | None = None,
        first: Annotated[int, strawberry.argument(description="1 to 100.")] = 20,
        after: str | None = None,
    ) -> Connection[province.SharedDeviation]:
        rows = await info.context.read(
            province.page,
            info.context.signed_in,
            tenant=regency_code,
            states=states,
            known=list(DeviationKind),
            after=pages.decode_cursor(after, pages.time_key),
            first=pages.first_of(first),
        )
        return pages.connection(rows, first, after, lambda row: (row.found_at, row.id))


schema = Schema(merge_types("Query", (Query, SharingQuery)), config=config(), extensions=guards())
