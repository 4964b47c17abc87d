"""The demonstration's people and journeys: what each was sent to do, and what each then did.

All names, numbers and letters are made up; places are towns anybody finds on a map.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np

Position = tuple[float, float]

PLACES: Final[dict[str, Position]] = {
    "Samarinda": (117.148, -0.495),
    "Balikpapan": (116.845, -1.262),
    "Sepinggan": (116.894, -1.268),
    "Sangatta": (117.545, 0.500),
    "Bontang": (117.480, 0.130),
    "Berau": (117.490, 2.150),
    "Sendawar": (115.690, -0.230),
    "Tana Paser": (116.190, -1.905),
    "Penajam": (116.690, -1.290),
    "Tenggarong": (116.985, -0.420),
}


@dataclass(frozen=True, slots=True)
class Destination:
    region: str
    first_day: int
    last_day: int
    lodging: str
    transport: str = "ROAD"


@dataclass(frozen=True, slots=True)
class Traveller:
    """Somebody who can be sent on trips, by the name the issuer knows (`username`)."""

    tenant: str
    username: str
    name: str
    nip: str | None


@dataclass(frozen=True, slots=True)
class Story:
    """One trip: the plan, the journey, and the verdict that they must come to.

    `journey` is where the traveller is at which hour after midnight of the first day, straight
    lines between; `silent` are spans of hours in which the phone sends nothing.
    """

    traveller: Traveller
    purpose: str
    days: int
    destination: Destination
    journey: tuple[tuple[float, str], ...]
    claim: int | None
    outcome: str
    deviations: tuple[str, ...] = ()
    silent: tuple[tuple[float, float], ...] = ()
    transit: tuple[str, ...] = ()

    @property
    def home_after(self) -> float:
        return self.journey[-1][0]


def fixes(story: Story, first_day: date, zone: str, *, every_minutes: float = 10) -> list[Any]:
    """All that the phone records, as `FixInput`s in order of time; the same for the same story."""
    midnight = datetime.combine(first_day, time(), ZoneInfo(zone)).astimezone(UTC)
    hours = np.arange(story.journey[0][0], story.home_after, every_minutes / 60)
    known = np.array([hour for hour, _ in story.journey])
    places = np.array([PLACES[place] for _, place in story.journey])
    for begin, end in story.silent:
        hours = hours[(hours < begin) | (hours > end)]
    noise = np.random.default_rng(_seed(story.traveller.username)).normal(
        0, 15 / 111_000, (2, len(hours))
    )
    lon = np.interp(hours, known, places[:, 0]) + noise[0]
    lat = np.interp(hours, known, places[:, 1]) + noise[1]
    return [
        {
            "time": (midnight + timedelta(hours=float(hour))).isoformat(),
            "lon": round(float(east), 6),
            "lat": round(float(north), 6),
            "accuracy": 15.0,
        }
        for hour, east, north in zip(hours, lon, lat, strict=True)
    ]


def _seed(text: str) -> int:
    return int.from_bytes(text.encode()[:8], "little")


def plan(story: Story, first_day: date) -> dict[str, Any]:
    """The trip's `PlanInput`."""
    there = story.destination
    return {
        "startsOn": first_day.isoformat(),
        "endsOn": (first_day + timedelta(days=story.days - 1)).isoformat(),
        "legs": [
            {
                "region": there.region,
                "arriveOn": (first_day + timedelta(days=there.first_day)).isoformat(),
                "departOn": (first_day + timedelta(days=there.last_day)).isoformat(),
                "transport": there.transport,
                "lodgingName": there.lodging,
            }
        ],
        "transit": list(story.transit),
    }


def _there_and_back(home: str, away: str, hours: float, days: int) -> tuple[tuple[float, str], ...]:
    last = 24.0 * (days - 1)
    return (
        (5.0, home),
        (8.0, home),
        (8.0 + hours, away),
        (last + 14.0, away),
        (last + 14.0 + hours, home),
        (last + 22.0, home),
    )


