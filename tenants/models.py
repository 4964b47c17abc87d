"""The tables of a regency's database; migrations/ holds their DDL, evidence.py the rest.

Relationships load nothing by themselves (`lazy="raise"`): a query says what it needs.
"""

from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from geoalchemy2 import Geometry, WKBElement
from sqlalchemy import (
    ARRAY,
    REAL,
    BigInteger,
    Date,
    DateTime,
    Double,
    Enum,
    FetchedValue,
    ForeignKey,
    Index,
    LargeBinary,
    Numeric,
    SmallInteger,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Base(DeclarativeBase):
    type_annotation_map = {
        str: Text,
        datetime: DateTime(timezone=True),
        date: Date,
        bytes: LargeBinary,
        Decimal: Numeric(14, 2),
        float: Double,
        dict[str, Any]: JSONB,
        StrEnum: Enum(StrEnum, native_enum=False),
    }


class OfficeKind(StrEnum):
    """Kinds of regional organisation (OPD, PP 18/2016)."""

    SECRETARIAT = "SECRETARIAT"
    COUNCIL_SECRETARIAT = "COUNCIL_SECRETARIAT"
    INSPECTORATE = "INSPECTORATE"
    DEPARTMENT = "DEPARTMENT"
    AGENCY = "AGENCY"
    DISTRICT = "DISTRICT"
    TECHNICAL_UNIT = "TECHNICAL_UNIT"


class Role(StrEnum):
    """What a member may do. Never called PPK: centre and regions mean different offices by it."""

    TRAVELLER = "TRAVELLER"
    OPERATOR = "OPERATOR"
    HEAD_OF_OFFICE = "HEAD_OF_OFFICE"
    TREASURER = "TREASURER"
    INSPECTOR = "INSPECTOR"
    HOST_DESK = "HOST_DESK"
    TENANT_ADMIN = "TENANT_ADMIN"
    OVERSEER = "OVERSEER"


class Office(Base):
    """An organisation of the regency (OPD, *organisasi perangkat daerah*), one level of a tree."""

    __tablename__ = "office"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    name: Mapped[str]
    kind: Mapped[OfficeKind]
    parent_id: Mapped[UUID | None] = mapped_column(ForeignKey("office.id"))


class Member(Base):
    """A person known to the realm; who may sign in has an identity at the realm's issuer.

    `nip` is null for DPRD members and staff who are not ASN. It is personal data (birth date, sex)
    and not a stable key: it changes when a PPPK contract does.
    """

    __tablename__ = "member"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    name: Mapped[str]
    nip: Mapped[str | None] = mapped_column(unique=True)
    position: Mapped[str | None]
    office_id: Mapped[UUID | None] = mapped_column(ForeignKey("office.id"))
    roles: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)
    invited_as: Mapped[str | None] = mapped_column(unique=True)
    issuer: Mapped[str | None]
    subject: Mapped[str | None]
    joined_at: Mapped[datetime | None]
    suspended_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    office: Mapped[Office | None] = relationship(lazy="raise")
    __table_args__ = (Index("member_identity", "issuer", "subject", unique=True),)


