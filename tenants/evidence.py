"""Evidence and findings: tracks and records, what was concluded, what people said to it."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from geoalchemy2 import Geometry, WKBElement
from sqlalchemy import (
    ARRAY,
    REAL,
    BigInteger,
    Boolean,
    FetchedValue,
    ForeignKey,
    Identity,
    Index,
    Integer,
    SmallInteger,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from tenants.models import Base, Trip


class TrackChunk(Base):
    """Fixes of one device that were stored together, never changed: evidence.

    `path` is a POINT M or LINESTRING M, lon/lat in degrees, M in seconds since 1970 UTC; `accuracy`
    (metres) and `speed` (metres a second) run beside its points, NaN where the phone did not say;
    `mock` and `battery` (0 to 1) do so too, and are null where it said so of no fix at all.
    `digest` is over the content, `link` over the link before it and `digest`.
    """

    __tablename__ = "track_chunk"
    trip_id: Mapped[UUID] = mapped_column(ForeignKey("trip.id"), primary_key=True)
    started_at: Mapped[datetime] = mapped_column(primary_key=True)
    digest: Mapped[bytes] = mapped_column(primary_key=True)
    ended_at: Mapped[datetime]
    received_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    arrival: Mapped[int] = mapped_column(BigInteger)
    device: Mapped[str]
    path: Mapped[WKBElement] = mapped_column(
        Geometry("GEOMETRYM", srid=4326, dimension=3, spatial_index=False)
    )
    accuracy: Mapped[list[float]] = mapped_column(ARRAY(REAL))
    speed: Mapped[list[float]] = mapped_column(ARRAY(REAL))
    mock: Mapped[list[bool] | None] = mapped_column(ARRAY(Boolean))
    battery: Mapped[list[float] | None] = mapped_column(ARRAY(REAL))
    link: Mapped[bytes]
    __table_args__ = {"postgresql_partition_by": "RANGE (started_at)"}


class IntakeEntry(Base):
    """What one transaction acknowledged of phones' fixes (see `tenants.journal`), until settled."""

    __tablename__ = "intake_log"
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    received_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    content: Mapped[bytes]


class Silence(Base):
    """A time in which the phone recorded nothing, and why, as it says itself."""

    __tablename__ = "silence"
    trip_id: Mapped[UUID] = mapped_column(ForeignKey("trip.id"), primary_key=True)
    started_at: Mapped[datetime] = mapped_column(primary_key=True)
    ended_at: Mapped[datetime] = mapped_column(primary_key=True)
    reason: Mapped[str] = mapped_column(primary_key=True)
    received_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    device: Mapped[str]


class Pause(Base):
    """A time in which the traveller paused tracking, and why; what is sent for it is not kept."""

    __tablename__ = "pause"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    trip_id: Mapped[UUID] = mapped_column(ForeignKey("trip.id"))
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    reason: Mapped[str]
    __table_args__ = (
        Index("pause_open", "trip_id", unique=True, postgresql_where=text("ended_at IS NULL")),
        Index("pause_trip", "trip_id", "started_at"),
    )


class Quarantined(Base):
    """What a phone sent that cannot be used, and why.

    `said` is what it sent, but for positions of times in which nobody is tracked.
    """

    __tablename__ = "quarantine"
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    device_id: Mapped[UUID] = mapped_column(ForeignKey("device.id"))
    received_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    reason: Mapped[str]
    said: Mapped[dict[str, Any] | None]
    __table_args__ = (Index("quarantine_device", "device_id", "received_at"),)


class TrackPrint(Base):
    """One fingerprint of a trip's track, of one kind; tracks that are alike share many."""

    __tablename__ = "track_print"
    kind: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    print: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    trip_id: Mapped[UUID] = mapped_column(primary_key=True, index=True)


class Attendance(Base):
    """A presence at the home office by attendance data (*presensi*) of `source`."""

    __tablename__ = "attendance"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    member_id: Mapped[UUID] = mapped_column(ForeignKey("member.id"))
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime]
    source: Mapped[str]
    recorded_by_id: Mapped[UUID] = mapped_column(ForeignKey("member.id"))
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    __table_args__ = (UniqueConstraint("member_id", "started_at", "ended_at"),)