STORIES: Final = (
    Story(
        traveller=Traveller("samarinda", "ani", "Ani Lestari", "198503122010012001"),
        purpose="Rapat koordinasi pengendalian inflasi",
        days=3,
        destination=Destination("64.71", 0, 2, "Hotel di Balikpapan"),
        journey=_there_and_back("Samarinda", "Balikpapan", 2.5, 3),
        claim=3,
        outcome="CONFORMS",
    ),
    Story(
        traveller=Traveller("samarinda", "budi", "Budi Prakoso", "197911052006041003"),
        purpose="Konsultasi penyusunan laporan keuangan",
        days=3,
        destination=Destination("64.71", 0, 2, "Hotel di Balikpapan"),
        journey=_there_and_back("Samarinda", "Sangatta", 3.5, 3),
        claim=3,
        outcome="DEVIATES",
        deviations=("WRONG_REGION",),
    ),
    Story(
        traveller=Traveller("samarinda", "citra", "Citra Maharani", "199001172015032002"),
        purpose="Studi tiru layanan perizinan",
        days=3,
        destination=Destination("64.03", 0, 2, "Hotel di Tanjung Redeb", "AIR"),
        journey=(
            (3.0, "Samarinda"),
            (5.0, "Samarinda"),
            (7.5, "Sepinggan"),
            (9.0, "Sepinggan"),
            (10.0, "Berau"),
            (17.0, "Berau"),
            (18.0, "Sepinggan"),
            (18.5, "Sepinggan"),
            (21.0, "Samarinda"),
            (70.0, "Samarinda"),
        ),
        silent=((9.1, 9.9), (17.1, 17.9)),
        transit=("64.71",),
        claim=3,
        outcome="DEVIATES",
        deviations=("EARLY_RETURN", "SHORT_STAY"),
    ),
    Story(
        traveller=Traveller("samarinda", "dewi", "Dewi Anggraini", None),
        purpose="Monitoring kegiatan reses",
        days=2,
        destination=Destination("64.74", 0, 1, "Hotel di Bontang"),
        journey=((5.0, "Samarinda"), (46.0, "Samarinda")),
        claim=2,
        outcome="DEVIATES",
        deviations=("NEVER_LEFT",),
    ),
    Story(
        traveller=Traveller("samarinda", "eko", "Eko Wibowo", "198807232019031004"),
        purpose="Verifikasi lapangan aset daerah",
        days=3,
        destination=Destination("64.07", 0, 2, "Penginapan di Sendawar"),
        journey=_there_and_back("Samarinda", "Sendawar", 8.0, 3),
        silent=((9.5, 75.0),),
        claim=3,
        outcome="UNVERIFIABLE",
        deviations=("LOW_COVERAGE",),
    ),
    Story(
        traveller=Traveller("samarinda", "fitri", "Fitri Handayani", "199405022020122001"),
        purpose="Bimbingan teknis pengadaan",
        days=3,
        destination=Destination("64.01", 0, 2, "Hotel di Tana Paser"),
        journey=_there_and_back("Samarinda", "Tana Paser", 6.0, 2),
        claim=2,
        outcome="CONFORMS",
    ),
    Story(
        traveller=Traveller("balikpapan", "gita", "Gita Permata", "198612142011012003"),
        purpose="Rapat kerja kota se-Kalimantan Timur",
        days=2,
        destination=Destination("64.72", 0, 1, "Hotel di Samarinda"),
        journey=_there_and_back("Balikpapan", "Samarinda", 2.5, 2),
        claim=2,
        outcome="CONFORMS",
    ),
    Story(
        traveller=Traveller("balikpapan", "hadi", "Hadi Nugroho", "197702282003121005"),
        purpose="Koordinasi batas wilayah",
        days=3,
        destination=Destination("64.09", 0, 2, "Penginapan di Penajam"),
        journey=((5.0, "Balikpapan"), (70.0, "Balikpapan")),
        claim=3,
        outcome="DEVIATES",
        deviations=("NEVER_LEFT",),
    ),
    Story(
        traveller=Traveller("balikpapan", "indra", "Indra Gunawan", "199208092018011002"),
        purpose="Kunjungan kerja dinas pariwisata",
        days=3,
        destination=Destination("64.08", 0, 2, "Hotel di Sangatta"),
        journey=_there_and_back("Balikpapan", "Bontang", 5.0, 3),
        claim=3,
        outcome="DEVIATES",
        deviations=("WRONG_REGION",),
    ),
    Story(
        traveller=Traveller("balikpapan", "joko", "Joko Santoso", None),
        purpose="Pendampingan kunjungan DPRD",
        days=2,
        destination=Destination("64.02", 0, 1, "Hotel di Tenggarong"),
        journey=_there_and_back("Balikpapan", "Tenggarong", 3.0, 2),
        silent=((8.5, 50.0),),
        claim=2,
        outcome="UNVERIFIABLE",
        deviations=("LOW_COVERAGE",),
    ),
)
