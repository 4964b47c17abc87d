"""The regency's GraphQL types. Rows of the domain are the values: a type names what it shows."""

from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import strawberry

from graphql_api import polyline
from graphql_api.context import Info
from graphql_api.enums import (
    DayBasis,
    DayState,
    DeviationKind,
    DeviationState,
    Outcome,
    Severity,
    TripState,
)
from graphql_api.members import Member
from graphql_api.plan_types import AssignmentLetter, Flight, LawfulPlace, Leg, Row, TripRevision
from graphql_api.scalars import GeoJSON, Rupiah
from graphql_api.timeline import TimelineDay, basis_of, timeline_of
from tenants import access, checkins, models, seals, tracks
from tenants.accesses import AccessKind
from tenants.evidence import (
    DeviationRecord,
    DeviationReply,
    DeviationRuling,
    VerdictRecord,
)
from tenants.fixes import Fixes, time_of
from tenants.received import Stamp
from tenants.recoveries import Recovery as Payment
from workers.rules import BY_KIND as RULE_OF

if TYPE_CHECKING:
    from graphql_api.presence import CheckIn
    from graphql_api.visum import Visum


@strawberry.type(description="A trip's track as one value; null for those who may not see it.")
class Track:
    fixes: strawberry.Private[Fixes]

    @strawberry.field
    def fix_count(self) -> int:
        return len(self.fixes)

    @strawberry.field
    def started_at(self) -> datetime:
        return time_of(self.fixes.time[0])

    @strawberry.field
    def ended_at(self) -> datetime:
        return time_of(self.fixes.time[-1])

    @strawberry.field(
        description="A Feature: a MultiLineString cut where the phone was silent for over an hour;"
        " `times` (seconds since 1970) and `accuracies` (metres) run beside its coordinates."
    )
    def geojson(self) -> GeoJSON:
        return GeoJSON(polyline.feature(self.fixes))

    @strawberry.field(
        description="Google's encoded polyline, five decimals; latitude first, by its format."
    )
    def polyline(self) -> str:
        return polyline.encode(lon=self.fixes.lon, lat=self.fixes.lat)


@strawberry.type(description="A planned day: what was planned, seen, or stays unknown.")
class Day:
    date: date
    planned: list[str]
    seen: list[str]
    known_seconds: float
    state: DayState
    known_by: DayBasis | None = strawberry.field(description="Null while the day is unknown.")


@strawberry.type(description="A finding for a human, never a sanction (*hasil pemeriksaan*).")
class Verdict(Row, of=VerdictRecord):
    id: UUID
    outcome: Outcome
    final: bool = strawberry.field(description="False while the trip's time is not over.")
    coverage: float = strawberry.field(description="Share that the track covers, 0 to 1.")
    observed_days: int = strawberry.field(description="Days certainly away from the seat.")
    unknown_days: int = strawberry.field(description="Days that prove nothing either way.")
    ruleset: int
    boundary_set: int
    evaluated_at: datetime

    @strawberry.field(description="*Dasar hukum* of the rules by which it was reached.")
    async def legal_basis(row: strawberry.Parent[VerdictRecord], info: Info) -> str:
        return await info.context.legal_bases.load(row.id)

    @strawberry.field(description="Share that a visum alone covers, 0 to 1.")
    def visum_coverage(row: strawberry.Parent[VerdictRecord]) -> float:
        return float(row.detail.get("visum_coverage", 0))

    @strawberry.field
    def days(row: strawberry.Parent[VerdictRecord], info: Info) -> list[Day]:
        info.context.looked(AccessKind.CASE, row.trip_id)
        return [
            Day(
                date=date.fromisoformat(day["date"]),
                planned=day["planned"],
                seen=day["seen"],
                known_seconds=day["known_seconds"],
                state=DayState(day["state"]),
                known_by=basis_of(row.detail, day),
            )
            for day in row.detail["days"]
        ]


