"""Promises of the project's structure, kept by reading its source."""

import ast
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LAYERS = {
    "tenants": {"tenants"},
    "workers": {"tenants", "workers"},
    "graphql_api": {"tenants", "workers", "graphql_api"},
    "infra": {"tenants", "workers", "graphql_api", "infra"},
}


def tracked() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return listed.stdout.split()


def modules(folder: str) -> list[Path]:
    found = (ROOT / folder).rglob("*.py")
    return sorted(path for path in found if "node_modules" not in path.parts)


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield (node.module or "").split(".")[0]


def called(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node.func.id


@pytest.mark.parametrize("folder", LAYERS)
def test_imports_point_one_way(folder: str) -> None:
    ours = set(LAYERS)
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules(folder)
        for name in imported(path)
        if name in ours - LAYERS[folder]
    ]
    assert wrong == []


def test_the_top_level_holds_what_it_may() -> None:
    top = {Path(name).parts[0] for name in tracked()}
    allowed = {*LAYERS, "tests", "pyproject.toml", "README.md", "LICENSE", "uv.lock"}
    assert {name for name in top if not name.startswith(".")} <= allowed


def test_one_place_opens_transactions() -> None:
    """`Realm.session` in tenants/realm.py; the catalogue reads its own database."""
    openers = {
        str(path.relative_to(ROOT))
        for folder in ("tenants", "workers", "graphql_api")
        for path in modules(folder)
        if {"create_engine", "Session", "sessionmaker"} & set(called(path))
    }
    assert openers - {"tenants/migrate.py"} == {"tenants/realm.py", "tenants/catalogue.py"}


def test_the_judge_is_pure() -> None:
    """No session, no clock, no settings, no logging."""
    names = (
        "attested",
        "case",
        "days",
        "fold",
        "itinerary",
        "judge",
        "likeness",
        "observed",
        "parameter",
        "ruleset",
        "track",
    )
    pure = [ROOT / "workers" / f"{name}.py" for name in names]
    for path in (*pure, *modules("workers/rules")):
        assert set(imported(path)).isdisjoint({"sqlalchemy", "os", "time", "logging", "redis"})
        assert "now(" not in path.read_text(), path


def test_the_environment_is_read_in_one_place() -> None:
    readers = {
        str(path.relative_to(ROOT))
        for folder in ("tenants", "workers", "graphql_api")
        for path in modules(folder)
        if "os.environ" in path.read_text()
    }
    assert readers == {"tenants/settings.py"}


def test_files_can_be_read_in_one_sitting() -> None:
    long = {
        name: lines
        for name in tracked()
        if name.endswith((".py", ".mjs", ".sh", ".ts", ".svelte"))
        and (lines := len((ROOT / name).read_text().splitlines())) > 400
    }
    assert long == {}


def test_no_branch_for_tests() -> None:
    words = ("is_testing", "PYTEST_CURRENT_TEST", "TESTING")
    for folder in LAYERS:
        for path in modules(folder):
            assert not any(word in path.read_text() for word in words), path


def test_floors_of_what_was_mended_upstream() -> None:
    """Below these versions the packages have holes that the product relies on being closed."""
    floors = {"strawberry-graphql": "0.341", "starlette": "1.5.1", "authlib": "1.6.11"}
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    given = dict(line.split(">=") for line in wanted)
    for name, floor in floors.items():
        numbers = [int(part) for part in given[name].split(".")]
        assert numbers >= [int(part) for part in floor.split(".")], name


def test_types_and_style() -> None:
    for command in (["mypy"], ["ruff", "check"], ["ruff", "format", "--check"]):
        checked = subprocess.run(
            [ROOT / ".venv/bin" / command[0], *command[1:]],
            cwd=ROOT,
            check=False,
            capture_output=True,
            text=True,
        )
        assert checked.returncode == 0, checked.stdout + checked.stderr
