import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pyogrio
import pytest
import shapely
from shapely import MultiPoint, MultiPolygon, Polygon, box
from test_regions import NAMES, REFERENCE, needs_reference, outlines, project

from tenants.region_files import (
    ImportReport,
    MisplacedError,
    RegionFileError,
    load_regions,
    read_regions,
)
from tenants.regions import RegionSet, shipped

SQUARE = box(117.0, -0.6, 117.2, -0.4)
SQUARE_KM2 = 22.264 * 22.115  # 0.2° of longitude, and of latitude, near the equator
UTM_50S = "EPSG:32750"
BOWTIE = Polygon([(117.0, -0.6), (117.2, -0.4), (117.2, -0.6), (117.0, -0.4)])


def write(
    path: Path,
    geometries: Sequence[Any],
    crs: str = "EPSG:4326",
    layer: str | None = None,
    **columns,
) -> Path:
    """Columns are named by their keyword; `kode` is 64.72 for every feature unless given."""
    columns = columns or {"kode": ["64.72"] * len(geometries)}
    pyogrio.raw.write(
        path,
        shapely.to_wkb(np.array(geometries, dtype=object)),
        [np.array(column) for column in columns.values()],
        list(columns),
        geometry_type="Unknown",
        crs=crs,
        layer=layer,
        append=path.exists(),
    )
    return path


def write_zip(path: Path, shapefile: Path) -> Path:
    with ZipFile(path, "w") as archive:
        for part in shapefile.parent.glob(f"{shapefile.stem}.*"):
            if part != path:
                archive.write(part, part.name)
    return path


def read(path: Path, **options: Any) -> tuple[RegionSet, ImportReport]:
    return read_regions(path, source="BIG", licence="CC BY 4.0", dated=date(2026, 1, 2), **options)


@needs_reference
def test_reads_the_reference_and_reports_its_faults():
    regions, report = read(REFERENCE)
    assert {region.code: region.name for region in regions.regions} == NAMES
    assert all(outline.is_valid for outline in outlines(regions).values())
    assert [(repair.code, repair.reasons) for repair in report.repairs] == [
        ("64.02", ("Nested shells",)),
        ("64.03", ("Nested shells",)),
        ("64.74", ("Nested shells",)),
    ]
    assert len(report.overlaps) == 14
    assert {round(overlap.km2, 2) for overlap in report.overlaps} >= {0.35, 5.62}
    assert len(report.gaps_km2) == 84
    assert not report.elsewhere
    assert len(report.lines()) == 1 + 3 + 14 + 1


def test_states_what_the_operator_said(tmp_path):
    regions, report = read(write(tmp_path / "a.geojson", [SQUARE]), tolerance_m=25)
    assert (regions.source, regions.licence, regions.dated) == (
        "BIG",
        "CC BY 4.0",
        date(2026, 1, 2),
    )
    assert regions.tolerance_m == 25
    assert not regions.approximate
    assert report == ImportReport(1, (), (), (), (), ())
    assert report.lines() == ["regions: 1"]


@pytest.mark.parametrize("name", ["a.geojson", "a.gpkg", "a.shp"])
def test_reads_each_format(tmp_path, name):
    ours = shipped().regions
    path = write(
        tmp_path / name,
        [region.outline for region in ours],
        KDPKAB=[region.code for region in ours],
        NAMOBJ=["batas"] * len(ours),
        WADMKK=[region.name.upper() for region in ours],
    )
    regions, report = read(path)
    for read_back, region in zip(regions.regions, ours, strict=True):
        assert (read_back.code, read_back.name) == (region.code, region.name.upper())
        assert read_back.zone == region.zone
        assert read_back.outline.equals(region.outline)
    assert report.lines() == ["regions: 10"]


def test_reads_a_zipped_shapefile_in_utm(tmp_path):
    ours = shipped().regions
    shapefile = write(
        tmp_path / "batas.shp",
        [project(region.outline, UTM_50S) for region in ours],
        crs=UTM_50S,
        kode=[float(region.code.replace(".", "")) for region in ours],
    )
    regions, report = read(write_zip(tmp_path / "batas.zip", shapefile))
    for code, outline in outlines(shipped()).items():
        assert shapely.hausdorff_distance(outlines(regions)[code], outline) < 1e-8
    assert report.lines() == ["regions: 10"]


