"""The visum: a destination confirms that a traveller of another regency arrived and departed.

It is the signature on the back of the SPD (PMK 113/PMK.05/2012). A host reads the notices of the
trips that come to it in the province's database and writes what it confirms in its own.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.twofactor import InvalidToken
from cryptography.hazmat.primitives.twofactor.hotp import HOTP
from sqlalchemy import Select, exists, func, select, tuple_
from sqlalchemy.orm import Session, aliased

from tenants import access
from tenants.access import Viewer
from tenants.catalogue import decrypt
from tenants.evidence import TravelNotice, Visum, VisumAttempt, VisumEvent, VisumMethod
from tenants.models import Role, TripState
from tenants.plans import text_of
from tenants.problems import InvalidInput, NotFound, TooManyAttempts, WrongState
from tenants.province import PassingNotice

STEP_SECONDS: Final = 60
DIGITS: Final = 8
QR_PREFIX: Final = "JEJAK-VISUM"
LEEWAY: Final = timedelta(days=3)
"""How long before and after the planned dates a traveller may turn up."""
ATTEMPTS_LAST: Final = timedelta(minutes=5)
MOST_ATTEMPTS: Final = 5
MOST_ATTEMPTS_OF_ALL: Final = 20
LOCK: Final = 0x766973756D


class IncomingState(StrEnum):
    EXPECTED = "EXPECTED"
    ARRIVED = "ARRIVED"
    DEPARTED = "DEPARTED"


@dataclass(frozen=True, slots=True)
class Code:
    """What a traveller shows to the desk at a destination; it is shown anew at `renewed_at`."""

    leg: int
    destination: str
    code: str
    qr: str
    renewed_at: datetime


def code(
    session: Session, viewer: Viewer, trip_id: UUID, leg: int | None, *, zone: str, now: datetime
) -> Code | None:
    """The one-time code (RFC 6238) of this minute, on the viewer's own trip, around its dates.

    Without `leg`, that of the destination where she is due. None where the destination is not told
    of the trip, and at other times; raises `NotFound` for others' trips.
    """
    trip = access.trip(session, viewer, trip_id)
    if trip.traveller_id != viewer.member_id:
        raise NotFound("Perjalanan dinas")
    if trip.state not in (TripState.ISSUED, TripState.ACTIVE):
        return None
    today = now.astimezone(ZoneInfo(zone)).date()
    told = session.scalars(
        select(TravelNotice)
        .where(
            TravelNotice.trip_id == trip_id,
            TravelNotice.arrive_on <= today + LEEWAY,
            TravelNotice.depart_on >= today - LEEWAY,
        )
        .order_by(TravelNotice.leg)
    ).all()
    begun = [notice for notice in told if notice.arrive_on <= today] or told[:1]
    chosen = begun[-1:] if leg is None else [notice for notice in told if notice.leg == leg]
    if not chosen:
        return None
    (notice,) = chosen
    step = int(now.timestamp()) // STEP_SECONDS
    digits = _hotp(notice.code_key).generate(step).decode()
    return Code(
        notice.leg,
        notice.destination,
        digits,
        f"{QR_PREFIX}:{trip_id.hex.upper()}:{digits}",
        datetime.fromtimestamp((step + 1) * STEP_SECONDS, UTC),
    )


def _hotp(code_key: str) -> HOTP:
    return HOTP(decrypt(code_key).encode(), DIGITS, SHA256())


@dataclass(frozen=True, slots=True)
class Shown:
    """What a traveller showed; `trip_id` is None when only digits were typed."""

    method: VisumMethod
    digits: str
    trip_id: UUID | None


def read_qr(text: str) -> Shown:
    """What the traveller's QR code says; raises `InvalidInput`."""
    prefix, _, rest = text.strip().partition(":")
    trip, _, digits = rest.partition(":")
    try:
        trip_id = UUID(hex=trip)
    except ValueError:
        trip_id = None
    if prefix != QR_PREFIX or trip_id is None:
        raise InvalidInput("qr", "bukan kode QR visum", "is no QR code of a visum")
    return Shown(VisumMethod.QR, _digits("qr", digits), trip_id)


def read_code(text: str) -> Shown:
    """What was typed; raises `InvalidInput`."""
    return Shown(VisumMethod.CODE, _digits("code", text.replace(" ", "")), None)


def _digits(field: str, text: str) -> str:
    if len(text) != DIGITS or not (text.isascii() and text.isdigit()):
        raise InvalidInput(field, f"harus {DIGITS} angka", f"must be {DIGITS} digits")
    return text


