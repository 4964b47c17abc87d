"""`jejak evaluate`: trips judged from files, and files that cannot be used."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
import typer
from typer.testing import CliRunner, Result

from infra.evaluate import evaluate
from tenants.regions import shipped
from tests.track_texts import START, collection, csv, gpx, line, point, rec

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "infra/examples"
SAMARINDA, BALIKPAPAN, GROGOT = (117.148, -0.495), (116.845, -1.262), (116.190, -1.905)
PLAN = {
    "traveller": "Sri Contoh",
    "home_region": "64.72",
    "starts_on": "2026-11-24",
    "ends_on": "2026-11-26",
    "legs": [{"region": "64.71", "arrive": "2026-11-24", "depart": "2026-11-26"}],
    "claim": {"days": 3, "daily_allowance": 430_000},
}
KEYS = {
    "deviation": {
        *("kind", "started_at", "ended_at", "region", "severity", "message_id", "message_en"),
    },
    "stay": {"region", "arrived_at", "left_at"},
}
Place = tuple[float, float]

app = typer.Typer()
app.command()(evaluate)


def jejak(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def walk(*stops: tuple[float, Place]) -> list[tuple[float, float, float]]:
    """Fixes every ten minutes along straight lines between places at hours of the trip."""
    hours = np.arange(stops[0][0], stops[-1][0], 1 / 6)
    known = [hour for hour, _ in stops]
    lon, lat = (np.interp(hours, known, [at[i] for _, at in stops]) for i in (0, 1))
    # START is 09:00 in Makassar, the trip begins at midnight.
    seconds = (hours - 9) * 3600
    return [(float(t), float(x), float(y)) for t, x, y in zip(seconds, lon, lat, strict=True)]


OUT, BACK = ((0, SAMARINDA), (7, SAMARINDA)), (72, SAMARINDA)
HONEST = walk(*OUT, (10, BALIKPAPAN), (60, BALIKPAPAN), (63, SAMARINDA), BACK)
IDLE = walk(*OUT, BACK)
ASTRAY = walk(*OUT, (13, GROGOT), (58, GROGOT), (64, SAMARINDA), BACK)
SHORT = walk(*OUT, (10, BALIKPAPAN), (17, BALIKPAPAN), (20, SAMARINDA), BACK)
GOOD = "<accuracy>12</accuracy>"


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    return write(tmp_path, "plan.json", json.dumps(PLAN))


def judged(plan: Path, *tracks: Path, options: Sequence[object] = ()) -> dict[str, Any]:
    told = [argument for track in tracks for argument in ("--track", track)]
    ran = jejak("--plan", plan, *told, "--json", *options)
    assert ran.exit_code == 0, ran.stderr
    said = json.loads(ran.stdout)
    assert all(KEYS["stay"] == stay.keys() for stay in said["stays"])
    assert all(KEYS["deviation"] <= found.keys() for found in said["deviations"])
    return said


@pytest.mark.parametrize(
    ("fixes", "verdict", "kinds"),
    [
        (HONEST, "CONFORMS", set()),
        (IDLE, "DEVIATES", {"NEVER_LEFT"}),
        (ASTRAY, "DEVIATES", {"WRONG_REGION"}),
        (SHORT, "DEVIATES", {"SHORT_STAY"}),
        (HONEST[:3], "UNVERIFIABLE", set()),
    ],
)
def test_a_trip_is_judged_from_its_files(tmp_path, plan, fixes, verdict, kinds):
    said = judged(plan, write(tmp_path, "jejak.csv", csv(fixes)))
    assert said["verdict"] == verdict
    assert kinds <= {found["kind"] for found in said["deviations"]}
    assert bool(kinds) == any(found["severity"] != "NOTE" for found in said["deviations"])
    assert said["final"]
    assert said["coverage"] == pytest.approx(0.0 if len(fixes) == 3 else 1.0, abs=0.02)


def test_stays_say_where_and_when(tmp_path, plan):
    stays = judged(plan, write(tmp_path, "jejak.csv", csv(HONEST)))["stays"]
    seen = [stay["region"] for stay in stays if stay["region"] != "64.02"]  # on the way
    assert seen == ["64.72", "64.71", "64.72"]
    assert stays[0]["arrived_at"] == "2026-11-23T16:00:00+00:00"


def test_every_format_comes_to_the_same_verdict(tmp_path, plan):
    epoch = [START.timestamp() + t for t, *_ in ASTRAY]
    texts = {
        "a.csv": csv(ASTRAY),
        "a.gpx": gpx(ASTRAY, more=GOOD),
        "a.geojson": collection(
            *(point(f, tst=e, accuracy=12) for f, e in zip(ASTRAY, epoch, strict=True))
        ),
        "b.geojson": collection(line(ASTRAY, times=epoch, accuracies=[12] * len(epoch))),
        "a.rec": rec(ASTRAY),
    }
    said = [judged(plan, write(tmp_path, name, text)) for name, text in texts.items()]
    for one in said:
        for found in one["deviations"]:
            assert len(found.pop("evidence")) == 1
    assert all(one == said[0] for one in said)


def test_several_tracks_are_one_and_may_overlap(tmp_path, plan):
    one = write(tmp_path, "a.gpx", gpx(SHORT[:200], more=GOOD))
    other = write(tmp_path, "b.csv", csv(SHORT[100:]))
    whole = judged(plan, write(tmp_path, "c.csv", csv(SHORT)))
    said = judged(plan, other, one)
    assert (said["verdict"], said["coverage"], said["stays"]) == (
        whole["verdict"],
        whole["coverage"],
        whole["stays"],
    )


def test_as_of_an_earlier_time_a_verdict_is_not_final(tmp_path, plan):
    track = write(tmp_path, "jejak.csv", csv(HONEST[:72]))
    said = judged(plan, track, options=["--as-of", "2026-11-24T12:00:00+08:00"])
    assert (said["final"], said["verdict"]) == (False, "CONFORMS")


def outlines(*boxes: tuple[str, tuple[float, float, float, float]]) -> str:
    features = [
        {
            "type": "Feature",
            "properties": {"code": code, "name": f"Wilayah {code}"},
            "geometry": shapely.geometry.mapping(shapely.box(*bounds)),
        }
        for code, bounds in boxes
    ]
    return json.dumps({"type": "FeatureCollection", "features": features})


def test_outlines_from_anywhere_on_earth(tmp_path):
    """A walk in Rome, where no province of Indonesia is, with a far region nobody needs."""
    here, there = (12.25, 41.75), (12.75, 41.75)
    boxes = outlines(
        ("01.01", (12.0, 41.5, 12.5, 42.0)),
        ("01.02", (12.5, 41.5, 13.0, 42.0)),
        ("01.03", (-70.0, -10.0, -60.0, 0.0)),
    )
    regions = write(tmp_path, "regions.geojson", boxes)
    plan = PLAN | {"home_region": "01.01", "zone": "Europe/Rome", "legs": [{"region": "01.02"}]}
    stops = [(7, here), (14, here), (17, there), (67, there), (70, here), (79, here)]
    track = write(tmp_path, "jejak.csv", csv(walk(*stops)))
    said = judged(
        write(tmp_path, "plan.json", json.dumps(plan)), track, options=["--regions", regions]
    )
    assert said["verdict"] == "CONFORMS"
    assert [stay["region"] for stay in said["stays"]] == ["01.01", "01.02", "01.01"]
    assert said["regions"] == {"source": "regions.geojson", "tolerance_m": 100}


@pytest.mark.parametrize(
    ("lang", "words"),
    [
        ("id", ("MENYIMPANG", "Hari demi hari", "Bukti: jejak.csv (SHA-256 ", "Dibantah dengan: ")),
        ("en", ("DEVIATES", "Day by day", "Proof: jejak.csv (SHA-256 ", "Refuted by: ")),
    ],
)
def test_the_report_can_be_read(tmp_path, plan, lang, words):
    track = write(tmp_path, "jejak.csv", csv(SHORT[:300]))
    ran = jejak("--plan", plan, "--track", track, "--lang", lang)
    assert ran.exit_code == 0
    for word in (*words, "Sri Contoh", "Kota Samarinda", "Kota Balikpapan", "SHORT_STAY", "300 "):
        assert word in ran.stdout
    assert max(map(len, ran.stdout.splitlines())) <= 80


def test_what_a_logger_does_is_forgiven_and_told(tmp_path, plan):
    rows = csv(HONEST, header="time,lon,lat,accuracy,device", extra=["lama"] * len(HONEST))
    rows = rows[: len(rows) // 2] + rows[len(rows) // 2 :].replace("lama", "baru")
    head, *rows = rows.splitlines()
    wild = [head, "1970-01-01T00:00:00Z,0,0,0,lama", *rows[:50], *rows[40:], rows[-1], "2026-11"]
    track, tidy = write(tmp_path, "a.csv", "\n".join(wild)), write(tmp_path, "b.csv", csv(HONEST))
    said, plain = judged(plan, track), judged(plan, tidy)
    for found in (*said["deviations"], *plain["deviations"]):
        del found["evidence"]
    assert said == plain
    notes = {
        "id": (
            "Catatan jejak a.csv: 2 baris tidak dapat dipakai, dilewati (baris 2: waktunya sebelum "
            "tahun 2000); 11 baris diulang dilewati; perangkat berganti sekali (device)"
        ),
        "en": (
            "Track notes a.csv: 2 unusable lines skipped (line 2 has a time before the year 2000); "
            "11 repeated lines skipped; the device changes once (device)"
        ),
    }
    for lang, told in notes.items():
        ran = jejak("--plan", plan, "--track", track, "--track", tidy, "--lang", lang)
        assert told in " ".join(ran.stdout.split())
        assert "b.csv: " not in ran.stdout
    assert "Catatan jejak" not in jejak("--plan", plan, "--track", tidy).stdout


def test_a_track_of_a_trip_still_to_come_can_be_made_up(tmp_path):
    ahead = datetime.now(UTC).date() + timedelta(days=30)
    days = {"starts_on": ahead.isoformat(), "ends_on": (ahead + timedelta(days=2)).isoformat()}
    plan = PLAN | days | {"legs": [{"region": "64.71"}]}
    shift = (ahead - START.date()) / timedelta(seconds=1)
    track = write(tmp_path, "a.csv", csv([(t + shift, x, y) for t, x, y in HONEST]))
    assert judged(write(tmp_path, "plan.json", json.dumps(plan)), track)["verdict"] == "CONFORMS"


def test_markup_and_escapes_in_a_file_are_only_text(tmp_path):
    plan = PLAN | {"traveller": "[red]Sri[/red]\x1b[31m"}
    track = write(tmp_path, "[bold].csv", csv(HONEST))
    ran = jejak("--plan", write(tmp_path, "plan.json", json.dumps(plan)), "--track", track)
    assert "[red]Sri[/red]?[31m" in ran.stdout
    assert "[bold].csv" in ran.stdout
    assert "\x1b" not in ran.stdout


def refused(*arguments: object, why_id: str, why_en: str) -> None:
    ran = jejak(*arguments)
    assert ran.exit_code == 2, ran.stdout
    assert ran.stdout == ""
    first, second = ran.stderr.splitlines()
    assert first.startswith("jejak: ")
    assert why_id in first
    assert why_en in second
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize(
    ("text", "why_id", "why_en"),
    [
        ("", "tidak ada satu titik pun", "has no fix"),
        (csv(HONEST[:1]), "hanya ada satu titik", "has no more than one fix"),
        (
            csv(HONEST[::-1]),
            "baris 3: waktunya mundur",
            "goes back in time, for it is newest first",
        ),
        (csv(HONEST[::-1]), "yang terbaru di depan; balikkan", "turn its order round"),
        (csv(HONEST[9:] + HONEST[:9]), "waktunya mundur; --any-order", "goes back in time; --any"),
        (csv(HONEST).replace("+00:00", ""), "waktu tanpa zona", "a time without a zone"),
        (csv(sorted(HONEST + ASTRAY)), "dua orang", "two people in one file?"),
    ],
)
def test_a_track_that_cannot_be_used(tmp_path, plan, text, why_id, why_en):
    track = write(tmp_path, "jejak.csv", text)
    refused("--plan", plan, "--track", track, why_id=why_id, why_en=why_en)


@pytest.mark.parametrize(
    ("changes", "why_id", "why_en"),
    [
        ({"ends_on": "2026-11-23"}, "berakhir sebelum dimulai", "ends before it starts"),
        ({"legs": [{"region": "31.71"}]}, "legs[0].region: batas", "there is no outline of 31.71"),
        ({"home_region": "31.71"}, "home_region: batas", "there is no outline of 31.71"),
        ({"transit": ["31.71"]}, "transit: batas", "there is no outline of 31.71"),
        ({"legs": []}, "tidak ada tujuan", "has no destination"),
        (
            {"legs": [PLAN["legs"][0], {"region": "64.74", "arrive": "2026-11-25"}]},
            "malamnya sudah direncanakan di wilayah lain",
            "a night that is planned in another region",
        ),
        (
            {"flights": [{"number": "XX 1", "from": "XQX", "to": "BPN"}]},
            "flights[0].from: bukan kode IATA yang dikenal",
            "is no known IATA code",
        ),
    ],
)
def test_a_plan_that_cannot_be_used(tmp_path, changes, why_id, why_en):
    plan = write(tmp_path, "plan.json", json.dumps(PLAN | changes))
    track = write(tmp_path, "jejak.csv", csv(HONEST))
    refused("--plan", plan, "--track", track, why_id=why_id, why_en=why_en)


@pytest.mark.parametrize(
    ("name", "text", "why_id", "why_en"),
    [
        (
            "a.geojson",
            outlines(("64.72", (179, -1, 181, 1)), ("64.71", (0, 0, 1, 1))),
            "64.72 melintasi antimeridian",
            "the outline of 64.72 lies across the antimeridian",
        ),
        (
            "a.geojson",
            outlines(("64.72", (-179.5, -1, 179.5, 1))),
            "melintasi antimeridian",
            "across the antimeridian",
        ),
        ("a.geojson", outlines(("64.72", (0, 80, 1, 100))), "bukan di bumi", "not on earth"),
        ("a.geojson", "{}", "batas wilayah tidak dapat dipakai", "no usable outlines"),
        ("a.csv", csv(HONEST), "batas wilayah tidak dapat dipakai", "not one of .geojson"),
        ("b.geojson", None, "batas wilayah tidak dapat dipakai", "no such file"),
    ],
)
def test_outlines_that_cannot_be_used(tmp_path, plan, name, text, why_id, why_en):
    track, regions = write(tmp_path, "jejak.csv", csv(HONEST)), tmp_path / name
    if text is not None:
        regions.write_text(text)
    refused("--plan", plan, "--track", track, "--regions", regions, why_id=why_id, why_en=why_en)


@pytest.mark.parametrize(
    ("options", "why_id", "why_en"),
    [
        (("--as-of", "2026-11-24T12:00:00"), "waktu tanpa zona", "a time without a zone"),
        (("--as-of", "kemarin"), "bukan waktu ISO 8601", "is no time in ISO 8601"),
        (("--tolerance", "-1"), "di luar 0 sampai", "is beyond 0 to"),
        (("--tolerance", "nan"), "di luar 0 sampai", "is beyond 0 to"),
        (("--track", "/"), "ini folder", "is a folder"),
        (("--track", "hilang.csv"), "tidak ada berkas ini", "there is no such file"),
        (("--plan", "hilang.json"), "tidak ada berkas ini", "there is no such file"),
    ],
)
def test_options_that_cannot_be_used(tmp_path, plan, options, why_id, why_en):
    track = write(tmp_path, "jejak.csv", csv(HONEST))
    refused("--plan", plan, "--track", track, *options, why_id=why_id, why_en=why_en)


def test_it_needs_nothing_of_the_service():
    """No environment, no settings, no database: the example as anybody may run it."""
    ran = subprocess.run(
        [
            *(sys.executable, "-c", "from infra.cli import main; main()", "evaluate"),
            *("--plan", EXAMPLES / "plan.json", "--track", EXAMPLES / "track.csv", "--json"),
        ],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
        check=False,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    said = json.loads(ran.stdout)
    assert said["regions"]["source"] == shipped().source
    assert "SHORT_STAY" in {found["kind"] for found in said["deviations"]}
