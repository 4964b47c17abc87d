"""Rules on whether the traveller left home, and for how many days.

A deviation is raised on what the track certainly shows and never on its silence.
"""

from collections.abc import Iterator

import numpy as np

from workers.case import Day, DayState, Deviation, DeviationKind, PlannedLeg, Severity
from workers.itinerary import Span, moment
from workers.observed import Observed
from workers.rules.rule import Rule, Text
from workers.rules.wording import (
    cost,
    days_en,
    stake,
    when_en,
    when_id,
)


def never_left(seen: Observed) -> Iterator[Deviation]:
    """The trip was not made: its days are proven to have been spent at home, or most of them.

    Silent about trips within the home region (*dalam kota*) and days on which home is a lawful
    place; live only once the planned arrival is long over and the traveller is still at home.
    """
    leg = unreached(seen)
    if leg is None:
        return
    claimed = seen.dossier.claim.days if seen.dossier.claim else 0
    start, end, zone = seen.itinerary.start, seen.until, seen.plan.home_zone
    home, there, amount = seen.name(seen.plan.home), seen.name(leg.region), cost(seen, claimed)
    yield Deviation(
        kind=DeviationKind.NEVER_LEFT,
        severity=Severity.HIGH,
        leg=leg.position,
        started_at=moment(start),
        ended_at=moment(end),
        region=seen.plan.home,
        planned_region=leg.region,
        coverage=seen.coverage,
        amount=amount,
        evidence=seen.evidence(seen.home),
        message_id=(
            f"Tidak pernah meninggalkan {home} antara {when_id(start, zone)} dan "
            f"{when_id(end, zone)} (jejak mencakup {seen.coverage:.0%} waktu), padahal ditugaskan "
            f"ke {there}{stake(amount, f'; diklaim {claimed} hari, ')}."
        ),
        message_en=(
            f"Never left {home} between {when_en(start, zone)} and {when_en(end, zone)} (the "
            f"track covers {seen.coverage:.0%} of the time), though sent to "
            f"{there}{stake(amount, f'; {days_en(claimed)} claimed, ')}."
        ),
    )


def unreached(seen: Observed) -> PlannedLeg | None:
    """The first leg away from home, when the traveller certainly never left for any."""
    legs = seen.itinerary.legs
    leg = next((leg for leg in legs if leg.region != seen.plan.home), None)
    if leg is None or seen.maybe_away.any() or seen.visa.given:
        return None
    if not seen.final:
        late = seen.spells["end"] >= seen.itinerary.deadline(leg)
        if not late.any() or not seen.home[late].all():
            return None
    ended = [
        day.state
        for day, span in zip(seen.days, seen.spans, strict=True)
        if span.testable and span.end <= seen.until
    ]
    idle = ended.count(DayState.HOME)
    open_days = len(ended) - idle
    claim = seen.dossier.claim
    if not open_days:
        return leg if idle else None
    proven = (
        seen.final
        and idle >= seen.rules.never_left_share * len(ended)
        and seen.coverage >= seen.rules.never_left_coverage
        and DayState.AWAY not in ended
    )
    # Whoever claims no more days than are unknown may have travelled on those.
    return leg if proven and not (claim and claim.days <= open_days) else None


def late_start(seen: Observed) -> Iterator[Deviation]:
    """The first days of the trip were spent at home, the rest was travelled.

    Days at home are not travelled days (*jumlah hari riil*, PMK 119/2023); unless they are claimed
    this is only noted.
    """
    days = list(zip(seen.spans, seen.days, strict=True))
    yield from _edge(seen, DeviationKind.LATE_START, days)


def early_return(seen: Observed) -> Iterator[Deviation]:
    """The last days of the trip were spent at home, those before were travelled.

    Coming home once the work is done is a duty; only claiming the days left is none.
    """
    if seen.final:
        days = list(zip(seen.spans, seen.days, strict=True))
        yield from _edge(seen, DeviationKind.EARLY_RETURN, days[::-1])


def _edge(seen: Observed, kind: DeviationKind, days: list[tuple[Span, Day]]) -> Iterator[Deviation]:
    idle = 0
    while idle < len(days) and seen.idle(*days[idle]):
        idle += 1
    if not idle or not seen.count(DayState.AWAY):
        return
    spans = sorted((span for span, _ in days[:idle]), key=lambda span: span.start)
    start, end, zone = spans[0].start, spans[-1].end, seen.plan.home_zone
    excess = _excess(seen)
    severity = Severity.MEDIUM if min(idle, excess) > 1 else Severity.LOW
    home = seen.name(seen.plan.home)
    late = kind is DeviationKind.LATE_START
    of_days = np.isin(seen.spells["day"], [seen.spans.index(span) for span in spans])
    claimed_id = "; hari itu diklaim" if excess else ""
    claimed_en = "; it is claimed" if excess else ""
    yield Deviation(
        kind=kind,
        severity=severity if excess else Severity.NOTE,
        leg=None,
        started_at=moment(start),
        ended_at=moment(end),
        region=seen.plan.home,
        planned_region=None,
        coverage=seen.cover.share(start, end),
        amount=None,
        evidence=seen.evidence(of_days & seen.home),
        message_id=(
            f"{'Berangkat' if late else 'Kembali'} {idle} hari lebih "
            f"{'lambat' if late else 'awal'} dari surat tugas: berada di {home} antara "
            f"{when_id(start, zone)} dan {when_id(end, zone)}{claimed_id}."
        ),
        message_en=(
            f"{'Left' if late else 'Back'} {days_en(idle)} {'later' if late else 'earlier'} than "
            f"the letter says: in {home} between {when_en(start, zone)} and "
            f"{when_en(end, zone)}{claimed_en}."
        ),
    )


