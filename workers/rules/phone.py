"""Rules on the phone itself: whether its track can be what one person's own phone went through.

What honest phones do as well is only noted; what they hardly ever do is something to ask about.
"""

from collections.abc import Iterator

import numpy as np

from workers.case import Deviation, DeviationKind, Severity
from workers.fold import BIN
from workers.itinerary import moment
from workers.jumps import near_airport
from workers.observed import Observed
from workers.rules.rule import Rule, Text
from workers.rules.wording import duration_en, duration_id, when_en, when_id
from workers.track import Bools, distance

REPEATING = 0.9
"""Share of the fixes at one point from which it is taken for the only one."""


def mock_flag(seen: Observed) -> Iterator[Deviation]:
    """The phone itself called positions simulated, too often for an accident.

    Few clients say so at all: their silence means nothing.
    """
    if not seen.spells["mock"].any():
        return
    rules, sightings = seen.rules, seen.sightings
    flagged = sightings[sightings["mock"] > 0]
    count, total = int(flagged["mock"].sum()), int(sightings["fixes"].sum())
    if count < rules.mock_fixes:
        return
    start, end = float(flagged["start"][0]), float(flagged["end"][-1])
    if end - start < rules.mock_seconds:
        return
    zone = seen.plan.home_zone
    yield _deviation(
        seen,
        DeviationKind.MOCK_FLAG,
        Severity.MEDIUM if 2 * count > total else Severity.LOW,
        (start, end),
        seen.spells["mock"] > 0,
        f"Ponsel menandai {count} dari {total} titik sebagai lokasi tiruan antara "
        f"{when_id(start, zone)} dan {when_id(end, zone)}.",
        f"The phone marked {count} of {total} fixes as simulated between "
        f"{when_en(start, zone)} and {when_en(end, zone)}.",
    )


def impossible_movement(seen: Observed) -> Iterator[Deviation]:
    """The track goes from one place to another faster than anybody can, having rested at both.

    One such jump may be a clock set wrong and is only noted. Which steps these are:
    workers/jumps.py.
    """
    jumps = np.flatnonzero(seen.spells["jump"])
    if not len(jumps):
        return
    spells, zone, count = seen.spells, seen.plan.home_zone, len(jumps)
    metres = distance(spells["first"][jumps], spells["last"][jumps - 1])
    widest = int(np.argmax(metres))
    left = float(spells["end"][jumps[widest] - 1])
    km = round(float(metres[widest]) / 1000)
    minutes = round((float(spells["start"][jumps[widest]]) - left) / 60)
    yield _deviation(
        seen,
        DeviationKind.IMPOSSIBLE_MOVEMENT,
        Severity.MEDIUM if count >= seen.rules.jump_count else Severity.NOTE,
        (float(spells["end"][jumps[0] - 1]), float(spells["start"][jumps[-1]])),
        np.isin(np.arange(len(spells)), (jumps, jumps - 1)),
        f"{count} kali berpindah lebih cepat daripada yang mungkin; yang terjauh {km} km dalam "
        f"{minutes} menit pada {when_id(left, zone)}.",
        f"Moved faster than possible {'once' if count == 1 else f'{count} times'}; the "
        f"farthest {km} km in {minutes} min on {when_en(left, zone)}.",
    )