class LoginSession(Base):
    """A browser's session; only a hash of its cookie is kept, so a stolen table signs nobody in."""

    __tablename__ = "login_session"
    token_hash: Mapped[bytes] = mapped_column(primary_key=True)
    member_id: Mapped[UUID] = mapped_column(ForeignKey("member.id"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]

    member: Mapped[Member] = relationship(lazy="raise")


class BoundarySet(Base):
    """One version of the regions' boundaries; a verdict names the version it used."""

    __tablename__ = "boundary_set"
    version: Mapped[int] = mapped_column(primary_key=True)
    source: Mapped[str]
    licence: Mapped[str]
    dated: Mapped[date]
    tolerance_m: Mapped[float]
    approximate: Mapped[bool]
    imported_at: Mapped[datetime] = mapped_column(server_default=func.now())


class BoundaryRegion(Base):
    """A kabupaten/kota within a boundary set: Kemendagri code, name, IANA zone, outline."""

    __tablename__ = "region"
    boundary_set: Mapped[int] = mapped_column(ForeignKey("boundary_set.version"), primary_key=True)
    code: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    zone: Mapped[str]
    outline: Mapped[WKBElement] = mapped_column(
        Geometry("MULTIPOLYGON", srid=4326, spatial_index=False)
    )
    __table_args__ = (Index("region_outline", "outline", postgresql_using="gist"),)


class RulesetVersion(Base):
    """The parameters by which verdicts are reached, with their validity and legal basis."""

    __tablename__ = "ruleset"
    version: Mapped[int] = mapped_column(primary_key=True)
    valid_from: Mapped[date]
    valid_until: Mapped[date | None]
    legal_basis: Mapped[str]
    parameters: Mapped[dict[str, Any]]


class DailyAllowance(Base):
    """Uang harian for a day in a province of destination, in rupiah, while it is valid."""

    __tablename__ = "daily_allowance"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    province_code: Mapped[str]
    amount: Mapped[Decimal]
    valid_from: Mapped[date]
    valid_until: Mapped[date | None]
    legal_basis: Mapped[str]


class AssignmentLetter(Base):
    """*Surat tugas*: who is sent, by whom, where, when, what for; one may send several."""

    __tablename__ = "assignment_letter"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    number: Mapped[str] = mapped_column(unique=True)
    dated: Mapped[date]
    purpose: Mapped[str]
    signed_by_id: Mapped[UUID] = mapped_column(ForeignKey("member.id"))
    issued_by_id: Mapped[UUID] = mapped_column(ForeignKey("member.id"))
    issued_at: Mapped[datetime] = mapped_column(server_default=func.now())

    signed_by: Mapped[Member] = relationship(lazy="raise", foreign_keys=[signed_by_id])
    __table_args__ = (Index("assignment_letter_issuer", "issued_by_id", "issued_at"),)


class PhoneClient(StrEnum):
    """The applications that can send fixes; BROWSER is the console's own page."""

    OWNTRACKS = "OWNTRACKS"
    TRACCAR = "TRACCAR"
    OVERLAND = "OVERLAND"
    GPSLOGGER = "GPSLOGGER"
    BROWSER = "BROWSER"


class Device(Base):
    """A phone paired to a member, or to one trip of hers: what its token sends is her evidence.

    Only a hash of the token is kept. `encryption_key` is the passphrase of OwnTracks' encrypted
    payloads, itself encrypted; `asked_at` is set while somebody waits for its position.
    """

    __tablename__ = "device"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    member_id: Mapped[UUID] = mapped_column(ForeignKey("member.id"))
    trip_id: Mapped[UUID | None] = mapped_column(ForeignKey("trip.id"))
    client: Mapped[PhoneClient]
    name: Mapped[str]
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    encryption_key: Mapped[str | None]
    paired_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    paired_by_id: Mapped[UUID] = mapped_column(ForeignKey("member.id"))
    revoked_at: Mapped[datetime | None]
    last_seen_at: Mapped[datetime | None]
    asked_at: Mapped[datetime | None]

    member: Mapped[Member] = relationship(lazy="raise", foreign_keys=[member_id])
    __table_args__ = (
        Index("device_member", "member_id"),
        Index("device_newest", "paired_at", "id"),
    )


class TripState(StrEnum):
    ISSUED = "ISSUED"
    ACTIVE = "ACTIVE"
    FINISHED = "FINISHED"
    CANCELLED = "CANCELLED"


class Trip(Base):
    """*Perjalanan dinas*: one traveller's journey under an assignment letter.

    `starts_on` and `ends_on` are local dates of the regency's zone, both included; `reported_on` is
    that of the report (*laporan*). The plan and what became of it (`state`) change only through
    tenants/trips.py, which keeps every revision.
    """

    __tablename__ = "trip"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    tenant: Mapped[str] = mapped_column(server_default=FetchedValue())
    letter_id: Mapped[UUID] = mapped_column(ForeignKey("assignment_letter.id"), index=True)
    spd_number: Mapped[str | None]
    traveller_id: Mapped[UUID] = mapped_column(ForeignKey("member.id"))
    starts_on: Mapped[date]
    ends_on: Mapped[date]
    transit: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)
    state: Mapped[TripState] = mapped_column(default=TripState.ISSUED)
    revision: Mapped[int] = mapped_column(default=1)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    ended_on: Mapped[date]
    claimed_days: Mapped[int | None]
    claimed_at: Mapped[datetime | None]
    reported_on: Mapped[date | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    letter: Mapped[AssignmentLetter] = relationship(lazy="raise")
    traveller: Mapped[Member] = relationship(lazy="raise")
    legs: Mapped[list["Leg"]] = relationship(
        lazy="raise", order_by="Leg.position", cascade="all, delete-orphan"
    )
    flights: Mapped[list["Flight"]] = relationship(
        lazy="raise", order_by="Flight.position", cascade="all, delete-orphan"
    )
    lawful_places: Mapped[list["LawfulPlace"]] = relationship(
        lazy="raise", order_by="LawfulPlace.from_on", cascade="all, delete-orphan"
    )
    __table_args__ = (
        Index("trip_traveller", "traveller_id", "starts_on"),
        Index("trip_newest", "starts_on", "id"),
    )


class TransportMode(StrEnum):
    ROAD = "ROAD"
    AIR = "AIR"
    RIVER = "RIVER"
    SEA = "SEA"
    RAIL = "RAIL"


class Leg(Base):
    """A destination of the trip: a region, the local dates there, lodging, the way to it."""

    __tablename__ = "leg"
    trip_id: Mapped[UUID] = mapped_column(
        ForeignKey("trip.id", ondelete="CASCADE"), primary_key=True
    )
    position: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    region_code: Mapped[str]
    zone: Mapped[str]
    arrive_on: Mapped[date]
    depart_on: Mapped[date]
    lodging_name: Mapped[str | None]
    lodging_lon: Mapped[float | None]
    lodging_lat: Mapped[float | None]
    transport: Mapped[TransportMode]


class Flight(Base):
    """A flight of the plan; `origin` and `destination` are IATA codes of airports."""

    __tablename__ = "flight"
    trip_id: Mapped[UUID] = mapped_column(
        ForeignKey("trip.id", ondelete="CASCADE"), primary_key=True
    )
    position: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    number: Mapped[str]
    origin: Mapped[str]
    destination: Mapped[str]
    departs_at: Mapped[datetime]
    arrives_at: Mapped[datetime]


class LawfulPlaceKind(StrEnum):
    """Why a traveller may depart from or return to elsewhere (*tempat sah*, PMK 119/2023)."""

    FLEXIBLE_WORK = "FLEXIBLE_WORK"
    LEAVE = "LEAVE"
    HOLIDAY = "HOLIDAY"
    OTHER_ASSIGNMENT = "OTHER_ASSIGNMENT"


class LawfulPlace(Base):
    """*Tempat sah*: a region where the traveller's presence on these dates is lawful."""

    __tablename__ = "lawful_place"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    trip_id: Mapped[UUID] = mapped_column(ForeignKey("trip.id", ondelete="CASCADE"), index=True)
    region_code: Mapped[str]
    kind: Mapped[LawfulPlaceKind]
    from_on: Mapped[date]
    until_on: Mapped[date]


class TripChange(StrEnum):
    """How a plan was changed; MIGRATED: by a new version of the service, which took parts."""

    MIGRATED = "MIGRATED"
    REVISED = "REVISED"
    EXTENDED = "EXTENDED"
    CANCELLED = "CANCELLED"


class TripRevision(Base):
    """What the plan was before a change, and who changed it: nothing is overwritten unseen."""

    __tablename__ = "trip_revision"
    trip_id: Mapped[UUID] = mapped_column(ForeignKey("trip.id"), primary_key=True)
    revision: Mapped[int] = mapped_column(primary_key=True)
    change: Mapped[TripChange]
    reason: Mapped[str | None]
    changed_by_id: Mapped[UUID] = mapped_column(ForeignKey("member.id"))
    changed_at: Mapped[datetime] = mapped_column(server_default=func.now())
    plan: Mapped[dict[str, Any]]


class TripProgress(Base):
    """How far a trip's evidence has come, and how far it was judged.

    `arrived` counts everything that can change the verdict (uploads, changes of plan, claims);
    `evaluated` is its value at the last verdict. Where they differ, or `due_at` has passed, the
    sweep finds the trip: the database is its own outbox. `chain_head` is the newest link of the
    chain of digests over the trip's chunks, of which none is longer than `longest_chunk`; `last_*`
    are of the newest fix.
    """

    __tablename__ = "trip_progress"
    trip_id: Mapped[UUID] = mapped_column(ForeignKey("trip.id"), primary_key=True)
    arrived: Mapped[int] = mapped_column(BigInteger, default=1)
    evaluated: Mapped[int] = mapped_column(BigInteger, default=0)
    due_at: Mapped[datetime | None]
    chain_head: Mapped[bytes] = mapped_column(server_default=text("''::bytea"))
    last_fix_at: Mapped[datetime | None]
    last_lon: Mapped[float | None]
    last_lat: Mapped[float | None]
    last_accuracy: Mapped[float | None] = mapped_column(REAL)
    longest_chunk: Mapped[timedelta] = mapped_column(server_default=text("'0'"))
    __table_args__ = (
        Index("trip_progress_behind", "trip_id", postgresql_where=text("arrived <> evaluated")),
        Index("trip_progress_due", "due_at", postgresql_where=text("due_at IS NOT NULL")),
    )
