"""The values a trip (*perjalanan dinas*) is judged with: the plan, the track, the verdict.

Times are aware and UTC where they are datetimes, epoch seconds where they are arrays. Dates are
local to the zone named beside them and inclusive. Rupiah are Decimal. Regions are Kemendagri codes.
"""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray


class Outcome(StrEnum):
    """What the track says about the plan. UNVERIFIABLE accuses nobody."""

    CONFORMS = "CONFORMS"
    DEVIATES = "DEVIATES"
    UNVERIFIABLE = "UNVERIFIABLE"


class DeviationKind(StrEnum):
    """The ways a trip can differ from its plan or its claim; workers/RULES.md explains each."""

    NEVER_LEFT = "NEVER_LEFT"
    WRONG_REGION = "WRONG_REGION"
    LATE_START = "LATE_START"
    EARLY_RETURN = "EARLY_RETURN"
    SHORT_STAY = "SHORT_STAY"
    OVERLAP = "OVERLAP"
    GROUP_HEADCOUNT = "GROUP_HEADCOUNT"
    LODGING_MISMATCH = "LODGING_MISMATCH"
    FLIGHT_MISMATCH = "FLIGHT_MISMATCH"
    MOCK_FLAG = "MOCK_FLAG"
    IMPOSSIBLE_MOVEMENT = "IMPOSSIBLE_MOVEMENT"
    FROZEN_POSITION = "FROZEN_POSITION"
    COPIED_TRACK = "COPIED_TRACK"
    CARRIED_PHONE = "CARRIED_PHONE"
    ATTENDANCE_CONFLICT = "ATTENDANCE_CONFLICT"
    LOW_COVERAGE = "LOW_COVERAGE"
    REPORT_LATE = "REPORT_LATE"
    VISUM_MISMATCH = "VISUM_MISMATCH"


class Severity(StrEnum):
    """How much of the trip a deviation touches. A NOTE informs and leaves the outcome alone."""

    NOTE = "NOTE"
    LOW = "LOW"
    MEDIUM = "MEDIUM"
    HIGH = "HIGH"


class SilenceReason(StrEnum):
    """Why a phone was silent, where it says so; PAUSED is the traveller's word, not the phone's."""

    NO_POWER = "NO_POWER"
    NO_PERMISSION = "NO_PERMISSION"
    NO_NETWORK = "NO_NETWORK"
    PAUSED = "PAUSED"
    UNKNOWN = "UNKNOWN"


class DayState(StrEnum):
    """AWAY: certainly seen outside home. HOME: certainly there all day. UNKNOWN: neither."""

    AWAY = "AWAY"
    HOME = "HOME"
    UNKNOWN = "UNKNOWN"


class DayBasis(StrEnum):
    """What a day is known by: the track, or, where it is silent, the visum of a destination."""

    TRACK = "TRACK"
    VISUM = "VISUM"


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """A place in degrees, EPSG:4326."""

    lon: float
    lat: float


@dataclass(frozen=True, slots=True)
class PlannedLeg:
    """One destination of the assignment letter (*surat tugas*); dates in `zone`, an IANA name.

    `lodging` is where the traveller declared to spend the nights.
    """

    position: int
    region: str
    zone: str
    arrive_on: date
    depart_on: date
    lodging: Position | None = None


@dataclass(frozen=True, slots=True)
class LawfulPlace:
    """*Tempat sah* (PMK 119/2023): being there on these dates, in the home zone, is lawful."""

    region: str
    from_on: date
    until_on: date


@dataclass(frozen=True, slots=True)
class Flight:
    """A flight of the plan, between two airports."""

    number: str
    origin: Position
    destination: Position
    departs_at: datetime
    arrives_at: datetime


@dataclass(frozen=True, slots=True)
class Plan:
    """What the letter allows. `finished_at`: the traveller declared the trip done, which ends it.

    `home` is the seat of the office, `transit` the regions declared as passed through.
    """

    home: str
    home_zone: str
    starts_on: date
    ends_on: date
    legs: tuple[PlannedLeg, ...]
    lawful_places: tuple[LawfulPlace, ...] = ()
    transit: frozenset[str] = frozenset()
    flights: tuple[Flight, ...] = ()
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """Days claimed and the daily allowance (*uang harian*), None when no rate is in force."""

    days: int
    daily_allowance: Decimal | None


@dataclass(frozen=True, slots=True)
class Assignment:
    """Another assignment of the same person: its letter, its office, the days claimed for it."""

    number: str
    office: str
    starts_on: date
    ends_on: date


@dataclass(frozen=True, slots=True)
class Attendance:
    """A presence at the home office by attendance data (*presensi*); an instant when both equal."""

    started_at: datetime
    ended_at: datetime


