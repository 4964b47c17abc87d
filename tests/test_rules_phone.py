"""What a phone's own doings prove, and what honest phones do as well."""

from dataclasses import replace

import numpy as np
import pytest

from tests.tracks import (
    ABROAD,
    CITY,
    HOTEL,
    INN,
    MIDNIGHT,
    OFFICE,
    PORT,
    SQUARES,
    Place,
    at,
    moved,
    trip,
    walk,
)
from workers.case import Deviation, DeviationKind, Dossier, Fixes, Likeness, Pair, Severity
from workers.judge import judge
from workers.ruleset import Ruleset

HOUR = 3600.0
RULES = Ruleset(version=7)
NOTHING = Dossier()
THERE_AND_BACK = ((0, OFFICE), (8, OFFICE), (10, HOTEL), (58, HOTEL), (60, OFFICE), (72, OFFICE))


def found(kind: DeviationKind, fixes: Fixes, dossier: Dossier = NOTHING) -> Deviation | None:
    judged = judge(trip(CITY), dossier, RULES, SQUARES, fixes, as_of=at(1000))
    of_kind = [deviation for deviation in judged.deviations if deviation.kind is kind]
    assert len(of_kind) <= 1
    for one in of_kind:
        assert one.leg is None
        assert one.evidence
        assert set(one.evidence) <= set(fixes.digests)
        assert at(0) <= one.started_at <= one.ended_at <= at(72)
    return of_kind[0] if of_kind else None


def severity(kind: DeviationKind, fixes: Fixes, dossier: Dossier = NOTHING) -> Severity | None:
    one = found(kind, fixes, dossier)
    return None if one is None else one.severity


def real(fixes: Fixes, *, seed: int = 1, metres: float = 15) -> Fixes:
    """As a phone hears it, every fix a little off."""
    rng = np.random.default_rng(seed)

    def shake(copy: Fixes) -> None:
        copy.lon[:] += rng.normal(0, metres / 111_195, len(copy.lon))
        copy.lat[:] += rng.normal(0, metres / 111_195, len(copy.lat))

    return moved(fixes, shake)


def stuck(fixes: Fixes, first: float, last: float) -> Fixes:
    """Repeats the position of one hour until another."""

    def hold(copy: Fixes) -> None:
        hour = (copy.time - MIDNIGHT.timestamp()) / HOUR
        held = (hour >= first) & (hour <= last)
        copy.lon[held], copy.lat[held] = copy.lon[held][0], copy.lat[held][0]

    return moved(fixes, hold)


def flagged(fixes: Fixes, which: slice | list[int]) -> Fixes:
    def mark(copy: Fixes) -> None:
        copy.mock[which] = True

    return moved(fixes, mark)


def joined(*parts: Fixes) -> Fixes:
    names = ("time", "lon", "lat", "accuracy", "mock", "battery", "chunk")
    columns = [np.concatenate([getattr(part, name) for part in parts]) for name in names]
    digests = max((part.digests for part in parts), key=len)
    return Fixes(*columns, digests)


HONEST = real(walk(*THERE_AND_BACK))


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        ([100], None),
        ([100, 400], None),
        ([100, 101, 102], None),
        ([100, 102, 104], Severity.LOW),
        (slice(100, 300), Severity.LOW),
        (slice(100, 700), Severity.MEDIUM),
        (slice(0, 0), None),
    ],
    ids=["one", "two", "ten minutes", "twenty minutes", "some", "most", "none"],
)
def test_fixes_marked_as_simulated_count_when_they_are_no_accident(which, expected):
    assert severity(DeviationKind.MOCK_FLAG, flagged(HONEST, which)) is expected


def test_the_mark_says_how_many_fixes_and_when():
    one = found(DeviationKind.MOCK_FLAG, flagged(HONEST, slice(120, 180)))
    assert one is not None
    assert (one.started_at, one.ended_at) == (at(10), at(10 + 59 / 12))
    assert one.region == CITY
    assert "60 dari 864 titik" in one.message_id
    assert "60 of 864 fixes" in one.message_en
    assert len(one.evidence) == 2


