"""The rule on who of a group was at the destination."""

from collections import Counter
from collections.abc import Iterator

import numpy as np

from workers.case import Deviation, DeviationKind, Severity
from workers.days import cover_of
from workers.itinerary import moment
from workers.observed import Observed, visits
from workers.rules.presence import unreached
from workers.rules.rule import Rule, Text
from workers.rules.wording import when_en, when_id
from workers.track import Bools


def group_headcount(seen: Observed) -> Iterator[Deviation]:
    """A group under one letter was at the destination, this traveller was not.

    Raised only on whom the track certainly shows elsewhere while a companion was there, all
    along: a silence that could hide a visit rules it out.
    """
    legs = {leg.region: leg for leg in reversed(seen.itinerary.legs)}
    seen_there = [
        [stay for stay in companion.seen if stay.region in legs]
        for companion in seen.dossier.companions
    ]
    elsewhere = seen.home | ~seen.right
    here = {place.region for place in seen.plan.lawful_places} | legs.keys()
    vouched = not seen.visa.given.isdisjoint(legs)
    if not any(seen_there) or vouched or seen.plan.home in here or not _absent(seen, elsewhere):
        return
    framed = np.append(False, elsewhere) & np.append(elsewhere, False)
    cover = cover_of(seen.cover.edges, elsewhere, seen.known & framed)
    met = {}
    for stay in (stay for stays in seen_there for stay in stays):
        since, until = stay.started_at.timestamp(), stay.ended_at.timestamp()
        if (seconds := float(cover.seconds(since, until))) >= seen.rules.visit_seconds:
            met[since, until, stay.region] = seconds
    if not met:
        return
    since, until, region = max(met, key=lambda one: (met[one], one[0]))
    assert region is not None
    zone, there = seen.plan.home_zone, seen.name(region)
    # The spell before may last on through a silence.
    first = max(0, int(np.searchsorted(seen.spells["start"], since, side="right")) - 1)
    last = int(np.searchsorted(seen.spells["start"], until))
    proof = first + np.flatnonzero(elsewhere[first:last])
    where = Counter(seen.region[proof].tolist()).most_common(1)[0][0]
    sent, count = len(seen_there) + 1, sum(bool(stays) for stays in seen_there)
    yield Deviation(
        kind=DeviationKind.GROUP_HEADCOUNT,
        severity=Severity.MEDIUM,
        leg=legs[region].position,
        started_at=moment(since),
        ended_at=moment(until),
        region=where,
        planned_region=region,
        coverage=seen.cover.share(since, until),
        amount=None,
        evidence=seen.evidence(proof),
        message_id=(
            f"{sent} ditugaskan, {count} terlihat di tujuan: yang ini berada di "
            f"{seen.name(where)} antara {when_id(since, zone)} dan {when_id(until, zone)}, ketika "
            f"rekan sesurat tugasnya berada di {there}."
        ),
        message_en=(
            f"{sent} were sent, {count} seen at the destination: this one was in "
            f"{seen.name(where)} between {when_en(since, zone)} and {when_en(until, zone)}, while "
            f"companions under the same letter were in {there}."
        ),
    )


def _absent(seen: Observed, elsewhere: Bools) -> bool:
    """Whether he certainly never was at a destination, and no silence can hide that he was."""
    if unreached(seen) is not None:
        return True
    if not seen.final or len(visits(~elsewhere, seen.spells, seen.rules)[0]):
        return False
    since = np.append(seen.itinerary.start, seen.spells["end"])[:, None]
    until = np.append(seen.spells["start"], seen.until)[:, None]
    wakes, sleeps = (np.array([getattr(s, n) for s in seen.spans]) for n in ("wakes", "sleeps"))
    waking = np.maximum(np.minimum(until, sleeps) - np.maximum(since, wakes), 0.0).sum(axis=1)
    return bool((waking <= seen.rules.home_silence_seconds).all())


GROUP_HEADCOUNT = Rule(
    DeviationKind.GROUP_HEADCOUNT,
    group_headcount,
    Text(
        "Rombongan satu surat terlihat di tujuan, pelaksana ini terbukti berada di tempat lain.",
        "Companions under one letter were seen at the destination, this one proven elsewhere.",
    ),
    Text(
        "Hanya bila jejaknya sendiri membuktikan; diam yang dapat menyembunyikan kunjungan, "
        "daerah perbatasan, transit dan tempat sah meniadakannya.",
        "Only on his own track's proof; a silence that could hide a visit, border areas, "
        "transit and lawful places rule it out.",
    ),
    Text(
        "Visum atau daftar hadir di tujuan; keterangan bahwa ponsel tertinggal.",
        "The visum or a list of attendance there; that the phone was left behind.",
    ),
)
