"""`jejak rules`: versions of a regency's rules, tried on closed trips and then applied."""

import json
from datetime import timedelta

import psycopg
import pytest
from conftest import BALIKPAPAN, fixes_at, plan, record, today, verdict
from sqlalchemy import text
from typer.testing import CliRunner

from infra.cli import app
from infra.world import World
from tenants import catalogue


def jejak(*arguments: str) -> str:
    ran = CliRunner().invoke(app, ["rules", *arguments], env={"COLUMNS": "200"})
    assert ran.exit_code == 0, (ran.output, ran.exception)
    return ran.output


@pytest.fixture
def stricter(world: World, tmp_path):
    """The number of another version of the rules, by which nothing that has a gap conforms."""
    file = tmp_path / "aturan.json"
    file.write_text(json.dumps({"min_coverage": 1.0}))
    dates = ["--legal-basis", "Perwali uji", "--valid-from", "2090-01-01"]
    version = int(jejak("add", "samarinda", str(file), *dates).split("version ")[1])
    yield version
    with catalogue.tenant("samarinda").session(readonly=False) as session:
        session.execute(
            text("UPDATE verdict SET ruleset = 1 WHERE ruleset = :version"), {"version": version}
        )
    with psycopg.connect(world.cluster.dsn("jejak_samarinda"), autocommit=True) as owner:
        owner.execute("DELETE FROM ruleset WHERE version = %s", [version])


def final(trip_id: str) -> list[int]:
    """The rules of each final verdict; a worker may have looked before all had arrived."""
    with catalogue.tenant("samarinda").session(readonly=True) as session:
        kept = session.execute(
            text("SELECT ruleset FROM verdict WHERE trip_id = :id AND final ORDER BY ruleset"),
            {"id": trip_id},
        )
        return list(kept.scalars())


def test_other_rules_are_tried_on_closed_trips_and_then_applied(people, issue, stricter):
    someone, first = people.fresh(), today() - timedelta(days=5)
    planned = plan(-5, 2)
    trip = issue(someone, planned)
    both = [fixes_at(BALIKPAPAN, first, 24 * day + 5, 24 * day + 22) for day in range(2)]
    record(someone.front_end, trip["id"], [fix for fixes in both for fix in fixes])
    inspector = people.as_("inspektur")
    assert verdict(inspector, trip["id"])["verdict"]["outcome"] == "CONFORMS"
    before = final(trip["id"])
    asked = ["try", "samarinda", "--ruleset", str(stricter), "--since", str(first)]
    shown = jejak(*asked)
    assert trip["letter"]["number"] in shown
    assert "CONFORMS -> UNVERIFIABLE" in shown
    assert verdict(inspector, trip["id"])["verdict"]["ruleset"] == 1
    assert "the old verdicts are kept" in jejak(*asked, "--apply")
    after = verdict(inspector, trip["id"])["verdict"]
    assert (after["outcome"], after["ruleset"]) == ("UNVERIFIABLE", stricter)
    assert final(trip["id"]) == [*before, stricter]


def test_versions_are_listed_and_bad_ones_refused(world: World, stricter, tmp_path):
    assert "Perwali uji" in jejak("list", "samarinda")
    file = tmp_path / "salah.json"
    for wrong in (
        *('{"min_coverag": 1}', '{"visit_fixes": 2.5}', '{"lodging_from_hour": 24}'),
        *("[]", "{", '{"terms": {"X": {}}}'),
    ):
        file.write_text(wrong)
        dates = ["--legal-basis", "Uji", "--valid-from", "2090-01-01"]
        ran = CliRunner().invoke(app, ["rules", "add", "samarinda", str(file), *dates])
        assert ran.exit_code == 1, wrong
