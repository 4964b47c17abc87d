"""The benchmarks measure and say their ratios; how fast anything is, they judge, not the tests."""

import json
import math
import sys
from collections.abc import Callable

import pytest
import shapely
from conftest import People

from infra.benchmarks import (
    birth,
    chain,
    evaluate,
    ingest,
    move,
    news,
    outage,
    province,
    read,
    scale,
    track,
    trouble,
)
from infra.benchmarks.journeys import outlines
from infra.benchmarks.measure import Report
from infra.front_end import Refused
from infra.stories import Traveller
from infra.world import World

# The peers themselves come from the network.
PEER = "import sys\nfor _ in sys.stdin: print(0.5, flush=True)"
FAILS = "import sys; sys.exit('no such track: ' + sys.argv[1])"


@pytest.fixture
def travellers(people: People) -> tuple[Traveller, ...]:
    found = [people.fresh() for _ in range(2)]
    return tuple(Traveller(who.slug, who.username, who.name, None) for who in found)


@pytest.mark.parametrize(
    ("measure", "sides", "results"),
    [
        (
            lambda *where: ingest.measure(*where, rounds=1, uploads=64, singles=512),
            13,
            [
                "Rasio laju, 100 titik : COPY: ",
                "Rasio laju, 1 titik : commit tiap permintaan: ",
                "Rasio laju, 1 titik : tidak disimpan: ",
                "Rasio ruang, 100 titik : COPY: ",
                "Rasio ruang, 1 titik : COPY: ",
            ],
        ),
        (
            lambda *where: track.measure(*where, rounds=1, fixes=400),
            2,
            ["Rasio baris : potongan: "],
        ),
        (
            lambda *where: trouble.measure(*where, rounds=1, requests=64),
            2,
            ["Rasio p95: "],
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
        (
            lambda *where: move.measure(*where, rounds=1, uploads=16),
            3,
            ["Baris dipindahkan: "],
        ),
        (
            lambda *where: evaluate.measure(
                *where,
                rounds=1,
                batch=1,
                long=3,
                peers={"sebanding": [sys.executable, "-c", PEER]},
            ),
            8,
            [
                "sebanding: persinggahan : putusan: ",
                "Unggahan terakhir : pertama, dari simpan sampai putusan: ",
                "Unggahan terakhir : pertama, putusan saja: ",
            ],
        ),
        (
            lambda *where: chain.measure(*where, rounds=1, trips=3, uploads=4),
            6,
            ["Rasio verifikasi : COPY dan SHA-256: ", "Potongan diverifikasi tiap detik: "],
        ),
        (
            lambda *where: province.measure(*where, rounds=1, trips=4, regencies=(10, 12)),
            6,
            [
                "Rasio halaman pertama, 10 baris: ",
                "Rasio halaman penuh: ",
                "Rasio peringkat: ",
            ],
        ),
        (
            lambda *where: scale.measure(
                *where, rounds=1, regencies=(8, 9), shared_by=8, seconds=1.0, rest=0.0
            ),
            18,
            [
                *("Rasio halaman pertama: ", "Rasio halaman penuh: ", "Rasio peringkat: "),
                *("Rasio kelahiran: ", "Tiap daerah, memori, MB: ", "Tiap daerah, cakram, MB: "),
                "Tiap daerah, koneksi klien: ",
                *("Tiap daerah, pengirim replikasi: ", "Tiap daerah, penerima replikasi: "),
            ],
        ),
        (
            lambda *where: outage.measure(*where, rounds=1, minutes=1 / 20, seconds=1.0),
            4,
            ["Rasio p95: ", "Log dalam satu jam, MB: ", "Batas log yang disimpan, MB: "],
        ),
    ],
    ids=[
        *("ingest", "track", "trouble", "read", "news", "birth", "move", "evaluate", "chain"),
        *("province", "scale", "outage"),
    ],
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


def test_a_peer_that_ends_says_why(world: World, travellers: tuple[Traveller, ...]):
    peers = {"sebanding": [sys.executable, "-c", FAILS]}
    with pytest.raises(Refused, match=r"sebanding: no such track: .*track\.npz"):
        evaluate.measure(world, travellers, rounds=1, peers=peers)


def test_outlines_are_ten_and_dense():
    dense = [region.outline for region in outlines().regions]
    assert len(dense) == 10
    assert all(outline.is_valid for outline in dense)
    assert min(shapely.get_num_coordinates(dense)) > 5_000
