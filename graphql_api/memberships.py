"""Memberships in a regency's schema: admins change roles and offices, end and resume them."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import strawberry

from graphql_api.context import Info
from graphql_api.enums import Role
from graphql_api.members import Member
from graphql_api.problems import InvalidInput, LastAdmin, NotAllowed, NotFound, WrongState
from graphql_api.queries import Id
from tenants import memberships, models

MembershipResult = Annotated[
    Member | NotFound | NotAllowed | InvalidInput | WrongState | LastAdmin,
    strawberry.union("MembershipResult"),
]


@strawberry.type
class MembershipMutation:
    @strawberry.mutation(
        graphql_type=MembershipResult,
        description="Give a member other roles, another office or position (*jabatan*), as"
        " TENANT_ADMIN; what she was is kept.",
    )
    async def change_member(
        self,
        info: Info,
        key: Id,
        roles: list[Role],
        office_id: UUID | None = None,
        position: str | None = None,
    ) -> models.Member:
        return await info.context.write(
            memberships.change,
            info.context.signed_in,
            key,
            memberships.Standing(frozenset(roles), office_id, position),
        )

    @strawberry.mutation(
        graphql_type=MembershipResult,
        description="End a membership (*berhenti, mutasi*), as TENANT_ADMIN: she keeps no access,"
        " and her evidence stays.",
    )
    async def end_membership(self, info: Info, key: Id, reason: str) -> models.Member:
        return await info.context.write(
            memberships.end, info.context.signed_in, key, reason=reason, now=datetime.now(UTC)
        )

    @strawberry.mutation(
        graphql_type=MembershipResult,
        description="Take back who had left (*aktif kembali*), as TENANT_ADMIN; phones are paired"
        " anew.",
    )
    async def resume_membership(self, info: Info, key: Id, reason: str) -> models.Member:
        return await info.context.write(
            memberships.resume, info.context.signed_in, key, reason=reason
        )