Key = tuple[date, int, UUID]
"""By which incoming trips are ordered: planned arrival, leg, trip."""


def notices(
    session: Session,
    viewer: Viewer,
    *,
    day: date | None,
    search: str | None,
    after: Key | None,
    limit: int,
) -> list[PassingNotice]:
    """At the province: the trips that come here, by planned arrival; on `day`, if given.

    `search` is a part of a traveller's name or of a letter's number; raises `InvalidInput` for
    what is neither.
    """
    viewer.require(Role.HOST_DESK)
    key = tuple_(PassingNotice.arrive_on, PassingNotice.leg, PassingNotice.trip_id)
    query = select(PassingNotice).order_by(*key)
    if day is not None:
        query = query.where(PassingNotice.arrive_on <= day, PassingNotice.depart_on >= day)
    if search:
        if "\x00" in search:
            raise InvalidInput("search", "bukan nama atau nomor", "is no name or number")
        of_name = PassingNotice.traveller.icontains(search, autoescape=True)
        query = query.where(
            of_name | PassingNotice.letter_number.icontains(search, autoescape=True)
        )
    if after is not None:
        query = query.where(key > after)
    return list(session.scalars(query.limit(limit)))


def notice(session: Session, viewer: Viewer, trip_id: UUID, leg: int) -> PassingNotice:
    """At the province: one leg that leads here; raises `NotFound`, for others' too."""
    viewer.require(Role.HOST_DESK)
    found = session.get(PassingNotice, (trip_id, leg))
    if found is None:
        raise NotFound("Perjalanan dinas")
    return found


def due(session: Session, viewer: Viewer, shown: Shown, *, today: date) -> list[PassingNotice]:
    """At the province: the legs that lead here about now, of those who can have shown this."""
    viewer.require(Role.HOST_DESK)
    query = select(PassingNotice).where(
        PassingNotice.arrive_on <= today + LEEWAY, PassingNotice.depart_on >= today - LEEWAY
    )
    if shown.trip_id is not None:
        query = query.where(PassingNotice.trip_id == shown.trip_id)
    return list(session.scalars(query.order_by(PassingNotice.arrive_on, PassingNotice.leg)))


Marks = Mapping[VisumEvent, Visum]


def marks(
    session: Session, viewer: Viewer, trip_ids: Iterable[UUID]
) -> dict[tuple[UUID, int], Marks]:
    """What stands confirmed of each leg of these trips."""
    viewer.require(Role.HOST_DESK)
    found: dict[tuple[UUID, int], dict[VisumEvent, Visum]] = {}
    for row in session.scalars(_standing().where(Visum.trip_id.in_(set(trip_ids)))):
        found.setdefault((row.trip_id, row.leg), {})[row.event] = row
    return dict(found)


def _standing() -> Select[Visum]:
    other = aliased(Visum)
    taken_back = exists().where(other.withdraws == Visum.id)
    return select(Visum).where(Visum.withdraws.is_(None), ~taken_back)


def state_of(marked: Marks) -> IncomingState:
    if VisumEvent.DEPARTURE in marked:
        return IncomingState.DEPARTED
    return IncomingState.ARRIVED if VisumEvent.ARRIVAL in marked else IncomingState.EXPECTED


EXPECTS: Final = {
    VisumEvent.ARRIVAL: IncomingState.EXPECTED,
    VisumEvent.DEPARTURE: IncomingState.ARRIVED,
}
"""The state in which each can be confirmed."""


def confirm_listed(
    session: Session,
    viewer: Viewer,
    of: PassingNotice,
    event: VisumEvent,
    *,
    at: datetime | None,
    zone: str,
    now: datetime,
) -> Visum:
    """The desk confirms by its list, for now or for an earlier time around the planned dates."""
    viewer.require(Role.HOST_DESK)
    when = at or now
    day = when.astimezone(ZoneInfo(zone)).date()
    if when > now or not of.arrive_on - LEEWAY <= day <= of.depart_on + LEEWAY:
        raise InvalidInput("at", "di luar tanggal perjalanan", "is outside the trip's dates")
    _one_at_a_time(session)
    return _confirmed(session, viewer, of, event, VisumMethod.LIST, when)


