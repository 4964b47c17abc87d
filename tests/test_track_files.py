"""Tracks from files: each format read to the same arrays, each file that can be none refused."""

import hashlib
import json

import numpy as np
import pytest

from graphql_api.polyline import feature
from tenants import fixes
from tenants.input_files import UnusableFile
from tenants.track_files import read_track
from tests.track_texts import (
    FIXES,
    HEADER,
    HERE,
    LATER,
    LONG,
    NESTED,
    START,
    THERE,
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

EPOCH = [START.timestamp() + t for t, *_ in FIXES]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", csv()),
        ("a.txt", csv()),
        ("bom.csv", b"\xef\xbb\xbf" + csv().encode()),
        ("crlf.csv", csv().replace("\n", "\r\n") + "\r\n\r\n"),
        ("names.csv", csv(header="Recorded At,Longitude,Latitude,Horizontal_Accuracy")),
        ("tab.csv", csv().replace(",", "\t")),
        ("excel.csv", csv().replace(",", ";").replace(".", ",")),
        (
            "s.csv",
            "\n".join(
                [HEADER, *(f"{e},{x},{y},12" for e, (_, x, y) in zip(EPOCH, FIXES, strict=True))]
            ),
        ),
        (
            "ms.csv",
            "\n".join(
                [
                    HEADER,
                    *(
                        f"{e * 1000:.0f},{x},{y},12"
                        for e, (_, x, y) in zip(EPOCH, FIXES, strict=True)
                    ),
                ]
            ),
        ),
        ("a.gpx", gpx(FIXES, more=NESTED)),
        ("a.xml", gpx(FIXES, more="<hdop>2.4</hdop>").replace("1.1", "1.0")),
        ("later first.gpx", gpx(FIXES[6:], FIXES[:6], more="<accuracy>12</accuracy>")),
        ("a.geojson", collection(*(point(f, time=iso(f[0]), accuracy=12) for f in FIXES))),
        (
            "b.json",
            collection(*(point(f, recorded_at=iso(f[0]), horizontalAccuracy=12) for f in FIXES)),
        ),
        (
            "tst.geojson",
            collection(
                *(
                    point(f, tst=e, acc=12, name=f"Titik {e}")
                    for e, f in zip(EPOCH, FIXES, strict=True)
                )
            ),
        ),
        (
            "overland.json",
            json.dumps(
                {
                    "locations": [
                        point(
                            f,
                            timestamp=iso(f[0]),
                            horizontal_accuracy=12,
                            device_id="a",
                            battery_level=0.71,
                        )
                        for f in FIXES
                    ]
                }
            ),
        ),
        ("line.geojson", json.dumps(line(FIXES, times=EPOCH, accuracies=[12] * 12))),
        (
            "coordTimes.geojson",
            collection(line(FIXES, coordTimes=[iso(t) for t, *_ in FIXES], accuracies=[12] * 12)),
        ),
        (
            "cp.geojson",
            collection(
                line(FIXES[6:], coordinateProperties={"times": EPOCH[6:], "accuracies": [12] * 6}),
                line(FIXES[:6], coordinateProperties={"times": EPOCH[:6], "accuracies": [12] * 6}),
            ),
        ),
        ("a.rec", rec()),
        ("no topic.rec", rec(topic=None)),
        ("in order of receipt.rec", rec(FIXES[6:] + FIXES[:6])),
        ("a.log", rec()),
    ],
)
def test_every_format_reads_the_same(tmp_path, name, text):
    found = read(tmp_path, name, text)
    same(found)
    assert found.digest == hashlib.sha256((tmp_path / name).read_bytes()).digest()


def test_what_the_service_gives_out_can_be_read(tmp_path):
    lone = [*FIXES[:6], (20_000.0, *HERE)]
    t, x, y = (np.array(column) for column in zip(*lone, strict=True))
    unknown = np.full(len(t), np.nan)
    told = feature(fixes.Fixes(t + START.timestamp(), x, y, unknown, unknown, unknown > 0, unknown))
    found = read(tmp_path, "jejak.geojson", json.dumps(told))
    assert len(told["geometry"]["coordinates"]) == 2
    # A lonely fix is drawn as a line that goes nowhere: the same fix again.
    same(found, lone, accuracy=np.nan)


