"""Claims and recoveries in a regency's schema: what a treasurer has to do, and did."""

from datetime import UTC, date, datetime
from typing import Annotated
from uuid import UUID

import strawberry

from graphql_api import pages
from graphql_api.context import Info
from graphql_api.enums import ClaimState
from graphql_api.mutations import DeviationResult
from graphql_api.pages import Connection
from graphql_api.queries import First, Id
from graphql_api.scalars import Rupiah
from graphql_api.types import Trip
from tenants import claims as found
from tenants import models, recoveries
from tenants.evidence import DeviationRecord


@strawberry.type(
    description="The claim (*pertanggungjawaban*) for a trip that is over; a finding is no"
    " sanction, and nothing is to be paid back before an inspector upholds it."
)
class Claim:
    trip: models.Trip = strawberry.field(graphql_type=Trip)
    state: ClaimState
    observed_days: int | None = strawberry.field(
        description="Days that the verdict supports; null before there is one."
    )
    unknown_days: int | None = strawberry.field(description="Days that prove nothing either way.")
    at_stake: Rupiah = strawberry.field(description="Of deviations that await a ruling.")
    upheld: Rupiah = strawberry.field(description="Of deviations that were upheld.")
    recovered: Rupiah = strawberry.field(description="Paid back (*pengembalian*).")
    outstanding: Rupiah = strawberry.field(description="Upheld, and not paid back.")

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, found.Claim)


@strawberry.type(description="Sums over claims (*pertanggungjawaban*).")
class ClaimTotals:
    claims: int
    at_stake: Rupiah
    upheld: Rupiah
    recovered: Rupiah
    outstanding: Rupiah

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, found.Totals)


@strawberry.input(description="Conditions that all must hold; an office is meant with all below.")
class ClaimFilter:
    states: list[ClaimState] | None = None
    office_id: UUID | None = None
    starts_from: date | None = None
    starts_until: date | None = None

    def value(self) -> found.ClaimFilter:
        return found.ClaimFilter(**vars(self))


@strawberry.input(description="What was paid back, and the receipt for it (*bukti setor*).")
class PaymentInput:
    amount: Rupiah
    paid_on: date
    receipt: str = strawberry.field(description="Its number, such as that of the STS.")

    def value(self) -> recoveries.Payment:
        return recoveries.Payment(**vars(self))


ClaimConditions = Annotated[ClaimFilter | None, strawberry.argument(name="filter")]


def _wanted(given: ClaimFilter | None) -> found.ClaimFilter:
    return given.value() if given else found.ClaimFilter()


@strawberry.type
class ClaimQuery:
    @strawberry.field(
        graphql_type=Connection[Claim],
        description="The claims (*pertanggungjawaban*) of trips you may see, latest start first.",
    )
    async def claims(
        self,
        info: Info,
        wanted: ClaimConditions = None,
        first: First = 20,
        after: str | None = None,
    ) -> Connection[found.Claim]:
        rows = await info.context.read(
            found.page,
            info.context.signed_in,
            wanted=_wanted(wanted),
            after=pages.decode_cursor(after, pages.day_key),
            first=pages.first_of(first),
        )
        return pages.connection(rows, first, after, lambda row: (row.trip.starts_on, row.trip.id))

    @strawberry.field(
        graphql_type=ClaimTotals,
        description="The sums over all these claims (*pertanggungjawaban*).",
    )
    async def claim_totals(self, info: Info, wanted: ClaimConditions = None) -> found.Totals:
        return await info.context.read(found.totals, info.context.signed_in, _wanted(wanted))


@strawberry.type
class ClaimMutation:
    @strawberry.mutation(
        graphql_type=DeviationResult,
        description="Enter what was paid back (*pengembalian*) for an upheld deviation, as"
        " TREASURER; not for a trip of your own.",
    )
    async def record_recovery(
        self, info: Info, deviation_id: UUID, payment: PaymentInput
    ) -> DeviationRecord:
        return await info.context.write(
            recoveries.record,
            info.context.signed_in,
            deviation_id,
            payment.value(),
            zone=info.context.realm.zone,
            now=datetime.now(UTC),
        )

    @strawberry.mutation(
        graphql_type=DeviationResult,
        description="Take back a payment (*pengembalian*) that was entered wrongly, as TREASURER.",
    )
    async def withdraw_recovery(self, info: Info, key: Id, reason: str) -> DeviationRecord:
        return await info.context.write(
            recoveries.withdraw, info.context.signed_in, key, reason=reason
        )
