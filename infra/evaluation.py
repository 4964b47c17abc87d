"""A trip judged from files: what `jejak evaluate` finds out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np

from tenants.gathering import Progress
from tenants.input_files import Said, UnusableFile, printable
from tenants.region_files import MisplacedError, RegionFileError, load_regions
from tenants.regions import Region, RegionSet, shipped
from tenants.track_files import TrackFile, read_track
from workers.case import Fixes, Plan, Verdict
from workers.itinerary import midnight, moment
from workers.judge import judge
from workers.plan_files import PlanFile, read_plan
from workers.track import RegionIndex

WIDEST_TOLERANCE_M: Final = 100_000.0
MISPLACED: Final = {
    "across the antimeridian": "melintasi antimeridian (bujur 180°)",
    "not on earth": "bukan di bumi",
}


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """A verdict with what it rests on."""

    said: PlanFile
    tracks: tuple[TrackFile, ...]
    boundaries: RegionSet
    regions: RegionIndex
    as_of: datetime
    verdict: Verdict


def evaluation(
    plan: Path,
    tracks: Sequence[Path],
    regions: Path | None,
    *,
    tolerance_m: float,
    as_of: str | None,
    any_order: bool,
    progress: Progress,
) -> Evaluation:
    """Reads the files and judges the trip; raises `UnusableFile`.

    Without `as_of` (ISO 8601 with a zone) the trip is judged as of its end.
    """
    said = read_plan(plan)
    until = _end(said) if as_of is None else _as_of(as_of)
    boundaries = _boundaries(regions, tolerance_m, until)
    needed = _needed(plan, said.plan, boundaries)
    latest = _latest(_end(said))
    read = tuple(
        read_track(path, any_order=any_order, latest=latest, progress=progress) for path in tracks
    )
    fixes = _fixes(read, tracks)
    index = RegionIndex(
        [
            (region.code, printable(region.name), region.outline)
            for region in boundaries.regions
            if region.code in needed or _near(region, fixes)
        ],
        boundaries.tolerance_m,
    )
    verdict = judge(said.plan, said.dossier, said.ruleset, index, fixes, as_of=until)
    return Evaluation(said, read, boundaries, index, until, verdict)


def _end(said: PlanFile) -> datetime:
    """The end of the trip, and of the day of the report if it was filed later."""
    last = max(said.plan.ends_on, said.dossier.reported_on or said.plan.ends_on)
    return moment(midnight(last + timedelta(days=1), said.plan.home_zone))


def _latest(end: datetime) -> datetime:
    """No fix can be later than tomorrow; of a trip still to come, all are made up."""
    now = datetime.now(UTC)
    return now + timedelta(days=1) if end <= now else end + timedelta(days=366)


def _as_of(text: str) -> datetime:
    try:
        until = datetime.fromisoformat(text)
    except ValueError:
        raise UnusableFile("--as-of", ("bukan waktu ISO 8601", "is no time in ISO 8601")) from None
    if until.tzinfo is None:
        raise UnusableFile("--as-of", ("waktu tanpa zona", "is a time without a zone"))
    return until


def _boundaries(file: Path | None, tolerance_m: float, until: datetime) -> RegionSet:
    if not 0 <= tolerance_m <= WIDEST_TOLERANCE_M:
        raise UnusableFile(
            "--tolerance", ("di luar 0 sampai 100000 meter", "is beyond 0 to 100000 metres")
        )
    if file is None:
        return shipped()
    try:
        return load_regions(
            file,
            source=printable(file.name),
            licence="",
            dated=until.date(),
            tolerance_m=tolerance_m,
            anywhere=True,
        )[0]
    except MisplacedError as misplaced:
        codes = ", ".join(misplaced.codes)
        where = str(misplaced).partition(":")[0]
        reason = (
            f"batas wilayah {codes} {MISPLACED[where]}",
            f"the outline of {codes} lies {where}",
        )
        raise UnusableFile(str(file), reason) from misplaced
    except RegionFileError as wrong:
        said = str(wrong).removeprefix(str(file)).strip(" :")
        reason = (f"batas wilayah tidak dapat dipakai ({said})", f"no usable outlines: {said}")
        raise UnusableFile(str(file), reason) from wrong


def _needed(file: Path, plan: Plan, boundaries: RegionSet) -> set[str]:
    """The regions of the plan; in one without an outline, anybody would look astray."""
    known = {region.code for region in boundaries.regions}
    for key, code in _named(plan):
        if code not in known:
            reason = (
                f"batas wilayah {code} tidak ada; --regions memberikannya",
                f"there is no outline of {code}; --regions gives one",
            )
            raise UnusableFile(str(file), reason, (key, key))
    return {code for _, code in _named(plan)}


def _named(plan: Plan) -> Iterator[tuple[str, str]]:
    yield "home_region", plan.home
    for number, leg in enumerate(plan.legs):
        yield f"legs[{number}].region", leg.region
    for code in sorted(plan.transit):
        yield "transit", code
    for number, place in enumerate(plan.lawful_places):
        yield f"lawful_places[{number}].region", place.region


def _near(region: Region, fixes: Fixes) -> bool:
    """Whether the track comes within two degrees; outlines further off cannot change a verdict."""
    west, south, east, north = region.outline.bounds
    beside = (fixes.lon >= west - 2) & (fixes.lon <= east + 2)
    return bool((beside & (fixes.lat >= south - 2) & (fixes.lat <= north + 2)).any())


def _fixes(read: Sequence[TrackFile], paths: Sequence[Path]) -> Fixes:
    time = np.concatenate([track.time for track in read])
    if time.min() == time.max():
        only: Said = ("hanya ada satu titik", "has no more than one fix")
        raise UnusableFile(", ".join(map(str, paths)), only)
    return Fixes(
        time=time,
        lon=np.concatenate([track.lon for track in read]),
        lat=np.concatenate([track.lat for track in read]),
        accuracy=np.concatenate([track.accuracy for track in read]),
        mock=np.concatenate([track.mock for track in read]),
        battery=np.concatenate([track.battery for track in read]),
        chunk=np.repeat(np.arange(len(read), dtype=np.int32), [len(track.time) for track in read]),
        digests=tuple(track.digest for track in read),
    )