def test_what_else_a_phone_says_is_kept(tmp_path):
    assert read(tmp_path, "a.rec", rec()).battery == pytest.approx(np.full(12, 0.71))
    text = csv(header=f"{HEADER},mock,battery").replace(",12", ",,true,71")
    found = read(tmp_path, "a.csv", text)
    assert found.mock.all()
    assert found.battery == pytest.approx(np.full(12, 0.71))
    assert np.isnan(found.accuracy).all()
    overland = collection(
        *(point(f, time=iso(f[0]), accuracy=-1, battery=0.5, mock=True) for f in FIXES)
    )
    found = read(tmp_path, "a.json", overland)
    assert (found.mock.all(), found.battery[0]) == (True, 0.5)
    assert np.isnan(found.accuracy).all()


def test_recorder_lines_without_a_location_are_skipped(tmp_path):
    others = (
        '2026-11-24T00:00:00Z\tlwt               \t{"_type":"lwt","tst":1}\n'
        '2026-11-24T00:00:00Z\t*                 \t{"_type":"transition","tst":1}\n\n'
    )
    same(read(tmp_path, "a.rec", others + rec()))


def test_two_devices_of_one_user_are_one_track(tmp_path):
    elsewhere = [(t + 60, *THERE) for t, *_ in FIXES]
    text = rec() + rec(elsewhere, topic="owntracks/sri/tablet")
    assert len(read(tmp_path, "a.rec", text).time) == 24


def test_any_order_is_accepted_when_asked_for(tmp_path):
    same(read(tmp_path, "a.csv", csv(FIXES[::-1]), any_order=True))


def test_equal_times_and_one_bad_fix_are_no_offence(tmp_path):
    far = [*FIXES, *((t, *THERE) for t, *_ in FIXES[-1:])]
    assert len(read(tmp_path, "a.csv", csv(far)).time) == len(far)


def test_a_bar_can_be_shown(tmp_path):
    for name, text in (("a.csv", csv()), ("a.gpx", gpx(FIXES)), ("a.rec", rec())):
        counts: list[int] = []
        read(tmp_path, name, text, progress=counts.append)
        assert sum(counts) == len(text)


TO_AND_FRO = [(i * 300.0, *(THERE if i % 2 else HERE)) for i in range(20)]
BESIDE = [(t, *THERE) for t, *_ in FIXES]


