"""The rule on visa that the track contradicts."""

from collections import Counter
from collections.abc import Iterator

import numpy as np

from workers.attested import Contradiction
from workers.case import Deviation, DeviationKind, Severity
from workers.itinerary import moment
from workers.observed import Observed
from workers.rules.rule import Rule, Text
from workers.rules.wording import cost, stake, when_en, when_id


def visum_mismatch(seen: Observed) -> Iterator[Deviation]:
    """A destination confirms a presence at a time when the track shows somebody elsewhere.

    Either the phone was not with the traveller or the visum is wrong: a human finds out which, so
    neither is accused of more. The visum is the proof that the rules on travel ask for.
    """
    by_leg: dict[int, list[Contradiction]] = {}
    for one in seen.visa.contradicted:
        by_leg.setdefault(one.visum.leg, []).append(one)
    for leg, found in by_leg.items():
        yield _mismatch(seen, leg, found)


def _mismatch(seen: Observed, leg: int, found: list[Contradiction]) -> Deviation:
    moments = sorted(at for one in found for at in one.moments)
    spells = np.logical_or.reduce([one.spells for one in found])
    region = Counter(seen.region[spells].tolist()).most_common(1)[0][0]
    planned = found[0].visum.region
    zone = next((one.zone for one in seen.itinerary.legs if one.region == planned), None)
    zone = zone or seen.plan.home_zone
    start, end = moments[0], moments[-1]
    days = sum(span.start <= end and start < span.end for span in seen.spans)
    amount = cost(seen, min(days, seen.dossier.claim.days if seen.dossier.claim else 0))
    there, here = seen.name(planned), seen.name(region)
    times_id = " dan ".join(when_id(at, zone) for at in moments)
    times_en = " and ".join(when_en(at, zone) for at in moments)
    return Deviation(
        kind=DeviationKind.VISUM_MISMATCH,
        severity=Severity.HIGH if len(moments) > 1 else Severity.MEDIUM,
        leg=leg,
        started_at=moment(start),
        ended_at=moment(end),
        region=region,
        planned_region=planned,
        coverage=seen.cover.share(
            max(seen.itinerary.start, start - seen.rules.visum_seconds),
            min(seen.until, end + seen.rules.visum_seconds),
        ),
        amount=amount,
        evidence=seen.evidence(spells),
        message_id=(
            f"Visum {there} menyatakan hadir pada {times_id}, padahal jejak sekitar waktu itu "
            f"berada di {here}{stake(amount, '; nilai ')}."
        ),
        message_en=(
            f"The visum of {there} confirms a presence on {times_en}, though the track was in "
            f"{here if region else 'a place off the map'} around then{stake(amount, '; worth ')}."
        ),
    )


VISUM_MISMATCH = Rule(
    DeviationKind.VISUM_MISMATCH,
    visum_mismatch,
    Text(
        "Visum tujuan menyatakan tiba atau berangkat ketika jejak pasti berada di tempat lain.",
        "The destination's visum confirms an arrival or departure while the track was certainly "
        "elsewhere.",
    ),
    Text(
        "Hanya bila seluruh jejak sekitar waktu itu pasti di luar tujuan, tanpa diam yang dapat "
        "menyembunyikan kunjungan; selama diragukan, NEVER_LEFT, WRONG_REGION dan hari di rumah "
        "tidak ditemukan terhadap visum itu.",
        "Only when all of the track around that time was certainly outside the destination, with "
        "no silence that could hide a visit; while in doubt, NEVER_LEFT, WRONG_REGION and days at "
        "home are not held against that visum.",
    ),
    Text(
        "Keterangan bahwa ponsel tertinggal atau dibawa orang lain; pencabutan visum oleh daerah "
        "tujuan.",
        "That the phone was left behind or carried by another; the host's withdrawal of the visum.",
    ),
)