SPOOFED = real(
    joined(
        walk((0, OFFICE), (9, OFFICE)),
        walk((9.2, PORT), (50.2, PORT)),
        walk((50.4, OFFICE), (72, OFFICE)),
    )
)


def test_to_and_fro_faster_than_an_airliner_is_a_finding():
    one = found(DeviationKind.IMPOSSIBLE_MOVEMENT, SPOOFED)
    assert one is not None
    assert one.severity is Severity.MEDIUM
    assert (one.started_at, one.ended_at) == (at(9), at(50.4))
    assert one.message_id.startswith("2 kali")
    assert "278 km dalam 12 menit" in one.message_id
    assert "278 km in 12 min" in one.message_en


def pinged(place: Place, minutes: float, every: float = 2400) -> Fixes:
    """Two days at a place and home again, the way each time as long as that, pings in between."""
    hours = minutes / 60
    return real(
        joined(
            walk((0, OFFICE), (8, OFFICE), every=every),
            walk((8 + hours, place), (48 + hours, place), every=every),
            walk((48 + 2 * hours, OFFICE), (72, OFFICE), every=every),
        )
    )


STRIP = (117.333, 0.52)
"""84 km from the office, 2 km from the airport of Sangatta."""


@pytest.mark.parametrize(
    ("fixes", "expected"),
    [
        (pinged(INN, 45), Severity.MEDIUM),
        (pinged(INN, 45, every=300), Severity.MEDIUM),
        (pinged(INN, 62), None),
        (pinged(INN, 50, every=5400), None),
        (pinged(STRIP, 30), None),
        (pinged((117.25, -0.6), 5), None),
    ],
    ids=["139 km in 45 min", "heard often", "by road", "rarely heard", "by an airport", "near"],
)
def test_what_no_road_allows_is_a_jump_where_no_airport_is_near(fixes, expected):
    assert severity(DeviationKind.IMPOSSIBLE_MOVEMENT, fixes) is expected


def rushed(minutes: float) -> Fixes:
    """One exact position for two days, 139 km off, pinged some twenty times a day."""
    hours, every = minutes / 60, 2400
    there = walk((8 + hours, INN), (56, INN), every=every)
    home = walk((0, OFFICE), (8, OFFICE), every=every)
    return joined(real(home), there, real(walk((60, OFFICE), (72, OFFICE), every=every)))


@pytest.mark.parametrize(
    ("minutes", "expected"), [(62, Severity.MEDIUM), (74, Severity.MEDIUM), (100, Severity.NOTE)]
)
def test_a_frozen_point_reached_faster_than_by_road_is_a_finding(minutes, expected):
    assert severity(DeviationKind.FROZEN_POSITION, rushed(minutes)) is expected


def test_one_jump_is_only_noted():
    once = real(joined(walk((0, OFFICE), (9, OFFICE)), walk((9.2, PORT), (72, PORT))))
    assert severity(DeviationKind.IMPOSSIBLE_MOVEMENT, once) is Severity.NOTE


def wrong_clock() -> Fixes:
    """An hour at home, sent as if it had been in the hotel's silent night."""
    away = walk(*THERE_AND_BACK, silent=[(25, 27)])
    late = moved(
        walk((6, OFFICE), (7, OFFICE)), lambda copy: np.add(copy.time, 19.15 * HOUR, copy.time)
    )
    return real(joined(away, late))


def stale_after_landing() -> Fixes:
    """Home, then the position there repeated after a flight of silence, then the destination."""
    before, after = walk((0, OFFICE), (8, OFFICE)), walk((10.25, PORT), (72, PORT))
    stale = walk((10, OFFICE), (10.2, OFFICE), every=30)
    return real(joined(before, stale, after))


