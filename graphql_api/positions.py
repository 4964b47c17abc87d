"""Live positions in the schema: where travellers are, once and as they move."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from typing import Annotated, Final
from uuid import UUID

import strawberry

from graphql_api import pages
from graphql_api.context import Info
from graphql_api.members import Member
from graphql_api.types import Trip
from graphql_api.watching import TooSlow
from tenants import models, positions
from tenants.accesses import AccessKind
from tenants.positions import Position

RECHECK_SECONDS: Final = 30.0

Most = Annotated[int, strawberry.argument(description=f"1 to {positions.MOST:,}.")]
OfficeId = Annotated[
    UUID | None, strawberry.argument(description="Of this office and those below it only.")
]


@strawberry.type(
    description="Where a traveller is (*posisi*): the newest fix of her active trip."
    " None is shown after the end of the assignment, nor while tracking is paused."
)
class LivePosition:
    trip: models.Trip = strawberry.field(graphql_type=Trip)
    lon: float
    lat: float
    accuracy: float | None = strawberry.field(description="In metres.")
    at: datetime
    device_id: UUID | None = strawberry.field(
        description="Her phone that requestPosition can ask (*perangkat*), if any."
    )

    @strawberry.field(graphql_type=Member)
    def traveller(row: strawberry.Parent[Position]) -> models.Member:
        return row.trip.traveller

    @strawberry.field(description="The region it lies in; null where the boundaries know none.")
    async def region_code(row: strawberry.Parent[Position], info: Info) -> str | None:
        return await info.context.regions_seen.load(row.trip.id)

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, Position)


@strawberry.type
class PositionQuery:
    @strawberry.field(
        graphql_type=list[LivePosition],
        description="Where travellers whose tracks you may see are now (*posisi*), newest first.",
    )
    async def live_positions(
        self, info: Info, office_id: OfficeId = None, first: Most = positions.MOST
    ) -> list[Position]:
        found = await info.context.read(
            positions.live,
            info.context.signed_in,
            office_id=office_id,
            first=pages.first_of(first, positions.MOST),
            zone=info.context.realm.zone,
            now=datetime.now(UTC),
        )
        info.context.looked(AccessKind.POSITION, *(each.trip.id for each in found))
        return found


@strawberry.type
class PositionSubscription:
    @strawberry.subscription(
        graphql_type=AsyncGenerator[LivePosition, None],
        description="Positions (*posisi*) as travellers move whose tracks you may see, on all"
        " trips or one: first where they are now. A slow reader gets the newest only; one that"
        " is far behind is let go of. Ends with the sign-in.",
    )
    async def positions(
        self, info: Info, trip_id: UUID | None = None, office_id: OfficeId = None
    ) -> AsyncGenerator[Position, None]:
        context = info.context
        clock = asyncio.get_running_loop().time
        viewer = context.signed_in
        async with context.news.positions.watching(context.realm, trip_id) as watch:
            while True:
                watch.renew(
                    await context.read(
                        positions.watched,
                        viewer,
                        trip_id=trip_id,
                        office_id=office_id,
                        zone=context.realm.zone,
                        now=datetime.now(UTC),
                    )
                )
                until = clock() + RECHECK_SECONDS
                try:
                    while clock() < until and (position := await watch.next(until)):
                        context.looked(AccessKind.POSITION, position.trip.id)
                        yield position
                except TooSlow:
                    return
                viewer = await context.still_signed_in()
