"""Offices and members in a regency's schema."""

from datetime import datetime
from uuid import UUID

import strawberry

from graphql_api.context import Info
from graphql_api.enums import MemberChange, OfficeKind, Role
from tenants import memberships, models


@strawberry.type(description="An organisation of the regency (*OPD*).")
class Office:
    id: UUID
    name: str
    kind: OfficeKind
    parent_id: UUID | None

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, models.Office)


@strawberry.type(description="What a membership was before a change, and who changed it.")
class MemberRevision:
    change: MemberChange
    reason: str | None
    position: str | None = strawberry.field(description="*Jabatan*.")
    changed_at: datetime

    @strawberry.field
    def roles(row: strawberry.Parent[memberships.MemberRevision]) -> list[Role]:
        return [Role(role) for role in row.roles]

    @strawberry.field(graphql_type=Office | None)
    async def office(
        row: strawberry.Parent[memberships.MemberRevision], info: Info
    ) -> models.Office | None:
        return None if row.office_id is None else await info.context.offices.load(row.office_id)

    @strawberry.field(description="Who changed it.")
    async def member_name(row: strawberry.Parent[memberships.MemberRevision], info: Info) -> str:
        return await info.context.names.load(row.changed_by_id)

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, memberships.MemberRevision)


@strawberry.type(description="A person known to the regency (*pegawai*).")
class Member:
    id: UUID
    name: str
    position: str | None = strawberry.field(description="*Jabatan*.")
    suspended_at: datetime | None = strawberry.field(
        name="endedAt", description="When the membership ended; null while it lasts."
    )

    @strawberry.field(description="What the issuer calls her; for admins alone.")
    def invited_as(row: strawberry.Parent[models.Member], info: Info) -> str | None:
        return row.invited_as if Role.TENANT_ADMIN in info.context.signed_in.roles else None

    @strawberry.field(description="When she first signed in; for admins alone.")
    def joined_at(row: strawberry.Parent[models.Member], info: Info) -> datetime | None:
        return row.joined_at if Role.TENANT_ADMIN in info.context.signed_in.roles else None

    @strawberry.field(
        graphql_type=list[MemberRevision],
        description="What she was before, newest change first; for admins alone.",
    )
    async def revisions(
        row: strawberry.Parent[models.Member], info: Info
    ) -> list[memberships.MemberRevision]:
        if Role.TENANT_ADMIN not in info.context.signed_in.roles:
            return []
        return await info.context.member_revisions.load(row.id)

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

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, models.Member)
