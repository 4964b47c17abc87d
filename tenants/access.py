"""Who may see and do what: the only door to an object.

What is absent and what is forbidden look the same to the one who asks.
"""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, Select, false, func, or_, select, true
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased, contains_eager
from sqlalchemy.orm.interfaces import ORMOption

from tenants.evidence import DeviationRecord, DeviationState
from tenants.models import Device, Member, Office, Role, Trip
from tenants.problems import NotAllowed, NotFound

WHOLE_REGENCY = frozenset({Role.INSPECTOR, Role.TENANT_ADMIN})
OWN_OFFICE = frozenset({Role.OPERATOR, Role.HEAD_OF_OFFICE, Role.TREASURER})
TRACKS = frozenset({Role.INSPECTOR, Role.HEAD_OF_OFFICE})
ISSUERS = frozenset({Role.OPERATOR, Role.TENANT_ADMIN})


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who asks: a member of this realm, by what sign-in proved."""

    member_id: UUID
    name: str
    roles: frozenset[Role]
    office_id: UUID | None

    def require(self, *roles: Role) -> None:
        """Raise `NotAllowed` unless the viewer has one of `roles`."""
        if self.roles.isdisjoint(roles):
            raise NotAllowed(tuple(roles))


def viewer_of(member: Member) -> Viewer:
    roles = frozenset(Role(role) for role in member.roles)
    return Viewer(member.id, member.name, roles, member.office_id)


def members(viewer: Viewer) -> ColumnElement[bool]:
    """Condition on `Member`: those whose trips the viewer may see, herself included."""
    if viewer.roles & WHOLE_REGENCY:
        return true()
    own_office: ColumnElement[bool] = false()
    if viewer.roles & OWN_OFFICE and viewer.office_id is not None:
        own_office = within(viewer.office_id)
    return or_(Member.id == viewer.member_id, own_office)


def within(office_id: UUID) -> ColumnElement[bool]:
    """Condition on `Member`: those of an office and of the offices below it."""
    root = select(Office.id).where(Office.id == office_id).cte(recursive=True)
    child = aliased(Office)
    offices = root.union(select(child.id).where(child.parent_id == root.c.id))
    return Member.office_id.in_(select(offices.c.id))


def sees_others(viewer: Viewer) -> bool:
    """Whether the viewer may see trips that are not her own."""
    return bool(viewer.roles & (WHOLE_REGENCY | OWN_OFFICE))


def trips(viewer: Viewer) -> Select[Trip]:
    """The trips the viewer may see; the traveller is joined."""
    return select(Trip).join(Trip.traveller).where(members(viewer))


def trip(session: Session, viewer: Viewer, trip_id: UUID, *options: ORMOption) -> Trip:
    """One trip; raises `NotFound` when it is absent or not the viewer's to see."""
    found = session.scalar(trips(viewer).where(Trip.id == trip_id).options(*options))
    if found is None:
        raise NotFound("Perjalanan dinas")
    return found


def require_own_trip(session: Session, viewer: Viewer, trip_id: UUID) -> None:
    """Raise `NotFound` unless the viewer is the trip's traveller."""
    own = select(Trip.id).where(Trip.id == trip_id, Trip.traveller_id == viewer.member_id)
    if session.scalar(own) is None:
        raise NotFound("Perjalanan dinas")


def proposed(viewer: Viewer, signer: InstrumentedAttribute[UUID]) -> ColumnElement[bool]:
    """Condition on `Member`, the traveller: whose proposals the viewer may see.

    Those of her office, as its operator or its head, and those that she is to sign (`signer`).
    Nobody else's: what is only proposed is no trip yet.
    """
    hers = signer == viewer.member_id
    if viewer.roles & (ISSUERS | {Role.HEAD_OF_OFFICE}):
        return or_(hers, members(viewer))
    return hers


def member(session: Session, viewer: Viewer, member_id: UUID) -> Member:
    """One member whose trips the viewer may see; raises `NotFound`."""
    found = session.scalar(select(Member).where(Member.id == member_id, members(viewer)))
    if found is None:
        raise NotFound("Pegawai")
    return found


def require_members(session: Session, viewer: Viewer, member_ids: Collection[UUID]) -> None:
    """Raise `NotFound` unless the viewer may see the trips of each of these members."""
    seen = select(func.count(Member.id)).where(Member.id.in_(member_ids), members(viewer))
    if session.scalar(seen) != len(set(member_ids)):
        raise NotFound("Pegawai")


def deviations(viewer: Viewer) -> Select[DeviationRecord]:
    """The findings that stand, of the trips the viewer may see."""
    return (
        select(DeviationRecord)
        .join(DeviationRecord.trip)
        .join(Trip.traveller)
        .where(members(viewer), DeviationRecord.state != DeviationState.WITHDRAWN)
    )


def deviation(session: Session, viewer: Viewer, deviation_id: UUID) -> DeviationRecord:
    """One finding that stands; raises `NotFound`."""
    found = session.scalar(deviations(viewer).where(DeviationRecord.id == deviation_id))
    if found is None:
        raise NotFound("Temuan")
    return found


def devices(viewer: Viewer) -> Select[Device]:
    """The phones the viewer may see, with their owners: her own, or all as a tenant admin."""
    every = Role.TENANT_ADMIN in viewer.roles
    hers = true() if every else Device.member_id == viewer.member_id
    return select(Device).join(Device.member).options(contains_eager(Device.member)).where(hers)


def device(session: Session, viewer: Viewer, device_id: UUID, *, lock: bool = False) -> Device:
    """One phone; raises `NotFound` when it is absent or not the viewer's to see."""
    query = devices(viewer).where(Device.id == device_id)
    found = session.scalar(query.with_for_update(of=Device) if lock else query)
    if found is None:
        raise NotFound("Perangkat")
    return found


def sees_track(viewer: Viewer, traveller_id: UUID) -> bool:
    """Whether the viewer may see positions on a trip that is hers to see.

    Those who issue and pay trips need the verdict; only the traveller, her head of office and the
    inspectorate need the track behind it (UU 27/2022: no more than the purpose asks).
    """
    return traveller_id == viewer.member_id or bool(viewer.roles & TRACKS)


def tracked(viewer: Viewer) -> ColumnElement[bool]:
    """Condition on `Member`: those whose positions the viewer may see, as `sees_track` has it."""
    return members(viewer) if viewer.roles & TRACKS else Member.id == viewer.member_id


def tracking_device(session: Session, viewer: Viewer, device_id: UUID) -> Device:
    """One phone of a member whose positions the viewer may see, locked; raises `NotFound`."""
    found = session.scalar(
        select(Device)
        .join(Device.member)
        .options(contains_eager(Device.member))
        .where(Device.id == device_id, tracked(viewer))
        .with_for_update(of=Device)
    )
    if found is None:
        raise NotFound("Perangkat")
    return found