def test_unites_the_features_of_one_code(tmp_path):
    west, east = box(117.0, -0.6, 117.1, -0.4), box(117.1, -0.6, 117.2, -0.4)
    path = write(tmp_path / "a.gpkg", [west, east], kode=["64.72", "6472"], nama=["Kota", "Kota"])
    (region,) = read(path)[0].regions
    assert region.name == "Kota"
    assert region.outline.equals(SQUARE)
    assert len(region.outline.geoms) == 1


def test_drops_heights(tmp_path):
    path = write(tmp_path / "a.gpkg", [shapely.force_3d(SQUARE, 12)])
    assert not outlines(read(path)[0])["64.72"].has_z


def test_a_code_has_one_name(tmp_path):
    path = write(tmp_path / "a.gpkg", [SQUARE] * 2, kode=["64.72"] * 2, namobj=["Sidodadi", "Jawa"])
    with pytest.raises(RegionFileError, match=r"64\.72 has 2 names"):
        read(path)


def test_names_come_from_the_file_the_shipped_set_or_the_code(tmp_path):
    squares = [SQUARE, box(116.8, -1.2, 116.9, -1.1), box(106.7, -6.3, 106.9, -6.1)]
    codes, names = ["64.72", "64.71", "31.71"], ["Samarinda", "", ""]
    path = write(tmp_path / "a.gpkg", squares, kode=codes, nama=names)
    assert {region.code: region.name for region in read(path)[0].regions} == {
        "64.72": "Samarinda",
        "64.71": "Kota Balikpapan",
        "31.71": "31.71",
    }


def test_fields_may_be_named(tmp_path):
    path = write(tmp_path / "a.gpkg", [SQUARE], kode=["no"], KAB=["64.72"], sebutan=["Samarinda"])
    (region,) = read(path, code_field="kab", name_field="Sebutan")[0].regions
    assert (region.code, region.name) == ("64.72", "Samarinda")
    with pytest.raises(RegionFileError, match="no column kdpkab; there are: kode, KAB, sebutan"):
        read(path, code_field="kdpkab")


def test_layers_must_be_chosen(tmp_path):
    path = write(tmp_path / "a.gpkg", [SQUARE], layer="kab")
    write(path, [SQUARE.buffer(0.1)], layer="kec")
    with pytest.raises(RegionFileError, match="layers kab, kec: name one"):
        read(path)
    assert outlines(read(path, layer="kab")[0])["64.72"].equals(SQUARE)
    with pytest.raises(RegionFileError, match="cannot be read"):
        read(path, layer="desa")


def test_reports_overlaps_and_gaps_and_keeps_them(tmp_path):
    hole = box(116.99, -0.60, 117.19, -0.40)  # the square, moved west by a twentieth
    ring = box(116.9, -0.7, 117.3, -0.3) - hole - box(117.21, -0.60, 117.22, -0.50)
    path = write(tmp_path / "a.gpkg", [SQUARE, ring], kode=["64.72", "64.02"])
    regions, report = read(path)
    strip = SQUARE_KM2 / 20
    (overlap,) = report.overlaps
    assert overlap.codes == ("64.02", "64.72")
    assert overlap.km2 == pytest.approx(strip, rel=1e-3)
    assert report.gaps_km2 == pytest.approx([strip, strip / 2], rel=1e-3)
    assert outlines(regions)["64.72"].equals(SQUARE)
    assert outlines(regions)["64.02"].equals(ring)
    assert report.lines()[1:] == [
        "64.02 and 64.72 overlap by 24.617 km²",
        "gaps: 2, 36.926 km² in all, largest 24.617 km²",
    ]


