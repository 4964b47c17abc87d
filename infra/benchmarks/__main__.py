"""The command behind `infra/bench`."""

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from infra import world
from infra.benchmarks import (
    accuracy,
    birth,
    chain,
    evaluate,
    ingest,
    live_map,
    move,
    news,
    outage,
    province,
    read,
    scale,
    track,
    trouble,
)
from infra.benchmarks.measure import HOME, Report
from infra.processes import stop_on_signals
from infra.stories import Traveller

TRAVELLERS: Final = tuple(
    Traveller(HOME, f"pengukur{number}", f"Pengukur {number}", None) for number in range(8)
)
EVERYTHING: Final = ("api", "workers", "sweep")
KINDS: Final[dict[str, tuple[Callable[..., Report], tuple[str, ...]]]] = {
    "ingest": (ingest.measure, ("api",)),
    "read": (read.measure, ("api",)),
    "track": (track.measure, ()),
    "trouble": (trouble.measure, ("api",)),
    "news": (news.measure, EVERYTHING),
    "birth": (birth.measure, ()),
    "map": (live_map.measure, ("api",)),
    "move": (move.measure, ("api",)),
    "evaluate": (evaluate.measure, ()),
    "chain": (chain.measure, ()),
    "province": (province.measure, ("api",)),
    "scale": (scale.measure, EVERYTHING),
    "outage": (outage.measure, EVERYTHING),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="infra/bench",
        description="Measures Jejak Dinas against a peer in the same run, on servers of its own.",
    )
    parser.add_argument("kind", choices=(*KINDS, "accuracy"))
    parser.add_argument("--json", action="store_true", help="all raw figures as JSON on stdout")
    parser.add_argument("--rounds", type=int, help="how often each side is measured (news: trips)")
    parser.add_argument(
        "--judged", action="store_true", help="ingest: the workers judge while fixes arrive"
    )
    parser.add_argument("--minutes", type=float, help="outage: how long the province is gone")
    parser.add_argument("--trips", type=int, default=1_000, help="accuracy: trips simulated")
    parser.add_argument("--seed", type=int, default=1, help="accuracy: of the simulator")
    options = parser.parse_args()
    if options.judged and options.kind != "ingest":
        parser.error("--judged is for ingest")
    if options.minutes and options.kind != "outage":
        parser.error("--minutes is for outage")
    if options.kind == "accuracy":
        accuracy.measure(trips=options.trips, seed=options.seed).print(as_json=options.json)
        return
    stop_on_signals()
    measure, processes = KINDS[options.kind]
    how = {"rounds": options.rounds} if options.rounds else {}
    regencies = 20
    if options.kind == "scale":
        how["drop"], regencies = False, province.ALL + 10
    if options.minutes:
        how["minutes"] = options.minutes
    if options.judged:
        how["judged"], processes = True, EVERYTHING
    with tempfile.TemporaryDirectory(prefix="jejak-bench-") as folder:
        # Root's PostgreSQL runs as another user, who must get through.
        Path(folder).chmod(0o711)
        with world.running(
            Path(folder), travellers=TRAVELLERS, processes=processes, regencies=regencies
        ) as running:
            report = measure(running, TRAVELLERS, **how)
    report.print(as_json=options.json)


if __name__ == "__main__":
    main()