@pytest.mark.parametrize(
    "fixes",
    [
        HONEST,
        real(
            walk((0, OFFICE), (8, OFFICE), (10, ABROAD), (58, ABROAD), (60, OFFICE), (72, OFFICE))
        ),
        real(walk((0, OFFICE), (8, OFFICE), (10, ABROAD), (72, ABROAD), silent=[(8, 10)])),
        stale_after_landing(),
        moved(HONEST, lambda copy: np.copyto(copy.lon[300:306], INN[0])),
        moved(HONEST, lambda copy: np.copyto(copy.lon[300:400:2], INN[0])),
    ],
    ids=[
        "by car",
        "by air",
        "silent in the air",
        "stale after landing",
        "an outlier",
        "two phones",
    ],
)
def test_honest_ways_are_no_jumps(fixes):
    assert found(DeviationKind.IMPOSSIBLE_MOVEMENT, fixes) is None


def test_a_clock_set_wrong_once_accuses_nobody():
    assert severity(DeviationKind.IMPOSSIBLE_MOVEMENT, wrong_clock()) is Severity.NOTE


def test_a_point_held_for_a_day_by_a_phone_that_varies_elsewhere_is_a_finding():
    one = found(DeviationKind.FROZEN_POSITION, stuck(HONEST, 12, 56))
    assert one is not None
    assert one.severity is Severity.LOW
    assert (one.started_at, one.ended_at) == (at(12), at(56))
    assert one.region == CITY
    assert "44 jam (529 titik)" in one.message_id
    assert "44 h (529 fixes)" in one.message_en


def test_a_phone_that_repeats_itself_wherever_it_rests_is_only_noted():
    for still in (walk(*THERE_AND_BACK), stuck(stuck(stuck(HONEST, 12, 56), 0, 8), 60, 72)):
        assert severity(DeviationKind.FROZEN_POSITION, still) is Severity.NOTE


def test_nothing_to_compare_it_with_makes_it_a_note():
    assert severity(DeviationKind.FROZEN_POSITION, walk((0, HOTEL), (72, HOTEL))) is Severity.NOTE


@pytest.mark.parametrize("leak", [0, 7])
def test_a_frozen_point_with_simulated_fixes_or_jumps_weighs_more(leak):
    frozen = walk(*THERE_AND_BACK)
    assert (
        severity(DeviationKind.FROZEN_POSITION, flagged(frozen, slice(200, 300))) is Severity.MEDIUM
    )
    fake = walk((9.2, PORT), (50, PORT))
    if leak:
        fake = moved(fake, lambda copy: np.copyto(copy.lon[::50], OFFICE[0]))
    before, after = walk((0, OFFICE), (9, OFFICE)), walk((55, OFFICE), (72, OFFICE))
    jumped = joined(real(before), fake, real(after))
    one = found(DeviationKind.FROZEN_POSITION, jumped)
    assert one is not None
    assert one.severity is Severity.MEDIUM
    assert "lebih cepat daripada lewat darat" in one.message_id


def wandering(every: float, identical: int) -> Fixes:
    """An honest track with as many identical fixes in a row at the hotel."""
    return stuck(real(walk(*THERE_AND_BACK, every=every)), 18, 18 + (identical - 1) * every / HOUR)


@pytest.mark.parametrize(
    "fixes",
    [
        HONEST,
        wandering(300, 157),
        wandering(30, 157),
        wandering(30, 1500),
        stuck(stuck(HONEST, 18, 31), 41, 55),
        stuck(stuck(HONEST, 11, 28), 30, 49),
        stuck(HONEST, 0, 8),
        walk((0, OFFICE), (72, OFFICE)),
        real(walk(*THERE_AND_BACK, silent=[(12, 57)])),
        stuck(real(walk(*THERE_AND_BACK, every=4400)), 12, 34),
        stuck(real(walk(*THERE_AND_BACK, silent=[(22, 38)])), 12, 56),
        moved(
            HONEST,
            lambda copy: (
                np.copyto(copy.lon[144:680:4], HOTEL[0]),
                np.copyto(copy.lat[144:680:4], HOTEL[1]),
            ),
        ),
    ],
    ids=[
        "varying",
        "157 identical fixes at five minutes",
        "157 identical fixes at half a minute",
        "a night and a morning",
        "two nights on Wi-Fi and a day out",
        "dinner out",
        "a night at home",
        "a phone left at home",
        "silence",
        "too few fixes",
        "a long silence between",
        "an old position sent among fresh ones",
    ],
)
def test_honest_phones_rest_as_well(fixes):
    assert found(DeviationKind.FROZEN_POSITION, fixes) is None


