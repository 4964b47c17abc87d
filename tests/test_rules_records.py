"""What is on record about a trip against what is told of it."""

from datetime import UTC, date, datetime, timedelta
from functools import partial

import pytest

from tests.findings import finding
from tests.tracks import (
    ALLOWANCE,
    CITY,
    HOME,
    HONEST,
    HOTEL,
    IDLE,
    NEXT,
    OFFICE,
    START,
    VILLAGE,
    at,
    claim,
    silence,
    trip,
    walk,
)
from workers.case import (
    Assignment,
    Attendance,
    Companion,
    DeviationKind,
    LawfulPlace,
    Severity,
    Silence,
    SilenceReason,
    Stay,
)

NOTE, LOW, MEDIUM, HIGH = Severity
TO_VILLAGE = (0, OFFICE), (8, OFFICE), (11, VILLAGE), (58, VILLAGE), (61, OFFICE), (72, OFFICE)
ASTRAY = walk(*TO_VILLAGE)


def day(number: int) -> date:
    """A day of the trip, the first is 0."""
    return START + timedelta(days=number)


def severity(found):
    return found and found.severity


class TestOverlap:
    find = staticmethod(partial(finding, DeviationKind.OVERLAP))

    @pytest.mark.parametrize(
        ("claimed", "days", "expected"),
        [
            (3, [(0, 0)], MEDIUM),
            (3, [(2, 5)], MEDIUM),
            (3, [(-3, 0)], MEDIUM),
            (3, [(1, 2)], HIGH),
            (3, [(0, 0), (2, 2)], HIGH),
            (3, [(-5, 9)], HIGH),
            (3, [(3, 5)], None),
            (3, [(-2, -1)], None),
            (2, [(2, 4)], None),
            (0, [(0, 2)], None),
            (None, [(1, 2)], LOW),
            (None, [(1, 1)], LOW),
            (None, [(2, 5)], NOTE),
            (None, [(-3, 0), (2, 5)], NOTE),
            (None, [(-3, 0), (1, 5)], LOW),
            (None, [(3, 5)], None),
            (None, [], None),
        ],
    )
    def test_days_under_another_letter(self, claimed, days, expected):
        others = tuple(
            Assignment(f"090/{i}", "DPRD", day(since), day(until))
            for i, (since, until) in enumerate(days)
        )
        found = self.find(
            trip(CITY),
            HONEST,
            claim=None if claimed is None else claim(claimed),
            assignments=others,
        )
        assert severity(found) is expected

    def test_it_names_the_letter_its_office_the_days_and_what_was_claimed_twice(self):
        other = Assignment("090/7/DPRD", "Sekretariat DPRD", day(1), day(4))
        found = self.find(trip(CITY), HONEST, claim=claim(3), assignments=(other,))
        assert found.amount == 2 * ALLOWANCE
        assert (found.started_at, found.ended_at) == (at(24), at(72))
        assert found.message_id == (
            "2 hari perjalanan ini juga tercatat pada surat 090/7/DPRD dari Sekretariat DPRD "
            "(25 Nov 2026 s.d. 28 Nov 2026); diklaim dua kali, Rp860.000."
        )
        assert found.message_en == (
            "2 days of this trip also on record under letter 090/7/DPRD of Sekretariat DPRD "
            "(25 Nov 2026 to 28 Nov 2026); claimed twice, Rp860.000."
        )

    def test_a_day_in_two_other_letters_is_counted_once(self):
        others = tuple(Assignment(str(i), "DPRD", day(1), day(1)) for i in range(2))
        found = self.find(trip(CITY), HONEST, claim=claim(3), assignments=others)
        assert found.amount == ALLOWANCE

    def test_a_trip_finished_early_leaves_its_days_to_the_next(self):
        other = Assignment("090/8", "DPRD", day(2), day(4))
        assert self.find(trip(CITY), HONEST, assignments=(other,)).severity is NOTE
        assert self.find(trip(CITY, finished=40), HONEST, assignments=(other,)) is None