@dataclass(frozen=True, slots=True)
class Companion:
    """Somebody else under the same letter: when he was seen at the destinations, if ever."""

    seen: tuple["Stay", ...]


@dataclass(frozen=True, slots=True)
class Likeness:
    """Another trip whose track repeats this one's.

    `shared` is the share of this track's moving parts found there, `shift_seconds` how much later
    this one is, `first` whether this one had arrived before the other.
    """

    letter: str
    shared: float
    shift_seconds: float
    first: bool


@dataclass(frozen=True, slots=True)
class Pair:
    """Another traveller's phone that was near this one: both heard for `seconds`, over `nights`.

    `letter` is the other's; `apart_m` the distance that is exceeded in one moment of ten.
    """

    letter: str
    seconds: float
    nights: int
    apart_m: float


@dataclass(frozen=True, slots=True)
class Silence:
    """A silence that the phone explained, or the traveller by pausing."""

    started_at: datetime
    ended_at: datetime
    reason: SilenceReason


@dataclass(frozen=True, slots=True)
class Visum:
    """What a destination confirmed: arrival, departure or both; `leg` is the leg it is told of."""

    region: str
    leg: int
    arrived_at: datetime | None
    departed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Dossier:
    """*Berkas*: what is on record about a trip besides its plan and its track.

    `reported_on` is the local date on which the report (*laporan*) was filed.
    """

    claim: Claim | None = None
    reported_on: date | None = None
    assignments: tuple[Assignment, ...] = ()
    attendance: tuple[Attendance, ...] = ()
    companions: tuple[Companion, ...] = ()
    likenesses: tuple[Likeness, ...] = ()
    pairs: tuple[Pair, ...] = ()
    silences: tuple[Silence, ...] = ()
    visa: tuple[Visum, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Fixes:
    """A track as gathered, in any order, with duplicates; all arrays of one length n.

    time: float64 epoch s; lon, lat: float64 degrees; accuracy: float32 m, NaN when unknown;
    mock: bool, the phone called the position simulated; battery: float32, charge from 0 to 1, NaN
    when unknown; chunk: int32, index into `digests`, the chunk each fix came in.
    """

    time: NDArray[np.float64]
    lon: NDArray[np.float64]
    lat: NDArray[np.float64]
    accuracy: NDArray[np.float32]
    mock: NDArray[np.bool_]
    battery: NDArray[np.float32]
    chunk: NDArray[np.int32]
    digests: tuple[bytes, ...]

    def only(self, which: NDArray[np.bool_]) -> "Fixes":
        """Those of the fixes that are marked."""
        return Fixes(
            self.time[which],
            self.lon[which],
            self.lat[which],
            self.accuracy[which],
            self.mock[which],
            self.battery[which],
            self.chunk[which],
            self.digests,
        )


@dataclass(frozen=True, slots=True)
class Stay:
    """A presence in one region, None outside every outline; a gap ends it, a short absence not."""

    region: str | None
    started_at: datetime
    ended_at: datetime
    fixes: int


@dataclass(frozen=True, slots=True)
class Gap:
    """Time of which the track says nothing, and why, where the phone says so."""

    started_at: datetime
    ended_at: datetime
    reason: SilenceReason = SilenceReason.UNKNOWN


@dataclass(frozen=True, slots=True)
class Deviation:
    """A finding for review, never a sanction (UU 27/2022, article 10).

    `leg` is a planned leg's position, `region` where the traveller was seen, `planned_region`
    where he should have been; `coverage` the known share of the interval; `amount` the rupiah
    at stake, None without claim or rate; `evidence` the digests of the chunks that prove it.
    """

    kind: DeviationKind
    severity: Severity
    leg: int | None
    started_at: datetime
    ended_at: datetime
    region: str | None
    planned_region: str | None
    coverage: float
    amount: Decimal | None
    evidence: tuple[bytes, ...]
    message_id: str
    message_en: str


@dataclass(frozen=True, slots=True)
class Day:
    """One day of the trip, from midnight to midnight in the zone planned for it."""

    date: date
    planned: tuple[str, ...]
    seen: tuple[str, ...]
    known_seconds: float
    state: DayState


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judgement; `final` once the trip's time is over. `coverage` is 0 to 1 of it so far.

    It is the track's; `visum_coverage` is what only visa cover, `vouched` the days so known.
    """

    outcome: Outcome
    final: bool
    coverage: float
    observed_days: int
    unknown_days: int
    days: tuple[Day, ...]
    stays: tuple[Stay, ...]
    gaps: tuple[Gap, ...]
    deviations: tuple[Deviation, ...]
    ruleset: int
    visum_coverage: float = 0.0
    vouched: tuple[date, ...] = ()
