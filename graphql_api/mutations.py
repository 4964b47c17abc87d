"""What a regency's members may change; each result is what was made, or the problem."""

from datetime import UTC, date, datetime
from typing import Annotated
from uuid import UUID

import strawberry

from graphql_api.context import Info
from graphql_api.enums import OfficeKind
from graphql_api.inputs import (
    AttendanceInput,
    FixInput,
    InvitationInput,
    LetterInput,
    PlanInput,
    SilenceInput,
    fixes_of,
)
from graphql_api.members import Member, Office
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
from graphql_api.queries import Id
from graphql_api.types import Deviation, Trip
from tenants import models, people, records, tracks, trips, verdicts
from tenants.evidence import DeviationRecord


@strawberry.type(description="What became of an upload: every fix is in exactly one of the three.")
class TrackReceipt:
    accepted: int
    duplicates: int
    outside_window: int = strawberry.field(
        description="Not kept: outside an assignment, and in a pause, nobody is tracked."
    )
    silences: int = strawberry.field(description="Explained silences that were not known.")

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, tracks.Receipt)


@strawberry.type(description="What became of records: those that were new, and those known.")
class RecordReceipt:
    recorded: int
    known: int

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, records.Recorded)


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
RecordTrackResult = Annotated[
    TrackReceipt | NotFound | InvalidInput | InvalidFix | TooManyFixes | WrongState,
    strawberry.union("RecordTrackResult"),
]


RecordResult = Annotated[
    RecordReceipt | NotFound | NotAllowed | InvalidInput, strawberry.union("RecordResult")
]
Silences = Annotated[
    list[SilenceInput],
    strawberry.argument(description="What the phone says of the times it was silent."),
]


async def _enqueued(info: Info, recorded: records.Recorded) -> records.Recorded:
    for trip_id in recorded.trip_ids:
        await info.context.enqueue(trip_id)
    return recorded


