"""What the province asks a regency, and the regency's answers: the regency's side."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry

from graphql_api import pages
from graphql_api.context import Info
from graphql_api.enums import EscalationState
from graphql_api.pages import Connection
from graphql_api.problems import (
    InvalidInput,
    NotAllowed,
    NotFound,
    ProvinceUnavailable,
    WrongState,
)
from graphql_api.queries import First, Id
from graphql_api.types import Deviation
from tenants import escalations
from tenants.escalations import Received
from tenants.evidence import DeviationRecord, EscalationAnswer


@strawberry.type(description="What the regency answered (*penjelasan*).")
class Answer:
    id: UUID
    member_id: UUID
    body: str
    answered_at: datetime

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, EscalationAnswer)


@strawberry.type(
    description="A question of the province about a case (*permintaan penjelasan*), for inspectors."
)
class Escalation:
    state: EscalationState
    answers: list[Answer]

    @strawberry.field
    def id(row: strawberry.Parent[Received]) -> UUID:
        return row.question.id

    @strawberry.field
    def question(row: strawberry.Parent[Received]) -> str:
        return row.question.question

    @strawberry.field
    def asked_at(row: strawberry.Parent[Received]) -> datetime:
        return row.question.asked_at

    @strawberry.field(description="What the province said when it closed it.")
    def note(row: strawberry.Parent[Received]) -> str | None:
        return row.question.note

    @strawberry.field
    def closed_at(row: strawberry.Parent[Received]) -> datetime | None:
        return row.question.closed_at

    @strawberry.field(
        graphql_type=Deviation | None, description="The case; null when it was withdrawn since."
    )
    def deviation(row: strawberry.Parent[Received]) -> DeviationRecord | None:
        return row.deviation

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, Received)


AnswerResult = Annotated[
    Escalation | NotFound | NotAllowed | InvalidInput | WrongState | ProvinceUnavailable,
    strawberry.union("AnswerEscalationResult"),
]


@strawberry.type
class EscalationQuery:
    @strawberry.field(
        graphql_type=Connection[Escalation],
        description="What the province asks (*permintaan penjelasan*), newest first; with `closed`"
        " what it needs to know no more.",
    )
    async def escalations(
        self, info: Info, closed: bool = False, first: First = 20, after: str | None = None
    ) -> Connection[Received]:
        viewer = info.context.signed_in
        asked = await info.context.at_province(
            escalations.questions,
            viewer,
            closed=closed,
            after=pages.decode_cursor(after, pages.time_key),
            first=pages.first_of(first),
        )
        rows = await info.context.read(escalations.received, viewer, asked)
        return pages.connection(
            rows, first, after, lambda row: (row.question.asked_at, row.question.id)
        )


@strawberry.type
class EscalationMutation:
    @strawberry.mutation(
        graphql_type=AnswerResult,
        description="An inspector answers the province; the answer is kept here and published.",
    )
    async def answer_escalation(self, info: Info, key: Id, body: str) -> Received:
        viewer = info.context.signed_in
        asked = await info.context.at_province(escalations.question, viewer, key)
        return await info.context.write(escalations.answer, viewer, asked, body=body)