class TestGroupHeadcount:
    find = staticmethod(partial(finding, DeviationKind.GROUP_HEADCOUNT))
    there = Companion((Stay(CITY, at(10), at(58), 500),))
    unseen = Companion(())

    @pytest.mark.parametrize(
        ("track", "expected"),
        [
            (IDLE, MEDIUM),
            (ASTRAY, MEDIUM),
            (HONEST, None),
            (silence(), None),
            # A silence from morning to afternoon could hide a visit, in the evening it could not.
            (walk(*TO_VILLAGE, silent=[(32, 42)]), None),
            (walk(*TO_VILLAGE, silent=[(44, 54)]), MEDIUM),
            (walk((0, OFFICE), (40, OFFICE)), None),
            # Within the tolerance of the border he may have been at the destination.
            (walk((0, OFFICE), (10, OFFICE), (11, (117.25, -0.495)), (72, (117.25, -0.495))), None),
            # There only while no companion was, which is having been there.
            (walk((0, OFFICE), (60, OFFICE), (62, HOTEL), (72, HOTEL)), None),
        ],
    )
    def test_only_who_is_proven_elsewhere_is_missing(self, track, expected):
        found = self.find(trip(CITY), track, companions=(self.there, self.unseen))
        assert severity(found) is expected

    def test_it_counts_who_was_sent_and_who_was_seen(self):
        found = self.find(trip(CITY), IDLE, companions=(self.there, self.unseen))
        assert (found.leg, found.region, found.planned_region) == (1, HOME, CITY)
        assert (found.started_at, found.ended_at) == (at(10), at(58))
        assert found.evidence
        assert found.message_id.startswith("3 ditugaskan, 1 terlihat di tujuan: yang ini berada ")
        assert found.message_en.startswith("3 were sent, 1 seen at the destination: this one was ")

    @pytest.mark.parametrize(
        ("plan", "companion"),
        [
            (trip(CITY), unseen),
            (trip(CITY), Companion((Stay(NEXT, at(10), at(58), 500),))),
            (trip(CITY), Companion((Stay(CITY, at(80), at(90), 500),))),
            (trip(HOME), Companion((Stay(HOME, at(10), at(58), 500),))),
            (trip(CITY, HOME), there),
            (trip(CITY, lawful=[LawfulPlace(HOME, START, day(2))]), there),
        ],
    )
    def test_without_a_companion_at_a_destination_away_from_home_nobody_is_missing(
        self, plan, companion
    ):
        assert self.find(plan, IDLE, companions=(companion,)) is None

    def test_while_the_trip_goes_on_he_may_still_follow(self):
        assert self.find(trip(CITY, days=5), IDLE, hour=30, companions=(self.there,)) is None


def present(start: float, end: float | None = None) -> Attendance:
    return Attendance(at(start), at(start if end is None else end))