class OutsideAssignment(Base):
    """A letter of another office or system, under which the same person claims these days too."""

    __tablename__ = "outside_assignment"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    member_id: Mapped[UUID] = mapped_column(ForeignKey("member.id"))
    number: Mapped[str]
    office: Mapped[str]
    starts_on: Mapped[date]
    ends_on: Mapped[date]
    source: Mapped[str]
    recorded_by_id: Mapped[UUID] = mapped_column(ForeignKey("member.id"))
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    __table_args__ = (UniqueConstraint("member_id", "number"),)


class VisumEvent(StrEnum):
    ARRIVAL = "ARRIVAL"
    DEPARTURE = "DEPARTURE"


class VisumMethod(StrEnum):
    """How the desk knew: from its list, or by what the traveller's phone showed."""

    LIST = "LIST"
    QR = "QR"
    CODE = "CODE"


class TravelNotice(Base):
    """*Pemberitahuan*: what a destination is told of a leg that leads there, while it may be due.

    It follows from trip and leg. `code_key`, encrypted, is what a traveller's codes come from: of
    one trip and destination, so that no other host could make them.
    """

    __tablename__ = "travel_notice"
    trip_id: Mapped[UUID] = mapped_column(ForeignKey("trip.id"), primary_key=True)
    leg: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    tenant: Mapped[str] = mapped_column(server_default=FetchedValue())
    destination: Mapped[str]
    arrive_on: Mapped[date]
    depart_on: Mapped[date]
    letter_number: Mapped[str]
    traveller: Mapped[str]
    position: Mapped[str | None]
    office: Mapped[str | None]
    code_key: Mapped[str]


class Visum(Base):
    """What this regency, as host, confirms of another's trip; a row that `withdraws` takes back.

    `code_step` is the minute whose code was shown, so that none counts twice.
    """

    __tablename__ = "visum"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    tenant: Mapped[str] = mapped_column(server_default=FetchedValue())
    sender: Mapped[str]
    trip_id: Mapped[UUID]
    leg: Mapped[int] = mapped_column(SmallInteger)
    event: Mapped[VisumEvent]
    happened_at: Mapped[datetime]
    method: Mapped[VisumMethod]
    code_step: Mapped[int | None] = mapped_column(BigInteger)
    withdraws: Mapped[UUID | None] = mapped_column(ForeignKey("visum.id"), unique=True)
    reason: Mapped[str | None]
    traveller: Mapped[str]
    letter_number: Mapped[str]
    member_id: Mapped[UUID] = mapped_column(ForeignKey("member.id"))
    confirmed_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    __table_args__ = (
        Index("visum_trip", "trip_id", "leg"),
        Index("visum_time", "happened_at"),
        UniqueConstraint("trip_id", "code_step"),
    )


class VisumAttempt(Base):
    """A code that was wrong, and who tried it."""

    __tablename__ = "visum_attempt"
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    member_id: Mapped[UUID] = mapped_column(ForeignKey("member.id"))
    failed_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    __table_args__ = (Index("visum_attempt_time", "failed_at"),)


class ReceivedVisum(Base):
    """What a host confirmed of this regency's trip; the province had it at `received_at`."""

    __tablename__ = "visum_received"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    trip_id: Mapped[UUID] = mapped_column(ForeignKey("trip.id"))
    leg: Mapped[int] = mapped_column(SmallInteger)
    host: Mapped[str]
    event: Mapped[VisumEvent]
    happened_at: Mapped[datetime]
    method: Mapped[VisumMethod]
    confirmed_at: Mapped[datetime]
    withdraws: Mapped[UUID | None]
    received_at: Mapped[datetime]
    __table_args__ = (
        Index("visum_received_trip", "trip_id"),
        Index("visum_received_newest", "received_at"),
    )


class VerdictRecord(Base):
    """A finding about a trip for a human to weigh, never a sanction; the newest is `current`.

    `detail` holds the days, stays, gaps and deviations it was made of. While outcome and
    deviations stay what they are, new fixes refresh the current row; when they change it is kept
    and another becomes current.
    """

    __tablename__ = "verdict"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    tenant: Mapped[str] = mapped_column(server_default=FetchedValue())
    trip_id: Mapped[UUID] = mapped_column(ForeignKey("trip.id"))
    current: Mapped[bool] = mapped_column(default=True)
    outcome: Mapped[str]
    final: Mapped[bool]
    coverage: Mapped[float]
    observed_days: Mapped[int] = mapped_column(Integer)
    unknown_days: Mapped[int] = mapped_column(Integer)
    ruleset: Mapped[int] = mapped_column(ForeignKey("ruleset.version"))
    boundary_set: Mapped[int] = mapped_column(ForeignKey("boundary_set.version"))
    watermark: Mapped[int] = mapped_column(BigInteger)
    evaluated_at: Mapped[datetime]
    detail: Mapped[dict[str, Any]]
    __table_args__ = (
        Index("verdict_current", "trip_id", unique=True, postgresql_where=text("current")),
    )