def frozen_position(seen: Observed) -> Iterator[Deviation]:
    """The very same coordinates over a whole day outside home, hardly a fix elsewhere.

    Some honest clients repeat their last position as long as they rest, so by itself this is only
    noted. It deviates where the same phone rested at other times without repeating itself, more so
    where it came to the point or left it faster than by road, or called positions simulated. A
    point at home gains nobody anything.
    """
    rules, spells, zone = seen.rules, seen.spells, seen.plan.home_zone
    found = [
        (end - start, start, end, count)
        for start, end, count in _frozen(seen)
        if not seen.home[(spells["end"] >= start) & (spells["start"] <= end)].all()
    ]
    if not found:
        return
    lasted, start, end, count = max(found)
    within = (spells["end"] >= start) & (spells["start"] <= end)
    jumped, simulated = _rushed(seen, within), any(mock_flag(seen))
    rest = spells[seen.dwelling & ~within]
    varies = (
        count >= rules.frozen_many_fixes
        and float((rest["end"] - rest["start"]).sum()) > 2 * rules.visit_seconds
        and 2 * rest["repeated"].sum() < rest["fixes"].sum()
    )
    signs_id, signs_en = "", ""
    if jumped:
        signs_id = "; jejak datang atau pergi dari titik itu lebih cepat daripada lewat darat"
        signs_en = "; it came to it or left it faster than by road"
    elif simulated:
        signs_id, signs_en = "; ada titik bertanda tiruan", "; there are simulated fixes"
    elif varies:
        signs_id = "; pada waktu lain posisi ponsel ini berubah-ubah meskipun diam"
        signs_en = "; at other times this phone's position varies even at rest"
    yield _deviation(
        seen,
        DeviationKind.FROZEN_POSITION,
        Severity.MEDIUM if jumped or simulated else Severity.LOW if varies else Severity.NOTE,
        (start, end),
        within,
        f"Posisi tidak berubah sedikit pun selama {duration_id(lasted)} ({count} titik) antara "
        f"{when_id(start, zone)} dan {when_id(end, zone)}{signs_id}.",
        f"The position did not change at all for {duration_en(lasted)} ({count} fixes) between "
        f"{when_en(start, zone)} and {when_en(end, zone)}{signs_en}.",
    )


def _rushed(seen: Observed, within: Bools) -> bool:
    """Whether the track came to the spells within, or left them, by a jump or faster than by road.

    A point that never changes is itself a sign: less is needed than of two living places.
    """
    spells, rules = seen.spells, seen.rules
    edge = np.flatnonzero(within[1:] != within[:-1]) + 1
    if spells["jump"][edge].any():
        return True
    ends = np.stack((spells["last"][edge - 1], spells["first"][edge]), axis=1)
    step, wait = distance(ends[:, 0], ends[:, 1]), spells["start"][edge] - spells["end"][edge - 1]
    rushed = (step > rules.jump_m) & (wait < np.minimum(step / rules.road_mps, rules.gap_seconds))
    return any(not near_airport(seen.itinerary, pair) for pair in ends[rushed])


def _frozen(seen: Observed) -> list[tuple[float, float, int]]:
    """Start, end and fixes of each time at one point, heard there again after every sleep."""
    rules = seen.rules
    if 2 * seen.spells["repeated"].sum() < rules.frozen_fixes:
        return []
    sightings = seen.sightings
    # Few longitudes are heard often enough: sorting only those halves the cost of a verdict.
    fewest = rules.frozen_seconds // (rules.gap_seconds + BIN)
    where = np.flatnonzero(sightings["uniform"])
    _, point, often = np.unique(sightings["lon"][where], return_inverse=True, return_counts=True)
    where = where[(often >= fewest)[point]]
    if not len(where):
        return []
    where = where[np.lexsort((where, sightings["lat"][where], sightings["lon"][where]))]
    rows = sightings[where]
    cut = (np.diff(rows["lon"]) != 0) | (np.diff(rows["lat"]) != 0)
    cut |= rows["start"][1:] - rows["end"][:-1] > rules.still_seconds
    first = np.append(0, np.flatnonzero(cut) + 1)
    last = np.append(first[1:], len(rows)) - 1
    start, end = rows["start"][first], rows["end"][last]
    count = np.add.reduceat(rows["fixes"], first, dtype=np.intp)
    total = np.append(0, np.cumsum(sightings["fixes"]))
    heard = total[where[last] + 1] - total[where[first]]
    long = (end - start >= rules.frozen_seconds) & (count >= rules.frozen_fixes)
    long &= count >= REPEATING * heard
    return list(zip(start[long].tolist(), end[long].tolist(), count[long].tolist(), strict=True))


