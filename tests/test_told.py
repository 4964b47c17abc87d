"""What the evaluator is told besides positions, from the mutation to the verdict."""

from datetime import UTC, datetime, time, timedelta

from conftest import BALIKPAPAN, SAMARINDA, fixes_at, plan, today, verdict

AAP = (117.251, -0.376)
BETWEEN_AIRPORTS = (117.0, -0.9)
BEYOND = (116.845, -1.23)
RECORD = """
mutation ($trip: UUID!, $fixes: [FixInput!]!, $silences: [SilenceInput!]!) {
  recordTrack(tripId: $trip, fixes: $fixes, silences: $silences) {
    ... on TrackReceipt { accepted silences } ... on Problem { code message }
  }
}"""
TOLD = """
query ($trip: UUID!) {
  trip(id: $trip) {
    reportedOn
    flights { number origin destination }
    timeline {
      date planned state knownSeconds
      seen { regionCode startedAt endedAt } unknown { startedAt endedAt reason }
    }
    deviations { kind severity message refutedBy refutedByEn ruleset amount }
  }
}"""
ATTENDANCE = """
mutation ($member: UUID!, $from: DateTime!, $until: DateTime!) {
  recordAttendance(
    source: "Presensi BKPSDM"
    entries: [{ memberId: $member, startedAt: $from, endedAt: $until }]
  ) { ... on RecordReceipt { recorded known } ... on Problem { code } }
}"""
ELSEWHERE = """
mutation ($member: UUID!, $from: Date!, $until: Date!) {
  recordOutsideAssignment(
    source: "Surat temuan" memberId: $member number: "ST/LUAR/1" office: "Dinas Lain"
    startsOn: $from endsOn: $until
  ) { ... on RecordReceipt { recorded known } ... on Problem { code } }
}"""
REPORT = """
mutation ($trip: UUID!) {
  fileReport(id: $trip) { ... on Trip { reportedOn } ... on Problem { code } }
}"""


def send(someone, trip, fixes, silences=()):
    sent = {"trip": trip, "fixes": fixes, "silences": list(silences)}
    return someone.front_end.ask(RECORD, **sent)["recordTrack"]


def stayed(someone, trip, first, where=BALIKPAPAN, days=3, **changes):
    for day in range(days):
        fixes = [fix | changes for fix in fixes_at(where, first, 24 * day + 5, 24 * day + 22)]
        assert send(someone, trip, fixes)["accepted"] == len(fixes)


def told(people, trip):
    verdict(people.as_("inspektur"), trip)
    return people.as_("inspektur").ask(TOLD, trip=trip)["trip"]


def kinds(shown):
    return {found["kind"]: found for found in shown["deviations"]}


def at(day, hour):
    return (datetime.combine(day, time(), UTC) + timedelta(hours=hour - 8)).isoformat()


def test_simulated_positions_are_a_deviation_with_its_refutation(people, issue):
    someone = people.fresh()
    trip = issue(someone, plan())["id"]
    stayed(someone, trip, today() - timedelta(days=5), mock=True, battery=0.8)
    found = kinds(told(people, trip))["MOCK_FLAG"]
    assert found["severity"] == "MEDIUM"
    assert found["ruleset"] == 1
    assert found["refutedBy"] != found["refutedByEn"] != ""


def test_a_phone_that_does_not_know_whether_it_was_deceived(people, issue):
    someone = people.fresh()
    first = today() - timedelta(days=5)
    trip = issue(someone, plan())["id"]
    stayed(someone, trip, first, mock=None, battery=None)
    assert "MOCK_FLAG" not in kinds(told(people, trip))
    # The same upload by a phone that says no is no other upload.
    fixes = [fix | {"mock": False} for fix in fixes_at(BALIKPAPAN, first, 5, 22)]
    assert send(someone, trip, fixes)["accepted"] == 0


