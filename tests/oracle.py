"""A track read in the simplest way, fix by fix and all at once: what `fold` must agree with."""

from statistics import median_low

import numpy as np

from tenants.airports import everywhere
from workers.case import Fixes, Plan
from workers.fold import FIX, SIGHTING, SPELL, State
from workers.itinerary import itinerary
from workers.ruleset import Ruleset
from workers.track import RegionIndex

Row = dict[str, object]


def state_of(plan: Plan, rules: Ruleset, regions: RegionIndex, fixes: Fixes) -> State:
    """The state of a trip whose track is these fixes."""
    trip = itinerary(plan, rules, regions)
    labels: list[tuple[str | None, frozenset[str | None]]] = []
    sightings = [sighting(rows, trip, labels) for rows in five_minutes(usable(fixes, trip))]
    true = [one for i, one in enumerate(sightings) if not outlier(i, sightings, rules)]
    near = [dwells(one, true, rules) for one in true]
    spells: list[list[int]] = []
    for i, one in enumerate(true):
        if i and joined(true[i - 1], one, near[i - 1] == near[i], trip) and not jump(i, true, trip):
            spells[-1].append(i)
        else:
            spells.append([i])
    table = [spell([true[i] for i in run], true, near, run, trip) for run in spells]
    return State(
        trip,
        seen={0: rows_of(sightings, SIGHTING)},
        spells=rows_of(table, SPELL),
        labels=tuple(labels),
        digests=fixes.digests,
    )


def rows_of(rows, dtype):
    table = np.zeros(len(rows), dtype)
    for i, row in enumerate(rows):
        for name in dtype.names:
            table[name][i] = row[name]
    return table


def usable(fixes, trip):
    best = {}
    for i, time in enumerate(fixes.time):
        accuracy = fixes.accuracy[i] if fixes.accuracy[i] > 0 else np.inf
        lost = accuracy > trip.rules.accuracy_limit_m and accuracy != np.inf
        if not trip.start <= time < trip.end or lost:
            continue
        battery = np.inf if np.isnan(fixes.battery[i]) else fixes.battery[i]
        rank = (accuracy, fixes.lon[i], fixes.lat[i], battery, fixes.mock[i])
        rank = (*rank, fixes.digests[fixes.chunk[i]])
        if time not in best or rank < best[time][0]:
            best[time] = (rank, i)
    for time in sorted(best):
        (accuracy, lon, lat, *_), i = best[time]
        yield {
            "time": time,
            "lon": lon,
            "lat": lat,
            "accuracy": accuracy,
            "battery": fixes.battery[i],
            "mock": fixes.mock[i],
            "chunk": fixes.chunk[i],
        }


assert set(FIX.names) == {"time", "lon", "lat", "accuracy", "battery", "mock", "chunk"}


