"""The province's schema: /province/graphql. It has no track to ask for."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

import strawberry
from strawberry.tools import merge_types

from graphql_api import pages, problems
from graphql_api.context import ProvinceInfo
from graphql_api.enums import DeviationKind, DeviationState, EscalationState, Role
from graphql_api.errors import Schema
from graphql_api.limits import guards
from graphql_api.pages import Connection
from graphql_api.problems import InvalidInput, NotAllowed, NotFound, WrongState
from graphql_api.province_types import (
    Escalation,
    MonthArgument,
    RankedRegency,
    Regency,
    SharedDeviation,
    regency_of,
)
from graphql_api.scalars import config
from graphql_api.sharing import SharingQuery
from tenants import escalations, indicators, province
from tenants.escalations import Asked
from tenants.indicators import Months
from tenants.province import CaseFilter

RECHECK_SECONDS: Final = 5.0

First = Annotated[int, strawberry.argument(description="1 to 100.")]
Id = Annotated[UUID, strawberry.argument(name="id")]
EscalationResult = Annotated[
    Escalation | NotFound | NotAllowed | InvalidInput | WrongState,
    strawberry.union("EscalationResult"),
]


@strawberry.type
class Query:
    @strawberry.field(description="The name of who asks; null when nobody is signed in.")
    def viewer_name(self, info: ProvinceInfo) -> str | None:
        viewer = info.context.viewer
        return viewer.name if viewer else None

    @strawberry.field(
        description="Every regency with its figures, by code: of all months, or of those from"
        " `firstMonth` to `lastMonth`. They follow what arrives within seconds."
    )
    async def regencies(
        self,
        info: ProvinceInfo,
        codes: list[str] | None = None,
        first_month: MonthArgument = None,
        last_month: MonthArgument = None,
        first: First = 20,
        after: str | None = None,
    ) -> Connection[Regency]:
        start = pages.decode_keys(after, pages.name_key)
        rows = await info.context.read(
            indicators.page,
            info.context.signed_in,
            months=Months(first_month, last_month),
            codes=codes,
            after=start[0] if start else None,
            first=pages.first_of(first),
        )
        shown = [regency_of(row) for row in rows]
        return pages.connection(shown, first, after, lambda regency: (regency.code,))

    @strawberry.field(
        graphql_type=Connection[RankedRegency],
        description="Regencies with judged trips, the most certain to deviate first.",
    )
    async def ranking(
        self,
        info: ProvinceInfo,
        first_month: MonthArgument = None,
        last_month: MonthArgument = None,
        first: First = 20,
        after: str | None = None,
    ) -> Connection[indicators.Ranked]:
        pages.first_of(first)
        place = (pages.decode_keys(after, int) or [0])[0]
        rows = await info.context.read(
            indicators.ranking, info.context.signed_in, months=Months(first_month, last_month)
        )
        following = [row for row in rows if row.place > place]
        return pages.connection(following, first, after, lambda row: (row.place,))

    @strawberry.field(
        graphql_type=Connection[SharedDeviation],
        description="The shared cases of all regencies, newest first.",
    )
    async def deviations(
        self,
        info: ProvinceInfo,
        regency_code: str | None = None,
        states: list[DeviationState] | None = None,
        kinds: list[DeviationKind] | None = None,
        found_from: datetime | None = None,
        found_before: datetime | None = None,
        first: First = 20,
        after: str | None = None,
    ) -> Connection[province.SharedDeviation]:
        rows = await info.context.read(
            province.page,
            info.context.signed_in,
            wanted=CaseFilter(_known(kinds), regency_code, states, found_from, found_before),
            after=pages.decode_cursor(after, pages.time_key),
            first=pages.first_of(first),
        )
        return pages.connection(rows, first, after, lambda row: (row.found_at, row.id))

    @strawberry.field(
        graphql_type=SharedDeviation | None,
        description="A shared case with its history; null when it is not, or no longer, shared.",
    )
    async def deviation(self, info: ProvinceInfo, key: Id) -> province.SharedDeviation | None:
        return await info.context.read(
            province.find, info.context.signed_in, key, CaseFilter(_known(None))
        )

    @strawberry.field(
        graphql_type=Connection[Escalation],
        description="What the province asked (*permintaan penjelasan*), newest first.",
    )
    async def escalations(
        self,
        info: ProvinceInfo,
        regency_code: str | None = None,
        states: list[EscalationState] | None = None,
        first: First = 20,
        after: str | None = None,
    ) -> Connection[Asked]:
        rows = await info.context.read(
            escalations.page,
            info.context.signed_in,
            tenant=regency_code,
            states=states,
            after=pages.decode_cursor(after, pages.time_key),
            first=pages.first_of(first),
        )
        return pages.connection(rows, first, after, lambda each: (each.row.asked_at, each.row.id))


@strawberry.type
class Mutation:
    @strawberry.mutation(
        graphql_type=EscalationResult,
        description="Ask the regency for more about a case that it shares.",
    )
    async def escalate_case(self, info: ProvinceInfo, deviation_id: UUID, question: str) -> Asked:
        return await info.context.write(
            escalations.escalate, info.context.signed_in, deviation_id, question=question
        )

    @strawberry.mutation(
        graphql_type=EscalationResult, description="Say that it is enough, answered or not."
    )
    async def close_escalation(self, info: ProvinceInfo, key: Id, note: str | None = None) -> Asked:
        return await info.context.write(escalations.close, info.context.signed_in, key, note=note)


@strawberry.type
class Subscription:
    @strawberry.subscription(
        graphql_type=AsyncGenerator[SharedDeviation, None],
        description="Cases as they come to the province, each once. Ends with the sign-in.",
    )
    async def new_cases(
        self,
        info: ProvinceInfo,
        regency_code: str | None = None,
        kinds: list[DeviationKind] | None = None,
    ) -> AsyncGenerator[province.SharedDeviation, None]:
        context = info.context
        wanted = CaseFilter(_known(kinds), regency_code)
        context.signed_in.require(Role.OVERSEER)
        async with context.news.cases.listening(context.realm) as inbox:
            while True:
                try:
                    deviation_id = await asyncio.wait_for(inbox.get(), RECHECK_SECONDS)
                except TimeoutError:
                    await context.still_signed_in()
                    continue
                if deviation_id is None:
                    return
                viewer = await context.still_signed_in()
                found = await context.read(province.find, viewer, deviation_id, wanted)
                if found is not None:
                    yield found


def _known(kinds: Sequence[DeviationKind] | None) -> Sequence[DeviationKind]:
    """The kinds asked for; by default all that can be shown."""
    return list(DeviationKind) if kinds is None else kinds


schema = Schema(
    merge_types("Query", (Query, SharingQuery)),
    Mutation,
    Subscription,
    config=config(),
    extensions=guards(),
    exception_handlers=list(problems.handlers()),
)