def test_of_a_group_who_was_elsewhere_is_found_and_who_is_not_known_is_not(people, issue):
    first = today() - timedelta(days=5)
    there, home, silent = (people.fresh() for _ in range(3))
    there_on, home_on, silent_on = (
        issue(who, plan(), number="UJI/ROMBONGAN")["id"] for who in (there, home, silent)
    )
    stayed(home, home_on, first, SAMARINDA)
    send(silent, silent_on, fixes_at(SAMARINDA, first, 5, 7))
    assert "GROUP_HEADCOUNT" not in kinds(told(people, home_on))
    stayed(there, there_on, first)
    assert "GROUP_HEADCOUNT" not in kinds(told(people, there_on))
    found = kinds(told(people, home_on))["GROUP_HEADCOUNT"]
    assert found["severity"] == "MEDIUM"
    assert found["message"].startswith("3 ditugaskan, 1 terlihat di tujuan")
    assert "GROUP_HEADCOUNT" not in kinds(told(people, silent_on))


def flight_on(day):
    return {
        "number": "XY 100",
        "origin": "AAP",
        "destination": "BPN",
        "departsAt": at(day, 9),
        "arrivesAt": at(day, 10.5),
    }


def test_a_flight_is_not_taken_by_who_stays_on_the_ground(people, issue):
    first = today() - timedelta(days=5)
    stayer, flyer = people.fresh(), people.fresh()
    stayer_on, flyer_on = (
        issue(who, plan(flights=[flight_on(first)]))["id"] for who in (stayer, flyer)
    )
    stayed(stayer, stayer_on, first, BETWEEN_AIRPORTS)
    found = kinds(told(people, stayer_on))["FLIGHT_MISMATCH"]
    assert found["severity"] == "MEDIUM"
    assert "XY 100" in found["message"]
    send(flyer, flyer_on, fixes_at(AAP, first, 5, 9))
    send(flyer, flyer_on, fixes_at(BALIKPAPAN, first, 10.75, 22))
    shown = told(people, flyer_on)
    assert [flight["number"] for flight in shown["flights"]] == ["XY 100"]
    assert "FLIGHT_MISMATCH" not in kinds(shown)


def test_two_phones_that_never_part_by_day_or_night(people, issue):
    first = today() - timedelta(days=40)
    one, other, third = (people.fresh() for _ in range(3))
    trips = [issue(who, plan(-40)) for who in (one, other, third)]
    bag = [fixes_at(BALIKPAPAN, first, hour, hour + 23.9, 5) for hour in (8, 32)]
    # Sleeps in the same room and works elsewhere.
    parted = [
        fixes_at(BALIKPAPAN, first, 8, 17, 5),
        fixes_at(BALIKPAPAN, first, 17.1, 30, 5),
        fixes_at(BEYOND, first, 30.1, 42, 5),
        fixes_at(BALIKPAPAN, first, 42.1, 55, 5),
    ]
    # Phones side by side do not agree to the metre.
    beside = [[fix | {"lon": fix["lon"] + 1e-4} for fix in fixes] for fixes in bag]
    for who, trip, uploads in zip((one, other, third), trips, (bag, beside, parted), strict=True):
        for fixes in uploads:
            assert send(who, trip["id"], fixes)["accepted"] == len(fixes)
        told(people, trip["id"])
    (first_found, second_found, of_third) = (kinds(told(people, trip["id"])) for trip in trips)
    assert trips[1]["letter"]["number"] in first_found["CARRIED_PHONE"]["message"]
    assert trips[0]["letter"]["number"] in second_found["CARRIED_PHONE"]["message"]
    assert first_found["CARRIED_PHONE"]["severity"] == "LOW"
    assert "CARRIED_PHONE" not in of_third


