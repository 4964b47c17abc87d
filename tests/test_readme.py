"""The README is true: its commands run, its documents fit the schema, its links lead somewhere."""

import json
import os
import re
import subprocess
import tempfile
from pathlib import Path

import psycopg
import pytest
import shapely
from graphql import build_schema, parse, validate

from graphql_api import province, schema
from infra.services import Cluster
from infra.world import World
from tenants import birth, catalogue
from tenants.regions import shipped
from tenants.server import is_at
from workers.plan_files import read_plan

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
# What other tests and CI run: test_demo.py, test_bench.py, test_chaos.py.
ELSEWHERE = ("infra/up", "infra/test", "infra/bench", "infra/chaos")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def commands() -> list[str]:
    joined = "\n".join(blocks("sh")).replace("\\\n", " ")
    return [line.split("  #")[0].strip() for line in joined.splitlines() if line.strip()]


def test_its_commands_run_as_written(world: World, tmp_path: Path) -> None:
    outlines = {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "properties": {"kode": region.code, "nama": region.name},
                "geometry": shapely.geometry.mapping(region.outline),
            }
            for region in shipped().regions
        ],
    }
    (tmp_path / "batas.geojson").write_text(json.dumps(outlines))
    for folder in (".venv", "infra"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    run = [line for line in commands() if not line.startswith(ELSEWHERE)]
    assert len(run) == 20
    with tempfile.TemporaryDirectory(prefix="jejak-") as folder:
        Path(folder).chmod(0o711)  # root's PostgreSQL runs as another user
        with Cluster(Path(folder), durable=False) as elsewhere:
            target = elsewhere.admin_dsn
            try:
                for line in run:
                    ran = subprocess.run(
                        line,
                        shell=True,
                        cwd=tmp_path,
                        check=False,
                        capture_output=True,
                        text=True,
                        env={**os.environ, "COLUMNS": "120", "JEJAK_TARGET_DSN": target},
                    )
                    assert ran.returncode == 0, f"{line}\n{ran.stdout}{ran.stderr}"
            finally:
                catalogue.read_again()
                moved = is_at(catalogue.tenant("bontang").dsn, target)
                birth.drop_tenant("bontang", server=target if moved else None)
                with psycopg.connect(world.cluster.admin_dsn, autocommit=True) as admin:
                    for (kept,) in admin.execute(
                        "SELECT datname FROM pg_database WHERE datname LIKE 'jejak\\_%\\_moved\\_%'"
                    ).fetchall():
                        admin.execute(f"DROP DATABASE {kept}")


def test_every_other_command_exists() -> None:
    for line in commands():
        program = ROOT / line.split()[0]
        assert program.exists(), line
        assert os.access(program, os.X_OK), line


@pytest.mark.parametrize("document", blocks("graphql"))
def test_its_documents_fit_the_schema(document: str) -> None:
    of = province if document.startswith("query Oversight") else schema
    assert validate(build_schema(of.schema.as_str()), parse(document)) == []


def test_its_plan_can_be_read(tmp_path: Path) -> None:
    (example,) = blocks("json")
    file = tmp_path / "plan.json"
    file.write_text(example)
    assert read_plan(file).plan.home == "64.72"


def test_its_links_lead_somewhere() -> None:
    headings = {
        re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", README, re.MULTILINE)
    }
    for target in re.findall(r"\]\(([^)]+)\)", README):
        if target.startswith("#"):
            assert target[1:] in headings, target
        elif not target.startswith("https://"):
            assert (ROOT / target).exists(), target


def test_its_first_screen_shows_what_a_newcomer_needs() -> None:
    first = README.split("\n## ")[0]
    assert len(first.splitlines()) < 40
    for needed in ("infra/picture.svg", "infra/up", "infra/test", "**Next:**"):
        assert needed in first


def test_ci_runs_the_second_command() -> None:
    assert "exec infra/test" in (ROOT / ".ci/run").read_text()