def five_minutes(rows):
    bins = {}
    for row in rows:
        bins.setdefault(row["time"] // 300, []).append(row)
    return [bins[number] for number in sorted(bins)]


def sighting(rows, trip, labels):
    rules = trip.rules
    for row in rows:
        known = np.isfinite(row["accuracy"])
        row["reach"] = (
            max(row["accuracy"], rules.accuracy_floor_m) if known else rules.accuracy_unknown_m
        )
    best = min(row["reach"] for row in rows)
    good = [row for row in rows if row["reach"] <= 2 * best]
    lon, lat = (median_low(row[name] for row in good) for name in ("lon", "lat"))
    reach = max(row["reach"] for row in good)
    ((x, y),) = trip.regions.project(lon=np.array([lon]), lat=np.array([lat]))
    found = trip.regions.label(np.array([[x, y]]), np.array([np.float32(reach)], dtype=float))
    may = frozenset(code for code, so in zip(found.codes, found.may[0], strict=True) if so)
    label = (found.codes[found.inside[0]], may)
    if label not in labels:
        labels.append(label)
    return {
        "bin": rows[0]["time"] // 300,
        "start": rows[0]["time"],
        "end": rows[-1]["time"],
        "lon": lon,
        "lat": lat,
        "x": x,
        "y": y,
        "reach": reach,
        "battery": rows[-1]["battery"],
        "fixes": len(rows),
        "mock": sum(bool(row["mock"]) for row in rows),
        "chunk": rows[0]["chunk"],
        "label": labels.index(label),
        "uniform": len({(row["lon"], row["lat"]) for row in rows}) == 1,
    }


def apart(one, other):
    return float(np.hypot(one["x"] - other["x"], one["y"] - other["y"]))


def outlier(i, rows, rules):
    """Whether some short excursion that holds this sighting is one that nobody can make."""
    for first in range(max(2, i - 5), i + 1):
        for last in range(i, min(first + 6, len(rows) - 2)):
            before, after = rows[first - 1], rows[last + 1]
            out, back = apart(before, rows[first]), apart(rows[last], after)
            quick = after["start"] - before["end"] <= rules.outlier_seconds
            fast = all(
                step > rules.outlier_m and step > rules.outlier_mps * wait
                for step, wait in (
                    (out, rows[first]["start"] - before["end"]),
                    (back, after["start"] - rows[last]["end"]),
                )
            )
            agree = all(
                apart(one, other) < min(out, back) / 2 and other["start"] - one["end"] <= 3600
                for one, other in (
                    (before, after),
                    (rows[first - 2], before),
                    (after, rows[last + 2]),
                )
            )
            if quick and fast and agree:
                return True
    return False


def dwells(one, rows, rules):
    for opening in rows:
        later = [
            row for row in rows if row["start"] >= opening["start"] + rules.dwell_window_seconds
        ]
        if not later or opening["start"] > one["start"] or later[0]["start"] < one["start"]:
            continue
        soon = later[0]["start"] - opening["start"] <= 2 * rules.dwell_window_seconds
        if soon and apart(opening, later[0]) <= rules.dwell_m:
            return True
    return False


def day_of(one, trip):
    return max(i for i, span in enumerate(trip.spans) if span.start <= one["start"])


def joined(one, other, as_near, trip):
    return (
        as_near
        and one["start"] // 3600 == other["start"] // 3600
        and day_of(one, trip) == day_of(other, trip)
        and one["label"] == other["label"]
        and other["start"] - one["end"] <= trip.rules.gap_seconds
    )


def jump(i, rows, trip):
    rules = trip.rules
    step, wait = apart(rows[i - 1], rows[i]), rows[i]["start"] - rows[i - 1]["end"]
    sides = rows[i - 1 :: -1], rows[i:]
    if step <= rules.jump_m:
        return False
    if wait < step / rules.jump_mps + rules.jump_seconds and all(
        settled(side, rules, rules.visit_seconds, rules.visit_fixes) for side in sides
    ):
        return True
    return (
        wait < min(step / rules.jump_land_mps, rules.gap_seconds)
        and all(settled(side, rules, rules.gap_seconds, 2) for side in sides)
        and not any(by_an_airport(one, trip) for one in rows[i - 1 : i + 1])
    )


def by_an_airport(row, trip):
    lon, lat = everywhere()
    return any(
        apart(row, dict(zip("xy", at, strict=True))) <= trip.rules.jump_airport_m
        for at in trip.regions.project(lon=lon, lat=lat).tolist()
    )


def settled(rows, rules, silence, fewest):
    for count, (before, one) in enumerate(zip(rows[:1] + rows, rows, strict=False), start=1):
        wait = max(one["start"] - before["end"], before["start"] - one["end"])
        if wait > silence or apart(one, rows[0]) > rules.dwell_m:
            return False
        lasted = max(one["end"] - rows[0]["start"], rows[0]["end"] - one["start"])
        if lasted >= rules.jump_settled_seconds:
            return count >= fewest
    return False


def ashore(row, trip):
    """Near enough to where he may be, for a position off the shore not to be elsewhere."""
    at = np.array([[row["x"], row["y"]]])
    return bool(trip.regions.near(trip.allowed, at, trip.rules.offshore_m)[0])


def spell(run, true, near, indices, trip):
    repeated = 0
    for i in indices:
        one, before = true[i], true[i - 1] if i else None
        same = before and (one["lon"], one["lat"]) == (before["lon"], before["lat"])
        if same and one["uniform"] and before["uniform"]:
            repeated += one["fixes"]
    middle = run[(len(run) - 1) // 2]
    return {
        "start": run[0]["start"],
        "end": run[-1]["end"],
        "first": (run[0]["x"], run[0]["y"]),
        "middle": (middle["x"], middle["y"]),
        "last": (run[-1]["x"], run[-1]["y"]),
        "battery": run[-1]["battery"],
        "fixes": sum(one["fixes"] for one in run),
        "mock": sum(one["mock"] for one in run),
        "repeated": repeated,
        "label": run[0]["label"],
        "day": day_of(run[0], trip),
        "dwelling": near[indices[0]],
        "jump": bool(indices[0]) and jump(indices[0], true, trip),
        "ashore": ashore(middle, trip),
    }