@strawberry.type
class Mutation:
    @strawberry.mutation(
        graphql_type=TripResult, description="Send a member on a trip; one letter may send several."
    )
    async def issue_trip(
        self,
        info: Info,
        letter: LetterInput,
        traveller_id: UUID,
        plan: PlanInput,
        spd_number: str | None = None,
    ) -> models.Trip:
        return await info.context.write(
            trips.issue,
            info.context.signed_in,
            letter=letter.value(),
            traveller_id=traveller_id,
            plan=plan.value(),
            spd_number=spd_number,
            home_zone=info.context.realm.zone,
            now=datetime.now(UTC),
        )

    @strawberry.mutation(
        graphql_type=TripResult, description="Replace the plan; what it was is kept."
    )
    async def revise_trip(self, info: Info, key: Id, plan: PlanInput, reason: str) -> models.Trip:
        trip = await info.context.write(
            trips.revise,
            info.context.signed_in,
            key,
            plan.value(),
            reason=reason,
            home_zone=info.context.realm.zone,
        )
        await info.context.enqueue(key)
        return trip

    @strawberry.mutation(
        graphql_type=TripResult, description="Move the end of a trip to a later date."
    )
    async def extend_trip(self, info: Info, key: Id, ends_on: date, reason: str) -> models.Trip:
        trip = await info.context.write(
            trips.extend, info.context.signed_in, key, ends_on=ends_on, reason=reason
        )
        await info.context.enqueue(key)
        return trip

    @strawberry.mutation(graphql_type=TripResult, description="Call a trip off (*pembatalan*).")
    async def cancel_trip(self, info: Info, key: Id, reason: str) -> models.Trip:
        trip = await info.context.write(trips.cancel, info.context.signed_in, key, reason=reason)
        await info.context.enqueue(key)
        return trip

    @strawberry.mutation(
        graphql_type=TripResult,
        description="The traveller departs. The first fix says so as well.",
    )
    async def start_trip(self, info: Info, key: Id) -> models.Trip:
        return await info.context.write(
            trips.start,
            info.context.signed_in,
            key,
            now=datetime.now(UTC),
            zone=info.context.realm.zone,
        )

    @strawberry.mutation(
        graphql_type=TripResult, description="The traveller is back: tracking ends."
    )
    async def finish_trip(
        self, info: Info, key: Id, finished_at: datetime | None = None
    ) -> models.Trip:
        trip = await info.context.write(
            trips.finish,
            info.context.signed_in,
            key,
            finished_at=finished_at,
            now=datetime.now(UTC),
            zone=info.context.realm.zone,
        )
        await info.context.enqueue(key)
        return trip

    @strawberry.mutation(
        graphql_type=TripResult,
        description="Claim the daily allowance (*uang harian*) for the days really spent.",
    )
    async def claim_trip(self, info: Info, key: Id, days: int) -> models.Trip:
        trip = await info.context.write(
            trips.claim, info.context.signed_in, key, days=days, now=datetime.now(UTC)
        )
        await info.context.enqueue(key)
        return trip

    @strawberry.mutation(
        graphql_type=TripResult,
        description="The report (*laporan*) of a trip that is over was filed; today, or that day.",
    )
    async def file_report(self, info: Info, key: Id, filed_on: date | None = None) -> models.Trip:
        trip = await info.context.write(
            trips.file_report,
            info.context.signed_in,
            key,
            filed_on=filed_on,
            now=datetime.now(UTC),
            zone=info.context.realm.zone,
        )
        await info.context.enqueue(key)
        return trip

    @strawberry.mutation(
        graphql_type=RecordTrackResult,
        description="Add up to 1,000 fixes to one's own trip. Sent again, they change nothing.",
    )
    async def record_track(
        self,
        info: Info,
        trip_id: UUID,
        fixes: list[FixInput],
        device: str = "graphql",
        silences: Silences | None = None,
    ) -> tracks.Receipt:
        receipt = await info.context.write(
            tracks.record,
            info.context.signed_in,
            trip_id,
            fixes_of(fixes),
            device=device,
            zone=info.context.realm.zone,
            now=datetime.now(UTC),
            explained=[silence.value() for silence in silences or ()],
        )
        if receipt.accepted:
            await info.context.news.moved(info.context.realm.slug, [trip_id])
        if receipt.accepted or receipt.silences:
            await info.context.enqueue(trip_id)
        return receipt

    @strawberry.mutation(
        graphql_type=DeviationResult, description="The traveller's answer (*hak jawab*)."
    )
    async def reply_to_deviation(self, info: Info, key: Id, body: str) -> DeviationRecord:
        return await info.context.write(verdicts.reply, info.context.signed_in, key, body=body)

    @strawberry.mutation(
        graphql_type=DeviationResult, description="An inspector's decision: upheld, or excused."
    )
    async def rule_on_deviation(
        self, info: Info, key: Id, upheld: bool, reason: str
    ) -> DeviationRecord:
        return await info.context.write(
            verdicts.rule, info.context.signed_in, key, upheld=upheld, reason=reason
        )

    @strawberry.mutation(
        graphql_type=RecordResult, description="Attendance data (*presensi*), up to 1,000 entries."
    )
    async def record_attendance(
        self, info: Info, source: str, entries: list[AttendanceInput]
    ) -> records.Recorded:
        return await _enqueued(
            info,
            await info.context.write(
                records.record_attendance,
                info.context.signed_in,
                [entry.value() for entry in entries],
                source=source,
                now=datetime.now(UTC),
            ),
        )

    @strawberry.mutation(
        graphql_type=RecordResult,
        description="A letter of another office or system that sends the same person.",
    )
    async def record_outside_assignment(
        self,
        info: Info,
        source: str,
        member_id: UUID,
        number: str,
        office: str,
        starts_on: date,
        ends_on: date,
    ) -> records.Recorded:
        return await _enqueued(
            info,
            await info.context.write(
                records.record_assignment,
                info.context.signed_in,
                member_id,
                records.Elsewhere(number, office, starts_on, ends_on),
                source=source,
            ),
        )

    @strawberry.mutation(
        graphql_type=InviteMemberResult, description="Make a person known to the regency."
    )
    async def invite_member(self, info: Info, invitation: InvitationInput) -> models.Member:
        return await info.context.write(
            people.invite,
            info.context.signed_in,
            invitation.value(),
            today=datetime.now(UTC).date(),
        )

    @strawberry.mutation(
        graphql_type=AddOfficeResult, description="Add an organisation (*perangkat daerah*)."
    )
    async def add_office(
        self, info: Info, name: str, kind: OfficeKind, parent_id: UUID | None = None
    ) -> models.Office:
        return await info.context.write(
            people.found_office, info.context.signed_in, name, kind, parent_id
        )
