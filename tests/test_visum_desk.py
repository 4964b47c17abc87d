"""The host's desk: who may confirm what, by which code, and how often; kept by PostgreSQL too."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import psycopg
import pytest
from asking import ask, codes, nothing_changes, nowhere
from asking import sql as asked
from conftest import plan, today
from psycopg import sql
from visa import CODE, INCOMING, by_list, incoming, local, shown, told

from infra.front_end import Refused
from infra.play import until
from tenants import catalogue

BALIKPAPAN = "64.71"
FAR_AHEAD = 400  # days: no other test sends anyone anywhere then
OF_TRIP = sql.SQL("SELECT count(*) FROM {} WHERE trip_id = %s")


def test_each_counts_once(desk, here):
    someone, trip = here
    told(desk, trip)
    now = shown(someone, trip)
    assert ask(desk, "confirmArrival", code=now.code)["state"] == "ARRIVED"
    for field in ("code", "qr"):
        again = ask(desk, "confirmDeparture", **{field: getattr(now, field)})
        assert (again["code"], again["field"]) == ("INVALID_INPUT", field)
    assert incoming(desk, trip)[0]["state"] == "ARRIVED"
    left = ask(desk, "confirmDeparture", qr=shown(someone, trip, 60).qr)
    assert [one["method"] for one in left["visa"]] == ["CODE", "QR"]
    assert left["state"] == "DEPARTED"


@pytest.mark.parametrize("seconds", [-180, 180])
def test_not_long_before_or_after_its_minute(desk, here, seconds):
    someone, trip = here
    told(desk, trip)
    refused = ask(desk, "confirmArrival", code=shown(someone, trip, seconds).code)
    assert refused["code"] == "INVALID_INPUT"


def test_guessing_ends_soon(desk, here, people):
    someone, trip = here
    told(desk, trip)
    right = shown(someone, trip).code
    wrong = [f"{(int(right) + n) % 10**8:08}" for n in range(1, 6)]
    assert (
        codes(*(ask(desk, "confirmArrival", code=code) for code in wrong)) == ["INVALID_INPUT"] * 5
    )
    with nothing_changes("balikpapan"):
        refused = ask(desk, "confirmArrival", code=right)
    assert (refused["code"], refused["minutes"]) == ("TOO_MANY_ATTEMPTS", 5)


def test_a_code_of_one_destination_says_nothing_to_another(people, desk, here):
    someone, trip = here
    told(desk, trip)
    other = people.as_("penerima")
    code = shown(someone, trip)
    for given in ({"code": code.code}, {"qr": code.qr}):
        assert ask(other, "confirmArrival", **given)["code"] == "INVALID_INPUT"
    assert ask(desk, "confirmArrival", qr=code.qr)["state"] == "ARRIVED"


def test_two_at_once_count_once(desk, here, world, people):
    someone, trip = here
    told(desk, trip)
    code = shown(someone, trip).code
    with ThreadPoolExecutor(6) as pool:
        fronts = [people.as_("penerima", "balikpapan"), desk]
        both = list(pool.map(lambda front: ask(front, "confirmArrival", code=code), fronts))
    assert codes(*both) == ["INVALID_INPUT", "IncomingTrip"]


def test_only_the_traveller_is_shown_it(people, here):
    _, trip = here
    for username in ("operator", "kepala", "inspektur", "admin"):
        assert people.as_(username).ask(CODE, trip=trip["id"], leg=None)["visumCode"] is None
    other = people.fresh()
    assert other.front_end.ask(CODE, trip=nowhere(), leg=None)["visumCode"] is None


@pytest.mark.parametrize(
    ("starts", "region"), [(9, BALIKPAPAN), (-9, BALIKPAPAN), (0, "64.03"), (0, "64.72")]
)
def test_none_at_other_times_or_where_nobody_checks(people, issue, starts, region):
    someone = people.fresh()
    trip = issue(someone, plan(starts=starts, region=region))
    asked = someone.front_end.ask(CODE, trip=trip["id"], leg=None)
    assert asked["visumCode"] is None


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"code": "1234567"},
        {"code": "12345678", "qr": "x"},
        {"code": "١٢٣٤٥٦٧٨"},
        {"qr": "JEJAK-VISUM:zz:12345678"},
        {"qr": "https://jahat.example"},
        {"tripId": nowhere()},
        {"leg": 1},
        {"code": "12345678", "at": local(0, 0)},
        {"tripId": nowhere(), "leg": 1, "code": "12345678"},
    ],
)
def test_nonsense_is_no_attempt(desk, given):
    with nothing_changes("balikpapan"):
        assert ask(desk, "confirmArrival", **given)["code"] == "INVALID_INPUT"


def test_another_host_finds_nothing(people, desk, here):
    _, trip = here
    told(desk, trip)
    other = people.as_("penerima")
    assert incoming(other, trip) == []
    for mutation in ("confirmArrival", "confirmDeparture"):
        foreign = ask(other, mutation, tripId=trip["id"], leg=1)
        absent = ask(other, mutation, tripId=nowhere(), leg=1)
        assert foreign == absent
        assert foreign["code"] == "NOT_FOUND"
    assert by_list(desk, "Arrival", trip, leg=2)["code"] == "NOT_FOUND"


@pytest.mark.parametrize("username", ["operator", "kepala", "inspektur", "admin"])
def test_it_is_for_the_desk_alone(people, here, username):
    _, trip = here
    other = people.as_(username, "balikpapan")
    with pytest.raises(Refused, match="NOT_ALLOWED"):
        incoming(other)
    assert by_list(other, "Arrival", trip)["allowed"] == ["HOST_DESK"]
    assert ask(other, "withdrawVisum", id=nowhere(), reason="Salah")["allowed"] == ["HOST_DESK"]


def test_order_of_events(desk, here):
    _, trip = here
    told(desk, trip)
    assert by_list(desk, "Departure", trip)["was"] == "EXPECTED"
    assert by_list(desk, "Arrival", trip, local(-1, 12))["state"] == "ARRIVED"
    assert by_list(desk, "Arrival", trip)["was"] == "ARRIVED"
    assert by_list(desk, "Departure", trip, local(-1, 9))["field"] == "at"
    for day in (-9, 9):
        assert by_list(desk, "Departure", trip, local(day, 9))["field"] == "at"
    assert by_list(desk, "Departure", trip)["state"] == "DEPARTED"
    assert by_list(desk, "Departure", trip)["was"] == "DEPARTED"


def test_states_days_and_pages(people, issue, desk):
    trips = [issue(people.fresh(), plan(starts=FAR_AHEAD)) for _ in range(3)]
    for trip in trips:
        told(desk, trip)
    day = (today() + timedelta(days=FAR_AHEAD + 1)).isoformat()
    on_day = incoming(desk, day=day)
    assert {node["tripId"] for node in on_day} == {trip["id"] for trip in trips}
    assert incoming(desk, day=(today() + timedelta(days=FAR_AHEAD + 3)).isoformat()) == []
    seen, after = [], None
    while True:
        page = desk.ask(INCOMING, day=day, first=1, after=after)["incomingTrips"]
        seen += [node["tripId"] for node in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert seen == [node["tripId"] for node in on_day]
    assert {node["state"] for node in incoming(desk, state="EXPECTED", day=day)} == {"EXPECTED"}
    assert incoming(desk, state="ARRIVED", day=day) == []
    with pytest.raises(Refused, match="INVALID_INPUT"):
        incoming(desk, after="bm8=")


def test_a_name_or_a_letter_is_found(people, issue, desk):
    ours, other = people.fresh(), people.fresh()
    trip = issue(ours, plan(starts=20), number="094/50_%/SPT")
    told(desk, trip)
    told(desk, issue(other, plan(starts=20), number="094/50XX/SPT"))
    for search in (ours.name.upper(), "50_%/spt"):
        assert [node["tripId"] for node in incoming(desk, search=search)] == [trip["id"]]
    assert incoming(desk, search=ours.name, day=today().isoformat()) == []
    assert incoming(desk, search="' OR true --") == []
    with pytest.raises(Refused, match="INVALID_INPUT"):
        incoming(desk, search="\x00")


def test_what_is_long_over_or_leads_nowhere_served_is_told_to_nobody(people, issue):
    told_of = "SELECT count(*) FROM travel_notice WHERE trip_id = CAST(:id AS uuid)"
    for starts, region, count in (
        (-5, BALIKPAPAN, 1),
        (-60, BALIKPAPAN, 0),
        (2, "64.72", 0),
        (2, "64.03", 0),
    ):
        trip = issue(people.fresh(), plan(starts=starts, region=region))
        assert asked(told_of, id=trip["id"])[0][0] == count, (starts, region)


def test_a_trip_called_off_or_led_elsewhere_is_gone(people, issue, operator, desk):
    trips = [issue(people.fresh(), plan(starts=2)) for _ in range(2)]
    for trip in trips:
        told(desk, trip)
    ask(operator, "cancelTrip", id=trips[0]["id"], reason="Batal")
    ask(operator, "reviseTrip", id=trips[1]["id"], plan=plan(2, region="64.03"), reason="Pindah")
    assert until(lambda: not any(incoming(desk, trip) for trip in trips))


def test_a_reader_reads_its_own_rows_only(people, desk, here):
    _, trip = here
    told(desk, trip)
    by_list(desk, "Arrival", trip)
    counts = {}
    for slug in ("samarinda", "balikpapan"):
        with psycopg.connect(catalogue.tenant(slug).province_dsn) as reader:
            counts[slug] = [
                reader.execute(OF_TRIP.format(sql.Identifier(table)), [trip["id"]]).fetchone()[0]
                for table in ("travel_notice", "visum")
            ]
            assert {
                code for (code,) in reader.execute("SELECT destination FROM travel_notice")
            } <= {catalogue.tenant(slug).code}
            assert {code for (code,) in reader.execute("SELECT sender FROM visum")} <= {
                catalogue.tenant(slug).code
            }
    assert counts["balikpapan"] == [1, 0]
    assert counts["samarinda"][0] == 0


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM shared_trip",
        "SELECT * FROM shared_deviation",
        "SELECT * FROM regency",
        "SELECT * FROM member",
        "DELETE FROM visum",
        "UPDATE travel_notice SET destination = '64.72'",
        "INSERT INTO visum SELECT * FROM visum",
        "ALTER TABLE visum DISABLE ROW LEVEL SECURITY",
        "SET ROLE jejak_balikpapan_reader",
        "SET SESSION AUTHORIZATION jejak_balikpapan_reader",
        "SELECT subconninfo FROM pg_subscription",
    ],
)
def test_and_may_do_nothing_else(world, statement):
    dsn = catalogue.tenant("samarinda").province_dsn
    with (
        psycopg.connect(dsn) as reader,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        reader.execute(statement)


@pytest.mark.parametrize("table", ["travel_notice", "visum"])
def test_the_overseers_service_reads_none(world, table):
    with (
        psycopg.connect(catalogue.province().dsn) as overseer,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        overseer.execute(OF_TRIP.format(sql.Identifier(table)), [nowhere()])


def test_only_ciphertext_of_a_key_leaves_the_sender(world, here, desk):
    _, trip = here
    told(desk, trip)
    ((key,),) = asked(
        "SELECT code_key FROM travel_notice WHERE trip_id = CAST(:id AS uuid)", id=trip["id"]
    )
    assert key.startswith("gAAAA")
    assert len(catalogue.decrypt(key)) >= 43
