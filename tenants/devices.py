"""Phones that are paired: whose they are, what they sign in with, what they sent of no use."""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, select, tuple_
from sqlalchemy.orm import Session

from tenants import access, pauses, people, windows
from tenants.access import Viewer
from tenants.catalogue import decrypt, encrypt
from tenants.evidence import Quarantined
from tenants.models import Device, Member, PhoneClient, Role, Trip, TripState
from tenants.plans import text_of
from tenants.problems import InvalidInput, TooManyDevices, WrongState

NOT_TRACKED: Final = "NOT_TRACKED"
PAUSED: Final = "PAUSED"
MOST_DEVICES: Final = 10
MOST_SHOWN: Final = 100
LONGEST_NAME: Final = 100
SECRET_BYTES: Final = 24  # 32 characters, which is also the longest passphrase OwnTracks takes


@dataclass(frozen=True, slots=True)
class Paired:
    """A device and its secrets, which nobody is told a second time.

    `passphrase` is that of OwnTracks' encrypted payloads, None for other clients.
    """

    device: Device
    token: str
    passphrase: str | None


@dataclass(frozen=True, slots=True)
class Unusable:
    """What a phone sent that cannot be used; `said` is for its owner alone."""

    received_at: datetime
    reason: str
    said: Mapping[str, Any] | None


def token_hash(token: str) -> bytes:
    """What is kept of a token; it is random enough to need no salt."""
    return hashlib.sha256(token.encode()).digest()


def pair(
    session: Session,
    viewer: Viewer,
    client: PhoneClient,
    *,
    name: str,
    trip_id: UUID | None = None,
    member_id: UUID | None = None,
    now: datetime,
) -> Paired:
    """Pair a phone to the viewer or to one trip of hers; a tenant admin pairs for others too."""
    owner = access.member(session, viewer, member_id or viewer.member_id)
    if owner.id != viewer.member_id:
        viewer.require(Role.TENANT_ADMIN)
    if owner.suspended_at is not None:
        raise InvalidInput("memberId", "tidak lagi aktif", "is suspended")
    if trip_id is not None:
        _require_open(access.trip(session, viewer, trip_id), owner)
    # The lock lets one pairing of hers through at a time, so that they are counted.
    session.execute(select(Member.id).where(Member.id == owner.id).with_for_update())
    unrevoked = select(func.count(Device.id)).where(
        Device.member_id == owner.id, Device.revoked_at.is_(None)
    )
    if (session.scalar(unrevoked) or 0) >= MOST_DEVICES:
        raise TooManyDevices(MOST_DEVICES)
    token = secrets.token_urlsafe(SECRET_BYTES)
    passphrase = secrets.token_urlsafe(SECRET_BYTES) if client is PhoneClient.OWNTRACKS else None
    device = Device(
        member=owner,
        trip_id=trip_id,
        client=client,
        name=text_of("name", name, LONGEST_NAME),
        token_hash=token_hash(token),
        encryption_key=encrypt(passphrase) if passphrase else None,
        paired_at=now,
        paired_by_id=viewer.member_id,
    )
    session.add(device)
    session.flush()
    return Paired(device, token, passphrase)


def _require_open(trip: Trip, owner: Member) -> None:
    if trip.traveller_id != owner.id:
        raise InvalidInput("tripId", "bukan perjalanannya", "is not her trip")
    if trip.state not in (TripState.ISSUED, TripState.ACTIVE):
        raise WrongState(trip.state)


def revoke(session: Session, viewer: Viewer, device_id: UUID, now: datetime) -> Device:
    """End a pairing: its token opens nothing from now on. Done again, it changes nothing."""
    device = access.device(session, viewer, device_id, lock=True)
    if device.revoked_at is None:
        device.revoked_at = now
        session.flush()
    return device


def request_position(
    session: Session, viewer: Viewer, device_id: UUID, *, zone: str, now: datetime
) -> Device:
    """Ask a phone for a fix, with the next answer to it: of those the viewer may see the track of.

    Raises `WrongState` when its owner is on no assignment now or has paused tracking: nobody looks
    for her then. Only OwnTracks can be asked.
    """
    device = access.tracking_device(session, viewer, device_id)
    if device.revoked_at is not None:
        raise InvalidInput("deviceId", "sudah dicabut", "is revoked")
    if device.client is not PhoneClient.OWNTRACKS:
        raise InvalidInput("deviceId", "tidak dapat ditanya", "cannot be asked")
    trips = select(pauses.lasting(now)).where(
        Trip.traveller_id == device.member_id,
        Trip.state.in_((TripState.ISSUED, TripState.ACTIVE)),
        windows.lasting(zone, now),
    )
    if device.trip_id is not None:
        trips = trips.where(Trip.id == device.trip_id)
    paused = session.scalars(trips).all()
    if all(paused):
        raise WrongState(PAUSED if paused else NOT_TRACKED)
    device.asked_at = now
    session.flush()
    return device


def devices(session: Session, viewer: Viewer, member_id: UUID | None = None) -> list[Device]:
    """The newest devices of a member that the viewer may see, her own unless said otherwise."""
    of_member = Device.member_id == (member_id or viewer.member_id)
    newest = access.devices(viewer).where(of_member).order_by(Device.paired_at.desc(), Device.id)
    return list(session.scalars(newest.limit(MOST_SHOWN)))


def page(
    session: Session,
    viewer: Viewer,
    *,
    search: str | None,
    paired: bool | None,
    after: tuple[datetime, UUID] | None,
    first: int,
) -> list[Device]:
    """Up to `first` + 1 devices that the viewer may see, those paired last first.

    `search` is for their owners' names; by `paired` only those not revoked, or only the revoked.
    """
    query = access.devices(viewer)
    if search:
        query = query.where(people.named(search))
    if paired is not None:
        query = query.where(Device.revoked_at.is_(None) == paired)
    if after is not None:
        query = query.where(tuple_(Device.paired_at, Device.id) < after)
    newest = query.order_by(Device.paired_at.desc(), Device.id.desc())
    return list(session.scalars(newest.limit(first + 1)))


def quarantined(session: Session, viewer: Viewer, device_id: UUID, first: int) -> list[Unusable]:
    """The newest of what a device sent of no use; an admin sees when and why, never positions."""
    device = access.device(session, viewer, device_id)
    newest = (
        select(Quarantined)
        .where(Quarantined.device_id == device.id)
        .order_by(Quarantined.received_at.desc(), Quarantined.id.desc())
        .limit(first)
    )
    own = device.member_id == viewer.member_id
    return [
        Unusable(row.received_at, row.reason, row.said if own else None)
        for row in session.scalars(newest)
    ]


def passphrase(session: Session, *, key: bytes) -> str | None:
    """The passphrase of the device with this hash of a token, None where there is none."""
    found = session.scalar(
        select(Device.encryption_key).where(Device.token_hash == key, Device.revoked_at.is_(None))
    )
    return decrypt(found) if found else None
