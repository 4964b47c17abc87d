"""The benchmarks measure and say their ratios; how fast anything is, they judge, not the tests."""

import json
import math
from collections.abc import Callable

import pytest
from conftest import People

from infra.benchmarks import birth, ingest, news, read
from infra.benchmarks.measure import Report
from infra.stories import Traveller
from infra.world import World


@pytest.fixture
def travellers(people: People) -> tuple[Traveller, ...]:
    found = [people.fresh() for _ in range(2)]
    return tuple(Traveller(who.slug, who.username, who.name, None) for who in found)


@pytest.mark.parametrize(
    ("measure", "sides", "results"),
    [
        (
            lambda *where: ingest.measure(*where, rounds=1, uploads=2, connections=(1, 2)),
            5,
            ["Rasio laju, recordTrack : COPY: ", "Rasio ruang, track_chunk : COPY: "],
        ),
        (
            lambda *where: read.measure(*where, rounds=1, requests=4, connections=2, page=2),
            2,
            ["Rasio GraphQL : JSON: "],
        ),
        (
            lambda *where: news.measure(*where, rounds=2, silence=0),
            2,
            ["p50, ms: ", "p95, ms: "],
        ),
        (
            lambda *where: birth.measure(*where, rounds=1),
            8,
            ["Rasio kelahiran : CREATE EXTENSION postgis: "],
        ),
    ],
    ids=["ingest", "read", "news", "birth"],
)
def test_a_benchmark_says_its_ratios(
    world: World,
    travellers: tuple[Traveller, ...],
    measure: Callable[..., Report],
    sides: int,
    results: list[str],
    capsys: pytest.CaptureFixture[str],
):
    report = measure(world, travellers)
    capsys.readouterr()
    report.print(as_json=False)
    shown = capsys.readouterr().out
    for result in results:
        assert result in shown
    report.print(as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert len(told["sides"]) == sides
    assert all(side["raw"] for side in told["sides"])
    assert len(told["results"]) == len(results)
    assert all(math.isfinite(result) for result in told["results"].values())
