"""Regions: the kabupaten and kota whose outlines trips are judged by.

Codes and names are Kemendagri's (kode wilayah administrasi pemerintahan). BPS numbers look alike
but name other places: 64.02 is Kutai Kartanegara here, 6402 is Kutai Barat at BPS.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files

import numpy as np
from shapely import MultiPolygon, Polygon

# Keputusan Presiden 41/1987 divides provinces over WIB, WITA and WIT; later ones keep the zone
# of the province they left. Prefixes are Kemendagri's.
_ZONES = {
    "Asia/Jakarta": [*range(11, 20), 21, *range(31, 37), 61, 62],
    "Asia/Makassar": [*range(51, 54), 63, 64, 65, *range(71, 77)],
    "Asia/Jayapura": [81, 82, *range(91, 98)],
}
_ZONE_OF_PROVINCE = {str(province): zone for zone, those in _ZONES.items() for province in those}

CODE = re.compile(r"[0-9]{2}\.[0-9]{2}")
"""Kemendagri's form of the code of a kabupaten or kota: 64.72."""

Position = Sequence[float]
Arcs = Mapping[str, Sequence[Position]]


@dataclass(frozen=True)
class Region:
    """One kabupaten or kota.

    `code` is "PP.KK" (64.72), `zone` an IANA name, `outline` a valid EPSG:4326 geometry,
    longitude first.
    """

    code: str
    name: str
    zone: str
    outline: MultiPolygon


@dataclass(frozen=True)
class RegionSet:
    """One version of the boundaries, ordered by code.

    `tolerance_m` is how far, in metres, a border may lie from the true one; `approximate` marks
    generalised outlines, which official boundaries are not. Regions of an official set may
    overlap: a point in an overlap is in both.
    """

    source: str
    licence: str
    dated: date
    tolerance_m: float
    approximate: bool
    regions: tuple[Region, ...]


def normalise_code(value: object) -> str:
    """The number 6472, "6472" or "64.72" → "64.72", Kemendagri's form; ValueError for others."""
    # Number columns of Shapefiles arrive as float.
    if isinstance(value, float | np.floating) and value.is_integer():
        value = int(value)
    shape = re.fullmatch(r"(\d\d)\.?(?!00)(\d\d)", str(value).strip(), re.ASCII)
    if not shape:
        raise ValueError(f"{value!s} is not the code of a kabupaten or kota, such as 64.72")
    return ".".join(shape.groups())


def zone_of(code: str) -> str:
    """The IANA zone of a region, by its province; ValueError when there is no such province."""
    zone = _ZONE_OF_PROVINCE.get(code[:2])
    if zone is None:
        raise ValueError(f"{code}: there is no province {code[:2]}")
    return zone


@cache
def shipped() -> RegionSet:
    """The product's own generalised outlines of the ten regions of Kalimantan Timur.

    A clean coverage by construction: every border is one arc of outlines.json, drawn once and
    walked by both neighbours, in opposite directions.
    """
    drawn = json.loads(files(__package__).joinpath("outlines.json").read_text("utf-8"))
    return RegionSet(
        source=drawn["source"],
        licence=drawn["licence"],
        dated=date.fromisoformat(drawn["dated"]),
        tolerance_m=float(drawn["tolerance_m"]),
        approximate=drawn["approximate"],
        regions=tuple(
            Region(code, region["name"], zone_of(code), _outline(drawn["arcs"], region["polygons"]))
            for code, region in sorted(drawn["regions"].items())
        ),
    )


def _outline(arcs: Arcs, polygons: Sequence[Sequence[Sequence[str]]]) -> MultiPolygon:
    """Polygons as GeoJSON nests them (shell, then holes), each ring a list of arc names."""
    rings = ([_ring(arcs, names) for names in polygon] for polygon in polygons)
    return MultiPolygon([Polygon(shell, holes) for shell, *holes in rings])


def _ring(arcs: Arcs, names: Sequence[str]) -> list[Position]:
    """Joins arcs end to start; a leading "-" walks one backwards. ValueError where they part."""
    ring: list[Position] = []
    for name in names:
        arc = arcs[name.removeprefix("-")]
        walked = arc[::-1] if name.startswith("-") else arc
        if ring and ring[-1] != walked[0]:
            raise ValueError(f"arc {name} starts at {walked[0]}, not at {ring[-1]}")
        ring.extend(walked[1:] if ring else walked)
    if ring[0] != ring[-1]:
        raise ValueError(f"ring {' '.join(names)} is open")
    return ring