@strawberry.type(description="What the traveller says to a deviation (*hak jawab*).")
class Reply(Row, of=DeviationReply):
    member_id: UUID
    body: str
    replied_at: datetime

    @strawberry.field(description="Whose words they are.")
    async def member_name(row: strawberry.Parent[DeviationReply], info: Info) -> str:
        return await info.context.names.load(row.member_id)


@strawberry.type(description="What an inspector decided about a deviation, and why.")
class Ruling(Row, of=DeviationRuling):
    member_id: UUID
    upheld: bool
    reason: str
    ruled_at: datetime

    @strawberry.field(description="Who decided.")
    async def member_name(row: strawberry.Parent[DeviationRuling], info: Info) -> str:
        return await info.context.names.load(row.member_id)


@strawberry.type(description="What was paid back (*pengembalian*), by its receipt.")
class Recovery(Row, of=Payment):
    id: UUID
    amount: Rupiah
    paid_on: date
    receipt: str = strawberry.field(description="*Nomor bukti setor*, such as that of the STS.")
    recorded_at: datetime

    @strawberry.field(description="Who recorded it.")
    async def member_name(row: strawberry.Parent[Payment], info: Info) -> str:
        return await info.context.names.load(row.member_id)


@strawberry.type(description="One way in which track and plan differ (*temuan*): a case.")
class Deviation(Row, of=DeviationRecord):
    id: UUID
    trip_id: UUID
    kind: DeviationKind
    severity: Severity
    state: DeviationState
    leg: int | None
    started_at: datetime
    ended_at: datetime
    region_code: str | None = strawberry.field(description="Where the traveller was seen.")
    planned_region_code: str | None = strawberry.field(description="Where she was sent.")
    coverage: float
    amount: Rupiah | None = strawberry.field(description="Rupiah at stake.")
    evidence: list[str] = strawberry.field(description="Digests of the uploads that prove it.")
    message_id: str = strawberry.field(name="message", description="Temuan dalam satu kalimat.")
    message_en: str
    found_at: datetime

    @strawberry.field(description="Yang dapat membantahnya.")
    def refuted_by(row: strawberry.Parent[DeviationRecord]) -> str:
        return RULE_OF[DeviationKind(row.kind)].refutation.id

    @strawberry.field(description="What would refute it.")
    def refuted_by_en(row: strawberry.Parent[DeviationRecord]) -> str:
        return RULE_OF[DeviationKind(row.kind)].refutation.en

    @strawberry.field(description="The version of the rules by which it was found.")
    async def ruleset(row: strawberry.Parent[DeviationRecord], info: Info) -> int:
        return await info.context.rulesets.load(row.verdict_id)

    @strawberry.field(graphql_type=Annotated["Trip", strawberry.lazy("graphql_api.types")])
    async def trip(row: strawberry.Parent[DeviationRecord], info: Info) -> models.Trip:
        return await info.context.trips.load(row.trip_id)

    @strawberry.field(graphql_type=list[Reply])
    async def replies(row: strawberry.Parent[DeviationRecord], info: Info) -> list[DeviationReply]:
        return await info.context.replies.load(row.id)

    @strawberry.field(graphql_type=list[Ruling])
    async def rulings(row: strawberry.Parent[DeviationRecord], info: Info) -> list[DeviationRuling]:
        return await info.context.rulings.load(row.id)

    @strawberry.field(
        graphql_type=list[Recovery],
        description="What was paid back (*pengembalian*) of it, oldest first.",
    )
    async def recoveries(row: strawberry.Parent[DeviationRecord], info: Info) -> list[Payment]:
        return await info.context.recoveries.load(row.id)


