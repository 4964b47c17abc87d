"""Where airports are."""

from functools import cache

import airportsdata
import numpy as np
from numpy.typing import NDArray


@cache
def _positions() -> dict[str, tuple[float, float]]:
    return {
        code: (float(airport["lon"]), float(airport["lat"]))
        for code, airport in airportsdata.load("IATA").items()
    }


def position(iata: str) -> tuple[float, float] | None:
    """Longitude and latitude of an airport, degrees (EPSG:4326); None when there is none such."""
    return _positions().get(iata)


@cache
def everywhere() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Longitudes and latitudes of all airports that have an IATA code, degrees (EPSG:4326)."""
    lon, lat = np.array(list(_positions().values())).T
    return lon, lat
