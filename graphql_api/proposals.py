"""Proposals in a regency's schema: operators propose trips, heads of office decide."""

from datetime import UTC, date, datetime
from typing import Annotated
from uuid import UUID

import strawberry

from graphql_api import pages
from graphql_api.context import Info
from graphql_api.enums import ProposalState
from graphql_api.inputs import LetterInput, PlanInput
from graphql_api.members import Member
from graphql_api.pages import Connection
from graphql_api.plan_types import KeptPlan
from graphql_api.problems import (
    InvalidInput,
    NotAllowed,
    NotFound,
    OverlappingTrip,
    UnknownRegion,
    WrongState,
)
from graphql_api.queries import First, Id
from tenants import plans, proposals


@strawberry.type(
    description="A trip that waits for who sends (*usulan perjalanan dinas*). It is none yet:"
    " nobody is tracked, judged or published by it."
)
class TripProposal:
    id: UUID
    letter_number: str
    dated: date
    purpose: str
    signed_by_id: UUID
    spd_number: str | None
    proposed_at: datetime
    state: ProposalState
    decided_at: datetime | None
    reason: str | None = strawberry.field(description="Why it was sent back.")
    traveller: Member

    @strawberry.field(description="The trip that it became, once approved.")
    def issued_trip_id(row: strawberry.Parent[proposals.TripProposal]) -> UUID | None:
        return row.trip_id

    @strawberry.field(graphql_type=KeptPlan)
    def plan(row: strawberry.Parent[proposals.TripProposal]) -> plans.KeptPlan:
        return plans.kept(row.plan)

    @strawberry.field(description="Who is to sign (*pemberi tugas*).")
    async def signed_by_name(row: strawberry.Parent[proposals.TripProposal], info: Info) -> str:
        return await info.context.names.load(row.signed_by_id)

    @strawberry.field(description="The operator who asks.")
    async def proposed_by_name(row: strawberry.Parent[proposals.TripProposal], info: Info) -> str:
        return await info.context.names.load(row.proposed_by_id)

    @strawberry.field(description="Who approved it, sent it back or withdrew it.")
    async def decided_by_name(
        row: strawberry.Parent[proposals.TripProposal], info: Info
    ) -> str | None:
        if row.decided_by_id is None:
            return None
        return await info.context.names.load(row.decided_by_id)

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, proposals.TripProposal)


ProposeTripResult = Annotated[
    TripProposal | NotFound | NotAllowed | InvalidInput | UnknownRegion | OverlappingTrip,
    strawberry.union("ProposeTripResult"),
]
ApproveProposalResult = Annotated[
    TripProposal
    | NotFound
    | NotAllowed
    | InvalidInput
    | UnknownRegion
    | OverlappingTrip
    | WrongState,
    strawberry.union("ApproveProposalResult"),
]
ReturnProposalResult = Annotated[
    TripProposal | NotFound | NotAllowed | InvalidInput | WrongState,
    strawberry.union("ReturnProposalResult"),
]
WithdrawProposalResult = Annotated[
    TripProposal | NotFound | NotAllowed | WrongState, strawberry.union("WithdrawProposalResult")
]


@strawberry.type
class ProposalQuery:
    @strawberry.field(
        graphql_type=Connection[TripProposal],
        description="Proposals (*usulan*) of your office, as its operator or head, and those that"
        " are yours to sign; newest first.",
    )
    async def trip_proposals(
        self,
        info: Info,
        states: list[ProposalState] | None = None,
        first: First = 20,
        after: str | None = None,
    ) -> Connection[proposals.TripProposal]:
        rows = await info.context.read(
            proposals.page,
            info.context.signed_in,
            states=states,
            after=pages.decode_cursor(after, pages.time_key),
            first=pages.first_of(first),
        )
        return pages.connection(rows, first, after, lambda row: (row.proposed_at, row.id))

    @strawberry.field(
        graphql_type=TripProposal | None, description="A proposal; null when not yours to see."
    )
    async def trip_proposal(self, info: Info, key: Id) -> proposals.TripProposal | None:
        return await info.context.read(proposals.one, info.context.signed_in, key)


@strawberry.type
class ProposalMutation:
    @strawberry.mutation(
        graphql_type=ProposeTripResult,
        description="Ask who sends (*pemberi tugas*) to approve a trip, which is checked as"
        " issueTrip does; as OPERATOR or TENANT_ADMIN.",
    )
    async def propose_trip(
        self,
        info: Info,
        letter: LetterInput,
        traveller_id: UUID,
        plan: PlanInput,
        spd_number: str | None = None,
    ) -> proposals.TripProposal:
        return await info.context.write(
            proposals.propose,
            info.context.signed_in,
            letter=letter.value(),
            traveller_id=traveller_id,
            plan=plan.value(),
            spd_number=spd_number,
            home_zone=info.context.realm.zone,
            now=datetime.now(UTC),
        )

    @strawberry.mutation(
        graphql_type=ApproveProposalResult,
        description="Issue what was proposed (*penerbitan*), as the HEAD_OF_OFFICE who signs or"
        " whose office it is; never for oneself.",
    )
    async def approve_proposal(self, info: Info, key: Id) -> proposals.TripProposal:
        return await info.context.write(
            proposals.approve,
            info.context.signed_in,
            key,
            home_zone=info.context.realm.zone,
            now=datetime.now(UTC),
        )

    @strawberry.mutation(
        graphql_type=ReturnProposalResult,
        description="Send a proposal back (*dikembalikan*) for a reason, as who could approve it.",
    )
    async def return_proposal(self, info: Info, key: Id, reason: str) -> proposals.TripProposal:
        return await info.context.write(
            proposals.send_back,
            info.context.signed_in,
            key,
            reason=reason,
            now=datetime.now(UTC),
        )

    @strawberry.mutation(
        graphql_type=WithdrawProposalResult,
        description="Take back a proposal that waits (*ditarik*), as who could propose it.",
    )
    async def withdraw_proposal(self, info: Info, key: Id) -> proposals.TripProposal:
        return await info.context.write(
            proposals.withdraw, info.context.signed_in, key, now=datetime.now(UTC)
        )
