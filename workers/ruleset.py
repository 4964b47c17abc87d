"""The parameters of the evaluation: each regency's own, in versions, with their legal basis."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from typing import Any

from workers.case import DeviationKind
from workers.parameter import Terms, parameter


@dataclass(frozen=True, slots=True)
class Ruleset:
    """A version of the parameters. Lengths are metres, durations seconds, shares 0 to 1.

    Defaults lean to the traveller: what they leave open ends as UNVERIFIABLE, not as DEVIATES.
    """

    version: int
    terms: Mapping[DeviationKind, Terms] = field(default_factory=dict)

    visit_fixes: int = parameter(
        3, "", "titik yang menjadi kehadiran", "fixes that make a presence; outliers are one or two"
    )
    visit_seconds: float = parameter(
        900, "s", "lama kehadiran sekurang-kurangnya", "time a presence lasts at least"
    )
    accuracy_limit_m: float = parameter(
        5_000, "m", "titik yang lebih buruk diabaikan", "worse fixes are ignored: cell towers"
    )
    accuracy_floor_m: float = parameter(
        250, "m", "tidak ada titik yang dipercaya lebih baik", "no fix is believed to be better"
    )
    accuracy_unknown_m: float = parameter(
        1_000, "m", "bila ponsel tidak menyebutkan", "assumed when the phone does not say"
    )
    outlier_mps: float = parameter(
        70,
        "m/s",
        "kecepatan pergi dan pulang titik pencilan",
        "speed in and out of an excursion that nobody makes by road",
    )
    outlier_m: float = parameter(
        2_000, "m", "pencilan yang lebih dekat dibiarkan", "nearer excursions are jitter"
    )
    outlier_seconds: float = parameter(
        1_800,
        "s",
        "pencilan berlangsung paling lama",
        "time around an excursion at most: a flight out and back takes longer",
        bounds=(0, 86_400),
    )
    gap_seconds: float = parameter(
        4_500, "s", "diam yang dianggap tidak diketahui", "silence that is unknown time"
    )
    still_m: float = parameter(
        1_000,
        "m",
        "ponsel yang bangun sedekat ini dianggap tidak bergerak",
        "a phone that wakes this near to where it fell silent is taken to have stood still",
    )
    still_seconds: float = parameter(
        14 * 3_600,
        "s",
        "diam terlama yang masih dianggap diketahui",
        "longest such silence that is known time: evening to morning, as Traccar clients do",
    )
    waking_from_hour: int = parameter(6, "h", "jam bangun", "hour from which silence counts")
    waking_until_hour: int = parameter(22, "h", "jam tidur", "hour until which it does, at most 23")
    home_share: float = parameter(
        0.6,
        "",
        "bagian jam bangun yang harus diketahui di tempat asal",
        "share of the waking hours that must be known, all at home, for a day to be at home",
    )
    home_silence_seconds: float = parameter(
        4 * 3_600,
        "s",
        "diam lebih lama dapat menyembunyikan perjalanan",
        "a longer silence in waking hours could hide a trip to the neighbour",
    )
    duty_seconds: float = parameter(
        2 * 3_600,
        "s",
        "lama tugas tersingkat di tujuan jauh",
        "shortest duty at a far destination that a silence could hide, besides the way there",
    )
    road_mps: float = parameter(
        25, "m/s", "laju lurus tercepat di darat", "fastest progress by road, as the crow flies"
    )
    air_mps: float = parameter(200, "m/s", "laju pesawat", "progress by air")
    air_seconds: float = parameter(
        5_400, "s", "waktu di bandara tiap penerbangan", "time at the airports of each flight"
    )
    arrival_grace_seconds: float = parameter(
        12 * 3_600,
        "s",
        "tenggang setelah hari tiba yang direncanakan",
        "after the planned day of arrival, before a live verdict holds lateness against anyone",
    )
    settle_seconds: float = parameter(
        3_600,
        "s",
        "lama berada di balik batas sampai dianggap menetap di sana",
        "time beyond a border, within its tolerance, after which a stay is there",
    )
    dwell_window_seconds: float = parameter(
        7_200, "s", "singgah lebih singkat termasuk perjalanan", "shorter stops belong to the drive"
    )
    dwell_m: float = parameter(
        10_000,
        "m",
        "berada sedekat ini lagi setelah jendela waktu",
        "being this near again after the window: 5 km/h, slower than a river boat",
    )

    never_left_coverage: float = parameter(
        0.6, "", "cakupan untuk itu", "known time in that case", rule=DeviationKind.NEVER_LEFT
    )
    never_left_share: float = parameter(
        0.5,
        "",
        "bagian hari yang terbukti di tempat asal, bila sisanya tidak diketahui",
        "share of the days proven at home, where the others are unknown and nothing was seen away",
        rule=DeviationKind.NEVER_LEFT,
    )
    wrong_seconds: float = parameter(
        3 * 3_600,
        "s",
        "berdiam di wilayah lain bila tujuan tidak pernah dicapai",
        "dwelling elsewhere that deviates when the destination was never reached",
        rule=DeviationKind.WRONG_REGION,
    )
    transit_seconds: float = parameter(
        6 * 3_600,
        "s",
        "sama, bila tujuan dicapai",
        "the same when it was reached: a change of planes, an afternoon's excursion",
        rule=DeviationKind.WRONG_REGION,
    )
    rest_seconds: float = parameter(
        14 * 3_600,
        "s",
        "istirahat di jalan yang dimaklumi tiap perjalanan",
        "dwelling on the way allowed per journey: one night's rest and the stops of a long road",
        rule=DeviationKind.WRONG_REGION,
    )
    detour: float = parameter(
        1.75,
        "",
        "pemanjangan jalan yang masih searah",
        "on the way is what makes the journey this many times longer at most",
        rule=DeviationKind.WRONG_REGION,
        bounds=(1, 100),
    )
    offshore_m: float = parameter(
        100_000,
        "m",
        "di luar peta sedekat ini bukan tempat yang salah",
        "outside every outline is a wrong place only so far from all right ones",
        rule=DeviationKind.WRONG_REGION,
    )
    medium_seconds: float = parameter(
        12 * 3_600,
        "s",
        "berdiam yang menjadi tingkat MEDIUM",
        "dwelling elsewhere of severity MEDIUM: half a day",
        rule=DeviationKind.WRONG_REGION,
    )
    high_seconds: float = parameter(
        24 * 3_600,
        "s",
        "berdiam yang menjadi tingkat HIGH",
        "dwelling elsewhere of severity HIGH: a day",
        rule=DeviationKind.WRONG_REGION,
    )
    lodging_m: float = parameter(
        5_000,
        "m",
        "jarak dari penginapan yang masih wajar",
        "distance from the lodging that is still there: addresses are rough",
        rule=DeviationKind.LODGING_MISMATCH,
    )
    lodging_from_hour: int = parameter(
        23,
        "h",
        "jam mulai malam",
        "hour from which a night is spent somewhere",
        rule=DeviationKind.LODGING_MISMATCH,
    )
    lodging_until_hour: int = parameter(
        5, "h", "jam akhir malam", "hour until it is", rule=DeviationKind.LODGING_MISMATCH
    )
    airport_m: float = parameter(
        20_000,
        "m",
        "jarak dari bandara yang masih di bandara",
        "distance from an airport that still counts as there: roads lead to it",
        rule=DeviationKind.FLIGHT_MISMATCH,
    )
    flight_seconds: float = parameter(
        1_800,
        "s",
        "lama di darat di luar bandara selama jam terbang",
        "time on the ground away from both airports during the flight",
        rule=DeviationKind.FLIGHT_MISMATCH,
    )
    flight_later_seconds: float = parameter(
        12 * 3_600,
        "s",
        "tiba di bandara tujuan dalam waktu ini berarti terbang kemudian",
        "at the other airport within this time he flew later, which is only noted",
        rule=DeviationKind.FLIGHT_MISMATCH,
    )
    mock_fixes: int = parameter(
        3,
        "",
        "titik bertanda palsu yang menjadi temuan",
        "fixes marked as simulated that are no accident",
        rule=DeviationKind.MOCK_FLAG,
    )
    mock_seconds: float = parameter(
        900, "s", "rentangnya", "time over which they are spread", rule=DeviationKind.MOCK_FLAG
    )
    jump_m: float = parameter(
        50_000,
        "m",
        "lompatan yang lebih pendek dibiarkan",
        "shorter jumps are left alone",
        rule=DeviationKind.IMPOSSIBLE_MOVEMENT,
    )
    jump_mps: float = parameter(
        250,
        "m/s",
        "laju pesawat tercepat",
        "speed of an airliner",
        rule=DeviationKind.IMPOSSIBLE_MOVEMENT,
    )
    jump_seconds: float = parameter(
        600,
        "s",
        "waktu di darat dan lepas landas",
        "time that taking off and landing cost besides",
        rule=DeviationKind.IMPOSSIBLE_MOVEMENT,
    )
    jump_land_mps: float = parameter(
        40,
        "m/s",
        "laju lurus yang mustahil di darat, jauh dari bandara",
        "straight progress that is impossible by land, away from airports",
        rule=DeviationKind.IMPOSSIBLE_MOVEMENT,
    )
    jump_airport_m: float = parameter(
        8_000,
        "m",
        "jarak dari bandara yang mungkin berarti terbang",
        "distance from an airport within which it may have been a flight",
        rule=DeviationKind.IMPOSSIBLE_MOVEMENT,
    )
    jump_settled_seconds: float = parameter(
        1_800,
        "s",
        "lama di tempat sebelum dan sesudah lompatan",
        "unbroken time at the place before and after the jump: positions after a flight are stale",
        rule=DeviationKind.IMPOSSIBLE_MOVEMENT,
    )
    jump_count: int = parameter(
        2,
        "",
        "lompatan yang menjadi temuan",
        "jumps that deviate; one may be a clock set wrong",
        rule=DeviationKind.IMPOSSIBLE_MOVEMENT,
    )
    frozen_seconds: float = parameter(
        20 * 3_600,
        "s",
        "lama posisi tidak berubah sedikit pun",
        "time over which the position does not change at all",
        rule=DeviationKind.FROZEN_POSITION,
    )
    frozen_fixes: int = parameter(
        20,
        "",
        "titik yang sama persis sekurang-kurangnya",
        "identical fixes at least",
        rule=DeviationKind.FROZEN_POSITION,
    )
    frozen_many_fixes: int = parameter(
        100,
        "",
        "titik yang sama persis yang dibandingkan dengan waktu istirahat lain",
        "identical fixes that are held against other rests: 157 in a row have been seen of an "
        "honest phone, over less time",
        rule=DeviationKind.FROZEN_POSITION,
    )
    copied_share: float = parameter(
        0.2,
        "",
        "bagian gerakan yang sama dengan jejak lain",
        "share of the movement that another track repeats",
        rule=DeviationKind.COPIED_TRACK,
    )
    carried_m: float = parameter(
        250,
        "m",
        "jarak kedua ponsel yang jarang dilampaui",
        "distance that the phones exceed in no more than one moment of ten",
        rule=DeviationKind.CARRIED_PHONE,
    )
    carried_seconds: float = parameter(
        24 * 3_600,
        "s",
        "lama kedua ponsel teramati bersama",
        "time both phones were heard together",
        rule=DeviationKind.CARRIED_PHONE,
    )
    carried_nights: int = parameter(
        1, "", "malam bersama", "nights among it at least", rule=DeviationKind.CARRIED_PHONE
    )
    attendance_seconds: float = parameter(
        4 * 3_600,
        "s",
        "presensi pada hari berangkat atau pulang yang masih wajar",
        "attendance on the first or last day that still leaves time to travel",
        rule=DeviationKind.ATTENDANCE_CONFLICT,
    )
    min_coverage: float = parameter(
        0.5,
        "",
        "bagian perjalanan yang harus diketahui",
        "known share of the trip without which nothing conforms",
        rule=DeviationKind.LOW_COVERAGE,
    )
    report_working_days: int = parameter(
        5,
        "",
        "hari kerja untuk melapor",
        "working days for the report (PMK 113/2012)",
        rule=DeviationKind.REPORT_LATE,
    )
    visum_seconds: float = parameter(
        43_200, "s", "di sekitar visum", "before and after it", rule=DeviationKind.VISUM_MISMATCH
    )


def parameters(rule: DeviationKind | None) -> list[tuple[str, float, Mapping[str, Any]]]:
    """Name, default and what is said of each parameter of a rule, or of reading the track."""
    ours = [item for item in fields(Ruleset) if item.metadata and item.metadata["rule"] is rule]
    return [(item.name, getattr(Ruleset(0), item.name), item.metadata) for item in ours]


class UnknownParameter(ValueError):
    """A ruleset that names no parameter, or gives one a value it cannot have."""


def ruleset(version: int, stored: Mapping[str, Any]) -> Ruleset:
    """A version of the rules from what JSON keeps of it; raises `UnknownParameter`.

    Besides parameters it holds `terms`: by rule, legal_basis, valid_from and valid_until (ISO
    dates) and enabled.
    """
    known = {item.name: item for item in fields(Ruleset) if item.metadata}
    values: dict[str, Any] = {}
    for name, value in stored.items():
        if name == "terms":
            values[name] = _terms(value)
            continue
        if name not in known:
            raise UnknownParameter(f"{name}: no such parameter")
        whole = isinstance(known[name].default, int) and known[name].type in (int, "int")
        if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
            raise UnknownParameter(f"{name}: must be {'a whole number' if whole else 'a number'}")
        least, most = known[name].metadata["least"], known[name].metadata["most"]
        if not least <= value <= most:
            raise UnknownParameter(f"{name}: must be {least} to {most}")
        values[name] = value
    made = Ruleset(version=version, **values)
    if made.waking_from_hour >= made.waking_until_hour:
        raise UnknownParameter("waking_until_hour: must be after waking_from_hour")
    return made


def _terms(stored: Any) -> dict[DeviationKind, Terms]:
    try:
        return {
            DeviationKind(kind): Terms(
                legal_basis=terms.get("legal_basis"),
                valid_from=_date(terms.get("valid_from")),
                valid_until=_date(terms.get("valid_until")),
                enabled=terms.get("enabled", True) is True,
            )
            for kind, terms in stored.items()
        }
    except (AttributeError, TypeError, ValueError) as wrong:
        raise UnknownParameter(f"terms: {wrong}") from wrong


def _date(value: str | None) -> date | None:
    return None if value is None else date.fromisoformat(value)