class TestAttendanceConflict:
    find = staticmethod(partial(finding, DeviationKind.ATTENDANCE_CONFLICT))
    home_until_third_day = walk((0, OFFICE), (56, OFFICE), (58, HOTEL), (96, HOTEL))
    back_on_second_day = walk(
        (0, OFFICE), (8, OFFICE), (10, HOTEL), (25, HOTEL), (27, OFFICE), (96, OFFICE)
    )
    home_in_between = walk(
        (0, OFFICE), (8, OFFICE), (10, HOTEL), (25, HOTEL), (27, OFFICE),
        (50, OFFICE), (52, HOTEL), (96, HOTEL),
    )  # fmt: skip
    there = walk((0, OFFICE), (8, OFFICE), (10, HOTEL), (90, HOTEL), (92, OFFICE), (96, OFFICE))

    @pytest.mark.parametrize(
        ("track", "claimed", "records", "expected"),
        [
            # Clocking in before leaving and after returning.
            (there, 4, [present(7.5)], None),
            (there, 4, [present(7, 10.5)], None),
            (there, 4, [present(93)], None),
            (there, 4, [present(7.5), present(93, 95)], None),
            (there, 4, [present(7, 16)], NOTE),
            (there, 4, [present(7), present(16)], NOTE),
            # Clocked in on the first day, clocked out after returning.
            (there, 4, [present(7.5, 93)], None),
            # Before and after the trip.
            (there, 4, [present(-17, -8), present(103, 112)], None),
            (there, 4, [present(31, 40)], LOW),
            (there, 4, [present(31)], LOW),
            (there, 4, [present(31), present(39)], LOW),
            (there, 4, [present(31), present(55)], MEDIUM),
            # Whose track is elsewhere did not clock in himself, claimed or not.
            (there, None, [present(31)], LOW),
            (there, 3, [present(31)], LOW),
            # Home again between two visits.
            (home_in_between, None, [present(32)], LOW),
            (home_in_between, None, [present(34), present(47)], LOW),
            # Left later or returned earlier: a note unless those days are claimed.
            (home_until_third_day, None, [present(31), present(55)], NOTE),
            (home_until_third_day, 4, [present(31), present(55)], MEDIUM),
            (home_until_third_day, 3, [present(31), present(55)], LOW),
            (home_until_third_day, 2, [present(31), present(55)], NOTE),
            (back_on_second_day, None, [present(31, 40), present(55, 64)], NOTE),
            (back_on_second_day, 2, [present(31, 40), present(55, 64)], NOTE),
            (back_on_second_day, 4, [present(31, 40), present(55, 64)], MEDIUM),
            # The track says nothing.
            (silence(), None, [present(31, 40)], NOTE),
            (silence(), 4, [present(31, 40)], LOW),
            (there, 4, [], None),
        ],
    )
    def test_attendance_on_days_of_the_trip(self, track, claimed, records, expected):
        found = self.find(
            trip(CITY, days=4),
            track,
            claim=None if claimed is None else claim(claimed),
            attendance=tuple(records),
        )
        assert severity(found) is expected

    def test_it_says_when_somebody_else_must_have_clocked_in(self):
        found = self.find(trip(CITY, days=4), self.there, attendance=(present(31, 40),))
        assert found.message_id == (
            "Presensi di kantor asal pada 1 hari perjalanan, antara Rab 25 Nov 2026 07.00 WITA dan "
            "Rab 25 Nov 2026 16.00 WITA; saat itu jejak pasti di luar Kota Samarinda: mungkin "
            "orang lain yang mengisi presensi."
        )
        # Between two fixes, and before he is seen anywhere else.
        found = self.find(trip(CITY, days=4), self.there, attendance=(present(31.97),))
        assert "orang lain" in found.message_id
        found = self.find(trip(CITY, days=4), self.there, hour=31.5, attendance=(present(31),))
        assert found.severity is LOW
        found = self.find(trip(CITY, days=4), self.home_in_between, attendance=(present(31, 40),))
        assert "orang lain" not in found.message_id
        assert "somebody" not in found.message_en

    def test_a_lawful_day_at_home_is_no_conflict(self):
        plan = trip(CITY, days=4, lawful=[LawfulPlace(HOME, day(1), day(1))])
        assert self.find(plan, IDLE, claim=claim(4), attendance=(present(31),)) is None

    def test_a_duty_within_the_home_region_is_no_conflict(self):
        assert self.find(trip(HOME, days=4), IDLE, attendance=(present(31),)) is None

    def test_while_he_may_still_leave_attendance_is_only_noted(self):
        found = self.find(trip(CITY, days=4), IDLE, hour=40, attendance=(present(31),))
        assert found.severity is NOTE


