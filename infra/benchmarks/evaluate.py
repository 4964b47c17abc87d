"""`infra/bench evaluate`: judging a trip, against the stay detection of three libraries."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from infra.benchmarks import stored
from infra.benchmarks.journeys import after, journey, outlines, plan, uploads
from infra.benchmarks.measure import Measured, Report, alternate
from infra.front_end import Refused
from infra.processes import step
from infra.stories import Traveller
from infra.world import World
from workers.case import Claim, Dossier, Fixes
from workers.fold import State
from workers.judge import begin, conclude, fold, judge
from workers.ruleset import Ruleset
from workers.track import RegionIndex

PEERS: Final = {
    "trackintel": ["trackintel==1.4.2"],
    "movingpandas": ["movingpandas==0.23.0"],
    "scikit-mobility": ["scikit-mobility==1.3.1", "numpy<2", "shapely<2", "setuptools<81"],
}
"""How many uploads are the first ones, and the last ones."""
IN_A_ROW: Final = 3


def commands() -> dict[str, list[str]]:
    """What starts each peer, in an environment of its own that uv makes and keeps."""
    uv = shutil.which("uv") or str(Path(".uv/bin/uv").resolve())
    alone = [uv, "run", "--no-project", "--isolated", "--python", "3.11"]
    script = str(Path(__file__).with_name("stay_peers.py"))
    return {
        name: [*alone, *(word for pin in pins for word in ("--with", pin)), "python", script, name]
        for name, pins in PEERS.items()
    }


def measure(
    _running: World,
    _travellers: Sequence[Traveller],
    *,
    rounds: int = 9,
    batch: int = 8,
    long: int = 30,
    peers: Mapping[str, Sequence[str]] | None = None,
) -> Report:
    """Memory: 8,640 fixes to the verdict, all told; a peer: to its stays, from its own frame.

    In its turn each measures three times, of which the least counts: who has just slept is slow at
    first, which a short measurement would feel more than a long one.

    Incremental: an upload of 100 fixes folded, and the verdict, early and late in a trip of `long`
    days. Database: from the first statement to the recorded verdict, nothing of the trip known
    before, on one core; a round is `batch` trips.

    `peers`: the command that starts each; it is told a file and measures once a line it reads.
    """
    began = time.perf_counter()
    dense = outlines()
    regions = RegionIndex(
        [(region.code, region.name, region.outline) for region in dense.regions], dense.tolerance_m
    )
    index = Measured(("Menyiapkan batas wilayah", "Preparing the outlines"), "ms")
    index.figures.append(1e3 * (time.perf_counter() - began))
    ours, *theirs = _memory(regions, commands() if peers is None else peers, rounds)
    first, last = _incremental(regions, rounds, long)
    fastest = min(theirs, key=lambda peer: peer.median)
    rate, opening, closing = stored.measure(rounds=rounds, batch=batch, long=long)
    return Report(
        [ours, *theirs, index, first, last, opening, closing, rate],
        {
            (
                f"{fastest.name[0]} : putusan",
                f"{fastest.name[1]} : verdict",
            ): fastest.median / ours.median,
            (
                "Unggahan terakhir : pertama, dari simpan sampai putusan",
                "Last upload : first, from storing to the verdict",
            ): closing.median / opening.median,
            (
                "Unggahan terakhir : pertama, putusan saja",
                "Last upload : first, the verdict alone",
            ): last.median / first.median,
        },
    )


def _memory(
    regions: RegionIndex, peers: Mapping[str, Sequence[str]], rounds: int
) -> list[Measured]:
    """Ours, then each peer: all of them judge or read the same track."""
    fixes, days = journey(3, seed=1), plan(3)
    dossier, over = Dossier(claim=Claim(3, None)), after(days)

    def ours() -> float:
        began = time.perf_counter()
        judge(days, dossier, Ruleset(1), regions, fixes, as_of=over)
        return 1e3 * (time.perf_counter() - began)

    verdict = Measured(("8.640 titik sampai putusan", "8,640 fixes to the verdict"), "ms")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        track = folder / "track.npz"
        np.savez(track, time=fixes.time, lon=fixes.lon, lat=fixes.lat)
        theirs = []
        for name, command in peers.items():
            side = Measured((f"{name}: persinggahan", f"{name}: stays"), "ms")
            with step(name, name):
                ask = stack.enter_context(_peer(name, [*command, str(track)], folder))
            theirs.append((side, partial(_least, ask)))
        return alternate([(verdict, partial(_least, ours)), *theirs], rounds=rounds)


def _least(figure: Callable[[], float]) -> float:
    return min(figure() for _ in range(IN_A_ROW))


@contextmanager
def _peer(name: str, command: Sequence[str], folder: Path) -> Iterator[Callable[[], float]]:
    """A library's stay detection, warm; each call measures it once, in milliseconds.

    It ends when nothing more can be asked of it.
    """
    pipe = subprocess.PIPE
    with (
        (folder / name).open("w+") as log,
        # Unbuffered: closing a broken pipe would fail with what was not sent.
        subprocess.Popen(command, bufsize=0, stdin=pipe, stdout=pipe, stderr=log) as process,
    ):
        asks, answers = process.stdin, process.stdout
        assert asks is not None
        assert answers is not None

        def ask() -> float:
            try:
                asks.write(b"\n")
                return 1e3 * float(answers.readline())
            except (BrokenPipeError, ValueError):
                log.seek(0)
                raise Refused(f"{name}: {log.read()[-500:]}") from None

        ask()
        yield ask


def _incremental(regions: RegionIndex, rounds: int, days: int) -> tuple[Measured, Measured]:
    """The first uploads of a long trip and the last, by turns; of each the least of its times."""
    parts = uploads(journey(days, seed=2))
    state, arriving = begin(plan(days), Ruleset(1), regions), []
    for number, part in enumerate(parts):
        if not stored.EDGE <= number < len(parts) - stored.EDGE:
            arriving.append((state, part))
        state = fold(state, part)
    turns = [
        (Measured(("", ""), "ms"), partial(_once, state, part, days))
        for pair in zip(arriving[: stored.EDGE], arriving[stored.EDGE :], strict=True)
        for state, part in pair
    ]
    least = [min(side.figures) for side in alternate(turns, rounds=rounds)]
    return (
        Measured(
            (f"Unggahan pertama, {days} hari", f"First uploads, {days} days"), "ms", least[::2]
        ),
        Measured(
            (f"Unggahan terakhir, {days} hari", f"Last uploads, {days} days"), "ms", least[1::2]
        ),
    )


def _once(state: State, part: Fixes, days: int) -> float:
    heard = datetime.fromtimestamp(float(part.time[-1]), UTC)
    began = time.perf_counter()
    conclude(fold(state, part), Dossier(claim=Claim(days, None)), as_of=heard)
    return 1e3 * (time.perf_counter() - began)
