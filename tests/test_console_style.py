"""The console's source: types, style, and what a first view weighs."""

import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from node_clients import NODE

from graphql_api.front import DIST

CONSOLE = DIST.parent
FIRST_VIEW = 250_000


@pytest.mark.parametrize("program", ["biome", "svelte-check"])
def test_types_and_style(program: str) -> None:
    arguments = {
        "biome": ["check", "--error-on-warnings", "."],
        "svelte-check": ["--fail-on-warnings", "--output", "human"],
    }[program]
    checked = subprocess.run(
        [NODE / "bin/node", CONSOLE / "node_modules/.bin" / program, *arguments],
        cwd=CONSOLE,
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def loaded_by(name: str, found: set[str]) -> set[str]:
    """The files that a script imports at once, and what they import."""
    if name not in found:
        found.add(name)
        for imported in re.findall(r'(?:from|import)\s*"\./([^"]+)"', text_of(name)):
            loaded_by(imported, found)
    return found


def text_of(name: str) -> str:
    return (DIST / "assets" / name).read_text()


def test_what_a_first_view_weighs() -> None:
    """Compressed, before the map: the page, its style, and any one view with all it imports."""
    page = (DIST / "index.html").read_text()
    first = set[str]()
    for name in re.findall(r'/console/assets/([^"]+)"', page):
        loaded_by(name, first)
    later = {
        name for each in first for name in re.findall(r"import\(`\./([^`]+)`\)", text_of(each))
    }
    views = [name for name in later if name[0].isupper()]
    assert len(views) >= 5
    for view in views:
        names = loaded_by(view, set(first))
        weight = sum((DIST / "assets" / f"{name}.br").stat().st_size for name in names)
        assert weight < FIRST_VIEW, (view, weight, names)
        assert not any("maplibregl" in text_of(name) for name in names if name.endswith(".js"))


def test_the_wheel_holds_what_was_built_and_nothing_it_was_made_of(tmp_path: Path) -> None:
    uv = shutil.which("uv") or CONSOLE.parents[1] / ".uv/bin/uv"
    subprocess.run([uv, "build", "-q", "-o", tmp_path, CONSOLE.parents[1]], check=True, timeout=120)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    console = {name for name in names if name.startswith("graphql_api/console/")}
    built = {str(path.relative_to(CONSOLE.parents[1])) for path in DIST.rglob("*.*")}
    assert built <= console
    assert all(name.startswith("graphql_api/console/dist/") for name in console)
    assert not any("node_modules" in name for name in names)