def _excess(seen: Observed) -> int:
    """Days claimed beyond those that can have been spent outside home."""
    claim = seen.dossier.claim
    if claim is None or not seen.final:
        return 0
    return max(0, claim.days - seen.count(DayState.AWAY) - seen.count(DayState.UNKNOWN))


def short_stay(seen: Observed) -> Iterator[Deviation]:
    """More days are claimed than can have been spent outside home.

    The daily allowance is paid for real days (*jumlah hari riil*, PMK 119/2023). Days the track
    does not decide count as spent.
    """
    missing, claim = _excess(seen), seen.dossier.claim
    if claim is None or not missing or unreached(seen):
        return
    away, unknown = seen.count(DayState.AWAY), seen.count(DayState.UNKNOWN)
    idle = [i for i, day in enumerate(seen.days) if day.state is DayState.HOME]
    start = seen.spans[idle[0]].start if idle else seen.itinerary.start
    end = seen.spans[idle[-1]].end if idle else seen.itinerary.end
    home, amount = seen.name(seen.plan.home), cost(seen, missing)
    yield Deviation(
        kind=DeviationKind.SHORT_STAY,
        severity=Severity.HIGH if 2 * missing >= claim.days else Severity.MEDIUM,
        leg=None,
        started_at=moment(start),
        ended_at=moment(end),
        region=seen.plan.home if idle else None,
        planned_region=None,
        coverage=seen.cover.share(start, end),
        amount=amount,
        evidence=seen.evidence(np.isin(seen.spells["day"], idle)),
        message_id=(
            f"Diklaim {claim.days} hari, padahal paling banyak {away + unknown} hari di luar "
            f"{home} ({away} hari pasti, {unknown} hari tidak diketahui): selisih {missing} hari"
            f"{stake(amount, ', ')}."
        ),
        message_en=(
            f"{days_en(claim.days)} claimed, but at most {days_en(away + unknown)} outside {home} "
            f"({away} certain, {unknown} unknown): {days_en(missing)} too many"
            f"{stake(amount, ', ')}."
        ),
    )


PRESENCE = (
    Rule(
        DeviationKind.NEVER_LEFT,
        never_left,
        Text(
            "Perjalanan tidak dilaksanakan: setiap hari terbukti berada di tempat kedudukan.",
            "The trip was not made: every day is proven to have been spent at the seat.",
        ),
        Text(
            "Satu kehadiran yang mungkin di luar sudah membatalkan; diam yang cukup lama untuk "
            "pergi, bertugas dan kembali membuat hari itu tidak diketahui; tugas dalam kota dan "
            "tempat sah tidak dinilai.",
            "One presence perhaps outside rules it out; a silence long enough to go, work and come "
            "back leaves its day unknown; trips within the seat and lawful places are not tested.",
        ),
        Text(
            "Visum, tiket atau kuitansi dari tujuan; keterangan bahwa ponsel tertinggal.",
            "The visum, a ticket or receipt from the destination; that the phone was left behind.",
        ),
    ),
    Rule(
        DeviationKind.LATE_START,
        late_start,
        Text(
            "Hari-hari pertama dilewatkan di tempat kedudukan, lalu berangkat.",
            "The first days were spent at the seat, then the traveller left.",
        ),
        Text(
            "Hanya hari yang pasti seluruhnya di rumah; tanpa klaim atas hari itu hanya catatan.",
            "Only days certainly spent at home; a note unless those days are claimed.",
        ),
        Text(
            "Klaim yang dibetulkan, atau bukti berada di luar pada hari itu.",
            "A corrected claim, or proof of having been away on those days.",
        ),
    ),
    Rule(
        DeviationKind.EARLY_RETURN,
        early_return,
        Text(
            "Kembali sebelum hari terakhir surat tugas.",
            "Back before the last day of the letter.",
        ),
        Text(
            "Pulang setelah tugas selesai adalah kewajiban: tanpa klaim atas sisa hari hanya "
            "catatan.",
            "Coming home when done is a duty: a note unless the days left are claimed.",
        ),
        Text(
            "Klaim yang dibetulkan, atau bukti berada di luar pada hari itu.",
            "A corrected claim, or proof of having been away on those days.",
        ),
    ),
    Rule(
        DeviationKind.SHORT_STAY,
        short_stay,
        Text(
            "Hari yang diklaim lebih banyak dari hari yang mungkin dijalani di luar.",
            "More days are claimed than can have been spent outside the seat.",
        ),
        Text(
            "Hari yang tidak diketahui dihitung untuk pelaksana; baru dinilai setelah berakhir.",
            "Unknown days count for the traveller; judged only once the trip is over.",
        ),
        Text(
            "Klaim yang dibetulkan, atau bukti berada di luar pada hari yang dihitung di rumah.",
            "A corrected claim, or proof of having been away on a day counted as at home.",
        ),
    ),
)