def test_a_silence_the_phone_explains_is_told_day_by_day(people, issue):
    someone = people.fresh()
    first = today() - timedelta(days=5)
    trip = issue(someone, plan())["id"]
    silence = {"startedAt": at(first, 22), "endedAt": at(first, 72), "reason": "NO_POWER"}
    receipt = send(someone, trip, fixes_at(BALIKPAPAN, first, 5, 22), [silence])
    assert receipt["silences"] == 1
    assert send(someone, trip, [], [silence])["silences"] == 0
    shown = told(people, trip)
    assert [day["planned"] for day in shown["timeline"]] == [["64.71"]] * 3
    assert [seen["regionCode"] for seen in shown["timeline"][0]["seen"]] == ["64.71"]
    assert [gap["reason"] for gap in shown["timeline"][1]["unknown"]] == ["NO_POWER"]
    assert shown["timeline"][2]["knownSeconds"] == 0
    assert kinds(shown)["LOW_COVERAGE"]["severity"] == "NOTE"


def test_before_any_verdict_the_timeline_is_the_plan(people, issue):
    trip = issue(people.fresh(), plan(starts=300))["id"]
    days = people.as_("inspektur").ask(TOLD, trip=trip)["trip"]["timeline"]
    assert [(day["state"], day["seen"], day["unknown"]) for day in days] == [
        ("UNKNOWN", [], [])
    ] * 3


def test_attendance_at_home_on_a_travel_day(people, issue):
    someone = people.fresh()
    first = today() - timedelta(days=5)
    trip = issue(someone, plan())["id"]
    stayed(someone, trip, first)
    middle = first + timedelta(days=1)
    given = {"member": someone.id, "from": at(middle, 7.5), "until": at(middle, 16)}
    inspector = people.as_("inspektur")
    assert inspector.ask(ATTENDANCE, **given)["recordAttendance"] == {"recorded": 1, "known": 0}
    assert inspector.ask(ATTENDANCE, **given)["recordAttendance"] == {"recorded": 0, "known": 1}
    assert "ATTENDANCE_CONFLICT" in kinds(told(people, trip))
    refused = someone.front_end.ask(ATTENDANCE, **given)["recordAttendance"]
    assert refused == {"code": "NOT_ALLOWED"}


def test_days_claimed_under_another_letter_as_well(people, issue):
    someone = people.fresh()
    first = today() - timedelta(days=5)
    trip = issue(someone, plan())["id"]
    stayed(someone, trip, first)
    given = {"member": someone.id, "from": str(first), "until": str(first)}
    recorded = people.as_("inspektur").ask(ELSEWHERE, **given)["recordOutsideAssignment"]
    assert recorded == {"recorded": 1, "known": 0}
    assert "ST/LUAR/1" in kinds(told(people, trip))["OVERLAP"]["message"]


def test_a_report_is_filed_once(people, issue):
    someone = people.fresh()
    trip = issue(someone, plan())["id"]
    stayed(someone, trip, today() - timedelta(days=5))
    filed = someone.front_end.ask(REPORT, trip=trip)["fileReport"]
    assert filed["reportedOn"]
    assert someone.front_end.ask(REPORT, trip=trip)["fileReport"] == {"code": "INVALID_INPUT"}
    assert told(people, trip)["reportedOn"] == filed["reportedOn"]


def test_a_copied_track_is_found_under_another_traveller(people, issue):
    first = today() - timedelta(days=5)
    one, other = people.fresh(), people.fresh()
    road = [
        {
            "time": at(first, 8 + minute / 60),
            "lon": round(SAMARINDA[0] - minute * 0.00117 + (minute * 7 % 11) * 1e-4, 6),
            "lat": round(SAMARINDA[1] - minute * 0.003 + (minute * 5 % 13) * 1e-4, 6),
            "accuracy": 12,
        }
        for minute in range(240)
    ]
    for who in (one, other):
        trip = issue(who, plan())["id"]
        assert send(who, trip, road)["accepted"] == len(road)
        found = kinds(told(people, trip))
    assert found["COPIED_TRACK"]["severity"] == "HIGH"
