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
    """The ways a track can contradict a plan or a claim."""

    NEVER_LEFT = "NEVER_LEFT"
    WRONG_REGION = "WRONG_REGION"
    SHORT_STAY = "SHORT_STAY"


class Severity(StrEnum):
    """How much of the trip a deviation touches."""

    LOW = "LOW"
    MEDIUM = "MEDIUM"
    HIGH = "HIGH"


class DayState(StrEnum):
    """AWAY: certainly seen outside home. HOME: certainly there all day. UNKNOWN: neither."""

    AWAY = "AWAY"
    HOME = "HOME"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class PlannedLeg:
    """One destination of the assignment letter (*surat tugas*); dates in `zone`, an IANA name."""

    position: int
    region: str
    zone: str
    arrive_on: date
    depart_on: date


@dataclass(frozen=True, slots=True)
class LawfulPlace:
    """*Tempat sah* (PMK 119/2023): being there on these dates, in the home zone, is lawful."""

    region: str
    from_on: date
    until_on: date


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
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """Days claimed and the daily allowance (*uang harian*), None when no rate is in force."""

    days: int
    daily_allowance: Decimal | None


@dataclass(frozen=True, slots=True)
class Ruleset:
    """The parameters of the evaluation, in metres, seconds and shares of 1.

    Defaults lean to the traveller: what they leave open ends as UNVERIFIABLE, not as DEVIATES.
    """

    version: int

    visit_fixes: int = 3
    """Fixes that make a presence. One or two are how outliers look."""
    visit_seconds: float = 900
    """Time a presence lasts at least. Shorter ones merge into what surrounds them."""

    accuracy_limit_m: float = 5_000
    """Worse fixes are ignored: cell towers, 17 km have been seen."""
    accuracy_floor_m: float = 250
    """No fix is believed to be better: a phone claiming 1.9 m was 200 m off."""
    accuracy_unknown_m: float = 1_000
    """Assumed when the phone does not say."""

    outlier_mps: float = 70
    """Speed in and out of an excursion nobody makes by road: 250 km/h."""
    outlier_m: float = 2_000
    """Excursions shorter than this are jitter, which tolerance already absorbs."""
    outlier_fixes: int = 3
    """Fixes an excursion has at most to be taken for an error."""
    outlier_seconds: float = 1_800
    """Time between the fixes around it at most: a flight out and back takes longer."""

    gap_seconds: float = 3_600
    """Silence that is unknown time. Sleeping phones report every 30 to 60 minutes."""
    still_m: float = 1_000
    """A phone that wakes this near to where it fell silent is taken to have stood still."""
    still_seconds: float = 14 * 3_600
    """Longest such silence that is known time: evening to morning, as Traccar clients do."""

    waking_from_hour: int = 6
    """Local hour from which silence counts: phones sleep at night."""
    waking_until_hour: int = 22
    """Local hour until which it does, at most 23."""
    home_share: float = 0.6
    """Share of the waking hours that must be known, all at home, for a day to be HOME."""
    home_silence_seconds: float = 4 * 3_600
    """A longer silence in waking hours could hide a trip to the neighbour: the day is UNKNOWN."""

    arrival_grace_seconds: float = 12 * 3_600
    """After the planned day of arrival, before a live verdict holds lateness against anyone."""

    dwell_window_seconds: float = 7_200
    """Stops shorter than this are part of the drive."""
    dwell_m: float = 10_000
    """Dwelling is being this near again after the window: 5 km/h, slower than a river boat."""
    wrong_seconds: float = 3 * 3_600
    """Dwelling in a wrong region that deviates when the destination was never reached."""
    transit_seconds: float = 6 * 3_600
    """The same when it was reached: a change of planes, an errand, an afternoon's excursion."""
    rest_seconds: float = 14 * 3_600
    """Dwelling per journey allowed on the way: one night's rest and the stops of a long road."""
    detour: float = 1.75
    """On the way is what makes the journey this many times longer at most: to Berau by air, 1.6."""
    offshore_m: float = 100_000
    """Outside every outline is a wrong place only so far from all right ones: maps lack islands."""

    medium_seconds: float = 12 * 3_600
    """Dwelling in a wrong region that is of MEDIUM severity: half a day."""
    high_seconds: float = 24 * 3_600
    """The same for HIGH: a day."""

    min_coverage: float = 0.5
    """Known share of the trip without which nothing conforms."""


@dataclass(frozen=True, slots=True, eq=False)
class Fixes:
    """A track as gathered, in any order, with duplicates; all arrays of one length n.

    time: float64 epoch s; lon, lat: float64 degrees; accuracy: float32 m, NaN when unknown;
    chunk: int32, index into `digests`, the chunk each fix came in.
    """

    time: NDArray[np.float64]
    lon: NDArray[np.float64]
    lat: NDArray[np.float64]
    accuracy: NDArray[np.float32]
    chunk: NDArray[np.int32]
    digests: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Stay:
    """A presence in one region, None outside every outline; a gap ends it, a short absence not."""

    region: str | None
    started_at: datetime
    ended_at: datetime
    fixes: int


@dataclass(frozen=True, slots=True)
class Gap:
    """Time of which the track says nothing."""

    started_at: datetime
    ended_at: datetime


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
    """The judgement; `final` once the trip's time is over. `coverage` is 0 to 1 of it so far."""

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
