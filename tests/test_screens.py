"""The README's pictures: what `infra/up --screens` takes."""

import struct
from dataclasses import replace
from pathlib import Path

from graphql_api.front import VIEWS
from infra import world as worlds
from infra.screens import HEIGHTS, SCREENS, take
from infra.world import World

FOLDER = Path(__file__).parents[1] / "infra/pictures"


def size_of(picture: Path) -> tuple[int, int]:
    head = picture.read_bytes()[:24]
    assert head.startswith(b"\x89PNG")
    return struct.unpack(">II", head[16:24])


def test_every_screen_is_somebodys_view():
    known = {(story.traveller.tenant, story.traveller.username) for story in worlds.STORIES}
    known |= {(seed.slug, who) for seed in worlds.REGENCIES for who, *_ in worlds.OFFICERS}
    known.add(("province", "pengawas"))
    for screen in SCREENS:
        assert (screen.slug, screen.username) in known
        assert screen.path.split("/")[0] in {"", *VIEWS}


def test_views_are_pictured(world: World, tmp_path: Path):
    form = next(each for each in SCREENS if each.name == "operator-trip")
    wide, narrow = take(world, tmp_path, screens=[form, replace(form, name="narrow", width=360)])
    assert size_of(wide) == (1280, HEIGHTS[1280])
    assert size_of(narrow) == (360, HEIGHTS[360])


def test_the_pictures_in_the_readme_are_small():
    kept = list(FOLDER.glob("*.png"))
    assert {each.stem for each in kept} <= {each.name for each in SCREENS}
    assert sum(each.stat().st_size for each in kept) < 1_500_000
