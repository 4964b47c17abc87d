from datetime import date
from itertools import combinations
from pathlib import Path
from typing import Any

import airportsdata
import numpy as np
import pytest
import shapely
from pyproj import Transformer
from shapely import MultiPolygon, Point

from tenants.region_files import read_regions
from tenants.regions import RegionSet, normalise_code, shipped, zone_of

NAMES = {
    "64.01": "Kabupaten Paser",
    "64.02": "Kabupaten Kutai Kartanegara",
    "64.03": "Kabupaten Berau",
    "64.07": "Kabupaten Kutai Barat",
    "64.08": "Kabupaten Kutai Timur",
    "64.09": "Kabupaten Penajam Paser Utara",
    "64.11": "Kabupaten Mahakam Ulu",
    "64.71": "Kota Balikpapan",
    "64.72": "Kota Samarinda",
    "64.74": "Kota Bontang",
}

# Longitude and latitude of the towns that seat the regencies, to a few kilometres.
SEATS = {
    "64.01": (116.19, -1.91),  # Tana Paser
    "64.02": (116.99, -0.41),  # Tenggarong
    "64.03": (117.49, 2.15),  # Tanjung Redeb
    "64.07": (115.70, -0.23),  # Sendawar
    "64.08": (117.54, 0.50),  # Sangatta
    "64.09": (116.72, -1.26),  # Penajam
    "64.11": (115.20, 0.50),  # Ujoh Bilang
    "64.71": (116.83, -1.27),
    "64.72": (117.15, -0.50),
    "64.74": (117.49, 0.13),
}

AIRPORTS = {
    "WALE": ["64.07"],  # Melak
    "WALJ": ["64.08"],  # Datah Dawai of Mahakam Ulu, which airportsdata puts at 116.6 E, 0.6 N
    "WALK": ["64.03"],  # Kalimarau
    "WALL": ["64.71"],  # Sepinggan
    "WALQ": ["64.02"],  # Muara Badak
    "WALS": ["64.72"],  # APT Pranoto
    "WALT": ["64.02"],  # Tanjung Santan
    "WALX": ["64.03"],  # Mangkajang
    "WAQC": ["64.03"],  # Maratua
    "WRLA": ["64.08"],  # Sangatta
    "WRLC": ["64.74"],  # Bontang
    "WRLH": ["64.01"],  # Tanah Grogot
    "WRLL": ["64.71"],  # Balikpapan
    "WRLU": ["64.08"],  # Sangkulirang
    "WRLW": ["64.08"],  # Muara Wahau
    # Still listed under East Kalimantan, in Kalimantan Utara since 2012:
    "WALG": [],  # Tanjung Selor
    "WALR": [],  # Tarakan
    "WRLF": [],  # Nunukan
    "WRLP": [],  # Long Apung
}

REFERENCE = Path(__file__).parents[2] / "shared/data/kaltim_regencies.geojson"
needs_reference = pytest.mark.skipif(
    not REFERENCE.exists(), reason=f"{REFERENCE} lies beside the checkout of developers and CI only"
)


EQUAL_AREA = "+proj=laea +lat_0=0 +lon_0=116.5 +datum=WGS84"


def project(geometry: Any, crs: str = EQUAL_AREA) -> Any:
    to = Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    return shapely.transform(geometry, to.transform, interleaved=False)


def reference_set() -> RegionSet:
    return read_regions(REFERENCE, source="uji", licence="MIT", dated=date(2026, 8, 20))[0]


def points(geometry: Any) -> list[Any]:
    return list(shapely.points(shapely.get_coordinates(geometry)))


def outlines(regions: RegionSet) -> dict[str, MultiPolygon]:
    return {region.code: region.outline for region in regions.regions}


def test_ships_the_ten_regions_of_kaltim():
    regions = shipped()
    assert {region.code: region.name for region in regions.regions} == NAMES
    assert {region.zone for region in regions.regions} == {"Asia/Makassar"}
    assert list(outlines(regions)) == sorted(NAMES)
    assert regions.approximate
    assert regions.tolerance_m == 3000
    assert regions is shipped()


def test_shipped_outlines_are_a_clean_coverage():
    parts = list(outlines(shipped()).values())
    assert shapely.coverage_is_valid(parts)
    assert all(part.is_valid for part in parts)
    assert max((a & b).area for a, b in combinations(parts, 2)) == 0
    assert not [hole for part in shapely.union_all(parts).geoms for hole in part.interiors]


def test_shipped_outlines_are_round_numbers():
    positions = shapely.get_coordinates(list(outlines(shipped()).values()))
    assert np.array_equal(positions, positions.round(3))
    assert len(np.unique(positions, axis=0)) < 500


@pytest.mark.parametrize("code", SEATS)
def test_seats_lie_in_their_region_alone(code):
    seat = Point(SEATS[code])
    assert [other for other, outline in outlines(shipped()).items() if outline.covers(seat)] == [
        code
    ]


def test_airports_lie_in_their_region_alone():
    found = {}
    for icao, airport in airportsdata.load("ICAO").items():
        position = Point(airport["lon"], airport["lat"])
        within = [code for code, outline in outlines(shipped()).items() if outline.covers(position)]
        if within or airport["subd"] in {"East Kalimantan", "Kalimantan Timur"}:
            found[icao] = within
    assert found == AIRPORTS


@needs_reference
@pytest.mark.parametrize("code", NAMES)
def test_shipped_outlines_resemble_the_reference(code):
    reference = project(outlines(reference_set())[code])
    ours = project(outlines(shipped())[code])
    assert (ours ^ reference).area / reference.area <= (0.20 if code >= "64.71" else 0.10)


@needs_reference
def test_inner_borders_keep_the_stated_tolerance():
    reference = {code: project(outline) for code, outline in outlines(reference_set()).items()}
    ours = {code: project(outline) for code, outline in outlines(shipped()).items()}
    distances = [
        max(reference[code].boundary.distance(point) for code in (a, b))
        for a, b in combinations(ours, 2)
        for point in points(shapely.segmentize(ours[a].boundary & ours[b].boundary, 500))
    ]
    assert len(distances) > 3000
    assert np.percentile(distances, 95) <= 2_700


# Codes and zones


@pytest.mark.parametrize("value", [6472, 6472.0, np.float64(6472), "6472", "64.72", " 64.72 "])
def test_normalises_codes(value):
    assert normalise_code(value) == "64.72"


@pytest.mark.parametrize(
    "value",
    ["64", "64.7", "64.72.01", "647201", "64-72", "6400", "64.00", "٦٤٧٢", "", None, 64.725],
)
def test_refuses_what_is_no_code(value):
    with pytest.raises(ValueError, match="is not the code"):
        normalise_code(value)


@pytest.mark.parametrize(
    ("code", "zone"),
    [
        ("11.71", "Asia/Jakarta"),
        ("21.72", "Asia/Jakarta"),
        ("61.71", "Asia/Jakarta"),
        ("62.71", "Asia/Jakarta"),
        ("51.71", "Asia/Makassar"),
        ("63.71", "Asia/Makassar"),
        ("65.71", "Asia/Makassar"),
        ("76.02", "Asia/Makassar"),
        ("81.71", "Asia/Jayapura"),
        ("94.71", "Asia/Jayapura"),
    ],
)
def test_zone_follows_the_province(code, zone):
    assert zone_of(code) == zone


@pytest.mark.parametrize("code", ["20.01", "54.01", "99.01"])
def test_no_zone_without_a_province(code):
    with pytest.raises(ValueError, match="no province"):
        zone_of(code)


# Boundary files
