"""The regency's schema: /{tenant}/graphql."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, date, datetime
from typing import Annotated, Final
from uuid import UUID

import strawberry

from graphql_api import pages, problems
from graphql_api.context import Info
from graphql_api.inputs import (
    DeviationFilterInput,
    FixInput,
    InvitationInput,
    LetterInput,
    PlanInput,
    TripFilter,
    fixes_of,
)
from graphql_api.limits import guards
from graphql_api.pages import Connection
from graphql_api.problems import (
    InvalidFix,
    InvalidInput,
    NotAllowed,
    NotFound,
    OverlappingTrip,
    PlanIsJudged,
    TooManyFixes,
    UnknownRegion,
    WrongState,
)
from graphql_api.scalars import config
from graphql_api.types import Deviation, Member, Office, OfficeKind, Region, Trip
from tenants import access, boundaries, people, tracks, trips, verdicts
from tenants.problems import NotFound as NotFoundProblem

RECHECK_SECONDS: Final = 5.0

TripResult = Annotated[
    Trip
    | NotFound
    | NotAllowed
    | InvalidInput
    | UnknownRegion
    | OverlappingTrip
    | WrongState
    | PlanIsJudged,
    strawberry.union("TripResult"),
]
DeviationResult = Annotated[
    Deviation | NotFound | NotAllowed | InvalidInput | WrongState,
    strawberry.union("DeviationResult"),
]
InviteMemberResult = Annotated[
    Member | NotFound | NotAllowed | InvalidInput, strawberry.union("InviteMemberResult")
]
AddOfficeResult = Annotated[
    Office | NotFound | NotAllowed | InvalidInput, strawberry.union("AddOfficeResult")
]


@strawberry.type(description="What became of an upload: every fix is in exactly one of the three.")
class TrackReceipt:
    accepted: int
    duplicates: int
    outside_window: int = strawberry.field(
        description="Not kept: outside an assignment nobody is tracked."
    )


RecordTrackResult = Annotated[
    TrackReceipt | NotFound | InvalidInput | InvalidFix | TooManyFixes | WrongState,
    strawberry.union("RecordTrackResult"),
]
First = Annotated[int, strawberry.argument(description="1 to 100.")]


@strawberry.type
class Query:
    @strawberry.field(description="Who asks; null when nobody is signed in.")
    async def viewer(self, info: Info) -> Member | None:
        viewer = info.context.viewer
        if viewer is None:
            return None
        return await info.context.read(access.member, viewer, viewer.member_id)  # type: ignore[return-value]

    @strawberry.field
    async def regions(self, info: Info) -> list[Region]:
        _ = info.context.signed_in
        named = await info.context.read(boundaries.named)
        return [Region(code=code, name=name, zone=zone) for code, name, zone in named]

    @strawberry.field
    async def offices(self, info: Info) -> list[Office]:
        return await info.context.read(people.all_offices, info.context.signed_in)  # type: ignore[return-value]

    @strawberry.field(description="The members whose trips you may see, by name.")
    async def members(
        self, info: Info, search: str | None = None, first: First = 20, after: str | None = None
    ) -> Connection[Member]:
        rows = await info.context.read(
            people.page,
            info.context.signed_in,
            search=search,
            after=pages.decode_cursor(after, str),
            first=pages.first_of(first),
        )
        return pages.connection(rows, first, after, lambda row: (row.name, row.id))  # type: ignore[no-any-return]

    @strawberry.field(description="The trips you may see, latest start first.")
    async def trips(
        self,
        info: Info,
        filter: TripFilter | None = None,  # noqa: A002 - the field's usual name
        first: First = 20,
        after: str | None = None,
    ) -> Connection[Trip]:
        rows = await info.context.read(
            trips.page,
            info.context.signed_in,
            wanted=filter.value() if filter else trips.TripFilter(),
            after=pages.decode_cursor(after, pages.day_key),
            first=pages.first_of(first),
        )
        return pages.connection(rows, first, after, lambda row: (row.starts_on, row.id))  # type: ignore[no-any-return]

    @strawberry.field
    async def trip(self, info: Info, id: UUID) -> Trip | None:  # noqa: A002
        try:
            return await info.context.read(  # type: ignore[return-value]
                access.trip, info.context.signed_in, id, *trips.SHOWN
            )
        except NotFoundProblem:
            return None

    @strawberry.field(
        description="The deviations that stand on the trips you may see, newest first."
    )
    async def deviations(
        self,
        info: Info,
        filter: DeviationFilterInput | None = None,  # noqa: A002
        first: First = 20,
        after: str | None = None,
    ) -> Connection[Deviation]:
        rows = await info.context.read(
            verdicts.page,
            info.context.signed_in,
            wanted=filter.value() if filter else verdicts.DeviationFilter(),
            after=pages.decode_cursor(after, pages.time_key),
            first=pages.first_of(first),
        )
        return pages.connection(rows, first, after, lambda row: (row.found_at, row.id))  # type: ignore[no-any-return]

    @strawberry.field
    async def deviation(self, info: Info, id: UUID) -> Deviation | None:  # noqa: A002
        try:
            return await info.context.read(access.deviation, info.context.signed_in, id)  # type: ignore[return-value]
        except NotFoundProblem:
            return None


@strawberry.type
class Mutation:
    @strawberry.mutation(description="Send a member on a trip; one letter may send several.")
    async def issue_trip(
        self,
        info: Info,
        letter: LetterInput,
        traveller_id: UUID,
        plan: PlanInput,
        spd_number: str | None = None,
    ) -> TripResult:
        context = info.context
        return await context.write(  # type: ignore[return-value]
            trips.issue,
            context.signed_in,
            letter=letter.value(),
            traveller_id=traveller_id,
            plan=plan.value(),
            spd_number=spd_number,
            home_zone=context.realm.zone,
            now=datetime.now(UTC),
        )

    @strawberry.mutation(description="Replace the plan; what it was is kept.")
    async def revise_trip(self, info: Info, id: UUID, plan: PlanInput, reason: str) -> TripResult:  # noqa: A002
        trip = await info.context.write(
            trips.revise, info.context.signed_in, id, plan.value(), reason=reason
        )
        await info.context.enqueue(id)
        return trip  # type: ignore[return-value]

    @strawberry.mutation(description="Move the end of a trip to a later date.")
    async def extend_trip(self, info: Info, id: UUID, ends_on: date, reason: str) -> TripResult:  # noqa: A002
        trip = await info.context.write(
            trips.extend, info.context.signed_in, id, ends_on=ends_on, reason=reason
        )
        await info.context.enqueue(id)
        return trip  # type: ignore[return-value]

    @strawberry.mutation(description="Call a trip off (*pembatalan*).")
    async def cancel_trip(self, info: Info, id: UUID, reason: str) -> TripResult:  # noqa: A002
        trip = await info.context.write(trips.cancel, info.context.signed_in, id, reason=reason)
        await info.context.enqueue(id)
        return trip  # type: ignore[return-value]

    @strawberry.mutation(description="The traveller departs. The first fix says so as well.")
    async def start_trip(self, info: Info, id: UUID) -> TripResult:  # noqa: A002
        context = info.context
        return await context.write(  # type: ignore[return-value]
            trips.start, context.signed_in, id, now=datetime.now(UTC), zone=context.realm.zone
        )

    @strawberry.mutation(description="The traveller is back: tracking ends.")
    async def finish_trip(
        self,
        info: Info,
        id: UUID,  # noqa: A002
        finished_at: datetime | None = None,
    ) -> TripResult:
        context = info.context
        trip = await context.write(
            trips.finish,
            context.signed_in,
            id,
            finished_at=finished_at,
            now=datetime.now(UTC),
            zone=context.realm.zone,
        )
        await context.enqueue(id)
        return trip  # type: ignore[return-value]

    @strawberry.mutation(description="Claim the allowance for the days really spent.")
    async def claim_trip(self, info: Info, id: UUID, days: int) -> TripResult:  # noqa: A002
        context = info.context
        trip = await context.write(
            trips.claim, context.signed_in, id, days=days, now=datetime.now(UTC)
        )
        await context.enqueue(id)
        return trip  # type: ignore[return-value]

    @strawberry.mutation(
        description="Add up to 1,000 fixes to one's own trip. Sent again, they change nothing."
    )
    async def record_track(
        self, info: Info, trip_id: UUID, fixes: list[FixInput], device: str = "graphql"
    ) -> RecordTrackResult:
        context = info.context
        receipt = await context.write(
            tracks.record,
            context.signed_in,
            trip_id,
            fixes_of(fixes),
            device=device,
            zone=context.realm.zone,
            now=datetime.now(UTC),
        )
        if receipt.accepted:
            await context.enqueue(trip_id)
        return TrackReceipt(
            accepted=receipt.accepted,
            duplicates=receipt.duplicates,
            outside_window=receipt.outside_window,
        )

    @strawberry.mutation(description="The traveller's answer (*hak jawab*).")
    async def reply_to_deviation(self, info: Info, id: UUID, body: str) -> DeviationResult:  # noqa: A002
        return await info.context.write(verdicts.reply, info.context.signed_in, id, body=body)  # type: ignore[return-value]

    @strawberry.mutation(description="An inspector's decision: upheld, or excused.")
    async def rule_on_deviation(
        self,
        info: Info,
        id: UUID,  # noqa: A002
        upheld: bool,
        reason: str,
    ) -> DeviationResult:
        return await info.context.write(  # type: ignore[return-value]
            verdicts.rule, info.context.signed_in, id, upheld=upheld, reason=reason
        )

    @strawberry.mutation(description="Make a person known to the regency.")
    async def invite_member(self, info: Info, invitation: InvitationInput) -> InviteMemberResult:
        return await info.context.write(  # type: ignore[return-value]
            people.invite,
            info.context.signed_in,
            invitation.value(),
            today=datetime.now(UTC).date(),
        )

    @strawberry.mutation
    async def add_office(
        self, info: Info, name: str, kind: OfficeKind, parent_id: UUID | None = None
    ) -> AddOfficeResult:
        return await info.context.write(  # type: ignore[return-value]
            people.found_office, info.context.signed_in, name, kind, parent_id
        )


@strawberry.type
class Subscription:
    @strawberry.subscription(
        description="Deviations as they are found, of the trips you may see. Ends with the sign-in."
    )
    async def deviation_found(
        self,
        info: Info,
        filter: DeviationFilterInput | None = None,  # noqa: A002
    ) -> AsyncGenerator[Deviation, None]:
        context = info.context
        wanted = filter.value() if filter else verdicts.DeviationFilter()
        _ = context.signed_in
        async with context.news.listening(context.realm.slug) as inbox:
            while True:
                try:
                    deviation_id = await asyncio.wait_for(inbox.get(), RECHECK_SECONDS)
                except TimeoutError:
                    await context.still_signed_in()
                    continue
                if deviation_id is None:
                    return
                viewer = await context.still_signed_in()
                found = await context.read(verdicts.find, viewer, deviation_id, wanted)
                if found is not None:
                    context.renew_loaders()
                    yield found  # type: ignore[misc]


schema = strawberry.Schema(
    Query,
    Mutation,
    Subscription,
    config=config(),
    extensions=guards(),
    exception_handlers=list(problems.handlers()),
)
