"""The boundaries that a regency imported, as they are given out to be drawn."""

from collections.abc import Iterator
from datetime import date

import psycopg
import pytest
import shapely
from browsing import chromium, heading, visiting  # noqa: F401

from infra.front_end import Refused
from infra.world import World
from tenants.boundaries import add_boundary_set
from tenants.regions import Region, RegionSet

# ruff: noqa: F811

SOURCE = "<b>Badan Uji</b>"
WEST = shapely.MultiPolygon([shapely.box(116.0, -2.0, 116.8, -1.0)])
EAST = shapely.MultiPolygon([shapely.segmentize(shapely.box(116.8, -2.0, 117.5, -1.0), 0.001)])
ASK = """query ($version: Int, $codes: [String!]!, $tolerance: Float! = 500) {
  boundarySet(version: $version) {
    version source licence dated approximate outlines(codes: $codes, tolerance: $tolerance) } }"""


@pytest.fixture(scope="module")
def imported(world: World) -> Iterator[int]:
    """The number of a version that Balikpapan imported."""
    regions = RegionSet(
        SOURCE,
        "CC BY 4.0",
        date(2026, 1, 31),
        tolerance_m=10,
        approximate=False,
        regions=(
            Region("64.09", "Penajam", "Asia/Makassar", WEST),
            Region("64.71", "Balikpapan", "Asia/Makassar", EAST),
        ),
    )
    with psycopg.connect(world.cluster.dsn("jejak_balikpapan"), autocommit=True) as owner:
        version = add_boundary_set(owner, regions)
        try:
            yield version
        finally:
            owner.execute("DELETE FROM region WHERE boundary_set = %s", [version])
            owner.execute("DELETE FROM boundary_set WHERE version = %s", [version])


def test_what_is_in_force_is_drawn_simply_and_whole(people, imported):
    inspector = people.as_("inspektur", "balikpapan")
    found = inspector.ask(ASK, codes=["64.09", "64.71", "99.99"])["boundarySet"]
    outlines = found.pop("outlines")
    assert found.pop("source").startswith(SOURCE)
    assert found == {
        "version": imported,
        "licence": "CC BY 4.0",
        "dated": "2026-01-31",
        # The other regions are still the product's own.
        "approximate": True,
    }
    west, east = outlines["features"]
    assert (west["properties"], east["properties"]["code"]) == (
        {"code": "64.09", "name": "Penajam"},
        "64.71",
    )
    drawn = [shapely.geometry.shape(each["geometry"]) for each in (west, east)]
    assert {each.geom_type for each in drawn} == {"MultiPolygon"}
    assert max(shapely.get_num_coordinates(each) for each in drawn) <= 6
    assert drawn[0].intersection(drawn[1]).length == pytest.approx(1, abs=0.02)


def test_a_verdicts_version_can_be_drawn_and_one_that_is_none(people, imported):
    inspector = people.as_("inspektur", "balikpapan")
    own = inspector.ask(ASK, version=1, codes=["64.71"])["boundarySet"]
    assert own["approximate"]
    assert len(own["outlines"]["features"]) == 1
    assert inspector.ask(ASK, version=imported + 1, codes=[])["boundarySet"] is None


@pytest.mark.parametrize("wrong", [{"tolerance": 1}, {"codes": ["64.71"] * 101}])
def test_bad_input_is_told(people, imported, wrong):
    inspector = people.as_("inspektur", "balikpapan")
    with pytest.raises(Refused, match="INVALID_INPUT"):
        inspector.ask(ASK, **({"codes": []} | wrong))


def test_the_map_names_its_source_whatever_is_in_it(visiting, imported):
    with visiting() as visit:
        page = visit.sign_in("inspektur", "balikpapan", path="live")
        heading(page, "Peta langsung")
        page.get_by_text(f"Batas daerah: {SOURCE}").wait_for()