def copied_track(seen: Observed) -> Iterator[Deviation]:
    """The movement repeats that of another trip, step by step and to the second.

    No two phones do, not in one car either. Whose arrived first is only told of the other.
    """
    alike = [one for one in seen.dossier.likenesses if one.shared >= seen.rules.copied_share]
    if not alike:
        return
    copies = [one for one in alike if not one.first] or alike
    most = max(copies, key=lambda one: (one.shared, one.letter))
    others = len({one.letter for one in copies} - {most.letter})
    later = abs(most.shift_seconds) >= 60
    apart_id, apart_en = "pada waktu yang sama", "at the same time"
    if later:
        after = most.shift_seconds > 0
        apart_id = f"{duration_id(abs(most.shift_seconds))} {'kemudian' if after else 'sebelumnya'}"
        apart_en = f"{duration_en(abs(most.shift_seconds))} {'later' if after else 'earlier'}"
    came_id, came_en = ("lebih dahulu", "first") if most.first else ("kemudian", "after it")
    yield _deviation(
        seen,
        DeviationKind.COPIED_TRACK,
        Severity.NOTE if most.first else Severity.HIGH,
        (seen.itinerary.start, seen.until),
        np.ones(len(seen.spells), dtype=np.bool_),
        f"{most.shared:.0%} gerakan jejak ini sama persis dengan jejak surat tugas {most.letter}, "
        f"{apart_id}{f', dan {others} surat tugas lain' if others else ''}; jejak ini diterima "
        f"{came_id}.",
        f"{most.shared:.0%} of this track's movement is exactly that of letter {most.letter}, "
        f"{apart_en}{_and_others(others, ' of', ' letter')}; this one arrived "
        f"{came_en}.",
    )


def carried_phone(seen: Observed) -> Iterator[Deviation]:
    """This phone and another traveller's never parted, day and night: one person may carry both.

    Something to ask about: colleagues who share a room and all their work never part either.
    """
    rules = seen.rules
    # Whose track was copied was near the copy all the time, and knows nothing of it.
    copied = {like.letter for like in seen.dossier.likenesses if like.shared >= rules.copied_share}
    pairs = [
        pair
        for pair in seen.dossier.pairs
        if pair.seconds >= rules.carried_seconds
        and pair.nights >= rules.carried_nights
        and pair.apart_m <= rules.carried_m
        and pair.letter not in copied
    ]
    if not pairs:
        return
    pair = max(pairs, key=lambda pair: (pair.seconds, pair.letter))
    others, metres = len(pairs) - 1, round(pair.apart_m)
    yield _deviation(
        seen,
        DeviationKind.CARRIED_PHONE,
        Severity.LOW,
        (seen.itinerary.start, seen.until),
        np.ones(len(seen.spells), dtype=np.bool_),
        f"Ponsel ini dan ponsel pelaksana surat tugas {pair.letter}"
        f"{f' serta {others} ponsel lain' if others else ''} hampir tidak pernah berpisah lebih "
        f"dari {metres} m selama {duration_id(pair.seconds)} teramati bersama, termasuk "
        f"{pair.nights} malam.",
        f"This phone and that of a traveller under letter {pair.letter}"
        f"{_and_others(others) + ',' if others else ''} hardly ever parted by more than {metres} m "
        f"in {duration_en(pair.seconds)} observed together, {pair.nights} "
        f"{'night' if pair.nights == 1 else 'nights'} among them.",
    )


def _and_others(count: int, of: str = "", what: str = "") -> str:
    return f", and{of} {count} other{what}{'s' if count > 1 else ''}" if count else ""


def _deviation(
    seen: Observed,
    kind: DeviationKind,
    severity: Severity,
    interval: tuple[float, float],
    spells: Bools,
    message_id: str,
    message_en: str,
) -> Deviation:
    """A finding of no leg: it is about the whole track. Its region is where all of it lies."""
    start, end = interval
    regions = set(seen.region[spells].tolist())
    return Deviation(
        kind=kind,
        severity=severity,
        leg=None,
        started_at=moment(start),
        ended_at=moment(end),
        region=regions.pop() if len(regions) == 1 else None,
        planned_region=None,
        coverage=seen.cover.share(start, end),
        amount=None,
        evidence=seen.evidence(spells),
        message_id=message_id,
        message_en=message_en,
    )


