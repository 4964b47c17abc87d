"""The regencies in figures, month by month, and how far they can be told apart.

A trip belongs to the month of its last planned day (`ends_on`): only then is it known what became
of it. A case belongs to the month of its trip, so that a month's cases and trips speak of the same
journeys. Each regency's own database counts them, and publishes them by every agreement.
"""

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from operator import itemgetter
from statistics import NormalDist, median
from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    DateTime,
    Row,
    Text,
    column,
    func,
    select,
    text,
    true,
)
from sqlalchemy.orm import Session, aliased

from tenants.access import Viewer
from tenants.models import Role
from tenants.province import KeptHead, Regency, SharedFinding, SharedMonth

CONFIDENCE: Final = 0.95
Z: Final = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)


@dataclass(frozen=True, slots=True)
class Interval:
    """A share and the Wilson score interval around it, all from 0 to 1."""

    share: float
    low: float
    high: float


def wilson(successes: int, trials: int) -> Interval | None:
    """The Wilson score interval at `CONFIDENCE`; None without trials.

    E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", JASA 22
    (1927): of few trials it stays wide and within 0 to 1, where a bare rate says 0 or 100 %.
    """
    if not trials:
        return None
    share, squared = successes / trials, Z * Z / trials
    middle = (share + squared / 2) / (1 + squared)
    half = Z / (1 + squared) * (share * (1 - share) / trials + squared / (4 * trials)) ** 0.5
    return Interval(
        share,
        max(0.0, middle - half) if successes else 0.0,
        min(1.0, middle + half) if successes < trials else 1.0,
    )


@dataclass(slots=True)
class Figures:
    """Trips that were not cancelled, and the cases of all trips; of one month, or of several.

    `days` are planned days, `coverage` the mean over the verdicts. `verdicts` counts trips by
    outcome and `kinds` cases by kind. `deviating` of `judged` trips deviate, by final verdicts:
    what cannot be verified accuses nobody and counts for neither. `reply_hours` and `ruling_hours`
    are from the finding to the first reply and the first ruling, one for each case that had one.
    """

    trips: int = 0
    days: int = 0
    coverages: float = 0.0
    covered: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    judged: int = 0
    deviating: int = 0
    open_deviations: int = 0
    settled_deviations: int = 0
    amount_at_stake: Decimal = Decimal(0)
    kinds: Counter[str] = field(default_factory=Counter)
    reply_hours: list[float] = field(default_factory=list)
    ruling_hours: list[float] = field(default_factory=list)

    def add_month(self, row: Row[tuple[object, ...]]) -> None:
        """Count the trips of a month in, a row of `SharedMonth`."""
        self.trips += row.trips
        self.days += row.days
        self.coverages += row.coverage
        self.covered += row.verdicts
        self.verdicts["CONFORMS"] += row.conforms
        self.verdicts["DEVIATES"] += row.deviates
        self.verdicts["UNVERIFIABLE"] += row.unverifiable
        self.judged += row.judged
        self.deviating += row.deviating

    def add_finding(self, row: Row[tuple[object, ...]]) -> None:
        """Count the cases of a month, kind and severity in, a row of `SharedFinding`."""
        self.open_deviations += row.open
        self.settled_deviations += row.upheld + row.excused
        self.amount_at_stake += row.amount_at_stake
        self.kinds[row.kind] += row.open + row.upheld + row.excused
        self.reply_hours += row.reply_hours
        self.ruling_hours += row.ruling_hours

    @property
    def coverage(self) -> float | None:
        return self.coverages / self.covered if self.covered else None

    @property
    def median_hours_to_reply(self) -> float | None:
        return median(self.reply_hours) if self.reply_hours else None

    @property
    def median_hours_to_ruling(self) -> float | None:
        return median(self.ruling_hours) if self.ruling_hours else None

    @property
    def deviation_share(self) -> Interval | None:
        return wilson(self.deviating, self.judged)


@dataclass(frozen=True, slots=True)
class Freshness:
    """How old what the province holds of a regency is.

    `as_of`: when the province last heard from the regency's database, None if never. `reachable`:
    heard of within a minute, over a connection that stands. `bytes_behind`: of the server's log,
    what this regency's subscription has not confirmed; None when its server is another.
    `needs_resync`: PostgreSQL gave up the slot, so that it will not catch up by itself.
    """

    as_of: datetime | None
    reachable: bool
    bytes_behind: int | None
    copying: bool
    needs_resync: bool

    @property
    def age_seconds(self) -> float | None:
        if self.as_of is None:
            return None
        return max(0.0, (datetime.now(UTC) - self.as_of).total_seconds())


@dataclass(frozen=True, slots=True)
class RegencyFigures:
    """A regency: all months together, how fresh it is, and its evidence chain.

    `head` is the newest of the chain, `conflicting_heads` counts those of a number that had another
    head before.
    """

    code: str
    name: str
    freshness: Freshness
    head: KeptHead | None
    conflicting_heads: int
    total: Figures = field(default_factory=Figures)
    by_month: defaultdict[date, Figures] = field(default_factory=lambda: defaultdict(Figures))

    @property
    def months(self) -> list[tuple[date, Figures]]:
        """Each month with a trip or a case, in order."""
        return sorted(self.by_month.items(), key=itemgetter(0))