@pytest.mark.parametrize(
    ("name", "text", "where", "why"),
    [
        ("a.csv", "", None, "has no fix"),
        ("a.csv", HEADER, None, "has no fix"),
        ("a.gpx", gpx(), None, "has no fix"),
        ("a.geojson", collection(), None, "has no fix"),
        ("a.rec", "\n", None, "has no fix"),
        ("a.csv", b"\x89PNG\r\n\x1a\n\0\0", None, "is no text file"),
        ("a.csv", csv().encode() + b"\n\xff\xfe", "line 14", "is no UTF-8"),
        ("a.csv", "Sri,117.1,-0.5", "line 1", "is no GPX, GeoJSON"),
        ("a.gpx", csv(), "line 1", "is broken XML"),
        ("a.json", csv(), "line 1", "is broken JSON"),
        ("a.csv", csv(FIXES[::-1]), "line 3", "it is newest first; turn its order round, or --any"),
        ("a.gpx", gpx(FIXES[6:][::-1], FIXES[:6][::-1]), "line 3", "it is newest first"),
        ("a.gpx", gpx(FIXES, LATER[::-1]), "line 15", "goes back in time; --any-order"),
        ("a.csv", csv([*FIXES, (6590, *HERE)]), "line 14", "goes back in time; --any-order"),
        ("a.csv", csv([(5.0 * i, *HERE) for i in range(9)][::-1]), "line 4", "newest first"),
        (
            "a.json",
            collection(*(point(f, time=iso(f[0])) for f in FIXES[::-1])),
            "point 2",
            "goes back",
        ),
        ("a.csv", csv().replace("+00:00", ""), "line 2", "time without a zone"),
        (
            "a.csv",
            csv().replace("2026-11-24T01:20:00+00:00", "2026-11-24"),
            "line 4",
            "without a zone",
        ),
        ("a.gpx", gpx(FIXES).replace("+00:00", ""), "line 2", "time without a zone"),
        (
            "a.csv",
            csv().replace("2026-11-24T01:", "24/11/2026 01:"),
            "line 2",
            "unreadable time",
        ),
        (
            "a.gpx",
            gpx(FIXES).replace("<time>2026", "<a>2026").replace("</time>", "</a>"),
            "line 2",
            "has no time",
        ),
        ("a.csv", csv().replace(str(HERE[1]), "seratus"), "line 2", "unreadable number"),
        ("a.csv", csv().replace(",12", ",baik"), "line 2", "unreadable number"),
        ("a.csv", csv().replace(str(HERE[1]), "NaN"), "line 2", "is no position on earth"),
        ("a.csv", csv([*FIXES, *bad(4, 181.0, 0.0)]), "line 14", "is no position on earth"),
        ("a.csv", csv([*FIXES, *bad(4, 0.0, 0.0)]), "line 14", "has a position of zeros"),
        ("a.csv", csv([*LONG, *bad(4, 0.0, 0.0)]), "line 398", "has a position of zeros"),
        ("a.csv", csv([FIXES[0]]).replace("2026", "1970"), "line 2", "before the year 2000"),
        ("a.csv", csv([(t, y, x) for t, x, y in FIXES]), "line 2", "are lon and lat swapped?"),
        ("a.csv", csv().replace("2026", "1999"), "line 2", "before the year 2000"),
        ("a.csv", csv().replace("2026", "2126"), "line 2", "in the future"),
        ("a.csv", csv() + "\n2026-11-24T12:00:00Z,117" * 4, "line 14", "another number of columns"),
        ("a.csv", csv() + "\n2026-11-24T12:00:00Z,117,1,-0,5" * 4, "line 14", "another number"),
        ("a.csv", csv() + f"\n{HEADER}" * 4, "line 14", "is the header again"),
        ("a.csv", csv() + "\n2026-11-25T12:00:00,117.5,-0.5,12", "line 14", "without a zone"),
        ("a.csv", csv() + '\n"' + "x" * 200_000, "line 14", "is broken CSV"),
        ("a.gpx", gpx(FIXES)[:-20], "line 14", "is broken XML"),
        ("a.gpx", gpx(FIXES).replace("?>", ' encoding="klingon"?>'), "line 1", "is broken XML"),
        (
            "a.gpx",
            gpx(FIXES, head='<!DOCTYPE gpx [<!ENTITY a "b">]>'),
            None,
            "a DOCTYPE is not accepted",
        ),
        ("a.gpx", "<kml/>", None, "is XML but no GPX"),
        ("a.geojson", "[1]", None, "is no GeoJSON of points or lines"),
        (
            "a.geojson",
            '{"type": "FeatureCollection", "features": [3]}',
            "point 1",
            "has no geometry",
        ),
        ("a.geojson", collection(point(FIXES[0])), "point 1", "has no time"),
        ("a.geojson", collection(point(FIXES[0], time={})), "point 1", "unreadable time"),
        ("a.geojson", collection(line(FIXES)), "point 1", "is in a line without times"),
        (
            "a.geojson",
            collection(line(FIXES, times=EPOCH[1:])),
            "point 1",
            "other numbers of positions",
        ),
        (
            "a.geojson",
            collection({"geometry": {"type": "Polygon", "coordinates": []}}),
            "point 1",
            "is no point or line",
        ),
        (
            "a.geojson",
            collection(
                {"geometry": {"type": "Point", "coordinates": [1]}, "properties": {"time": 1}}
            ),
            "point 1",
            "is no position",
        ),
        (
            "a.geojson",
            collection(
                {
                    "geometry": {"type": "MultiLineString", "coordinates": 3},
                    "properties": {"times": [1]},
                }
            ),
            "point 1",
            "is no line",
        ),
        ("a.rec", rec() + "rusak\n" * 4, "line 13", "is no line of OwnTracks Recorder"),
        ("a.rec", rec() + "2026-11-24T01:00:00Z\t*\t{\n" * 4, "line 13", "is broken JSON"),
        ("a.rec", rec() + "2026-11-24T01:00:00Z\t*\t3\n" * 4, "line 13", "is no JSON object"),
        (
            "a.csv",
            csv(header=f"{HEADER},nip", extra=["1"] * 6 + ["2"] * 6),
            "line 8",
            "two people or devices in one file (nip)",
        ),
        ("a.csv", devices(*"ABABABABABAB"), "line 3", "two people or devices in one file (device)"),
        ("a.csv", devices(*"AAAAABAAAAAA"), "line 7", "two people or devices in one file (device)"),
        (
            "a.csv",
            devices(*"AAAABBBBCCCC"),
            "line 10",
            "two people or devices in one file (device)",
        ),
        (
            "a.csv",
            csv(header=f"{HEADER},traveller", extra=["1"] * 6 + ["2"] * 6),
            "line 8",
            "two people or devices in one file (traveller)",
        ),
        (
            "a.csv",
            csv(header=f"{HEADER},name", extra=["Sri"] * 6 + ["Budi"] * 6),
            None,
            "two people in one file (name)",
        ),
        (
            "a.json",
            collection(*(point(f, time=iso(f[0]), user_id=f[0] > 3000) for f in FIXES)),
            "point 7",
            "two people or devices",
        ),
        (
            "a.rec",
            rec() + rec(LATER, topic="owntracks/budi/ponsel"),
            "line 13",
            "two people or devices in one file (topic)",
        ),
        ("a.csv", csv(TO_AND_FRO), "line 3", "goes to and fro between two places"),
        ("a.rec", rec(TO_AND_FRO), "line 2", "goes to and fro between two places"),
        ("a.gpx", gpx(FIXES, BESIDE), "line 14", "in two places during the same hours"),
        (
            "a.geojson",
            collection(line(FIXES, times=EPOCH), line(BESIDE[3:], times=EPOCH[3:])),
            "point 13",
            "in two places during the same hours",
        ),
    ],
)
def test_what_can_be_no_track_is_refused(tmp_path, name, text, where, why):
    problem = refused(tmp_path, name, text)
    place = f"{tmp_path / name}, {where}: " if where else f"{tmp_path / name}: "
    assert problem.message_en.startswith(place)
    assert why in problem.message_en
    assert problem.message_id != problem.message_en
    # No position, and nothing of what a column holds.
    for secret in ("117.1", "116.8", "-0.495", "-1.262", "seratus", "budi"):
        assert secret not in problem.message_id + problem.message_en.replace(str(tmp_path), "")


