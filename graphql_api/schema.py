"""The regency's schema: /{tenant}/graphql."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Final

import strawberry
from strawberry.tools import merge_types

from graphql_api import problems
from graphql_api.agreements import AgreementMutation, AgreementQuery
from graphql_api.claims import ClaimMutation, ClaimQuery
from graphql_api.context import Info
from graphql_api.devices import DeviceMutation, DeviceQuery
from graphql_api.earlier import EarlierQuery
from graphql_api.errors import Schema
from graphql_api.escalations import EscalationMutation, EscalationQuery
from graphql_api.limits import guards
from graphql_api.memberships import MembershipMutation
from graphql_api.mutations import Mutation
from graphql_api.positions import PositionQuery, PositionSubscription
from graphql_api.presence import PresenceMutation, PresenceQuery
from graphql_api.proposals import ProposalMutation, ProposalQuery
from graphql_api.queries import DeviationConditions, Query
from graphql_api.rules import RuleMutation, RuleQuery
from graphql_api.scalars import config
from graphql_api.types import Deviation
from graphql_api.visum import VisumMutation, VisumQuery
from tenants import verdicts
from tenants.accesses import AccessKind
from tenants.evidence import DeviationRecord

RECHECK_SECONDS: Final = 5.0


@strawberry.type
class Subscription:
    @strawberry.subscription(
        graphql_type=AsyncGenerator[Deviation, None],
        description="Deviations as they are found, of trips you may see. Ends with the sign-in.",
    )
    async def deviation_found(
        self, info: Info, wanted: DeviationConditions = None
    ) -> AsyncGenerator[DeviationRecord, None]:
        context = info.context
        conditions = wanted.value() if wanted else verdicts.DeviationFilter()
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
                found = await context.read(verdicts.find, viewer, deviation_id, conditions)
                if found is not None:
                    context.looked(AccessKind.FINDING, found.trip_id)
                    yield found


schema = Schema(
    merge_types(
        "Query",
        (
            *(Query, DeviceQuery, PositionQuery, VisumQuery, EscalationQuery, AgreementQuery),
            *(RuleQuery, ClaimQuery, PresenceQuery, ProposalQuery, EarlierQuery),
        ),
    ),
    merge_types(
        "Mutation",
        (
            *(Mutation, DeviceMutation, VisumMutation, EscalationMutation, AgreementMutation),
            *(MembershipMutation, RuleMutation, ClaimMutation, PresenceMutation, ProposalMutation),
        ),
    ),
    merge_types("Subscription", (Subscription, PositionSubscription)),
    config=config(),
    extensions=guards(),
    exception_handlers=list(problems.handlers()),
)