PHONE = (
    Rule(
        DeviationKind.MOCK_FLAG,
        mock_flag,
        Text(
            "Ponsel sendiri menandai titik-titiknya sebagai lokasi tiruan.",
            "The phone itself marked fixes as simulated.",
        ),
        Text(
            "Satu dua titik, atau semuanya dalam beberapa menit, diabaikan.",
            "One or two fixes, or all within some minutes, are ignored.",
        ),
        Text(
            "Penerima GNSS luar atau alat survei, yang juga dilaporkan sebagai tiruan.",
            "An external GNSS receiver or survey instrument, which phones report as simulated too.",
        ),
    ),
    Rule(
        DeviationKind.IMPOSSIBLE_MOVEMENT,
        impossible_movement,
        Text(
            "Berpindah antara dua tempat lebih cepat daripada pesawat, atau jauh dari bandara "
            "lebih cepat daripada jalan dan rel mana pun.",
            "Movement between two places faster than an airliner, or far from any airport faster "
            "than any road or railway.",
        ),
        Text(
            "Hanya lompatan jauh antara dua tempat yang masing-masing disinggahi tanpa putus; "
            "satu lompatan hanya catatan; pencilan dan posisi basi setelah terbang tidak dihitung.",
            "Only far jumps between two places stayed at without a break; one jump is a note; "
            "outliers and stale positions after a flight do not count.",
        ),
        Text(
            "Jam ponsel yang keliru, atau dua ponsel yang mengirim atas satu nama.",
            "A wrong clock, or two phones sending under one name.",
        ),
    ),
    Rule(
        DeviationKind.FROZEN_POSITION,
        frozen_position,
        Text(
            "Koordinat yang sama persis sepanjang sehari semalam di luar tempat kedudukan.",
            "The very same coordinates for a day and a night outside the seat.",
        ),
        Text(
            "Satu malam di Wi-Fi tidak cukup; pergi lebih lama dari jeda atau kembali ke koordinat "
            "lain memutusnya; tanpa tanda lain hanya catatan.",
            "A night on Wi-Fi is not enough; leaving for longer than a gap or coming back to other "
            "coordinates ends it; without another sign it is a note.",
        ),
        Text(
            "Ponsel yang tertinggal di penginapan, atau saksi dan visum dari tujuan.",
            "A phone left in the lodging, or a witness and the visum from the destination.",
        ),
    ),
    Rule(
        DeviationKind.COPIED_TRACK,
        copied_track,
        Text(
            "Gerakan yang sama persis dengan jejak perjalanan lain, meski waktu atau tempatnya "
            "digeser.",
            "Movement exactly that of another trip's track, be it shifted in time or place.",
        ),
        Text(
            "Rekan di satu mobil tidak sama persis; jejak yang diterima lebih dahulu hanya diberi "
            "catatan.",
            "Colleagues in one car are not exactly alike; the track that arrived first is only "
            "given a note.",
        ),
        Text(
            "Bahwa jejak yang lain adalah salinannya, atau satu ponsel sah dipakai untuk keduanya.",
            "That the other track is the copy, or that one phone rightly served both.",
        ),
    ),
    Rule(
        DeviationKind.CARRIED_PHONE,
        carried_phone,
        Text(
            "Dua ponsel yang tidak pernah berpisah, siang dan malam: mungkin dibawa satu orang.",
            "Two phones that never part, day and night: one person may carry both.",
        ),
        Text(
            "Perlu lama terdengar bersama, termasuk malam; berpisah sebentar sudah membatalkan.",
            "It takes a long time heard together, a night included; parting briefly rules it out.",
        ),
        Text(
            "Visum, foto atau saksi bahwa keduanya hadir; sekamar dan bertugas bersama.",
            "Visum, photo or witness that both were there; one room and all work shared.",
        ),
    ),
)