def test_files_that_cannot_be_opened_are_refused(tmp_path):
    for path, why in ((tmp_path / "a.csv", "no such file"), (tmp_path, "is a folder")):
        with pytest.raises(UnusableFile) as caught:
            read_track(path)
        assert why in caught.value.message_en


def test_a_flight_there_and_back_is_one_person(tmp_path):
    away = [(t + 9_000, x - 10, y) for t, x, y in FIXES]
    home = [(t + 18_000, x, y) for t, x, y in FIXES]
    assert len(read(tmp_path, "a.csv", csv(FIXES + away + home)).time) == 36


def test_a_name_steers_no_terminal(tmp_path):
    problem = refused(tmp_path, "a\x1b[31m.csv", "")
    assert "\x1b" not in problem.message_id + problem.message_en


def test_one_traveller_with_two_recorders_is_one_person(tmp_path):
    again = [(t + 200, x + 0.0005, y) for t, x, y in FIXES]
    assert len(read(tmp_path, "a.gpx", gpx(FIXES, again)).time) == 24
    resumed = [(t + 3_000, *THERE) for t, *_ in FIXES]
    # The first recorder slept, which says nothing of where its owner was.
    slept = [FIXES[0], (40_000.0, *HERE)]
    assert len(read(tmp_path, "b.gpx", gpx(slept, resumed)).time) == 14