@dataclass(frozen=True, slots=True)
class Months:
    """Months from that of the one day to that of the other, both included; None has no end."""

    first: date | None = None
    last: date | None = None

    def conditions(self, of: type[SharedMonth | SharedFinding]) -> list[ColumnElement[bool]]:
        """On the rows that count for these months."""
        found = []
        if self.first is not None:
            found.append(of.month >= self.first.replace(day=1))
        if self.last is not None:
            found.append(of.month <= self.last.replace(day=1))
        return found


FRESHNESS: Final = func.regency_freshness().table_valued(
    column("code", Text),
    column("as_of", DateTime(timezone=True)),
    column("reachable", Boolean),
    column("bytes_behind", BigInteger),
    column("copying", Boolean),
    column("needs_resync", Boolean),
)


def pulse(session: Session) -> None:
    """Note what was heard of the regencies; for the sweep."""
    session.execute(text("SELECT note_receipts()"))


def page(
    session: Session,
    viewer: Viewer,
    *,
    months: Months,
    codes: Sequence[str] | None = None,
    after: str | None = None,
    first: int,
) -> list[RegencyFigures]:
    """Up to `first` + 1 regencies with their figures, by code; six statements."""
    viewer.require(Role.OVERSEER)
    regencies = select(Regency.code, Regency.name)
    if codes is not None:
        regencies = regencies.where(Regency.code.in_(codes))
    if after is not None:
        regencies = regencies.where(Regency.code > after)
    shown = session.execute(regencies.order_by(Regency.code).limit(first + 1)).all()
    wanted = [code for code, _ in shown]
    fresh = {
        code: Freshness(*state)
        for code, *state in session.execute(select(FRESHNESS).where(FRESHNESS.c.code.in_(wanted)))
    }
    heads, conflicts = _heads(session, wanted)
    found = {
        code: RegencyFigures(code, name, fresh[code], heads.get(code), conflicts.get(code, 0))
        for code, name in shown
    }
    # Plain rows: objects of the session would cost more than all the rest.
    for table, add in ((SharedMonth, Figures.add_month), (SharedFinding, Figures.add_finding)):
        rows = select(*table.__table__.columns)
        for row in session.execute(rows.where(table.tenant.in_(wanted), *months.conditions(table))):
            regency = found[row.tenant]
            add(regency.total, row)
            add(regency.by_month[row.month], row)
    return list(found.values())


def _heads(session: Session, codes: Sequence[str]) -> tuple[dict[str, KeptHead], dict[str, int]]:
    """Of each regency the newest head of its evidence chain, and how many conflict."""
    of_regency = select(KeptHead).where(KeptHead.tenant == Regency.code)
    newest = of_regency.order_by(KeptHead.number.desc(), KeptHead.received_at).limit(1).lateral()
    head = aliased(KeptHead, newest)
    heads = select(head).select_from(Regency).join(newest, true()).where(Regency.code.in_(codes))
    conflicts = select(KeptHead.tenant, func.count()).where(
        KeptHead.conflicts, KeptHead.tenant.in_(codes)
    )
    counted = session.execute(conflicts.group_by(KeptHead.tenant)).tuples()
    return {row.tenant: row for row in session.scalars(heads)}, dict(counted.all())


@dataclass(frozen=True, slots=True)
class Ranked:
    """A regency among the others, by the share of its judged trips that deviate.

    `place` is by the interval's lower bound, the greatest first: what deviates at the least, not
    what a few trips happen to show. `from_place` and `to_place` are where it could stand as well:
    regencies whose intervals overlap are not told apart. That is careful, as intervals that
    overlap a little may yet differ; what is told apart does differ.
    """

    place: int
    from_place: int
    to_place: int
    code: str
    name: str
    deviating: int
    judged: int
    interval: Interval

    @property
    def distinguishable(self) -> bool:
        return self.from_place == self.to_place


def ranking(session: Session, viewer: Viewer, *, months: Months) -> list[Ranked]:
    """All regencies with a judged trip in these months, in order; one statement."""
    viewer.require(Role.OVERSEER)
    deviating, judged = func.sum(SharedMonth.deviating), func.sum(SharedMonth.judged)
    sums = (
        select(Regency.code, Regency.name, deviating, judged)
        .join(SharedMonth, SharedMonth.tenant == Regency.code)
        .where(*months.conditions(SharedMonth))
        .group_by(Regency.code)
        .having(judged > 0)
    )
    return ranked([(code, name, int(of), int(n)) for code, name, of, n in session.execute(sums)])


def ranked(counts: Sequence[tuple[str, str, int, int]]) -> list[Ranked]:
    """The order of regencies, each by code, name, deviating and judged trips (at least one)."""
    known = [
        (interval, code, name, of, n)
        for code, name, of, n in counts
        if (interval := wilson(of, n)) is not None
    ]
    placed = sorted(known, key=lambda each: (-each[0].low, -each[0].high, each[1]))
    lows = sorted(each[0].low for each in placed)
    highs = sorted(each[0].high for each in placed)
    return [
        Ranked(
            place,
            1 + len(lows) - bisect_right(lows, interval.high),
            len(highs) - bisect_left(highs, interval.low),
            code,
            name,
            of,
            n,
            interval,
        )
        for place, (interval, code, name, of, n) in enumerate(placed, 1)
    ]
