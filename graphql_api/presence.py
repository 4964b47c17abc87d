"""Check-ins, and who looked at a traveller's data, in the schema."""

import binascii
from base64 import b64decode, b64encode
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import strawberry

from graphql_api import pages
from graphql_api.context import Info
from graphql_api.enums import AccessKind, Role
from graphql_api.pages import Connection
from graphql_api.problems import InvalidInput, NotFound, WrongState
from graphql_api.queries import First, Id
from graphql_api.types import Trip
from tenants import accesses, checkins, models, problems
from tenants.accesses import AccessEntry
from tenants.checkins import Pictured, Place


@strawberry.type(
    description="Where a traveller said that she was (*lapor kehadiran*), for people to weigh:"
    " no rule reads it."
)
class CheckIn:
    id: UUID
    happened_at: datetime
    lon: float
    lat: float
    accuracy: float | None = strawberry.field(description="In metres.")
    received_at: datetime
    photo_digest: str | None = strawberry.field(
        description="SHA-256 of its photo, hexadecimal; null without one. See checkInPhoto."
    )

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, checkins.CheckIn)


@strawberry.type(description="The photo of a check-in, without metadata.")
class CheckInPhoto:
    media_type: str = strawberry.field(description="image/jpeg, image/png or image/webp.")
    digest: str = strawberry.field(description="SHA-256, hexadecimal.")

    @strawberry.field(description="In base64.")
    def content(row: strawberry.Parent[Pictured]) -> str:
        return b64encode(row.content).decode()

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, Pictured)


@strawberry.type(
    description="That somebody looked at data of yours (*riwayat akses*): one for a viewer, a trip,"
    " a kind and an hour, however often she looked."
)
class Access:
    kind: AccessKind
    first_at: datetime = strawberry.field(description="When she first looked in this hour.")

    @strawberry.field(description="Who looked.")
    async def viewer_name(row: strawberry.Parent[AccessEntry], info: Info) -> str:
        return await info.context.names.load(row.viewer_id)

    @strawberry.field(description="Her roles by then.")
    def roles(row: strawberry.Parent[AccessEntry]) -> list[Role]:
        return [Role(role) for role in row.roles]

    @strawberry.field(graphql_type=Trip)
    async def trip(row: strawberry.Parent[AccessEntry], info: Info) -> models.Trip:
        return await info.context.trips.load(row.trip_id)

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, AccessEntry)


@strawberry.input(description="Where a phone is (*posisi*), in degrees of WGS 84.")
class PositionInput:
    lon: float
    lat: float
    accuracy: float | None = strawberry.field(default=None, description="In metres.")


CheckInResult = Annotated[
    CheckIn | NotFound | InvalidInput | WrongState, strawberry.union("CheckInResult")
]
Picture = Annotated[
    str | None,
    strawberry.argument(
        description="A JPEG, PNG or WebP of at most 512 KiB in base64. Its metadata is not kept."
    ),
]


@strawberry.type
class PresenceQuery:
    @strawberry.field(
        graphql_type=CheckInPhoto | None,
        description="The photo of a check-in (*lapor kehadiran*); null when it has none, or is not"
        " yours to see.",
    )
    async def check_in_photo(self, info: Info, key: Id) -> Pictured | None:
        context = info.context
        try:
            found = await context.read(
                checkins.photo, context.signed_in, key, zone=context.realm.zone
            )
        except problems.NotFound:
            return None
        context.looked(AccessKind.PHOTO, found.trip_id)
        return found

    @strawberry.field(
        graphql_type=Connection[Access],
        description="Who looked at your trips (*riwayat akses*), or at one of them, newest first.",
    )
    async def accesses(
        self,
        info: Info,
        trip_id: UUID | None = None,
        first: First = 20,
        after: str | None = None,
    ) -> Connection[AccessEntry]:
        rows = await info.context.read(
            accesses.page,
            info.context.signed_in,
            trip_id=trip_id,
            after=pages.decode_cursor(after, pages.time_key),
            first=pages.first_of(first),
        )
        return pages.connection(rows, first, after, lambda row: (row.first_at, row.id))


@strawberry.type
class PresenceMutation:
    @strawberry.mutation(
        graphql_type=CheckInResult,
        description="Say where you are on a trip of your own (*lapor kehadiran*), within the"
        " assignment and not in a pause. Sent again for the same time, it changes nothing.",
    )
    async def check_in(
        self,
        info: Info,
        trip_id: UUID,
        position: PositionInput,
        at: datetime,
        photo: Picture = None,
    ) -> checkins.CheckIn:
        return await info.context.write(
            checkins.check_in,
            info.context.signed_in,
            trip_id,
            Place(position.lon, position.lat, position.accuracy),
            at=at,
            photo=None if photo is None else _decoded(photo),
            zone=info.context.realm.zone,
            now=datetime.now(UTC),
        )


def _decoded(photo: str) -> bytes:
    try:
        return b64decode(photo, validate=True)
    except (binascii.Error, ValueError):
        raise problems.InvalidInput("photo", "bukan base64", "is no base64") from None
