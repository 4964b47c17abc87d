"""The seam between GraphQL and the domain: one call is one transaction."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Concatenate, Final, Generic, ParamSpec, TypeVar, cast
from uuid import UUID

from anyio import CapacityLimiter, fail_after, to_thread
from sqlalchemy.orm import Session
from strawberry.dataloader import DataLoader
from strawberry.types import Info as StrawberryInfo

from graphql_api.live import News
from graphql_api.looks import Looks
from tenants import (
    checkins,
    escalations,
    memberships,
    people,
    plans,
    positions,
    received,
    recoveries,
    trips,
    verdicts,
)
from tenants.access import Viewer
from tenants.accesses import AccessKind
from tenants.checkins import CheckIn
from tenants.escalations import Asked
from tenants.evidence import DeviationRecord, DeviationReply, DeviationRuling, VerdictRecord
from tenants.memberships import MemberRevision
from tenants.models import Flight, LawfulPlace, Leg, Office, Trip, TripRevision
from tenants.problems import NotSignedIn, ProvinceUnavailable
from tenants.realm import Province, Realm, Tenant
from tenants.received import Stamp
from tenants.recoveries import Recovery

P = ParamSpec("P")
T = TypeVar("T")
V = TypeVar("V")
R = TypeVar("R", bound=Realm)

PROVINCE_SECONDS: Final = 10.0
_limiters: dict[str, CapacityLimiter] = {}


def _limiter(slug: str) -> CapacityLimiter:
    """Threads a realm may keep busy in this process: one that hangs leaves the others theirs."""
    if slug not in _limiters:
        _limiters[slug] = CapacityLimiter(12)
    return _limiters[slug]


@dataclass(kw_only=True)
class Context(Generic[R]):
    """Of one request, or of one socket. Holds no session: sibling fields run concurrently."""

    realm: R
    viewer: Viewer | None
    authenticate: Callable[[], Awaitable[Viewer | None]]
    news: News

    @property
    def signed_in(self) -> Viewer:
        """Who asks; raises `NotSignedIn`."""
        if self.viewer is None:
            raise NotSignedIn
        return self.viewer

    async def still_signed_in(self) -> Viewer:
        """Who asks, looked up again: for streams that outlive a session or a role."""
        self.viewer = await self.authenticate()
        return self.signed_in

    async def read(
        self, fn: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """`fn(session, …)` in a thread, in a transaction that PostgreSQL keeps from writing."""
        return await _call(self.realm, True, fn, *args, **kwargs)

    async def write(
        self, fn: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """`fn(session, …)` in a thread, committed when it returns, rolled back when it raises."""
        return await _call(self.realm, False, fn, *args, **kwargs)

    def _loader(
        self, fn: Callable[[Session, Sequence[UUID]], Mapping[UUID, V]]
    ) -> DataLoader[UUID, V]:
        async def load(keys: list[UUID]) -> Sequence[V]:
            found = await self.read(fn, keys)
            return [cast("V", found.get(key)) for key in keys]

        # A socket's context outlives what was true when it loaded: gather, but keep nothing.
        return DataLoader(load, cache=False)


async def _call(
    realm: Realm,
    readonly: bool,
    fn: Callable[Concatenate[Session, P], T],
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    def call() -> T:
        with realm.session(readonly=readonly) as session:
            return fn(session, *args, **kwargs)

    return await to_thread.run_sync(call, limiter=_limiter(realm.slug))


@dataclass(kw_only=True)
class TenantContext(Context[Tenant]):
    """What a regency's resolvers work with; the loaders gather what one tick asks for.

    `look_at(slug, trip_id)` hints to the workers and never fails; `looks` keeps who looked.
    """

    look_at: Callable[[str, UUID], None]
    looks: Looks
    trips: DataLoader[UUID, Trip] = field(init=False)
    legs: DataLoader[UUID, list[Leg]] = field(init=False)
    lawful_places: DataLoader[UUID, list[LawfulPlace]] = field(init=False)
    flights: DataLoader[UUID, list[Flight]] = field(init=False)
    verdicts: DataLoader[UUID, VerdictRecord | None] = field(init=False)
    rulesets: DataLoader[UUID, int] = field(init=False)
    legal_bases: DataLoader[UUID, str] = field(init=False)
    deviations: DataLoader[UUID, list[DeviationRecord]] = field(init=False)
    replies: DataLoader[UUID, list[DeviationReply]] = field(init=False)
    rulings: DataLoader[UUID, list[DeviationRuling]] = field(init=False)
    recoveries: DataLoader[UUID, list[Recovery]] = field(init=False)
    visa: DataLoader[UUID, list[Stamp]] = field(init=False)
    member_revisions: DataLoader[UUID, list[MemberRevision]] = field(init=False)
    trip_revisions: DataLoader[UUID, list[TripRevision]] = field(init=False)
    regions_seen: DataLoader[UUID, str | None] = field(init=False)
    check_ins: DataLoader[UUID, list[CheckIn]] = field(init=False)
    offices: DataLoader[UUID, Office | None] = field(init=False)
    names: DataLoader[UUID, str] = field(init=False)

    def __post_init__(self) -> None:
        self.trips = self._loader(trips.by_ids)
        self.legs = self._loader(plans.legs_of)
        self.lawful_places = self._loader(plans.lawful_places_of)
        self.flights = self._loader(plans.flights_of)
        self.verdicts = self._loader(verdicts.current)
        self.rulesets = self._loader(verdicts.rulesets)
        self.legal_bases = self._loader(verdicts.legal_bases)
        self.deviations = self._loader(verdicts.standing)
        self.replies = self._loader(verdicts.replies)
        self.rulings = self._loader(verdicts.rulings)
        self.recoveries = self._loader(recoveries.of_deviations)
        self.visa = self._loader(received.of_trips)
        self.trip_revisions = self._loader(plans.revisions_of)
        self.regions_seen = self._loader(positions.regions_of)
        self.check_ins = self._loader(checkins.of_trips)
        self.offices = self._loader(people.offices)
        self.names = self._loader(people.names)
        self.member_revisions = self._loader(memberships.revisions)

    async def at_province(
        self, fn: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """`fn(session, …)` in a thread, on what the province holds for this regency alone.

        Raises `ProvinceUnavailable`, after 10 s when it hangs; the regency's own threads stay free.
        """

        def call() -> T:
            with self.realm.at_province() as session:
                return fn(session, *args, **kwargs)

        limiter = _limiter(f"province of {self.realm.slug}")
        try:
            with fail_after(PROVINCE_SECONDS):
                return await to_thread.run_sync(call, limiter=limiter, abandon_on_cancel=True)
        except TimeoutError:
            raise ProvinceUnavailable from None

    def looked(self, kind: AccessKind, *trip_ids: UUID) -> None:
        """Who asks was shown something of these trips; it is kept without making her wait."""
        self.looks.note(self.realm, self.signed_in, kind, trip_ids)

    async def enqueue(self, trip_id: UUID) -> None:
        """After a commit: hint that the trip needs a look."""
        await to_thread.run_sync(self.look_at, self.realm.slug, trip_id)


@dataclass(kw_only=True)
class ProvinceContext(Context[Province]):
    """What the province's resolvers work with."""

    escalations: DataLoader[UUID, list[Asked]] = field(init=False)

    def __post_init__(self) -> None:
        self.escalations = self._loader(escalations.of_cases)


Info = StrawberryInfo[TenantContext, None]
ProvinceInfo = StrawberryInfo[ProvinceContext, None]
