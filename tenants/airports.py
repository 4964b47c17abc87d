"""Where airports are, by their IATA codes."""

from functools import cache

import airportsdata


@cache
def _positions() -> dict[str, tuple[float, float]]:
    return {
        code: (float(airport["lon"]), float(airport["lat"]))
        for code, airport in airportsdata.load("IATA").items()
    }


def position(iata: str) -> tuple[float, float] | None:
    """Longitude and latitude of an airport, degrees (EPSG:4326); None when there is none such."""
    return _positions().get(iata)
