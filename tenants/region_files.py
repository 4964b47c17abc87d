"""Official boundary files (GeoJSON, GeoPackage, Shapefile), read into a RegionSet with a report."""

import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pyogrio
import shapely
from pyproj import CRS, Transformer
from pyproj.exceptions import ProjError
from shapely import Geometry, MultiPolygon, Polygon
from shapely.errors import ShapelyError
from shapely.validation import explain_validity

from tenants.regions import Region, RegionSet, normalise_code, shipped, zone_of

Areal = Polygon | MultiPolygon
Column = Sequence[object]
Fields = dict[str, Column]

DRIVERS = {"GeoJSON", "GPKG", "ESRI Shapefile"}
SUFFIXES = {".geojson", ".json", ".gpkg", ".shp", ".zip"}

# In order of preference. KDPKAB, KDPPUM, WADMKK and NAMOBJ are BIG's (Badan Informasi
# Geospasial); its KDBBPS is left out on purpose: BPS numbers are another scheme. NAMOBJ names
# whatever the layer shows, so WADMKK, always the kabupaten or kota, goes before it.
CODE_FIELDS = ("kdpkab", "kode_kab", "kode_kemendagri", "kode", "code", "kdppum")
NAME_FIELDS = ("wadmkk", "nama_kab", "kabupaten", "nama", "name", "namobj")

# 94°45'-141°05' E, 11°15' S-6°08' N: the country's extent as geography books give it.
INDONESIA = shapely.box(94.75, -11.25, 141.0834, 6.1334)
EARTH = shapely.box(-180, -90, 180, 90)

_EQUAL_AREA = Transformer.from_crs("EPSG:4326", "EPSG:6933", always_xy=True)

# Borders that met exactly in another CRS part by this much once reprojected.
ROUNDING_KM2 = 0.001


class RegionFileError(Exception):
    """The file cannot become a RegionSet; the message says why, for an operator."""


class MisplacedError(RegionFileError):
    """Regions that lie where none of Indonesia's can; `codes` are theirs."""

    def __init__(self, where: str, codes: Iterable[str]) -> None:
        self.codes = tuple(sorted({str(code) for code in codes}))
        super().__init__(f"{where}: {', '.join(self.codes)} (is the CRS right?)")


@dataclass(frozen=True)
class Repair:
    """Why a region was invalid, and the area the repair added (negative: took).

    The area as read counts a shell inside another twice.
    """

    code: str
    reasons: tuple[str, ...]
    area_change_m2: float


@dataclass(frozen=True, order=True)
class Overlap:
    codes: tuple[str, str]
    km2: float


@dataclass(frozen=True)
class ImportReport:
    """What to know about a file's boundaries before judging trips by them.

    `remarks` are GDAL's. `gaps_km2` are the holes of the union, largest first: slivers between
    neighbours, lakes left out, regions the file lacks. `elsewhere` are codes whose region mostly
    lies outside the shipped outline of that code.
    """

    regions: int
    remarks: tuple[str, ...]
    repairs: tuple[Repair, ...]
    overlaps: tuple[Overlap, ...]
    gaps_km2: tuple[float, ...]
    elsewhere: tuple[str, ...]

    def lines(self) -> list[str]:
        said = [f"regions: {self.regions}", *self.remarks]
        said += [
            f"{code} lies elsewhere than the shipped outline of {code}: BPS codes?"
            for code in self.elsewhere
        ]
        said += [
            f"{r.code} repaired: {', '.join(r.reasons)} ({r.area_change_m2:+,.0f} m²)"
            for r in self.repairs
        ]
        said += [f"{' and '.join(o.codes)} overlap by {o.km2:,.3f} km²" for o in self.overlaps]
        if gaps := self.gaps_km2:
            said += [f"gaps: {len(gaps)}, {sum(gaps):,.3f} km² in all, largest {gaps[0]:,.3f} km²"]
        return said


def read_regions(
    path: Path,
    *,
    source: str,
    licence: str,
    dated: date,
    tolerance_m: float = 0.0,
    code_field: str | None = None,
    name_field: str | None = None,
    layer: str | None = None,
) -> tuple[RegionSet, ImportReport]:
    """Reads a boundary file as `load_regions` does, and examines what it holds.

    Overlaps and gaps are reported and kept: official data is not ours to change, and a point in
    an overlap is in both.
    """
    found, remarks, repairs = load_regions(
        path,
        source=source,
        licence=licence,
        dated=dated,
        tolerance_m=tolerance_m,
        code_field=code_field,
        name_field=name_field,
        layer=layer,
    )
    return found, ImportReport(
        regions=len(found.regions),
        remarks=remarks,
        repairs=repairs,
        overlaps=_overlaps(found.regions),
        gaps_km2=_gaps_km2(found.regions),
        elsewhere=_elsewhere(found.regions),
    )


