"""The README's picture: the demonstration's tracks on the map, each in its verdict's colour.

Made by `infra/up --once --picture infra/picture.svg`, from what the API says.
"""

from collections.abc import Iterable, Sequence
from html import escape
from math import dist
from pathlib import Path
from textwrap import wrap
from typing import Any, Final

from shapely.geometry.base import BaseGeometry

from infra.play import Case
from infra.world import World
from tenants.regions import shipped

TRACK: Final = "query ($trip: UUID!) { trip(id: $trip) { track { geojson } } }"
COLOURS: Final = {"CONFORMS": "#1a7f4b", "DEVIATES": "#c2352b", "UNVERIFIABLE": "#b07c12"}
WORDS: Final = {
    "CONFORMS": "sesuai",
    "DEVIATES": "menyimpang",
    "UNVERIFIABLE": "tidak dapat dipastikan",
}
WEST, NORTH, EAST, SOUTH = 115.2, 2.6, 118.6, -2.35
SCALE: Final = 150.0
MAP_WIDTH, HEIGHT = (EAST - WEST) * SCALE, (NORTH - SOUTH) * SCALE
WIDTH: Final = MAP_WIDTH + 640


def draw(running: World, cases: Sequence[Case], path: Path) -> None:
    """Write the SVG; needs the trips judged and the world still running."""
    size = f"{WIDTH:.0f} {HEIGHT:.0f}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" font-size="14">',
        "<style>text { font-family: system-ui, sans-serif }</style>",
        f'<rect width="{WIDTH:.0f}" height="{HEIGHT:.0f}" fill="#dfe9ef"/>',
        f'<clipPath id="map"><rect width="{MAP_WIDTH:.0f}" height="{HEIGHT:.0f}"/></clipPath>',
        '<g clip-path="url(#map)">',
        *_regions(),
        *_tracks(running, cases),
        "</g>",
        f'<rect x="{MAP_WIDTH:.0f}" width="640" height="{HEIGHT:.0f}" fill="#fbfaf7"/>',
        *_list(cases),
        "</svg>\n",
    ]
    path.write_text("\n".join(parts))


def _at(*, lon: float, lat: float) -> tuple[float, float]:
    return (lon - WEST) * SCALE, (NORTH - lat) * SCALE


def _path(lines: Iterable[Iterable[Sequence[float]]]) -> str:
    return " ".join(
        "M" + " L".join(f"{x:.1f} {y:.1f}" for x, y in (_at(lon=p[0], lat=p[1]) for p in line))
        for line in lines
    )


def _rings(outline: BaseGeometry) -> list[list[Sequence[float]]]:
    return [list(part.exterior.coords) for part in getattr(outline, "geoms", [outline])]


def _regions() -> Iterable[str]:
    for region in shipped().regions:
        yield (
            f'<path d="{_path(_rings(region.outline))}Z" fill="#f6f2e8" stroke="#b9b09a"'
            ' stroke-width="1"/>'
        )
        x, y = _at(lon=region.outline.centroid.x, lat=region.outline.centroid.y)
        kind, _, name = region.name.partition(" ")
        # A city is smaller than its name, which then stands beside it.
        place = 'text-anchor="middle"' if kind == "Kabupaten" else 'dx="24"'
        yield f'<text x="{x:.0f}" y="{y:.0f}" {place} fill="#8d856f">{escape(name)}</text>'


def _tracks(running: World, cases: Sequence[Case]) -> Iterable[str]:
    for case in cases:
        with running.sign_in(case.story.traveller.tenant, "inspektur") as inspector:
            track: dict[str, Any] | None = inspector.ask(TRACK, trip=case.trip_id)["trip"]["track"]
        if track is None or case.outcome is None:
            continue
        lines = track["geojson"]["geometry"]["coordinates"]
        colour = COLOURS[case.outcome]
        yield (
            f'<path d="{_path(lines)}" fill="none" stroke="{colour}" stroke-width="3"'
            ' stroke-linejoin="round" stroke-opacity="0.75"/>'
        )
        start = lines[0][0]
        farthest = max((p for line in lines for p in line), key=lambda p: dist(start, p))
        x, y = _at(lon=farthest[0], lat=farthest[1])
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{colour}"/>'


def _list(cases: Sequence[Case]) -> Iterable[str]:
    left, step = MAP_WIDTH + 28, (HEIGHT - 70) / len(cases)
    yield (
        f'<text x="{left:.0f}" y="38" font-size="20" font-weight="600" fill="#1b2733">'
        "Sepuluh perjalanan, dua daerah</text>"
    )
    for number, case in enumerate(cases):
        top = 78 + number * step
        outcome = case.outcome or "UNVERIFIABLE"
        colour, verdict = COLOURS[outcome], WORDS[outcome]
        yield (
            f'<rect x="{left:.0f}" y="{top - 15:.0f}" width="6" height="56" rx="3"'
            f' fill="{colour}"/>'
        )
        yield (
            f'<text x="{left + 18:.0f}" y="{top:.0f}" fill="#1b2733" font-weight="600">'
            f"{escape(case.story.traveller.name)}"
            f'<tspan fill="{colour}" font-weight="400" dx="8">{verdict}</tspan></text>'
        )
        said = case.deviations[0]["message"] if case.deviations else case.story.purpose
        for line, text in enumerate(wrap(said, 92)[:3]):
            yield (
                f'<text x="{left + 18:.0f}" y="{top + 17 + 14 * line:.0f}" fill="#51606e"'
                f' font-size="11">{escape(text)}</text>'
            )
