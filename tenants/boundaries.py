"""Boundary sets as a tenant's database keeps them: versions, each whole, the newest in force."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

import psycopg
import shapely
from shapely.geometry.base import BaseGeometry
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tenants.models import BoundaryRegion, BoundarySet
from tenants.problems import UnknownRegion
from tenants.regions import CODE, RegionSet

METRES_A_DEGREE: Final = 111_320.0


@dataclass(frozen=True, slots=True)
class Boundaries:
    """A version of the outlines (EPSG:4326), with the tolerance of its borders in metres."""

    version: int
    tolerance_m: float
    regions: tuple[tuple[str, str, BaseGeometry], ...]


def add_boundary_set(connection: psycopg.Connection, regions: RegionSet) -> int:
    """Add a version that holds `regions`, and the current version's outlines of all other codes.

    So a file of one province, or of one capital far away, completes what is there. Returns the
    version's number; the tolerance is the larger of the two.
    """
    before = connection.execute(
        "SELECT version, tolerance_m, approximate, source FROM boundary_set"
        " ORDER BY version DESC LIMIT 1"
    ).fetchone()
    codes = [region.code for region in regions.regions]
    kept = 0
    if before is not None:
        row = connection.execute(
            "SELECT count(*) FROM region WHERE boundary_set = %s AND code <> ALL(%s)",
            [before[0], codes],
        ).fetchone()
        kept = row[0] if row else 0
    version = before[0] + 1 if before else 1
    connection.execute(
        "INSERT INTO boundary_set (version, source, licence, dated, tolerance_m, approximate)"
        " VALUES (%s, %s, %s, %s, %s, %s)",
        [
            version,
            f"{regions.source}; {kept}: {before[3]}" if before and kept else regions.source,
            regions.licence,
            regions.dated,
            max(regions.tolerance_m, before[1]) if before and kept else regions.tolerance_m,
            regions.approximate or bool(before and kept and before[2]),
        ],
    )
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO region (boundary_set, code, name, zone, outline)"
            " VALUES (%s, %s, %s, %s, ST_SetSRID(%s::geometry, 4326))",
            [
                (version, region.code, region.name, region.zone, shapely.to_wkb(region.outline))
                for region in regions.regions
            ],
        )
    if before and kept:
        connection.execute(
            "INSERT INTO region SELECT %s, code, name, zone, outline FROM region"
            " WHERE boundary_set = %s AND code <> ALL(%s)",
            [version, before[0], codes],
        )
    return version


def current_version(session: Session) -> int:
    version: int | None = session.scalar(select(func.max(BoundarySet.version)))
    assert version is not None, "a tenant is born with a boundary set"
    return version


def load(session: Session, version: int) -> Boundaries:
    boundary_set = session.get_one(BoundarySet, version)
    rows = session.execute(
        select(
            BoundaryRegion.code, BoundaryRegion.name, func.ST_AsBinary(BoundaryRegion.outline)
        ).where(BoundaryRegion.boundary_set == version)
    )
    regions = tuple((code, name, shapely.from_wkb(bytes(wkb))) for code, name, wkb in rows)
    return Boundaries(version, boundary_set.tolerance_m, regions)


def boundary_set(session: Session, version: int | None) -> BoundarySet | None:
    """A version of the boundaries; None stands for the one in force."""
    return session.get(BoundarySet, current_version(session) if version is None else version)


def outlines(
    session: Session, version: int, *, codes: Collection[str], tolerance: float
) -> dict[str, Any]:
    """A version's outlines of these regions as GeoJSON, to be drawn: simplified by `tolerance` m.

    Neighbours are simplified together, so that they still meet.
    """
    rows = session.execute(
        select(BoundaryRegion.code, BoundaryRegion.name, func.ST_AsBinary(BoundaryRegion.outline))
        .where(BoundaryRegion.boundary_set == version, BoundaryRegion.code.in_(codes))
        .order_by(BoundaryRegion.code)
    ).all()
    drawn = shapely.coverage_simplify(
        [shapely.from_wkb(bytes(wkb)) for *_, wkb in rows], tolerance / METRES_A_DEGREE
    )
    drawn = shapely.set_precision(drawn, 1e-5, mode="pointwise")
    features = [
        {
            "type": "Feature",
            "properties": {"code": code, "name": name},
            "geometry": shapely.geometry.mapping(shapely.MultiPolygon(shapely.get_parts(outline))),
        }
        for (code, name, _), outline in zip(rows, drawn, strict=True)
    ]
    return {"type": "FeatureCollection", "features": features}


def zones(session: Session, codes: set[str]) -> Mapping[str, str]:
    """The IANA zone of each region code; raises `UnknownRegion` for the first that is unknown."""
    for code in sorted(codes):
        if not CODE.fullmatch(code):
            raise UnknownRegion(code[:20])
    rows = session.execute(
        select(BoundaryRegion.code, BoundaryRegion.zone).where(
            BoundaryRegion.boundary_set == current_version(session), BoundaryRegion.code.in_(codes)
        )
    )
    found: dict[str, str] = dict(rows.all())
    for code in sorted(codes - found.keys()):
        raise UnknownRegion(code)
    return found


def named(session: Session) -> list[tuple[str, str, str]]:
    """Code, name and zone of the regions in force, by code."""
    rows = session.execute(
        select(BoundaryRegion.code, BoundaryRegion.name, BoundaryRegion.zone)
        .where(BoundaryRegion.boundary_set == current_version(session))
        .order_by(BoundaryRegion.code)
    )
    return list(rows)
