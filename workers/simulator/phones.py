"""How simulated phones tell of where they are: five kinds of client and what goes wrong in each.

What goes wrong was read off real phones and their trackers' complaints; how much of it is drawn
anew, and widely, for every phone.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from workers.case import Fixes, Silence, SilenceReason
from workers.simulator.people import METRES_PER_DEGREE, Floats, Path

Spans = list[tuple[float, float]]
"""Times from start to end, epoch s."""


@dataclass(frozen=True, slots=True)
class Client:
    """A tracking app: how often it asks while moving and while still (None: never), in seconds.

    It takes itself to be moving when it came `wake_m` far within `window_s`. `batch` fixes make an
    upload; it is stopped by the system `kills` times a day; it uses `drain` of a battery an hour.
    """

    moving_s: tuple[float, float]
    still_s: tuple[float, float] | None
    window_s: float
    wake_m: float
    batch: tuple[int, int]
    kills: float
    drain: float


CLIENTS: Final = {
    "dense": Client((30, 30), None, 60, 0, (10, 120), 0, 0.045),
    "owntracks": Client((180, 600), (1_800, 3_600), 600, 500, (1, 1), 0.1, 0.025),
    "owntracks_quiet": Client((180, 600), None, 600, 500, (1, 1), 0.2, 0.025),
    "traccar": Client((30, 300), None, 300, 75, (1, 10), 0.1, 0.03),
    "overland": Client((10, 60), None, 300, 100, (50, 400), 0.1, 0.03),
    "gpslogger": Client((60, 120), None, 60, 0, (5, 60), 1.0, 0.04),
}


@dataclass(frozen=True, slots=True)
class Phone:
    """One person's phone. Rates are shares of fixes unless they say otherwise.

    sigma_m, tau_s: jitter and how long it lasts; optimism: by what its accuracy is too good;
    masts: fixes by Wi-Fi and masts, off by about masts_m, some of them (echoes) seconds after a
    better one; clock_s: how far its clock is off; charged: share of nights; airborne: records in
    flight.
    """

    client: str
    sigma_m: float
    tau_s: float
    optimism: float
    outliers: float
    masts: float
    masts_m: float
    echoes: float
    cells: float
    stale: float
    cached_per_day: float
    clock_s: float
    charged: float
    asleep: float
    forbidden: float
    airborne: bool
    tells_accuracy: bool
    tells_battery: bool
    resends: float


@dataclass(frozen=True, slots=True)
class Fake:
    """A faked position between two times: what the app claims of it, and its pretended jitter."""

    since: float
    until: float
    jitter_m: float
    marked: bool


def phone(rng: np.random.Generator, client: str | None = None) -> Phone:
    """A phone as people have them, of a given client or any."""
    return Phone(
        client=client or str(rng.choice(list(CLIENTS))),
        sigma_m=float(rng.lognormal(np.log(12), 0.7)),
        tau_s=float(rng.lognormal(np.log(300), 0.7)),
        optimism=float(rng.lognormal(np.log(1.3), 0.6)),
        outliers=float(min(rng.lognormal(np.log(0.005), 1.2), 0.06)),
        masts=float(rng.beta(0.3, 5)),
        masts_m=float(rng.lognormal(np.log(120), 0.7)),
        echoes=float(rng.beta(0.3, 6)),
        cells=float(min(rng.lognormal(np.log(0.003), 1.5), 0.1)),
        stale=float(rng.beta(0.6, 1.2)),
        cached_per_day=float(rng.exponential(1.5)),
        clock_s=float(rng.normal(0, rng.choice([2, 240, 3_600], p=[0.94, 0.05, 0.01]))),
        charged=float(1 - rng.beta(0.5, 6)),
        asleep=float(rng.beta(0.5, 1.5)),
        forbidden=float(rng.random() < 0.06),
        airborne=bool(rng.random() < 0.3),
        tells_accuracy=bool(rng.random() < 0.93),
        tells_battery=bool(rng.random() < 0.6),
        resends=float(rng.exponential(0.03)),
    )


def observe(
    rng: np.random.Generator,
    phone: Phone,
    path: Path,
    *,
    fakes: tuple[Fake, ...] = (),
    off: tuple[tuple[float, float], ...] = (),
) -> tuple[Fixes, tuple[Silence, ...]]:
    """What a phone on a path sends, in order of arrival, and the silences it explains.

    During `fakes` the path is taken to be the faked one; `off` are times it is switched off.
    """
    client = CLIENTS[phone.client]
    dead, level = _battery(rng, phone, client, path)
    forbidden = _forbidden(rng, phone, path)
    time = _schedule(rng, client, path)
    echoes = time[rng.random(len(time)) < phone.echoes]
    time = np.sort(np.concatenate((time, echoes + rng.uniform(1, 5, len(echoes)))))
    quiet = [*dead, *forbidden, *off, *_killed(rng, client, path), *_asleep(rng, phone, path)]
    if not phone.airborne:
        quiet += [
            (up - rng.uniform(0, 900), down + rng.uniform(60, 900)) for up, down in path.flights
        ]
    time = time[~_within(time, quiet)]
    lon, lat = path.at(time)
    east, north, accuracy = _noise(rng, phone, time)
    lon += east / METRES_PER_DEGREE / np.cos(np.radians(lat))
    lat += north / METRES_PER_DEGREE
    _repeat(rng, phone, path, time, (lon, lat, accuracy))
    marked = np.zeros(len(time), dtype=np.bool_)
    for fake in fakes:
        during = (time > fake.since) & (time < fake.until)
        true_lon, true_lat = path.at(time[during])
        shake = rng.normal(0, fake.jitter_m / METRES_PER_DEGREE, (2, int(during.sum())))
        lon[during], lat[during] = true_lon + shake[0], true_lat + shake[1]
        accuracy[during], marked[during] = 5.0, fake.marked
    lon, lat = np.round(lon, 7), np.round(lat, 7)
    if not phone.tells_accuracy:
        accuracy[:] = np.nan
    battery = np.interp(time, *level) if phone.tells_battery else np.full(len(time), np.nan)
    stamped = np.round(time + phone.clock_s + rng.normal(0, 0.5, len(time)))
    chunk, order, digests = _uploads(rng, phone, client, time)
    fixes = Fixes(
        time=stamped[order],
        lon=lon[order],
        lat=lat[order],
        accuracy=np.round(accuracy[order], 1).astype(np.float32),
        mock=marked[order],
        battery=np.round(battery[order], 2).astype(np.float32),
        chunk=chunk,
        digests=digests,
    )
    return fixes, tuple(_explained(rng, dead, forbidden))


def joined(one: Fixes, other: Fixes) -> Fixes:
    """The fixes of two phones."""
    names = ("time", "lon", "lat", "accuracy", "mock", "battery")
    both = {name: np.concatenate((getattr(one, name), getattr(other, name))) for name in names}
    chunk = np.concatenate((one.chunk, other.chunk + len(one.digests)))
    return Fixes(**both, chunk=chunk.astype(np.int32), digests=one.digests + other.digests)


def _schedule(rng: np.random.Generator, client: Client, path: Path) -> Floats:
    """When the app asks: always, or on the move and as often as it wants while still."""
    every = rng.uniform(*client.moving_s)
    time = np.arange(path.time[0] + rng.uniform(0, every), path.time[-1], every)
    time += rng.uniform(-0.1, 0.1, len(time)) * every
    now, then = path.at(time), path.at(time - client.window_s)
    came = METRES_PER_DEGREE * np.hypot(now[0] - then[0], now[1] - then[1])
    # Jitter wakes phones too.
    wanted = (came >= client.wake_m) | (rng.random(len(time)) < 0.002)
    if client.still_s:
        beat = np.floor(time / rng.uniform(*client.still_s))
        wanted |= np.diff(beat, prepend=-1) > 0
    return time[wanted]


def _battery(
    rng: np.random.Generator, phone: Phone, client: Client, path: Path
) -> tuple[Spans, tuple[Floats, Floats]]:
    """When it was empty, and its charge (times, levels) by quarters of an hour."""
    time = np.arange(path.time[0], path.time[-1] + 900, 900)
    drain = client.drain * rng.lognormal(0, 0.3) / 4
    level, levels = rng.uniform(0.5, 1), np.zeros(len(time))
    plugged = rng.random(int(len(time) / 96) + 2) < phone.charged
    for i, now in enumerate(time):
        hour, night = (now / 3_600 + 8) % 24, int((now - time[0]) / 86_400)
        charging = (hour >= 22 or hour < 5) and plugged[night]
        level = min(1.0, level + 0.12) if charging else max(0.0, level - drain)
        if not level and rng.random() < 0.06:
            level = 0.5
        levels[i] = level
    return [(a, b + 900) for a, b in _spans(levels <= 0.0, time)], (time, levels)


def _forbidden(rng: np.random.Generator, phone: Phone, path: Path) -> Spans:
    """When the app had no permission: after an update, or by a wrong tap."""
    if not phone.forbidden:
        return []
    start = rng.uniform(path.time[0], path.time[-1])
    return [(start, start + rng.lognormal(np.log(8), 0.8) * 3_600)]


def _killed(rng: np.random.Generator, client: Client, path: Path) -> Spans:
    """When the system had stopped it, until it was opened again."""
    days = (path.time[-1] - path.time[0]) / 86_400
    starts = rng.uniform(path.time[0], path.time[-1], rng.poisson(client.kills * days))
    return [(start, start + rng.lognormal(np.log(2), 0.9) * 3_600) for start in starts]


def _asleep(rng: np.random.Generator, phone: Phone, path: Path) -> Spans:
    """Nights in which the system lets no app run."""
    midnight = np.arange(path.time[0], path.time[-1], 86_400)
    return [
        (night + rng.uniform(-2, 1) * 3_600, night + rng.uniform(4, 6.5) * 3_600)
        for night in midnight
        if rng.random() < phone.asleep
    ]


def _noise(rng: np.random.Generator, phone: Phone, time: Floats) -> tuple[Floats, Floats, Floats]:
    """Metres east and north by which fixes are off, and the accuracy they claim.

    Jitter lasts: it is drawn every tau and joined by lines. Outliers come in short bursts, most of
    them near and a few very far; half of them claim to be good. Cell towers are kilometres off.
    """
    n = len(time)
    knots = np.arange(time[0] if n else 0, (time[-1] if n else 0) + 2 * phone.tau_s, phone.tau_s)
    spread = rng.lognormal(0, 0.5, len(knots)) * phone.sigma_m
    off = np.stack(
        [
            np.interp(time, knots, rng.normal(0, 1, len(knots)) * spread) + rng.normal(0, 2, n)
            for _ in range(2)
        ]
    )
    typical = np.interp(time, knots, spread) if n else np.zeros(0)
    accuracy = np.maximum(2, typical / phone.optimism * rng.lognormal(0, 0.3, n))
    echo = np.diff(time, prepend=-np.inf) < 5
    masts = echo | (rng.random(n) < phone.masts)
    off[:, masts] = np.round(rng.normal(0, 1, (2, int(masts.sum()))), 1) * phone.masts_m
    accuracy[masts] = phone.masts_m / phone.optimism
    for first in np.flatnonzero(rng.random(n) < phone.outliers):
        last = first + (1 if rng.random() < 0.7 else rng.integers(2, 8))
        far = min(100 * (1 + rng.pareto(0.8)), 20_000)
        angle = rng.uniform(0, 2 * np.pi)
        shape = off[:, first:last].shape
        off[:, first:last] = rng.normal(0, far / 20, shape) + far * np.array(
            [[np.cos(angle)], [np.sin(angle)]]
        )
        accuracy[first:last] = (
            rng.uniform(2, 15) if rng.random() < 0.5 else far * rng.uniform(0.3, 2)
        )
    cells = rng.random(n) < phone.cells
    reach = np.minimum(rng.lognormal(np.log(1_200), 0.9, n), 17_000)
    off[:, cells] = rng.normal(0, 0.5, (2, int(cells.sum()))) * reach[cells]
    accuracy[cells] = reach[cells]
    return off[0], off[1], accuracy


def _repeat(
    rng: np.random.Generator,
    phone: Phone,
    path: Path,
    time: Floats,
    values: tuple[Floats, Floats, Floats],
) -> None:
    """Old fixes given out as new, in place: after a flight or a silence, and while lying still."""
    n = len(time)
    if n < 3:
        return

    def repeat(first: np.intp | int, last: np.intp | int) -> None:
        for value in values:
            value[first:last] = value[first - 1]

    for first in np.flatnonzero(np.diff(time) > 1_200) + 1:
        if rng.random() < phone.stale:
            until = time[first] + rng.exponential(240)
            repeat(first, int(np.searchsorted(time, until)))
    for first in np.flatnonzero(rng.random(n - 1) < phone.stale * 0.002) + 1:
        repeat(first, first + rng.integers(1, 6))
    days = (time[-1] - time[0]) / 86_400
    lon, lat = path.at(time)
    for first in rng.integers(1, n, rng.poisson(phone.cached_per_day * days)):
        until = time[first] + min(rng.lognormal(np.log(3_600), 1), 14 * 3_600)
        last = min(int(np.searchsorted(time, until)), first + 150, n)
        left = np.hypot(lon[first:last] - lon[first], lat[first:last] - lat[first]) > 0.001
        repeat(first, first + int(np.argmax(left)) if left.any() else last)


def _uploads(
    rng: np.random.Generator, phone: Phone, client: Client, time: Floats
) -> tuple[NDArray[np.int32], NDArray[np.intp], tuple[bytes, ...]]:
    """Chunk by chunk in order of arrival: chunk of each fix, which fix it is, digests.

    Some arrive hours late, some again with others.
    """
    size = int(rng.integers(client.batch[0], client.batch[1] + 1))
    parts = [np.arange(first, min(first + size, len(time))) for first in range(0, len(time), size)]
    arrival = [
        time[part[-1]] + (rng.exponential(7_200) if rng.random() < 0.1 else 0) for part in parts
    ]
    for i in np.flatnonzero(rng.random(len(parts)) < phone.resends).tolist():
        parts.append(np.concatenate((parts[i], parts[max(0, i - 1)])))
        arrival.append(arrival[i] + rng.exponential(1_800))
    parts = [parts[i] for i in np.argsort(arrival, kind="stable").tolist()]
    chunk = np.repeat(np.arange(len(parts)), [len(part) for part in parts]).astype(np.int32)
    order = np.concatenate([*parts, np.zeros(0, dtype=np.intp)]).astype(np.intp)
    return chunk, order, tuple(rng.bytes(32) for _ in parts)


def _explained(rng: np.random.Generator, dead: Spans, forbidden: Spans) -> Iterator[Silence]:
    for spans, reason in (
        (dead, SilenceReason.NO_POWER),
        (forbidden, SilenceReason.NO_PERMISSION),
    ):
        for start, end in spans:
            if rng.random() < 0.5:
                yield Silence(
                    datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(end, UTC), reason
                )


def _within(time: Floats, spans: Spans) -> NDArray[np.bool_]:
    found = np.zeros(len(time), dtype=np.bool_)
    for start, end in spans:
        found |= (time >= start) & (time < end)
    return found


def _spans(mask: NDArray[np.bool_], time: Floats) -> Spans:
    steps = np.diff(mask.astype(np.int8), prepend=0, append=0)
    starts, ends = np.flatnonzero(steps == 1), np.flatnonzero(steps == -1) - 1
    return [(float(time[a]), float(time[b])) for a, b in zip(starts, ends, strict=True)]
