"""Stay detection of another library, in an interpreter that has it: see evaluate.py.

    python stay_peers.py trackintel|movingpandas|scikit-mobility TRACK.npz

For each line read it looks for the stays once and prints the seconds that took. Preparing the data
frame is not measured.
"""

import datetime
import sys
import time
import warnings

import numpy as np
import pandas as pd

warnings.filterwarnings("ignore")


def trackintel(frame):
    import geopandas
    from trackintel import Positionfixes

    points = geopandas.points_from_xy(frame.lon, frame.lat, crs="EPSG:4326")
    fixes = geopandas.GeoDataFrame(
        {"user_id": 0, "tracked_at": pd.to_datetime(frame.time, unit="s", utc=True)},
        geometry=points,
    )
    found = Positionfixes(fixes)
    return lambda: found.generate_staypoints(
        method="sliding", dist_threshold=1000, time_threshold=15
    )


def movingpandas(frame):
    import geopandas
    from movingpandas import Trajectory, TrajectoryStopDetector

    points = geopandas.points_from_xy(frame.lon, frame.lat, crs="EPSG:4326")
    index = pd.to_datetime(frame.time, unit="s")
    walked = Trajectory(geopandas.GeoDataFrame(geometry=points, index=index), 0)
    return lambda: TrajectoryStopDetector(walked).get_stop_segments(
        min_duration=datetime.timedelta(minutes=15), max_diameter=1000
    )


def mobility(frame):
    from skmob import TrajDataFrame
    from skmob.preprocessing import detection

    walked = TrajDataFrame(
        frame.assign(datetime=pd.to_datetime(frame.time, unit="s")),
        latitude="lat",
        longitude="lon",
        datetime="datetime",
    )
    return lambda: detection.stay_locations(
        walked, stop_radius_factor=1, spatial_radius_km=1, minutes_for_a_stop=15
    )


PEERS = {"trackintel": trackintel, "movingpandas": movingpandas, "scikit-mobility": mobility}


def main():
    name, track = sys.argv[1:]
    answers, sys.stdout = sys.stdout, sys.stderr  # what a library prints is no answer
    with np.load(track) as arrays:
        frame = pd.DataFrame({column: arrays[column] for column in ("time", "lon", "lat")})
    detect = PEERS[name](frame)
    for _ in sys.stdin:
        began = time.perf_counter()
        found = detect()
        seconds = time.perf_counter() - began
        if len(found) < 2:
            raise SystemExit(f"{name} found {len(found)} stays")
        print(seconds, file=answers, flush=True)


main()
