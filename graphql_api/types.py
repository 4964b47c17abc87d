"""The regency's GraphQL types. Rows of the domain are the values: a type names what it shows."""

from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import strawberry

from graphql_api import polyline
from graphql_api.context import Info
from graphql_api.enums import (
    DayBasis,
    DayState,
    DeviationKind,
    DeviationState,
    LawfulPlaceKind,
    OfficeKind,
    Outcome,
    Role,
    Severity,
    TransportMode,
    TripState,
)
from graphql_api.scalars import GeoJSON, Rupiah
from graphql_api.timeline import TimelineDay, basis_of, timeline_of
from tenants import models, seals, tracks
from tenants.evidence import (
    DeviationRecord,
    DeviationReply,
    DeviationRuling,
    VerdictRecord,
)
from tenants.fixes import Fixes, time_of
from tenants.received import Stamp
from workers.rules import BY_KIND as RULE_OF

if TYPE_CHECKING:
    from graphql_api.visum import Visum


class _Row:
    """A type whose values are rows of one table."""

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, ROWS[cls.__name__])


@strawberry.type(description="An organisation of the regency (*OPD*).")
class Office(_Row):
    id: UUID
    name: str
    kind: OfficeKind
    parent_id: UUID | None


@strawberry.type(description="A person known to the regency (*pegawai*).")
class Member(_Row):
    id: UUID
    name: str
    position: str | None = strawberry.field(description="*Jabatan*.")

    @strawberry.field(description="For those who may issue trips for her, and for herself.")
    def nip(row: strawberry.Parent[models.Member], info: Info) -> str | None:
        viewer = info.context.signed_in
        trusted = viewer.roles & {Role.OPERATOR, Role.TENANT_ADMIN}
        return row.nip if trusted or viewer.member_id == row.id else None

    @strawberry.field
    def roles(row: strawberry.Parent[models.Member]) -> list[Role]:
        return [Role(role) for role in row.roles]

    @strawberry.field(graphql_type=Office | None)
    async def office(row: strawberry.Parent[models.Member], info: Info) -> models.Office | None:
        if row.office_id is None:
            return None
        return await info.context.offices.load(row.office_id)


@strawberry.type(description="A kabupaten or kota; the code is Kemendagri's.")
class Region:
    code: str
    name: str
    zone: str = strawberry.field(description="IANA name of its time zone.")


@strawberry.type(description="The letter that sends people on a trip (*surat tugas*).")
class AssignmentLetter(_Row):
    id: UUID
    number: str
    dated: date
    purpose: str = strawberry.field(description="*Maksud perjalanan dinas*.")
    signed_by_id: UUID = strawberry.field(description="The member who sends (*pemberi tugas*).")

    @strawberry.field(description="Her name.")
    async def signed_by_name(row: strawberry.Parent[models.AssignmentLetter], info: Info) -> str:
        return await info.context.names.load(row.signed_by_id)


@strawberry.type(description="A destination of a trip, with its local dates, both included.")
class Leg(_Row):
    position: int
    region_code: str
    zone: str
    arrive_on: date
    depart_on: date
    transport: TransportMode
    lodging_name: str | None
    lodging_lon: float | None
    lodging_lat: float | None


@strawberry.type(description="A place where presence is lawful on these dates (*tempat sah*).")
class LawfulPlace(_Row):
    region_code: str
    kind: LawfulPlaceKind
    from_on: date
    until_on: date


@strawberry.type(description="A flight of the plan; airports by their IATA codes.")
class Flight(_Row):
    number: str
    origin: str
    destination: str
    departs_at: datetime
    arrives_at: datetime


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
class Verdict(_Row):
    id: UUID
    outcome: Outcome
    final: bool = strawberry.field(description="False while the trip's time is not over.")
    coverage: float = strawberry.field(description="Share that the track covers, 0 to 1.")
    observed_days: int = strawberry.field(description="Days certainly away from the seat.")
    unknown_days: int = strawberry.field(description="Days that prove nothing either way.")
    ruleset: int
    boundary_set: int
    evaluated_at: datetime

    @strawberry.field(description="Share that a visum alone covers, 0 to 1.")
    def visum_coverage(row: strawberry.Parent[VerdictRecord]) -> float:
        return float(row.detail.get("visum_coverage", 0))

    @strawberry.field
    def days(row: strawberry.Parent[VerdictRecord]) -> list[Day]:
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
class Reply(_Row):
    member_id: UUID
    body: str
    replied_at: datetime

    @strawberry.field(description="Whose words they are.")
    async def member_name(row: strawberry.Parent[DeviationReply], info: Info) -> str:
        return await info.context.names.load(row.member_id)


@strawberry.type(description="What an inspector decided about a deviation, and why.")
class Ruling(_Row):
    member_id: UUID
    upheld: bool
    reason: str
    ruled_at: datetime

    @strawberry.field(description="Who decided.")
    async def member_name(row: strawberry.Parent[DeviationRuling], info: Info) -> str:
        return await info.context.names.load(row.member_id)


@strawberry.type(description="One way in which track and plan differ (*temuan*): a case.")
class Deviation(_Row):
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


@strawberry.type(description="One traveller's official trip (*perjalanan dinas*).")
class Trip(_Row):
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
        graphql_type=list[Annotated["Visum", strawberry.lazy("graphql_api.visum")]],
        description="What the destinations confirmed (*visum*), in order of time.",
    )
    async def visa(row: strawberry.Parent[models.Trip], info: Info) -> list[Stamp]:
        return await info.context.visa.load(row.id)

    @strawberry.field(description="Each planned day: what was planned, what seen, what unknown.")
    async def timeline(row: strawberry.Parent[models.Trip], info: Info) -> list[TimelineDay]:
        legs = await info.context.legs.load(row.id)
        verdict = await info.context.verdicts.load(row.id)
        return timeline_of(row, legs, verdict, info.context.realm.zone)

    @strawberry.field(graphql_type=Verdict | None)
    async def verdict(row: strawberry.Parent[models.Trip], info: Info) -> VerdictRecord | None:
        return await info.context.verdicts.load(row.id)

    @strawberry.field(graphql_type=list[Deviation])
    async def deviations(row: strawberry.Parent[models.Trip], info: Info) -> list[DeviationRecord]:
        return await info.context.deviations.load(row.id)

    @strawberry.field
    async def track(row: strawberry.Parent[models.Trip], info: Info) -> Track | None:
        fixes = await info.context.read(
            tracks.of_trip, info.context.signed_in, row.id, zone=info.context.realm.zone
        )
        return Track(fixes=fixes) if fixes is not None else None


@strawberry.type(
    description="The head of the evidence chain (*rantai bukti*): all that was sealed up to it is"
    " what it was when the province holds the same."
)
class EvidenceHead(_Row):
    number: int = strawberry.field(description="Of the seal, counted from 1.")
    sealed_at: datetime

    @strawberry.field(description="SHA-256, hexadecimal.")
    def head(row: strawberry.Parent[seals.Seal]) -> str:
        return row.head.hex()


ROWS: dict[str, type[Any]] = {
    "Office": models.Office,
    "Member": models.Member,
    "AssignmentLetter": models.AssignmentLetter,
    "Leg": models.Leg,
    "LawfulPlace": models.LawfulPlace,
    "Flight": models.Flight,
    "Trip": models.Trip,
    "EvidenceHead": seals.Seal,
    "Verdict": VerdictRecord,
    "Reply": DeviationReply,
    "Ruling": DeviationRuling,
    "Deviation": DeviationRecord,
}
