"""Paired phones and pauses in the schema: what they are, who pairs, pauses and sees them."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import strawberry
from strawberry.scalars import JSON

from graphql_api import pages, pairing
from graphql_api.context import Info
from graphql_api.enums import PhoneClient
from graphql_api.members import Member
from graphql_api.pages import Connection
from graphql_api.problems import InvalidInput, NotAllowed, NotFound, TooManyDevices, WrongState
from graphql_api.queries import First, Id
from graphql_api.types import Trip
from tenants import devices, evidence, models, pauses
from tenants.devices import Unusable


@strawberry.type(description="A paired phone (*perangkat*): what it sends is its owner's evidence.")
class Device:
    id: UUID
    name: str
    client: PhoneClient
    paired_at: datetime
    revoked_at: datetime | None
    last_seen_at: datetime | None
    member: Member

    @strawberry.field(graphql_type=Trip | None, description="The one trip it is paired to, if any.")
    async def trip(row: strawberry.Parent[models.Device], info: Info) -> models.Trip | None:
        return None if row.trip_id is None else await info.context.trips.load(row.trip_id)

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, models.Device)


@strawberry.type(description="What configures a phone (*penyandingan*); it is shown this once.")
class Pairing:
    device: models.Device = strawberry.field(graphql_type=Device)
    link: str | None = strawberry.field(description="To be opened on the phone itself.")
    qr: str | None = strawberry.field(description="An SVG to be scanned by the phone.")
    url: str | None = strawberry.field(description="Where the phone sends its fixes.")
    username: str | None
    token: str = strawberry.field(description="The phone's password; only its hash is kept.")
    passphrase: str | None = strawberry.field(description="Of OwnTracks' encrypted payloads.")
    instructions: list[str] = strawberry.field(description="Langkah demi langkah.")
    instructions_en: list[str] = strawberry.field(description="The same in English.")


@strawberry.type(description="What a phone sent that cannot be used (*karantina*), and why.")
class Quarantined:
    received_at: datetime
    reason: str
    said: JSON | None = strawberry.field(description="What it sent; null for all but its owner.")

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, Unusable)


@strawberry.type(
    description="A time in which a traveller is not tracked, by her own word (*jeda*)."
)
class Pause:
    id: UUID
    started_at: datetime
    reason: str

    @strawberry.field(description="24 hours after its start when nobody resumes before.")
    def ends_at(row: strawberry.Parent[evidence.Pause]) -> datetime:
        return pauses.ends_at(row)

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, evidence.Pause)


PairDeviceResult = Annotated[
    Pairing | NotFound | NotAllowed | InvalidInput | WrongState | TooManyDevices,
    strawberry.union("PairDeviceResult"),
]
RevokeDeviceResult = Annotated[Device | NotFound, strawberry.union("RevokeDeviceResult")]
RequestPositionResult = Annotated[
    Device | NotFound | InvalidInput | WrongState, strawberry.union("RequestPositionResult")
]
PauseResult = Annotated[
    Pause | NotFound | NotAllowed | InvalidInput | WrongState, strawberry.union("PauseResult")
]


@strawberry.type
class DeviceQuery:
    @strawberry.field(
        graphql_type=list[Device],
        description="Your newest paired phones (*perangkat*); an admin may ask for a member's.",
    )
    async def devices(self, info: Info, member_id: UUID | None = None) -> list[models.Device]:
        return await info.context.read(devices.devices, info.context.signed_in, member_id)

    @strawberry.field(
        graphql_type=Connection[Device],
        description="The phones you may see (*perangkat*), all of the regency's as TENANT_ADMIN,"
        " paired last first; `search` is for their owners' names.",
    )
    async def paired_devices(
        self,
        info: Info,
        search: str | None = None,
        paired: Annotated[
            bool | None,
            strawberry.argument(description="Those that are paired now, or those revoked."),
        ] = None,
        first: First = 20,
        after: str | None = None,
    ) -> Connection[models.Device]:
        rows = await info.context.read(
            devices.page,
            info.context.signed_in,
            search=search,
            paired=paired,
            after=pages.decode_cursor(after, pages.time_key),
            first=pages.first_of(first),
        )
        return pages.connection(rows, first, after, lambda row: (row.paired_at, row.id))

    @strawberry.field(
        graphql_type=list[Quarantined],
        description="The newest of what a phone sent that cannot be used (*karantina*).",
    )
    async def quarantined(self, info: Info, device_id: UUID, first: First = 20) -> list[Unusable]:
        return await info.context.read(
            devices.quarantined, info.context.signed_in, device_id, pages.first_of(first)
        )

    @strawberry.field(
        graphql_type=list[Pause], description="When tracking was paused (*jeda*) on a trip."
    )
    async def pauses(self, info: Info, trip_id: UUID) -> list[evidence.Pause]:
        return await info.context.read(pauses.of_trip, info.context.signed_in, trip_id)


@strawberry.type
class DeviceMutation:
    @strawberry.mutation(
        graphql_type=PairDeviceResult,
        description="Pair a phone (*menyandingkan*) to yourself or one trip; an admin, for others.",
    )
    async def pair_device(
        self,
        info: Info,
        client: PhoneClient,
        name: str,
        trip_id: UUID | None = None,
        member_id: UUID | None = None,
    ) -> Pairing:
        paired = await info.context.write(
            devices.pair,
            info.context.signed_in,
            client,
            name=name,
            trip_id=trip_id,
            member_id=member_id,
            now=datetime.now(UTC),
        )
        setup = pairing.setup(paired, info.context.realm.slug)
        return Pairing(
            device=paired.device,
            link=setup.link,
            qr=pairing.qr_svg(setup.scanned) if setup.scanned else None,
            url=setup.url,
            username=setup.username,
            token=paired.token,
            passphrase=paired.passphrase,
            instructions=list(setup.steps),
            instructions_en=list(setup.steps_en),
        )

    @strawberry.mutation(
        graphql_type=RevokeDeviceResult,
        description="End a pairing (*mencabut*): the phone's token opens nothing from now on.",
    )
    async def revoke_device(self, info: Info, key: Id) -> models.Device:
        return await info.context.write(
            devices.revoke, info.context.signed_in, key, datetime.now(UTC)
        )

    @strawberry.mutation(
        graphql_type=RequestPositionResult,
        description="Ask a phone (OwnTracks) where it is (*meminta posisi*); not while paused, and"
        " only while its owner's assignment lasts.",
    )
    async def request_position(self, info: Info, device_id: UUID) -> models.Device:
        return await info.context.write(
            devices.request_position,
            info.context.signed_in,
            device_id,
            zone=info.context.realm.zone,
            now=datetime.now(UTC),
        )

    @strawberry.mutation(
        graphql_type=PauseResult,
        description="Pause tracking (*jeda*) on your own active trip, for 24 hours at most.",
    )
    async def pause_tracking(
        self, info: Info, trip_id: UUID, reason: str, until: datetime | None = None
    ) -> evidence.Pause:
        paused = await info.context.write(
            pauses.pause,
            info.context.signed_in,
            trip_id,
            reason=reason,
            until=until,
            now=datetime.now(UTC),
        )
        await info.context.enqueue(trip_id)
        return paused

    @strawberry.mutation(
        graphql_type=PauseResult, description="End the pause (*jeda*) that a trip of yours is in."
    )
    async def resume_tracking(self, info: Info, trip_id: UUID) -> evidence.Pause:
        resumed = await info.context.write(
            pauses.resume, info.context.signed_in, trip_id, now=datetime.now(UTC)
        )
        await info.context.enqueue(trip_id)
        return resumed