def test_repairs_invalid_geometry_and_says_so(tmp_path):
    regions, report = read(write(tmp_path / "a.gpkg", [BOWTIE]))
    assert outlines(regions)["64.72"].is_valid
    (repair,) = report.repairs
    assert (repair.code, repair.reasons) == ("64.72", ("Self-intersection",))
    # The lobes of a bow tie cancel out as read.
    assert repair.area_change_m2 == pytest.approx(SQUARE_KM2 / 2 * 1e6, rel=1e-3)
    assert report.lines()[1].startswith("64.72 repaired: Self-intersection (+246,")


def test_a_shell_drawn_twice_is_no_hole(tmp_path):
    twice = MultiPolygon([SQUARE, box(117.05, -0.55, 117.15, -0.45)])
    regions, report = read(write(tmp_path / "a.gpkg", [twice]))
    assert outlines(regions)["64.72"].equals(SQUARE)
    assert report.repairs[0].area_change_m2 == pytest.approx(-SQUARE_KM2 / 4 * 1e6, rel=1e-3)


def test_closes_a_ring_and_says_so(tmp_path):
    path = tmp_path / "a.geojson"
    feature = json.loads(shapely.to_geojson(SQUARE))
    feature["coordinates"][0].pop()
    path.write_text(
        json.dumps({"type": "Feature", "properties": {"kode": 6472}, "geometry": feature})
    )
    regions, report = read(path)
    assert outlines(regions)["64.72"].equals(SQUARE)
    assert report.lines() == ["regions: 1", "Non closed ring detected"]


def test_notices_bps_numbers(tmp_path):
    ours = outlines(shipped())
    # Kutai Barat is 6402 at BPS, Kutai Kartanegara 6403.
    path = write(tmp_path / "a.gpkg", [ours["64.07"], ours["64.02"]], kode=["6402", "6403"])
    report = read(path)[1]
    assert report.elsewhere == ("64.02", "64.03")
    assert "64.02 lies elsewhere" in report.lines()[1]


def test_refuses_a_missing_file(tmp_path):
    with pytest.raises(RegionFileError, match="no such file"):
        read(tmp_path / "a.gpkg")


@pytest.mark.parametrize("name", ["a.fgb", "a.kml", "a.vrt", "a"])
def test_refuses_other_formats(tmp_path, name):
    (tmp_path / name).write_bytes(write(tmp_path / "a.geojson", [SQUARE]).read_bytes())
    with pytest.raises(RegionFileError, match="not one of"):
        read(tmp_path / name)


def test_a_suffix_hides_no_other_format(tmp_path):
    path = write(tmp_path / "a.fgb", [SQUARE]).rename(tmp_path / "a.json")
    with pytest.raises(RegionFileError, match="is a FlatGeobuf file"):
        read(path)


@pytest.mark.parametrize("name", ["a.geojson", "a.gpkg", "a.shp", "a.zip"])
@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.9, 0.99])
def test_refuses_a_truncated_file(tmp_path, name, part):
    ours = shipped().regions
    whole = tmp_path / name.replace("zip", "shp")
    write(whole, [r.outline for r in ours], kode=[r.code for r in ours])
    path = write_zip(tmp_path / name, whole) if name == "a.zip" else whole
    assert len(read(path)[0].regions) == 10
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    with pytest.raises(RegionFileError):
        read(path)


def test_refuses_a_shapefile_without_crs(tmp_path):
    path = write(tmp_path / "a.shp", [SQUARE])
    path.with_suffix(".prj").unlink()
    with pytest.raises(RegionFileError, match="states no CRS"):
        read(path)


def test_refuses_a_crs_that_is_nowhere_on_earth(tmp_path):
    path = write(tmp_path / "a.shp", [SQUARE])
    path.with_suffix(".prj").write_text('LOCAL_CS["building site",UNIT["metre",1]]')
    with pytest.raises(RegionFileError, match="unknown CRS"):
        read(path)


def test_refuses_positions_outside_their_crs(tmp_path):
    with pytest.raises(RegionFileError, match="do not exist in its CRS, EPSG:32750"):
        read(write(tmp_path / "a.gpkg", [box(0, 0, 1e30, 1e30)], crs=UTM_50S))