def confirm_shown(
    session: Session,
    viewer: Viewer,
    legs: Sequence[PassingNotice],
    event: VisumEvent,
    shown: Shown,
    *,
    now: datetime,
) -> Visum | None:
    """Confirm by what the traveller showed, once; None when it is no code of these legs now.

    The attempt is then on record, so the caller must let the transaction end well before it says
    so. Raises `TooManyAttempts` after 5 of a member or 20 of all within 5 minutes.
    """
    viewer.require(Role.HOST_DESK)
    _one_at_a_time(session)
    _refuse_guessing(session, viewer, now)
    step, fitting = _fitting(legs, shown.digits, now)
    trips = {of.trip_id for of in fitting}
    used = select(Visum.id).where(Visum.trip_id.in_(trips), Visum.code_step == step)
    if len(trips) != 1 or session.scalar(used) is not None:
        session.add(VisumAttempt(member_id=viewer.member_id, failed_at=now))
        return None
    marked = marks(session, viewer, trips)
    states = {of: state_of(marked.get((of.trip_id, of.leg), {})) for of in fitting}
    of = next((of for of in fitting if states[of] is EXPECTS[event]), fitting[-1])
    return _confirmed(session, viewer, of, event, shown.method, now, step)


def _fitting(
    legs: Sequence[PassingNotice], digits: str, now: datetime
) -> tuple[int, list[PassingNotice]]:
    """The legs whose code these digits were, this minute or in the one before or after it."""
    current = int(now.timestamp()) // STEP_SECONDS
    keys = {(of.trip_id, of.code_key): _hotp(of.code_key) for of in legs}
    for step in (current, current - 1, current + 1):
        fitting = [of for of in legs if _is(keys[of.trip_id, of.code_key], digits, step)]
        if fitting:
            return step, fitting
    return current, []


def _is(hotp: HOTP, digits: str, step: int) -> bool:
    try:
        hotp.verify(digits.encode(), step)
    except InvalidToken:
        return False
    return True


def _refuse_guessing(session: Session, viewer: Viewer, now: datetime) -> None:
    hers, all_of_them = session.execute(
        select(func.count().filter(VisumAttempt.member_id == viewer.member_id), func.count()).where(
            VisumAttempt.failed_at > now - ATTEMPTS_LAST
        )
    ).one()
    if hers >= MOST_ATTEMPTS or all_of_them >= MOST_ATTEMPTS_OF_ALL:
        raise TooManyAttempts(int(ATTEMPTS_LAST.total_seconds()) // 60)


def _one_at_a_time(session: Session) -> None:
    """So that no code and no arrival counts twice, and no guess goes uncounted."""
    session.execute(select(func.pg_advisory_xact_lock(LOCK)))


def _confirmed(
    session: Session,
    viewer: Viewer,
    of: PassingNotice,
    event: VisumEvent,
    method: VisumMethod,
    at: datetime,
    step: int | None = None,
) -> Visum:
    marked = marks(session, viewer, [of.trip_id]).get((of.trip_id, of.leg), {})
    state = state_of(marked)
    if state is not EXPECTS[event]:
        raise WrongState(state)
    if event is VisumEvent.DEPARTURE and at < marked[VisumEvent.ARRIVAL].happened_at:
        raise InvalidInput("at", "sebelum kedatangan", "is before the arrival")
    made = Visum(
        sender=of.tenant,
        trip_id=of.trip_id,
        leg=of.leg,
        event=event,
        happened_at=at,
        method=method,
        code_step=step,
        traveller=of.traveller,
        letter_number=of.letter_number,
        member_id=viewer.member_id,
    )
    session.add(made)
    session.flush()
    return made


def withdraw(
    session: Session, viewer: Viewer, visum_id: UUID, *, reason: str
) -> tuple[Visum, Visum]:
    """Take a confirmation back, the departure before the arrival; returns it and what took it."""
    viewer.require(Role.HOST_DESK)
    said = text_of("reason", reason)
    _one_at_a_time(session)
    wrong = session.scalar(_standing().where(Visum.id == visum_id))
    if wrong is None:
        raise NotFound("Visum")
    state = state_of(marks(session, viewer, [wrong.trip_id])[wrong.trip_id, wrong.leg])
    if wrong.event is VisumEvent.ARRIVAL and state is IncomingState.DEPARTED:
        raise WrongState(state)
    row = Visum(
        sender=wrong.sender,
        trip_id=wrong.trip_id,
        leg=wrong.leg,
        event=wrong.event,
        happened_at=wrong.happened_at,
        method=VisumMethod.LIST,
        withdraws=wrong.id,
        reason=said,
        traveller=wrong.traveller,
        letter_number=wrong.letter_number,
        member_id=viewer.member_id,
    )
    session.add(row)
    session.flush()
    return wrong, row
