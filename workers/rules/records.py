"""Rules on what is on record about the trip: other letters, attendance, the report."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import numpy as np
from holidays import country_holidays

from workers.case import Assignment, Deviation, DeviationKind, Plan, Severity, SilenceReason
from workers.itinerary import midnight, moment
from workers.observed import Observed
from workers.rules.rule import Rule, Text
from workers.rules.wording import (
    MONTHS_ID,
    cost,
    days_en,
    duration_en,
    duration_id,
    stake,
    when_en,
    when_id,
)
from workers.ruleset import Ruleset
from workers.track import Bools

DAY = timedelta(days=1)


def overlap(seen: Observed) -> Iterator[Deviation]:
    """Days of this trip that another letter of the same person has too (*rangkap*).

    Cost may not be charged twice for the same time. Before a claim nothing is charged yet, and a
    day on which one trip ends and the other begins is only noted.
    """
    trip, claim, zone = seen.itinerary, seen.dossier.claim, seen.plan.home_zone
    first = seen.plan.starts_on
    last = first + (claim.days if claim else len(trip.spans)) * DAY - DAY
    others = [
        (other, max(first, other.starts_on), min(last, other.ends_on))
        for other in sorted(seen.dossier.assignments, key=lambda a: (a.starts_on, a.number))
    ]
    others = [found for found in others if found[1] <= found[2]]
    days = {since + i * DAY for _, since, until in others for i in range((until - since).days + 1)}
    if not days:
        return
    start, end = midnight(min(days), zone), midnight(max(days) + DAY, zone)
    turning = all(
        since == until and (other.ends_on == first or other.starts_on == last)
        for other, since, until in others
    )
    severity = Severity.MEDIUM if len(days) == 1 else Severity.HIGH
    if claim is None:
        severity = Severity.NOTE if turning else Severity.LOW
    amount = cost(seen, len(days))
    yield Deviation(
        kind=DeviationKind.OVERLAP,
        severity=severity,
        leg=None,
        started_at=moment(start),
        ended_at=moment(end),
        region=None,
        planned_region=None,
        coverage=seen.cover.share(start, end),
        amount=amount,
        evidence=(),
        message_id=(
            f"{len(days)} hari perjalanan ini juga tercatat pada "
            f"{'; '.join(_letter_id(other) for other, *_ in others)}"
            f"{stake(amount, '; diklaim dua kali, ')}."
        ),
        message_en=(
            f"{days_en(len(days))} of this trip also on record under "
            f"{'; '.join(_letter_en(other) for other, *_ in others)}"
            f"{stake(amount, '; claimed twice, ')}."
        ),
    )


def _letter_id(other: Assignment) -> str:
    since, until = _date_id(other.starts_on), _date_id(other.ends_on)
    return f"surat {other.number} dari {other.office} ({since} s.d. {until})"


def _letter_en(other: Assignment) -> str:
    since, until = _date_en(other.starts_on), _date_en(other.ends_on)
    return f"letter {other.number} of {other.office} ({since} to {until})"


def _date_id(day: date) -> str:
    return f"{day.day} {MONTHS_ID[day.month - 1]} {day.year}"


def _date_en(day: date) -> str:
    return f"{day:%-d %b %Y}"


def attendance_conflict(seen: Observed) -> Iterator[Deviation]:
    """Attendance (*presensi*) at the home office on a day of the trip.

    Clocking in before leaving and after returning is honest. So of the first and the last day
    only a long attendance is noted, and the days between are held against nobody who may have
    left later or returned earlier and does not claim them.
    """
    trip, claim, zone = seen.itinerary, seen.dossier.claim, seen.plan.home_zone
    clocked: dict[int, list[float]] = {}
    for record in seen.dossier.attendance:
        times = record.started_at.timestamp(), record.ended_at.timestamp()
        days = np.searchsorted(trip.midnights, times, side="right") - 1
        if trip.start <= times[0] < trip.end and trip.spans[days[0]].testable:
            # Clocking out on another day may be what a machine filled in.
            clocked.setdefault(int(days[0]), []).extend(times if days[0] == days[1] else times[:1])
    start, away = seen.spells["start"], _away(seen)
    edges = {0, len(trip.spans) - 1}
    noted = {
        day
        for day in edges & clocked.keys()
        if max(clocked[day]) - min(clocked[day]) > seen.rules.attendance_seconds
    }
    between = clocked.keys() - edges
    found = sorted(time for day in noted | between for time in clocked[day])
    if not found:
        return
    elsewhere = {time for time in found if _is_away(seen, away, time)}
    excused = sum(
        elsewhere.isdisjoint(clocked[day])
        and not (
            (away & (start < min(clocked[day]))).any()
            and (away & (start > max(clocked[day]))).any()
        )
        for day in between
    )
    spare = len(trip.spans) - claim.days if claim else len(trip.spans)
    accused = len(between) - max(0, min(excused, spare))
    severity = Severity.MEDIUM if accused > 1 else Severity.LOW
    since, until, count = found[0], found[-1], len(noted) + len(between)
    home = seen.name(seen.plan.home)
    covered_id = f"; saat itu jejak pasti di luar {home}: mungkin orang lain yang mengisi presensi"
    covered_en = f"; the track was certainly outside {home} then: somebody else may have clocked in"
    yield Deviation(
        kind=DeviationKind.ATTENDANCE_CONFLICT,
        severity=severity if accused else Severity.NOTE,
        leg=None,
        started_at=moment(since),
        ended_at=moment(until),
        region=seen.plan.home,
        planned_region=None,
        coverage=seen.cover.share(since, until),
        amount=None,
        evidence=seen.evidence((seen.spells["end"] >= since) & (start <= until)),
        message_id=(
            f"Presensi di kantor asal pada {count} hari perjalanan, antara "
            f"{when_id(since, zone)} dan {when_id(until, zone)}{covered_id if elsewhere else ''}."
        ),
        message_en=(
            f"Attendance at the home office on {days_en(count)} of the trip, between "
            f"{when_en(since, zone)} and {when_en(until, zone)}{covered_en if elsewhere else ''}."
        ),
    )


def _away(seen: Observed) -> Bools:
    """Spells certainly outside home: at a destination, or where the plan does not lead."""
    away = ~seen.right
    for leg, present in zip(seen.itinerary.legs, seen.present, strict=True):
        if leg.region != seen.plan.home:
            away = away | present
    return away


def _is_away(seen: Observed, away: Bools, time: float) -> bool:
    """Whether he was certainly away at a time: in such a spell, or between two without silence."""
    i = int(np.searchsorted(seen.spells["start"], time, side="right")) - 1
    if i < 0 or not away[i]:
        return False
    within = bool(time <= seen.spells["end"][i])
    return within or (i + 1 < len(away) and bool(seen.known[i + 1] and away[i + 1]))


REASONS = {
    SilenceReason.NO_POWER: Text("ponsel mati", "without power"),
    SilenceReason.NO_PERMISSION: Text("tanpa izin lokasi", "without permission"),
    SilenceReason.NO_NETWORK: Text("tanpa jaringan", "without network"),
    SilenceReason.PAUSED: Text("dijeda", "paused"),
    SilenceReason.UNKNOWN: Text("tanpa sebab yang diketahui", "unexplained"),
}


def low_coverage(seen: Observed) -> Iterator[Deviation]:
    """Too little of the trip is known for it to conform; says why, and accuses nobody."""
    if not seen.final or seen.enough:
        return
    silent = {
        reason: sum(
            (gap.ended_at - gap.started_at).total_seconds()
            for gap in seen.gaps
            if gap.reason is reason
        )
        for reason in REASONS
    }
    told = [(seconds, REASONS[reason]) for reason, seconds in silent.items() if seconds]
    yield Deviation(
        kind=DeviationKind.LOW_COVERAGE,
        severity=Severity.NOTE,
        leg=None,
        started_at=moment(seen.itinerary.start),
        ended_at=moment(seen.until),
        region=None,
        planned_region=None,
        coverage=seen.coverage,
        amount=None,
        evidence=(),
        message_id=(
            f"Jejak mencakup {seen.coverage:.0%} waktu perjalanan; tanpa jejak: "
            f"{', '.join(f'{duration_id(seconds)} {text.id}' for seconds, text in told)}."
        ),
        message_en=(
            f"The track covers {seen.coverage:.0%} of the trip; silent for "
            f"{', '.join(f'{duration_en(seconds)} {text.en}' for seconds, text in told)}."
        ),
    )


def report_due(plan: Plan, rules: Ruleset) -> date:
    """The day by whose end the report (*laporan*) is due, local to the home zone."""
    day = plan.ends_on
    if plan.finished_at:
        day = min(day, plan.finished_at.astimezone(ZoneInfo(plan.home_zone)).date())
    left = rules.report_working_days
    while left > 0:
        day += DAY
        left -= _works(day)
    return day


def _works(day: date) -> bool:
    """Whether a day is a working day; shared leave (*cuti bersama*) is none."""
    return day.weekday() < 5 and day not in _holidays(day.year)


@cache
def _holidays(year: int) -> frozenset[date]:
    return frozenset(country_holidays("ID", years=year, categories=("public", "government")))


def report_late(seen: Observed) -> Iterator[Deviation]:
    """The report came after it was due, or has not come yet; only noted.

    Of one that has not come, the interval is only the moment from which it is late.
    """
    zone, filed = ZoneInfo(seen.plan.home_zone), seen.dossier.reported_on
    due = report_due(seen.plan, seen.rules)
    until = filed or datetime.fromtimestamp(seen.as_of, UTC).astimezone(zone).date()
    late = sum(_works(due + (i + 1) * DAY) for i in range((until - due).days))
    if not late:
        return
    start = midnight(due + DAY, zone.key)
    end = midnight(filed + DAY, zone.key) if filed else start
    yield Deviation(
        kind=DeviationKind.REPORT_LATE,
        severity=Severity.NOTE,
        leg=None,
        started_at=moment(start),
        ended_at=moment(end),
        region=None,
        planned_region=None,
        coverage=seen.cover.share(start, end),
        amount=None,
        evidence=(),
        message_id=(
            f"Laporan jatuh tempo {_date_id(due)}, "
            + (
                f"masuk {_date_id(filed)}: {late} hari kerja terlambat."
                if filed
                else "belum masuk."
            )
        ),
        message_en=(
            f"The report was due by {_date_en(due)}, "
            + (
                f"filed on {_date_en(filed)}: {late} working {'day' if late == 1 else 'days'} late."
                if filed
                else "not filed yet."
            )
        ),
    )


RECORDS = (
    Rule(
        DeviationKind.OVERLAP,
        overlap,
        Text(
            "Hari yang sama ditugaskan atau diklaim lewat lebih dari satu surat (rangkap).",
            "The same days are assigned or claimed under more than one letter.",
        ),
        Text(
            "Sebelum ada klaim tingkatnya LOW, dan hari pulang yang menjadi hari berangkat "
            "berikutnya hanya catatan.",
            "Before a claim it is LOW, and a day of return on which the next trip begins is a "
            "note.",
        ),
        Text(
            "Surat yang dibatalkan atau direvisi; klaim salah satunya yang dikurangi.",
            "A letter cancelled or revised; one of the claims reduced.",
        ),
    ),
    Rule(
        DeviationKind.ATTENDANCE_CONFLICT,
        attendance_conflict,
        Text(
            "Presensi di kantor asal pada hari perjalanan.",
            "Attendance at the home office on a day of the trip.",
        ),
        Text(
            "Hari pertama dan terakhir paling banyak menjadi catatan, begitu pula hari sebelum "
            "berangkat atau setelah pulang yang tidak diklaim.",
            "The first and last day become a note at most, as do days before leaving or after "
            "returning that are not claimed.",
        ),
        Text(
            "Presensi yang dibetulkan, presensi dinas luar, atau klaim yang dikurangi.",
            "Corrected attendance, attendance recorded for duty elsewhere, or a reduced claim.",
        ),
    ),
    Rule(
        DeviationKind.LOW_COVERAGE,
        low_coverage,
        Text(
            "Jejak terlalu sedikit untuk menyatakan sesuai.",
            "The track says too little for the trip to conform.",
        ),
        Text(
            "Selalu catatan; sebab diam disebut terpisah bila ponsel menyebutkannya.",
            "Always a note; reasons of silence are told apart where the phone says them.",
        ),
        Text(
            "Bukti lain dari tujuan, atau titik yang menyusul.",
            "Other proof from the destination, or fixes that arrive late.",
        ),
    ),
    Rule(
        DeviationKind.REPORT_LATE,
        report_late,
        Text(
            "Laporan perjalanan dinas lewat dari jatuh tempo.",
            "The report of the trip is past its due date.",
        ),
        Text(
            "Selalu catatan; Sabtu, Minggu, hari libur nasional dan cuti bersama tidak dihitung.",
            "Always a note; weekends, public holidays and shared leave are not counted.",
        ),
        Text(
            "Tanda terima laporan pada tanggal yang lebih awal.",
            "A receipt for the report of an earlier date.",
        ),
    ),
)