@pytest.mark.parametrize("kode", ["6400", "64", "Samarinda", "99.01", ""])
def test_refuses_a_bad_code(tmp_path, kode):
    path = write(tmp_path / "a.gpkg", [SQUARE, SQUARE], kode=["64.72", kode])
    with pytest.raises(RegionFileError, match=r"is not the code|no province"):
        read(path)


def test_refuses_a_file_without_a_code_column(tmp_path):
    path = write(tmp_path / "a.gpkg", [SQUARE], KDBBPS=["6472"])
    with pytest.raises(RegionFileError, match="which column holds the codes\\? There are: KDBBPS"):
        read(path)


@pytest.mark.parametrize(
    ("geometry", "kind"),
    [(MultiPoint([(117, 0)]), "MultiPoint"), (None, "nothing"), (Polygon(), "nothing")],
)
def test_refuses_what_is_no_polygon(tmp_path, geometry, kind):
    with pytest.raises(RegionFileError, match=f"feature 1 is no polygon but {kind}"):
        read(write(tmp_path / "a.gpkg", [geometry]))


def test_refuses_a_file_without_features(tmp_path):
    path = tmp_path / "a.geojson"
    path.write_text('{"type": "FeatureCollection", "features": []}')
    with pytest.raises(RegionFileError, match="no features"):
        read(path)


def test_refuses_an_outline_without_area(tmp_path):
    line = Polygon([(117.0, 0.0), (117.2, 0.0), (117.1, 0.0)])
    with pytest.raises(RegionFileError, match=r"64\.72 encloses no area"):
        read(write(tmp_path / "a.gpkg", [line]))


@pytest.mark.parametrize(
    "outline",
    [
        box(179.9, -5, 180.1, -4),
        Polygon([(179.9, -5), (-179.9, -5), (-179.9, -4), (179.9, -4)]),
        MultiPolygon([box(179.9, -5, 180, -4), box(-180, -5, -179.9, -4)]),
    ],
)
def test_refuses_what_crosses_the_antimeridian(tmp_path, outline):
    path = write(tmp_path / "a.gpkg", [SQUARE, outline], kode=["64.72", "94.71"])
    with pytest.raises(MisplacedError, match=r"across the antimeridian: 94\.71") as refused:
        read(path)
    assert refused.value.codes == ("94.71",)


@pytest.mark.parametrize(
    "outline",
    [
        box(140.9, -3, 141.2, -2),
        box(101, 6, 101.5, 6.5),
        box(-0.6, 117.0, -0.4, 117.2),
        project(SQUARE, UTM_50S),
    ],
    ids=["partly east", "partly north", "latitude first", "metres"],
)
def test_refuses_what_lies_outside_indonesia(tmp_path, outline):
    path = write(tmp_path / "a.gpkg", [SQUARE, outline], kode=["64.72", "94.71"])
    with pytest.raises(MisplacedError, match=r"outside Indonesia: 94\.71") as refused:
        read(path)
    assert refused.value.codes == ("94.71",)


def load_anywhere(path: Path) -> RegionSet:
    return load_regions(path, source="", licence="", dated=date(2026, 1, 2), anywhere=True)[0]


def test_regions_of_other_countries_are_read_when_asked_for(tmp_path):
    path = write(tmp_path / "a.gpkg", [SQUARE, box(12, 41, 13, 42)], kode=["64.72", "01.01"])
    assert [(r.code, r.name, r.zone) for r in load_anywhere(path).regions] == [
        ("01.01", "01.01", "UTC"),
        ("64.72", "Kota Samarinda", "Asia/Makassar"),
    ]
    with pytest.raises(RegionFileError, match="there is no province 01"):
        read(path)


@pytest.mark.parametrize(
    ("outline", "where"),
    [
        (box(179.9, -5, 180.1, -4), "across the antimeridian"),
        (box(-179.9, -5, 179.9, -4), "across the antimeridian"),
        (box(12, 89, 13, 91), "not on earth"),
        (project(SQUARE, UTM_50S), "not on earth"),
    ],
)
def test_anywhere_is_still_on_earth(tmp_path, outline, where):
    with pytest.raises(MisplacedError, match=where):
        load_anywhere(write(tmp_path / "a.gpkg", [outline]))