@strawberry.type(description="One traveller's official trip (*perjalanan dinas*).")
class Trip(Row, of=models.Trip):
    id: UUID
    spd_number: str | None = strawberry.field(description="*Nomor SPD/SPPD*.")
    starts_on: date
    ends_on: date
    state: TripState
    revision: int
    transit: list[str]
    started_at: datetime | None
    finished_at: datetime | None
    claimed_days: int | None = strawberry.field(description="Days of allowance claimed.")
    reported_on: date | None = strawberry.field(description="When the *laporan* was filed.")
    letter: AssignmentLetter
    traveller: Member

    @strawberry.field(graphql_type=list[Leg])
    async def legs(row: strawberry.Parent[models.Trip], info: Info) -> list[models.Leg]:
        return await info.context.legs.load(row.id)

    @strawberry.field(graphql_type=list[LawfulPlace])
    async def lawful_places(
        row: strawberry.Parent[models.Trip], info: Info
    ) -> list[models.LawfulPlace]:
        return await info.context.lawful_places.load(row.id)

    @strawberry.field(graphql_type=list[Flight])
    async def flights(row: strawberry.Parent[models.Trip], info: Info) -> list[models.Flight]:
        return await info.context.flights.load(row.id)

    @strawberry.field(
        graphql_type=list[TripRevision],
        description="How the plan was changed, oldest first.",
    )
    async def revisions(
        row: strawberry.Parent[models.Trip], info: Info
    ) -> list[models.TripRevision]:
        return await info.context.trip_revisions.load(row.id)

    @strawberry.field(
        graphql_type=list[Annotated["Visum", strawberry.lazy("graphql_api.visum")]],
        description="What the destinations confirmed (*visum*), in order of time.",
    )
    async def visa(row: strawberry.Parent[models.Trip], info: Info) -> list[Stamp]:
        info.context.looked(AccessKind.CASE, row.id)
        return await info.context.visa.load(row.id)

    @strawberry.field(description="Each planned day: what was planned, what seen, what unknown.")
    async def timeline(row: strawberry.Parent[models.Trip], info: Info) -> list[TimelineDay]:
        info.context.looked(AccessKind.CASE, row.id)
        legs = await info.context.legs.load(row.id)
        verdict = await info.context.verdicts.load(row.id)
        return timeline_of(row, legs, verdict, info.context.realm.zone)

    @strawberry.field(graphql_type=Verdict | None)
    async def verdict(row: strawberry.Parent[models.Trip], info: Info) -> VerdictRecord | None:
        return await info.context.verdicts.load(row.id)

    @strawberry.field(graphql_type=list[Deviation])
    async def deviations(row: strawberry.Parent[models.Trip], info: Info) -> list[DeviationRecord]:
        info.context.looked(AccessKind.CASE, row.id)
        return await info.context.deviations.load(row.id)

    @strawberry.field
    async def track(row: strawberry.Parent[models.Trip], info: Info) -> Track | None:
        fixes = await info.context.read(
            tracks.of_trip, info.context.signed_in, row.id, zone=info.context.realm.zone
        )
        if fixes is None:
            return None
        info.context.looked(AccessKind.TRACK, row.id)
        return Track(fixes=fixes)

    @strawberry.field(
        graphql_type=list[Annotated["CheckIn", strawberry.lazy("graphql_api.presence")]],
        description="Where the traveller said that she was (*lapor kehadiran*), in order of time;"
        " none for those who may not see the track.",
    )
    async def check_ins(row: strawberry.Parent[models.Trip], info: Info) -> list[checkins.CheckIn]:
        context = info.context
        if not access.sees_track(context.signed_in, row.traveller_id):
            return []
        found = await context.check_ins.load(row.id)
        if shown := checkins.shown(found, row, context.realm.zone):
            context.looked(AccessKind.TRACK, row.id)
        return shown


@strawberry.type(
    description="The head of the evidence chain (*rantai bukti*): all that was sealed up to it is"
    " what it was when the province holds the same."
)
class EvidenceHead(Row, of=seals.Seal):
    number: int = strawberry.field(description="Of the seal, counted from 1.")
    sealed_at: datetime

    @strawberry.field(description="SHA-256, hexadecimal.")
    def head(row: strawberry.Parent[seals.Seal]) -> str:
        return row.head.hex()
