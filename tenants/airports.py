"""Airports that have an IATA code, and where they are."""

from dataclasses import dataclass
from functools import cache
from typing import Final

import airportsdata
import numpy as np
from numpy.typing import NDArray

MOST: Final = 20


@dataclass(frozen=True, slots=True)
class Airport:
    """An airport; `zone` is the IANA name of its time zone."""

    iata: str
    name: str
    city: str
    zone: str


@cache
def _airports() -> tuple[Airport, ...]:
    """All of them, those of Indonesia first, by code."""
    known = airportsdata.load("IATA").values()
    return tuple(
        Airport(each["iata"], each["name"], each["city"], each["tz"])
        for each in sorted(known, key=lambda each: (each["country"] != "ID", each["iata"]))
    )


def matching(search: str) -> list[Airport]:
    """Up to 20 airports whose code, name or city has these words; the one of that code first."""
    words = search.strip().casefold()
    found = [
        airport
        for airport in _airports()
        if words in f"{airport.iata} {airport.city} {airport.name}".casefold()
    ]
    return sorted(found, key=lambda airport: airport.iata.casefold() != words)[:MOST]


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