class TestLowCoverage:
    find = staticmethod(partial(finding, DeviationKind.LOW_COVERAGE))
    sparse = walk((0, OFFICE), (8, OFFICE), (10, HOTEL), (72, HOTEL), silent=[(11, 61)])

    def test_it_is_a_note_once_the_trip_is_over(self):
        assert self.find(trip(CITY), self.sparse).severity is NOTE
        assert self.find(trip(CITY), silence()).severity is NOTE
        assert self.find(trip(CITY), self.sparse, hour=60) is None
        assert self.find(trip(CITY), HONEST) is None

    def test_it_tells_the_reasons_of_silence_apart(self):
        told = (
            Silence(at(11), at(50), SilenceReason.NO_NETWORK),
            Silence(at(66), at(72), SilenceReason.NO_POWER),
        )
        track = walk((0, OFFICE), (8, OFFICE), (10, HOTEL), (66, HOTEL), silent=[(11, 61)])
        found = self.find(trip(CITY), track, silences=told)
        assert found.message_id == (
            "Jejak mencakup 22% waktu perjalanan; tanpa jejak: 6 jam ponsel mati, "
            "50 jam tanpa jaringan."
        )
        assert found.message_en == (
            "The track covers 22% of the trip; silent for 6 h without power, 50 h without network."
        )
        assert "72 h unexplained" in self.find(trip(CITY), silence()).message_en

    def test_who_pauses_does_not_show_that_she_stood_still(self):
        silent = [(11, 24), (25, 38), (40, 53)]
        track = walk((0, OFFICE), (8, OFFICE), (10, HOTEL), (72, HOTEL), silent=silent)

        def told(hours, reason=SilenceReason.PAUSED):
            pauses = tuple(Silence(at(since), at(since + hours), reason) for since, _ in silent)
            return self.find(trip(CITY), track, silences=pauses)

        assert self.find(trip(CITY), track) is None
        assert told(13, SilenceReason.NO_POWER) is None
        assert told(13).message_en.endswith("silent for 39 h paused.")
        assert told(1) is None, "an hour hides nothing that a silence as long does not hide"


class TestReportLate:
    find = staticmethod(partial(finding, DeviationKind.REPORT_LATE))

    # A trip of three days from Tuesday 24 November 2026 ends on a Thursday.
    @pytest.mark.parametrize(
        ("days", "finished", "filed", "late"),
        [
            (3, None, date(2026, 11, 26), None),
            (3, None, date(2026, 12, 3), None),
            (3, None, date(2026, 12, 4), 1),
            (3, None, date(2026, 12, 7), 2),
            # Due on a Friday, filed at the weekend: in time for the next working day.
            (4, None, date(2026, 12, 4), None),
            (4, None, date(2026, 12, 6), None),
            (4, None, date(2026, 12, 7), 1),
            # Finished a day early.
            (4, 70, date(2026, 12, 3), None),
            (4, 70, date(2026, 12, 4), 1),
            # Ends on Friday 18 December: Christmas Eve is shared leave, Christmas Day a holiday.
            (25, None, date(2026, 12, 29), None),
            (25, None, date(2026, 12, 30), 1),
            # Ends on Monday 28 December: New Year's Day and Isra' Mi'raj, 5 January, are holidays.
            (35, None, date(2027, 1, 6), None),
            (35, None, date(2027, 1, 7), 1),
        ],
    )
    def test_working_days_with_the_holidays_of_indonesia(self, days, finished, filed, late):
        plan = trip(CITY, days=days, finished=finished)
        found = self.find(plan, HONEST, hour=2000, reported_on=filed)
        assert severity(found) is (late and NOTE)
        if late:
            assert f"{late} hari kerja terlambat" in found.message_id
            assert found.ended_at == datetime(filed.year, filed.month, filed.day, 16, tzinfo=UTC)

    def test_one_that_has_not_come_is_late_once_its_day_is_over(self):
        due = 24 * 10  # Thursday 3 December ends
        assert self.find(trip(CITY), HONEST, hour=due - 0.01) is None
        late = self.find(trip(CITY), HONEST, hour=due)
        assert late.severity is NOTE
        assert late.message_id == "Laporan jatuh tempo 3 Des 2026, belum masuk."
        assert late.message_en == "The report was due by 3 Dec 2026, not filed yet."
        assert self.find(trip(CITY), HONEST, hour=due + 500) == late
