"""In the province's schema: by what agreements regencies share, and whose trips overlap."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

import strawberry

from graphql_api import pages
from graphql_api.context import ProvinceInfo
from graphql_api.enums import Severity, SharingLevel, TravellerIdentity, TripState
from graphql_api.pages import Connection
from tenants import overlaps, province, shared


@strawberry.type(
    description="The agreement by which a regency shares now (*perjanjian berbagi data*)."
)
class SharingAgreement:
    number: str
    valid_from: date
    valid_until: date | None
    level: SharingLevel
    severity: Severity | None = strawberry.field(
        description="The least that a shared deviation has; null for FIGURES."
    )
    travellers: TravellerIdentity | None

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, shared.SharedAgreement)


@strawberry.type(description="Rows of a regency that were not taken (*ditolak*), counted.")
class RefusedRows:
    relation: str
    reason: str = strawberry.field(
        description="FOREIGN: they named another regency; REGION: no Kemendagri code; VALUE: a"
        " value that is not known."
    )
    times: int
    last_at: datetime

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, shared.RefusedRow)


@strawberry.type(description="What a regency shares with the province (*berbagi data*).")
class Sharing:
    code: str = strawberry.field(name="regencyCode", description="Kemendagri code.")
    name: str
    agreement: shared.SharedAgreement | None = strawberry.field(
        graphql_type=SharingAgreement | None, description="Null: the regency shares nothing."
    )
    refused: list[shared.RefusedRow] = strawberry.field(graphql_type=list[RefusedRows])

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, shared.Sharing)


@strawberry.type(description="A trip as a regency shares it: its dates, and nothing of its plan.")
class SharedTrip:
    id: UUID
    tenant: str = strawberry.field(name="regencyCode", description="Kemendagri code.")
    state: TripState
    starts_on: date
    ends_on: date
    ended_on: date = strawberry.field(description="The last day, where it ended before `endsOn`.")

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, province.SharedTrip)


@strawberry.type(
    description="Trips of one person under two regencies at once (*tugas rangkap*), found by"
    " pseudonym: neither regency sees the other's."
)
class Overlap:
    pseudonym: str
    trips: list[province.SharedTrip] = strawberry.field(graphql_type=list[SharedTrip])
    starts_on: date = strawberry.field(description="The first day in common.")
    ends_on: date = strawberry.field(description="The last day in common.")
    days: int = strawberry.field(description="Days in common.")

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, overlaps.Overlap)


@strawberry.type
class SharingQuery:
    @strawberry.field(
        graphql_type=list[Sharing],
        description="What each regency shares by which agreement (*perjanjian*), by code.",
    )
    async def sharing(self, info: ProvinceInfo) -> list[shared.Sharing]:
        return await info.context.read(shared.sharing, info.context.signed_in)

    @strawberry.field(
        name="overlaps",
        graphql_type=Connection[Overlap],
        description="Trips of one person under two regencies (*tugas rangkap*), latest first.",
    )
    async def overlapping(
        self,
        info: ProvinceInfo,
        first: Annotated[int, strawberry.argument(description="1 to 100.")] = 20,
        after: str | None = None,
    ) -> Connection[overlaps.Overlap]:
        rows = await info.context.read(
            overlaps.page,
            info.context.signed_in,
            after=pages.decode_cursor(after, pages.pair_key),
            first=pages.first_of(first),
        )
        return pages.connection(
            rows, first, after, lambda row: (f"{row.starts_on} {row.trips[0].id}", row.trips[1].id)
        )
