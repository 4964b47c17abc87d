"""The visum in the schema: what a traveller shows, what the desk of a destination confirms."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

import strawberry

from graphql_api import pages, pairing
from graphql_api.context import Info
from graphql_api.enums import IncomingState, VisumEvent, VisumMethod
from graphql_api.pages import Connection
from graphql_api.problems import (
    InvalidInput,
    NotAllowed,
    NotFound,
    ProvinceUnavailable,
    TooManyAttempts,
    WrongState,
)
from graphql_api.queries import First, Id
from tenants import catalogue, evidence, problems, visum
from tenants.access import Viewer
from tenants.province import PassingNotice
from tenants.received import Stamp

BATCH = 200
"""Notices asked for at once: which of them are in a state, another database knows."""


@strawberry.type(description="What a destination confirmed of a trip (*visum* on the SPD).")
class Visum:
    id: UUID
    region_code: str = strawberry.field(description="The regency that confirmed it.")
    leg: int
    event: VisumEvent
    happened_at: datetime = strawberry.field(description="When she arrived or departed.")
    method: VisumMethod
    confirmed_at: datetime
    withdrawn_at: datetime | None = strawberry.field(description="When its host took it back.")

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, Stamp)


@strawberry.type(description="What a traveller shows at a destination; it counts once.")
class VisumCode:
    leg: int
    destination: str = strawberry.field(name="regionCode")
    code: str = strawberry.field(description="To be read out.")
    renewed_at: datetime = strawberry.field(
        description="From when on another is shown; this one is good for a minute longer."
    )

    @strawberry.field(description="An SVG for the desk to scan.")
    def qr(row: strawberry.Parent[visum.Code]) -> str:
        return pairing.qr_svg(row.qr)

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, visum.Code)


@dataclass(frozen=True, slots=True)
class Incoming:
    """A notice of the province, and what this regency confirmed of it."""

    of: PassingNotice
    marks: visum.Marks

    @property
    def key(self) -> visum.Key:
        return self.of.arrive_on, self.of.leg, self.of.trip_id


@strawberry.type(description="A traveller of another regency who is due here (*pemberitahuan*).")
class IncomingTrip:
    @strawberry.field
    def trip_id(row: strawberry.Parent[Incoming]) -> UUID:
        return row.of.trip_id

    @strawberry.field
    def leg(row: strawberry.Parent[Incoming]) -> int:
        return row.of.leg

    @strawberry.field(description="Kemendagri code of the regency that sends.")
    def sender_code(row: strawberry.Parent[Incoming]) -> str:
        return row.of.tenant

    @strawberry.field
    def sender_name(row: strawberry.Parent[Incoming]) -> str | None:
        return next((one.name for one in catalogue.tenants() if one.code == row.of.tenant), None)

    @strawberry.field(description="*Nomor surat tugas*.")
    def letter_number(row: strawberry.Parent[Incoming]) -> str:
        return row.of.letter_number

    @strawberry.field(description="Name of the traveller.")
    def traveller(row: strawberry.Parent[Incoming]) -> str:
        return row.of.traveller

    @strawberry.field(description="*Jabatan*.")
    def position(row: strawberry.Parent[Incoming]) -> str | None:
        return row.of.position

    @strawberry.field(description="The office she is of.")
    def office(row: strawberry.Parent[Incoming]) -> str | None:
        return row.of.office

    @strawberry.field
    def arrive_on(row: strawberry.Parent[Incoming]) -> date:
        return row.of.arrive_on

    @strawberry.field
    def depart_on(row: strawberry.Parent[Incoming]) -> date:
        return row.of.depart_on

    @strawberry.field
    def state(row: strawberry.Parent[Incoming]) -> IncomingState:
        return visum.state_of(row.marks)

    @strawberry.field(graphql_type=list[Visum], description="What stands confirmed here.")
    def visa(row: strawberry.Parent[Incoming], info: Info) -> list[Stamp]:
        return [_stamp(row.marks[event], info) for event in VisumEvent if event in row.marks]

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, Incoming)


def _stamp(made: evidence.Visum, info: Info, withdrawn_at: datetime | None = None) -> Stamp:
    """What this regency confirmed, as its sender sees it too."""
    return Stamp(
        made.id,
        info.context.realm.code,
        made.leg,
        made.event,
        made.happened_at,
        made.method,
        made.confirmed_at,
        withdrawn_at,
    )


ConfirmVisumResult = Annotated[
    IncomingTrip
    | NotFound
    | NotAllowed
    | InvalidInput
    | WrongState
    | TooManyAttempts
    | ProvinceUnavailable,
    strawberry.union("ConfirmVisumResult"),
]
WithdrawVisumResult = Annotated[
    Visum | NotFound | NotAllowed | InvalidInput | WrongState,
    strawberry.union("WithdrawVisumResult"),
]
LegNumber = Annotated[int | None, strawberry.argument(description="Position of the leg, from 1.")]
Qr = Annotated[str | None, strawberry.argument(description="What the traveller's QR code says.")]
Digits = Annotated[str | None, strawberry.argument(description="The traveller's eight digits.")]
Search = Annotated[
    str | None,
    strawberry.argument(description="Part of a traveller's name or of a letter's number."),
]
At = Annotated[
    datetime | None,
    strawberry.argument(description="From the list only: when it was, if not just now."),
]


def _leg_key(text: str) -> tuple[date, int]:
    day, leg = text.split("/")
    return date.fromisoformat(day), int(leg)


@strawberry.type
class VisumQuery:
    @strawberry.field(
        graphql_type=Connection[IncomingTrip],
        description="Who of other regencies is due here (*pemberitahuan*), by planned arrival; for"
        " the host desk. PROVINCE_UNAVAILABLE while the province does not answer.",
    )
    async def incoming_trips(
        self,
        info: Info,
        state: IncomingState | None = None,
        day: date | None = None,
        search: Search = None,
        first: First = 20,
        after: str | None = None,
    ) -> Connection[Incoming]:
        context, viewer = info.context, info.context.signed_in
        wanted = pages.first_of(first) + 1
        cursor = pages.decode_cursor(after, _leg_key)
        key = None if cursor is None else (*cursor[0], cursor[1])
        rows: list[Incoming] = []
        while len(rows) < wanted:
            batch = await context.at_province(
                visum.notices,
                viewer,
                day=day,
                search=search,
                after=key,
                limit=BATCH if state else wanted,
            )
            if not batch:
                break
            marked = await context.read(visum.marks, viewer, [of.trip_id for of in batch])
            incoming = [Incoming(of, marked.get((of.trip_id, of.leg), {})) for of in batch]
            rows += [row for row in incoming if state in (None, visum.state_of(row.marks))]
            key = incoming[-1].key
        return pages.connection(
            rows[:wanted],
            first,
            after,
            lambda row: (f"{row.of.arrive_on}/{row.of.leg}", row.of.trip_id),
        )

    @strawberry.field(
        graphql_type=VisumCode | None,
        description="The one-time code of your own trip for the desk at its destination (*visum*);"
        " null while none is due there, or where nobody could check it.",
    )
    async def visum_code(
        self, info: Info, trip_id: UUID, leg: LegNumber = None
    ) -> visum.Code | None:
        try:
            return await info.context.read(
                visum.code,
                info.context.signed_in,
                trip_id,
                leg,
                zone=info.context.realm.zone,
                now=datetime.now(UTC),
            )
        except problems.NotFound:
            return None


@strawberry.type
class VisumMutation:
    @strawberry.mutation(
        graphql_type=ConfirmVisumResult,
        description="The traveller has arrived (*tiba di*): by trip and leg, or by what she shows.",
    )
    async def confirm_arrival(
        self,
        info: Info,
        trip_id: UUID | None = None,
        leg: LegNumber = None,
        qr: Qr = None,
        code: Digits = None,
        at: At = None,
    ) -> Incoming:
        return await _confirm(info, VisumEvent.ARRIVAL, trip_id, leg, qr, code, at)

    @strawberry.mutation(
        graphql_type=ConfirmVisumResult,
        description="The traveller departs (*berangkat dari*), once her arrival is confirmed.",
    )
    async def confirm_departure(
        self,
        info: Info,
        trip_id: UUID | None = None,
        leg: LegNumber = None,
        qr: Qr = None,
        code: Digits = None,
        at: At = None,
    ) -> Incoming:
        return await _confirm(info, VisumEvent.DEPARTURE, trip_id, leg, qr, code, at)

    @strawberry.mutation(
        graphql_type=WithdrawVisumResult,
        description="Take back a wrong confirmation (*pencabutan visum*); it stays on record.",
    )
    async def withdraw_visum(self, info: Info, key: Id, reason: str) -> Stamp:
        wrong, withdrawal = await info.context.write(
            visum.withdraw, info.context.signed_in, key, reason=reason
        )
        return _stamp(wrong, info, withdrawal.confirmed_at)


async def _confirm(
    info: Info,
    event: VisumEvent,
    trip_id: UUID | None,
    leg: int | None,
    qr: str | None,
    code: str | None,
    at: datetime | None,
) -> Incoming:
    context, viewer, now = info.context, info.context.signed_in, datetime.now(UTC)
    shown = [text for text in (qr, code) if text is not None]
    if trip_id is not None and leg is not None and not shown:
        of = await context.at_province(visum.notice, viewer, trip_id, leg)
        await context.write(
            visum.confirm_listed, viewer, of, event, at=at, zone=context.realm.zone, now=now
        )
    elif len(shown) == 1 and (trip_id, leg, at) == (None, None, None):
        read = visum.read_qr if qr is not None else visum.read_code
        of = await _shown(info, viewer, event, read(*shown), now)
    else:
        raise problems.InvalidInput(
            "code", "sebut tripId dan leg, atau qr, atau code", "or qr, or tripId and leg"
        )
    marked = await context.read(visum.marks, viewer, [of.trip_id])
    return Incoming(of, marked.get((of.trip_id, of.leg), {}))


async def _shown(
    info: Info, viewer: Viewer, event: VisumEvent, shown: visum.Shown, now: datetime
) -> PassingNotice:
    context = info.context
    today = now.astimezone(ZoneInfo(context.realm.zone)).date()
    legs = await context.at_province(visum.due, viewer, shown, today=today)
    made = await context.write(visum.confirm_shown, viewer, legs, event, shown, now=now)
    if made is None:
        # Used, expired, another regency's, or never one: all look the same.
        raise problems.InvalidInput(shown.method.lower(), "tidak berlaku", "is not valid")
    by_leg: Mapping[tuple[UUID, int], PassingNotice] = {(of.trip_id, of.leg): of for of in legs}
    return by_leg[made.trip_id, made.leg]
