"""Sharing agreements in a regency's schema: everyone may see them, admins declare and withdraw."""

from datetime import UTC, date, datetime
from typing import Annotated

import strawberry

from graphql_api.context import Info
from graphql_api.enums import Severity, SharingLevel, TravellerIdentity
from graphql_api.problems import InvalidInput, NotAllowed, NotFound
from tenants import agreements


@strawberry.type(
    description="What the regency lets the province see (*perjanjian berbagi data*), kept by its"
    " database itself. Never changed but for its withdrawal."
)
class SharingAgreement:
    id: strawberry.ID
    number: str
    valid_from: date
    valid_until: date | None = strawberry.field(description="Its last day; null: until withdrawn.")
    level: SharingLevel
    severity: Severity | None = strawberry.field(
        description="The least that a shared deviation has; null for FIGURES."
    )
    travellers: TravellerIdentity | None = strawberry.field(
        description="How a shared case tells whose it is; null for FIGURES."
    )
    declared_at: datetime
    declared_by: str
    withdrawn_at: datetime | None
    withdrawn_by: str | None
    withdrawal_reason: str | None

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, agreements.SharingAgreement)


@strawberry.input(
    description="What is agreed; `severity` and `travellers` for CASES, and for CASES only."
)
class SharingAgreementInput:
    number: str
    valid_from: date
    valid_until: date | None = None
    level: SharingLevel
    severity: Severity | None = None
    travellers: TravellerIdentity | None = None

    def value(self) -> agreements.Terms:
        return agreements.Terms(
            self.number,
            self.valid_from,
            self.valid_until,
            self.level,
            self.severity,
            self.travellers,
        )


DeclareAgreementResult = Annotated[
    SharingAgreement | NotAllowed | InvalidInput, strawberry.union("DeclareSharingAgreementResult")
]
WithdrawAgreementResult = Annotated[
    SharingAgreement | NotFound | NotAllowed | InvalidInput,
    strawberry.union("WithdrawSharingAgreementResult"),
]


@strawberry.type
class AgreementQuery:
    @strawberry.field(
        graphql_type=SharingAgreement | None,
        description="The agreement (*perjanjian berbagi data*) by which the regency shares with the"
        " province now; null when it shares nothing.",
    )
    async def sharing_agreement(self, info: Info) -> agreements.SharingAgreement | None:
        _ = info.context.signed_in
        return await info.context.read(agreements.in_force)

    @strawberry.field(
        graphql_type=list[SharingAgreement],
        description="Every agreement (*perjanjian berbagi data*) that was declared, newest first.",
    )
    async def sharing_agreements(self, info: Info) -> list[agreements.SharingAgreement]:
        _ = info.context.signed_in
        return await info.context.read(agreements.history)


@strawberry.type
class AgreementMutation:
    @strawberry.mutation(
        graphql_type=DeclareAgreementResult,
        description="Declare an agreement (*perjanjian berbagi data*), as TENANT_ADMIN. From its"
        " first day on it replaces what was agreed before.",
    )
    async def declare_sharing_agreement(
        self, info: Info, agreement: SharingAgreementInput
    ) -> agreements.SharingAgreement:
        return await info.context.write(
            agreements.declare_as,
            info.context.signed_in,
            agreement.value(),
            zone=info.context.realm.zone,
            now=datetime.now(UTC),
        )

    @strawberry.mutation(
        graphql_type=WithdrawAgreementResult,
        description="Withdraw every agreement that has not ended (*mencabut*), as TENANT_ADMIN: the"
        " province loses all that was shared.",
    )
    async def withdraw_sharing_agreement(
        self, info: Info, reason: str
    ) -> agreements.SharingAgreement:
        return await info.context.write(
            agreements.withdraw_as,
            info.context.signed_in,
            zone=info.context.realm.zone,
            reason=reason,
            now=datetime.now(UTC),
        )
