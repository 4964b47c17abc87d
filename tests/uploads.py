"""What the tests of uploads share: a traveller, her phone, a trip to record."""

from datetime import date, datetime, time, timedelta

from asking import (
    sql,
)
from conftest import BALIKPAPAN, ZONE

FAR_AWAY = (116.1234567, -0.7654321)
TRACK = """
query ($trip: UUID!) {
  trip(id: $trip) { state startedAt
    track { fixCount startedAt endedAt geojson polyline } }
}"""


def midnight(day: str) -> datetime:
    return datetime.combine(date.fromisoformat(day), time(), ZONE)


def fixes(trip: dict, number: int, place=BALIKPAPAN, **fields) -> list[dict]:
    """So many fixes from eight o'clock of the first day, a minute apart."""
    eight = midnight(trip["startsOn"]) + timedelta(hours=8)
    return [
        {
            "time": (eight + timedelta(minutes=minute)).isoformat(),
            "lon": place[0] + minute % 7 * 1e-5,
            "lat": place[1] + minute % 5 * 1e-5,
            "accuracy": 12.5,
        }
        | fields
        for minute in range(number)
    ]


def fix(at: datetime | str, **fields) -> dict:
    shown = at if isinstance(at, str) else at.isoformat()
    return {"time": shown, "lon": FAR_AWAY[0], "lat": FAR_AWAY[1]} | fields


def seconds(each: dict) -> float:
    return datetime.fromisoformat(each["time"]).timestamp()


def track(viewer, trip: dict) -> dict | None:
    return viewer.ask(TRACK, trip=trip["id"])["trip"]["track"]


def stored(trip: dict) -> list:
    return sql(
        "SELECT device, digest, link, arrival, accuracy, speed, started_at, ended_at,"
        " ST_AsEWKB(path, 'NDR') AS path FROM track_chunk"
        " WHERE trip_id = CAST(:id AS uuid) ORDER BY arrival",
        id=trip["id"],
    )


def receipt(accepted: int, duplicates: int = 0, outside: int = 0) -> dict:
    return {
        "__typename": "TrackReceipt",
        "accepted": accepted,
        "duplicates": duplicates,
        "outsideWindow": outside,
    }
