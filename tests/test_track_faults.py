"""What loggers do to a track that is none the worse for it: forgiven, and told in its notes."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.track_texts import (
    FIXES,
    HEADER,
    HERE,
    LONG,
    NESTED,
    START,
    bad,
    collection,
    csv,
    devices,
    gpx,
    iso,
    line,
    point,
    read,
    rec,
    refused,
    same,
)


def told(folder: Path, text: str, name: str = "a.csv", **options: Any) -> list[str]:
    """What the notes say in English of a file that reads as `FIXES` do."""
    found = read(folder, name, text, **options)
    same(found)
    assert all(said[0] != said[1] for said in found.notes)
    return [said[1] for said in found.notes]


def test_rows_sent_again_are_skipped(tmp_path):
    assert told(tmp_path, csv([*FIXES[:4], FIXES[3], *FIXES[4:]])) == ["1 repeated line skipped"]
    assert told(tmp_path, csv([*FIXES, *FIXES[:5]])) == ["5 repeated lines skipped"]
    assert told(tmp_path, gpx(FIXES, FIXES, more=NESTED), "a.gpx") == ["12 repeated lines skipped"]
    points = [point(f, time=iso(f[0]), accuracy=12, name=f"Titik {f[0]}") for f in FIXES]
    again = collection(*points, points[2])
    # What names each fix names it twice, which is not two people.
    assert told(tmp_path, again, "a.json") == ["1 repeated point skipped"]
    assert told(tmp_path, csv()) == []


def test_times_may_jitter(tmp_path):
    fixes = [(t, *HERE) for t in (0.0, 60, 59, 51, 120, 110.5)]
    found = read(tmp_path, "a.csv", csv(fixes))
    assert (found.time - START.timestamp()).tolist() == [0, 51, 59, 60, 110.5, 120]
    assert found.notes == (
        (
            "3 baris mundur kurang dari 10 detik diurutkan",
            "3 lines less than 10 seconds back put in order",
        ),
    )


ROWS = csv().splitlines()
COLD = "1970-01-01T00:00:00Z,117.1,-0.5,12"


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([ROWS[0], COLD, *ROWS[1:]], "(line 2 has a time before the year 2000)"),
        ([*ROWS[:3], COLD.replace("1970", "2046"), *ROWS[3:]], "(line 4 has a time in the future)"),
        ([*ROWS[:3], ROWS[3].replace("117.", "717."), *ROWS[3:]], "(line 4 is no position on"),
        ([*ROWS[:3], ROWS[3].replace("117.", "?"), *ROWS[3:]], "(line 4 has an unreadable number)"),
        ([*ROWS[:3], f"{iso(700)},0,0.0,", *ROWS[3:]], "(line 4 has a position of zeros)"),
        ([*ROWS[:3], HEADER, *ROWS[3:]], "(line 4 is the header again)"),
        ([*ROWS, "2026-11-24T0"], "(line 14 has another number of columns)"),
        ([*ROWS, f"{iso(9000)},117.1"], "(line 14 has another number of columns)"),
    ],
)
def test_a_few_unusable_rows_are_skipped(tmp_path, rows, why):
    (said,) = told(tmp_path, "\n".join(rows))
    assert said.startswith("1 unusable line skipped (")
    assert why in said


def test_how_many_unusable_rows_are_a_few(tmp_path):
    assert told(tmp_path, csv([*FIXES, *bad(3, 0.0, 0.0)])) == [
        "3 unusable lines skipped (line 14 has a position of zeros)"
    ]
    found = read(tmp_path, "a.csv", csv([*LONG, (50_000.0, *HERE), *bad(4, 0.0, 0.0)]))
    assert (len(found.time), len(found.notes)) == (397, 1)


def test_a_recorder_cut_off_is_read_to_there(tmp_path):
    whole = rec([*FIXES, (9_000.0, *HERE)])
    for length, why in ((60, "is broken JSON"), (len(whole) // 13 - 8, "is no line of OwnTracks")):
        (said,) = told(tmp_path, whole[:-length], "a.rec")
        assert said.startswith(f"1 unusable line skipped (line 13 {why}")


def test_a_phone_may_be_exchanged_once(tmp_path):
    for header in ("device", "Device ID", "tid", "tracker_id"):
        (said,) = told(tmp_path, devices(*"AAAAABBBBBBB", header=header))
        assert said.startswith("the device changes once (")
    points = [point(f, time=iso(f[0]), acc=12, device_id=f[0] > 3000) for f in FIXES]
    assert len(told(tmp_path, collection(*points), "a.json")) == 1
    halves = [
        line(those, coordTimes=[iso(t) for t, *_ in those], accuracies=[12] * 6, device=name)
        for name, those in (("a", FIXES[:6]), ("b", FIXES[6:]))
    ]
    assert len(told(tmp_path, collection(*halves), "a.json")) == 1
    backwards = "\n".join([ROWS[0] + ",tid", *(f"{row},A" for row in ROWS[:6:-1])])
    backwards += "".join(f"\n{row},B" for row in ROWS[6:0:-1])
    assert len(told(tmp_path, backwards, any_order=True)) == 1


def test_an_unknown_accuracy_is_no_perfect_one(tmp_path):
    for value in ("0", "0.0", "-1", ""):
        found = read(
            tmp_path, "a.csv", csv(header=f"{HEADER},battery").replace(",12", f",{value},0")
        )
        assert np.isnan(found.accuracy).all()
        assert (found.battery == 0).all()
    found = read(tmp_path, "a.gpx", gpx(FIXES, more="<hdop>0</hdop>"))
    assert np.isnan(found.accuracy).all()


def test_no_fix_is_later_than_tomorrow_unless_said(tmp_path):
    ahead = datetime.now(UTC) + timedelta(days=2)
    fixes = [(t + (ahead - START).total_seconds(), x, y) for t, x, y in FIXES]
    problem = refused(tmp_path, "a.csv", csv(fixes), latest=None)
    assert "line 2: has a time in the future" in problem.message_en
    same(read(tmp_path, "a.csv", csv(fixes), latest=ahead + timedelta(days=1)), fixes)