def test_coming_back_to_other_coordinates_ends_a_frozen_time():
    shifted = moved(
        stuck(HONEST, 12, 56),
        lambda copy: np.add(copy.lon, np.where(copy.time > at(34).timestamp(), 1e-6, 0), copy.lon),
    )
    one = found(DeviationKind.FROZEN_POSITION, shifted)
    assert one is not None
    assert one.ended_at <= at(34) or one.started_at >= at(34)


def like(shared: float, *, first: bool, letter: str = "094/12", shift: float = 0) -> Likeness:
    return Likeness(letter, shared, shift, first)


@pytest.mark.parametrize(
    ("likenesses", "expected"),
    [
        ([like(1, first=False)], Severity.HIGH),
        ([like(0.2, first=False)], Severity.HIGH),
        ([like(0.19, first=False)], None),
        ([like(1, first=True)], Severity.NOTE),
        ([like(1, first=True), like(0.4, first=False)], Severity.HIGH),
        ([], None),
    ],
    ids=["a copy", "a part", "by chance", "the original", "both", "nobody"],
)
def test_the_copy_is_accused_and_the_original_only_told(likenesses, expected):
    dossier = Dossier(likenesses=tuple(likenesses))
    assert severity(DeviationKind.COPIED_TRACK, HONEST, dossier) is expected


def test_a_copy_names_the_other_letters_but_no_place():
    dossier = Dossier(
        likenesses=(
            like(0.5, first=False, letter="094/13"),
            like(0.93, first=False, letter="094/12", shift=26.5 * HOUR),
            like(1, first=True, letter="094/14"),
        )
    )
    one = found(DeviationKind.COPIED_TRACK, HONEST, dossier)
    assert one is not None
    assert "93% gerakan" in one.message_id
    assert "094/12, 26 jam 30 menit kemudian, dan 1 surat tugas lain" in one.message_id
    assert "letter 094/12, 26 h 30 min later, and of 1 other letter;" in one.message_en
    assert "Rina" not in one.message_id + one.message_en


BESIDE = Pair("094/12", 60 * HOUR, 2, 40)


@pytest.mark.parametrize(
    ("pair", "expected"),
    [
        (BESIDE, Severity.LOW),
        (replace(BESIDE, seconds=20 * HOUR), None),
        (replace(BESIDE, nights=0), None),
        (replace(BESIDE, apart_m=400), None),
        (replace(BESIDE, seconds=24 * HOUR, nights=1, apart_m=250), Severity.LOW),
    ],
    ids=["never apart", "not for long", "by day", "colleagues", "at the limits"],
)
def test_phones_that_never_part_are_something_to_ask_about(pair, expected):
    assert severity(DeviationKind.CARRIED_PHONE, HONEST, Dossier(pairs=(pair,))) is expected


def test_a_carried_phone_says_whose_and_for_how_long():
    other = replace(BESIDE, letter="094/13", seconds=50 * HOUR)
    one = found(DeviationKind.CARRIED_PHONE, HONEST, Dossier(pairs=(other, BESIDE)))
    assert one is not None
    assert "surat tugas 094/12 serta 1 ponsel lain" in one.message_id
    assert "40 m selama 60 jam teramati bersama, termasuk 2 malam" in one.message_id
    assert (
        "under letter 094/12, and 1 other, hardly ever parted by more than 40 m in 60 h"
        in one.message_en
    )


@pytest.mark.parametrize("kind", ["MOCK_FLAG", "IMPOSSIBLE_MOVEMENT", "FROZEN_POSITION"])
def test_an_empty_track_says_nothing_of_the_phone(kind):
    empty = HONEST.only(np.zeros(len(HONEST.time), dtype=np.bool_))
    assert found(DeviationKind[kind], empty) is None