def load_regions(
    path: Path,
    *,
    source: str,
    licence: str,
    dated: date,
    tolerance_m: float = 0.0,
    code_field: str | None = None,
    name_field: str | None = None,
    layer: str | None = None,
    anywhere: bool = False,
) -> tuple[RegionSet, tuple[str, ...], tuple[Repair, ...]]:
    """Reads a boundary file in any CRS: its regions, GDAL's remarks, and what was repaired.

    RegionFileError when it cannot be trusted. Features with one code are united. Invalid geometry
    is repaired, keeping polygons only. Names missing from the file are taken from the shipped set,
    else the code stands in. `tolerance_m` is what the supplier says of its borders. `anywhere`
    takes regions of any country, in UTC where the province of a code is none of Indonesia's.
    """
    fields, geometries, remarks = _read(path, layer)
    column = _column(fields, code_field, CODE_FIELDS)
    if column is None:
        raise RegionFileError(f"which column holds the codes? There are: {', '.join(fields)}")
    codes = [_code(value) for value in column]
    zones = {code: _zone(code, anywhere=anywhere) for code in codes}
    names = _names(codes, _column(fields, name_field, NAME_FIELDS))
    _check_extent(codes, geometries, anywhere=anywhere)

    regions: list[Region] = []
    repairs: list[Repair] = []
    for code in sorted(names):
        parts = [part for part, of in zip(geometries, codes, strict=True) if of == code]
        outline, repair = _repair(code, parts)
        regions.append(Region(code, names[code], zones[code], outline))
        repairs += [repair] if repair else []

    found = RegionSet(source, licence, dated, tolerance_m, False, tuple(regions))
    return found, remarks, tuple(repairs)


def _code(value: object) -> str:
    try:
        return normalise_code(value)
    except ValueError as error:
        raise RegionFileError(str(error)) from None


def _zone(code: str, *, anywhere: bool) -> str:
    try:
        return zone_of(code)
    except ValueError as error:
        if anywhere:
            return "UTC"
        raise RegionFileError(str(error)) from None


def _read(path: Path, layer: str | None) -> tuple[Fields, list[Areal], tuple[str, ...]]:
    """Columns by name, as many polygonal geometries in EPSG:4326, and GDAL's remarks."""
    if not path.is_file():
        raise RegionFileError(f"{path}: no such file")
    # Of GDAL's eighty formats, some fetch other files or URLs named within.
    if path.suffix.lower() not in SUFFIXES:
        raise RegionFileError(f"{path}: not one of {', '.join(sorted(SUFFIXES))}")
    try:
        with warnings.catch_warnings(record=True) as remarks:
            warnings.simplefilter("always")
            layer = layer or _only_layer(path)
            info = pyogrio.read_info(path, layer=layer)
            if info["driver"] not in DRIVERS:
                raise RegionFileError(f"{path} is a {info['driver']} file")
            _, _, encoded, columns = pyogrio.raw.read(path, layer=layer)
            geometries = shapely.from_wkb(encoded, on_invalid="fix")
    except (RuntimeError, ValueError, ShapelyError) as error:
        # pyogrio's errors are RuntimeErrors; what follows the semicolon advises programmers.
        raise RegionFileError(f"{path} cannot be read: {str(error).partition(';')[0]}") from error
    if not len(geometries):
        raise RegionFileError(f"{path} has no features")
    for row, geometry in enumerate(geometries, 1):
        if not isinstance(geometry, Polygon | MultiPolygon) or geometry.is_empty:
            kind = geometry.geom_type if geometry else "nothing"
            raise RegionFileError(f"feature {row} is no polygon but {kind}")
    # RFC 7946: GeoJSON is WGS 84 when it says nothing else.
    crs = info["crs"] or ("EPSG:4326" if info["driver"] == "GeoJSON" else None)
    if crs is None:
        raise RegionFileError(f"{path} states no CRS (a Shapefile needs its .prj)")
    fields = dict(zip(info["fields"], columns, strict=True))
    said = dict.fromkeys(str(remark.message).partition(". ")[0] for remark in remarks)
    return fields, _to_lon_lat(geometries, crs), tuple(said)


def _only_layer(path: Path) -> str:
    names = [str(name) for name, kind in pyogrio.list_layers(path) if kind]
    if len(names) != 1:
        raise RegionFileError(f"{path} has the layers {', '.join(names) or '(none)'}: name one")
    return names[0]


