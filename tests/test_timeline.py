"""A trip day by day, of what a verdict keeps."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta

from graphql_api.enums import DayState, SilenceReason
from graphql_api.timeline import timeline_of
from tenants.evidence import VerdictRecord
from tenants.models import Leg, Trip

FIRST = date(2026, 11, 2)
ZONE = "Asia/Makassar"


class Read(dict):
    """Counts how often each of its values is read."""

    def __init__(self, **values):
        super().__init__(values)
        self.reads = Counter()

    def __getitem__(self, key):
        self.reads[key] += 1
        return super().__getitem__(key)


def time(hour):
    """An ISO time of an hour, counted from the first midnight in the zone."""
    midnight = datetime(2026, 11, 1, 16, tzinfo=UTC)
    return (midnight + timedelta(hours=hour)).isoformat()


def days_of(days, stays=(), gaps=(), legs=()):
    detail = {
        "days": [{"date": "2026-11-02", "state": "AWAY", "known_seconds": 60.0}],
        "stays": list(stays),
        "gaps": list(gaps),
    }
    trip = Trip(starts_on=FIRST, ends_on=FIRST + timedelta(days=days - 1))
    return timeline_of(trip, legs, VerdictRecord(detail=detail), ZONE)


def test_times_are_cut_at_midnight_where_the_day_is_spent():
    west = Leg(region_code="31.71", zone="Asia/Jakarta", arrive_on=FIRST, depart_on=FIRST)
    stay = {"region": "31.71", "started_at": time(10), "ended_at": time(30)}
    gap = {"started_at": time(30), "ended_at": time(40), "reason": "NO_POWER"}
    one, two = days_of(2, [stay], [gap], [west])
    assert [one.planned, two.planned] == [["31.71"], []]
    assert (one.state, one.known_seconds) == (DayState.AWAY, 60)
    assert (two.state, two.known_seconds) == (DayState.UNKNOWN, 0)
    spans = [
        [(s.started_at.isoformat(), s.ended_at.isoformat()) for s in d.seen] for d in (one, two)
    ]
    # The first day ends at midnight in Jakarta, the second began at that of Makassar.
    assert spans == [[(time(10), time(25))], [(time(24), time(30))]]
    assert one.unknown == []
    assert [gap.reason for gap in two.unknown] == [SilenceReason.NO_POWER]


def test_each_time_is_parsed_once_however_many_days_there_are():
    stays = [
        Read(region="64.71", started_at=time(24 * day), ended_at=time(24 * day + 20))
        for day in range(30)
    ]
    gaps = [Read(started_at=time(24 * day + 20), ended_at=time(24 * day + 24)) for day in range(30)]
    days = days_of(30, stays, gaps)
    assert [(len(day.seen), len(day.unknown)) for day in days] == [(1, 1)] * 30
    for one in (*stays, *gaps):
        assert one.reads["started_at"] == one.reads["ended_at"] == 1