Finding = tuple[str, str, int | None, str | None, str | None]
"""Kind, severity, leg, region and amount of a deviation."""


def findings(detail: Mapping[str, Any]) -> list[Finding]:
    """What a verdict's detail says of the trip, but for times and words."""
    return [
        (said["kind"], said["severity"], said["leg"], said["region"], said["amount"])
        for said in detail.get("deviations", ())
    ]


class DeviationState(StrEnum):
    """From finding to decision; WITHDRAWN when later evidence or a later plan made it vanish."""

    OPEN = "OPEN"
    ANSWERED = "ANSWERED"
    UPHELD = "UPHELD"
    EXCUSED = "EXCUSED"
    WITHDRAWN = "WITHDRAWN"


class DeviationRecord(Base):
    """One way in which track and plan differ: a case (*temuan*), a finding and not a sanction.

    It stays the same row while evidence grows, so that replies stay with it; every verdict keeps
    in `detail` what it said at its time. `evidence` holds the digests (hex) of the chunks that
    prove it, `amount` the rupiah at stake. PostgreSQL itself keeps `history` (each `state` and when
    it came, `at`) and the times of the first reply and ruling, for the province.
    """

    __tablename__ = "deviation"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    tenant: Mapped[str] = mapped_column(server_default=FetchedValue())
    trip_id: Mapped[UUID] = mapped_column(ForeignKey("trip.id"))
    verdict_id: Mapped[UUID] = mapped_column(ForeignKey("verdict.id"))
    kind: Mapped[str]
    severity: Mapped[str]
    state: Mapped[DeviationState] = mapped_column(default=DeviationState.OPEN)
    leg: Mapped[int | None] = mapped_column(SmallInteger)
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime]
    region_code: Mapped[str | None]
    planned_region_code: Mapped[str | None]
    coverage: Mapped[float]
    amount: Mapped[Decimal | None]
    evidence: Mapped[list[str]] = mapped_column(ARRAY(Text))
    message_id: Mapped[str]
    message_en: Mapped[str]
    found_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    history: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default=FetchedValue())
    replied_at: Mapped[datetime | None] = mapped_column(server_default=FetchedValue())
    ruled_at: Mapped[datetime | None] = mapped_column(server_default=FetchedValue())

    trip: Mapped[Trip] = relationship(lazy="raise")
    __table_args__ = (
        Index("deviation_newest", "found_at", "id"),
        Index(
            "deviation_case",
            "trip_id",
            "kind",
            "leg",
            "region_code",
            unique=True,
            postgresql_nulls_not_distinct=True,
        ),
    )


class DeviationReply(Base):
    """What the traveller says to a deviation (*hak jawab*), inside the case."""

    __tablename__ = "deviation_reply"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    deviation_id: Mapped[UUID] = mapped_column(ForeignKey("deviation.id"), index=True)
    member_id: Mapped[UUID] = mapped_column(ForeignKey("member.id"))
    body: Mapped[str]
    replied_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class DeviationRuling(Base):
    """What an inspector decides about a deviation: a human's word, with the reason."""

    __tablename__ = "deviation_ruling"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    deviation_id: Mapped[UUID] = mapped_column(ForeignKey("deviation.id"), index=True)
    member_id: Mapped[UUID] = mapped_column(ForeignKey("member.id"))
    upheld: Mapped[bool]
    reason: Mapped[str]
    ruled_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class EscalationAnswer(Base):
    """What an inspector answers the province about a case (*penjelasan*), with what it asked."""

    __tablename__ = "escalation_answer"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    tenant: Mapped[str] = mapped_column(server_default=FetchedValue())
    escalation_id: Mapped[UUID] = mapped_column(index=True)
    deviation_id: Mapped[UUID] = mapped_column(ForeignKey("deviation.id"))
    question: Mapped[str]
    asked_at: Mapped[datetime]
    member_id: Mapped[UUID] = mapped_column(ForeignKey("member.id"))
    body: Mapped[str]
    answered_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