def _to_lon_lat(geometries: Sequence[Areal], crs: str) -> list[Areal]:
    try:
        transformer = Transformer.from_crs(CRS(crs), "EPSG:4326", always_xy=True)
    except ProjError as error:
        raise RegionFileError(f"unknown CRS {crs}") from error
    moved = [_transform(geometry, transformer) for geometry in geometries]
    if not np.isfinite(shapely.get_coordinates(moved)).all():
        raise RegionFileError(f"some positions do not exist in its CRS, {crs}")
    return moved


def _transform(areal: Areal, transformer: Transformer) -> Areal:
    return shapely.transform(areal, lambda xy: np.column_stack(transformer.transform(*xy.T)))


def _column(fields: Fields, wanted: str | None, usual: Sequence[str]) -> Column | None:
    """The column asked for, else the first of the usual ones, in any case; None without."""
    by_name = {name.lower(): column for name, column in fields.items()}
    if wanted and wanted.lower() not in by_name:
        raise RegionFileError(f"no column {wanted}; there are: {', '.join(fields)}")
    names = [wanted.lower()] if wanted else usual
    return next((by_name[name] for name in names if name in by_name), None)


def _names(codes: Sequence[str], column: Column | None) -> dict[str, str]:
    """One name for each code."""
    ours = {region.code: region.name for region in shipped().regions}
    names = {code: ours.get(code, code) for code in codes}
    pairs = () if column is None else zip(codes, column, strict=True)
    given = {(code, str(name).strip()) for code, name in pairs if name}
    for code, count in Counter(code for code, _ in given).items():
        if count > 1:
            raise RegionFileError(f"{code} has {count} names; which column holds the region's?")
    return names | dict(given)


def _check_extent(codes: Sequence[str], geometries: Sequence[Areal], *, anywhere: bool) -> None:
    named = np.array(codes)
    west, south, east, north = shapely.bounds(geometries).T
    # A ring that jumps from +180 to -180 is as wide as the world; a wider one is no longitude.
    over = (east - west > 180) | (west < -180) | (east > 180)
    if (crossing := over & (west >= -360) & (east <= 360)).any():
        raise MisplacedError("across the antimeridian", named[crossing])
    where, extent = ("not on earth", EARTH) if anywhere else ("outside Indonesia", INDONESIA)
    if (outside := ~shapely.covers(extent, shapely.box(west, south, east, north))).any():
        raise MisplacedError(where, named[outside])


def _repair(code: str, parts: Sequence[Areal]) -> tuple[MultiPolygon, Repair | None]:
    """One valid outline of all parts, and the account of the repair if one was due."""
    # "structure" keeps what any ring or part encloses; "linework" would cut holes where two
    # parts, or two loops of a ring, overlap.
    valid = shapely.make_valid(np.asarray(parts), method="structure", keep_collapsed=False)
    outline = _polygons(shapely.union_all(valid))
    if outline.is_empty:
        raise RegionFileError(f"{code} encloses no area")
    # explain_validity says "Self-intersection[116.1 -0.3]".
    reasons = {explain_validity(part).partition("[")[0] for part in parts if not part.is_valid}
    change = 1e6 * (sum(map(_km2, valid)) - sum(map(_km2, parts)))
    return outline, Repair(code, tuple(sorted(reasons)), change) if reasons else None


def _polygons(geometry: Geometry) -> MultiPolygon:
    """Its polygons: where outlines touch, an intersection has lines and points too."""
    return MultiPolygon([p for p in shapely.get_parts(geometry) if isinstance(p, Polygon)])


def _km2(areal: Areal) -> float:
    return _transform(areal, _EQUAL_AREA).area / 1e6


def _overlaps(regions: Sequence[Region]) -> tuple[Overlap, ...]:
    outlines = [region.outline for region in regions]
    touching = shapely.STRtree(outlines).query(outlines, predicate="intersects")
    shared = (
        Overlap((regions[a].code, regions[b].code), _km2(_polygons(outlines[a] & outlines[b])))
        for a, b in touching.T
        if a < b
    )
    return tuple(sorted(o for o in shared if o.km2 >= ROUNDING_KM2))


def _gaps_km2(regions: Sequence[Region]) -> tuple[float, ...]:
    union = _polygons(shapely.union_all([region.outline for region in regions]))
    holes = (Polygon(hole) for part in union.geoms for hole in part.interiors)
    return tuple(sorted(map(_km2, holes), reverse=True))


def _elsewhere(regions: Sequence[Region]) -> tuple[str, ...]:
    """BPS numbers pass for Kemendagri codes; where the regions lie tells them apart."""
    ours = {region.code: region.outline for region in shipped().regions}
    return tuple(
        region.code
        for region in regions
        if region.code in ours
        and (region.outline & ours[region.code]).area < region.outline.area / 2
    )
