"""How the black-box tests ask for changes, and how they look at what the database holds."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from time import monotonic, sleep
from typing import Any

from sqlalchemy import text

from infra.front_end import FrontEnd
from tenants import catalogue

PROBLEMS = {
    "Problem": "code message messageEn",
    "NotAllowed": "allowed: roles",
    "InvalidInput": "field",
    "WrongState": "was: currentState",
}
TRIP = """
    ... on Trip { id state revision startsOn endsOn spdNumber transit startedAt finishedAt
      claimedDays reportedOn
      flights { number origin destination departsAt arrivesAt }
      letter { id number dated purpose signedById }
      traveller { id name }
      legs { position regionCode zone arriveOn departOn transport lodgingName
             lodgingLon lodgingLat }
      lawfulPlaces { regionCode kind fromOn untilOn } }
"""
PLAN_PROBLEM = """
    ... on OverlappingTrip { tripId letterNumber startsOn endsOn }
    ... on UnknownRegion { region }
"""
TRIP_PROBLEM = f"{PLAN_PROBLEM} ... on PlanIsJudged {{ deviations }}"
DEVIATION = """
    ... on Deviation { id state replies { memberId body } rulings { memberId upheld reason }
      recoveries { id amount paidOn receipt memberName } }
"""
MEMBER = "... on Member { id name nip position roles office { id name } }"
CHANGED = """
    ... on Member { id name position roles endedAt office { id }
      revisions { change reason roles position office { id } memberName } }
    ... on LastAdmin { code }
"""
OFFICE = "... on Office { id name kind parentId }"
RECEIPT = """
    ... on TrackReceipt { accepted duplicates outsideWindow }
    ... on InvalidFix { index }
    ... on TooManyFixes { limit given }
"""
RECORDED = "... on RecordReceipt { recorded known }"
DEVICE = "id name client pairedAt revokedAt lastSeenAt member { id name } trip { id }"
PAIRING = f"""
    ... on Pairing {{ device {{ {DEVICE} }} link qr url username token passphrase
      instructions instructionsEn }}
    ... on TooManyDevices {{ limit }}
"""
ESCALATION = """
    ... on Escalation { id state question askedAt closedAt note deviation { id }
      answers { id memberId body answeredAt } }
"""
PAUSE = "... on Pause { id startedAt endsAt reason }"
INCOMING = """
    ... on IncomingTrip { tripId leg senderCode senderName letterNumber traveller position office
      arriveOn departOn state visa { id leg event method happenedAt confirmedAt withdrawnAt } }
    ... on TooManyAttempts { minutes }
"""
SHOWN = {"tripId": "UUID", "leg": "Int", "qr": "String", "code": "String", "at": "DateTime"}
AGREEMENT = """
    ... on SharingAgreement { id number validFrom validUntil level severity travellers
      declaredBy withdrawnAt withdrawnBy withdrawalReason }
"""
RULESET = """
    ... on Ruleset { version validFrom validUntil legalBasis inForce
      rules { kind enabled legalBasis validFrom validUntil
        parameters { name value standard unit least most whole meaning } } }
"""
ALLOWANCE = "... on DailyAllowance { id provinceCode amount validFrom validUntil legalBasis }"
PROPOSAL = """
    ... on TripProposal { id state letterNumber dated purpose signedById spdNumber reason
      issuedTripId
      proposedByName decidedByName traveller { id name }
      plan { startsOn endsOn transit
        legs { position regionCode zone arriveOn departOn transport lodgingName lodgingLon
          lodgingLat }
        flights { number origin destination departsAt arrivesAt }
        lawfulPlaces { regionCode kind fromOn untilOn } } }
"""
STATELESS = {"inviteMember", "addOffice", "recordAttendance", "recordOutsideAssignment"}
UNMET = {
    "recordTrack": {"NotAllowed"},
    "checkIn": {"NotAllowed"},
    "revokeDevice": {"NotAllowed", "InvalidInput", "WrongState"},
    "requestPosition": {"NotAllowed"},
    "declareSharingAgreement": {"WrongState"},
    "addRuleset": {"WrongState"},
    "addDailyAllowance": {"WrongState"},
    "endDailyAllowance": {"WrongState"},
    "withdrawSharingAgreement": {"WrongState"},
    "proposeTrip": {"WrongState"},
    "withdrawProposal": {"InvalidInput"},
} | {name: {"WrongState"} for name in STATELESS}
"""The problems that a mutation cannot meet."""
MUTATIONS = {
    "issueTrip": (
        {"letter": "LetterInput!", "travellerId": "UUID!", "plan": "PlanInput!"}
        | {"spdNumber": "String"},
        TRIP + TRIP_PROBLEM,
    ),
    "proposeTrip": (
        {"letter": "LetterInput!", "travellerId": "UUID!", "plan": "PlanInput!"}
        | {"spdNumber": "String"},
        PROPOSAL + PLAN_PROBLEM,
    ),
    "approveProposal": ({"id": "UUID!"}, PROPOSAL + PLAN_PROBLEM),
    "returnProposal": ({"id": "UUID!", "reason": "String!"}, PROPOSAL),
    "withdrawProposal": ({"id": "UUID!"}, PROPOSAL),
    "reviseTrip": ({"id": "UUID!", "plan": "PlanInput!", "reason": "String!"}, TRIP + TRIP_PROBLEM),
    "extendTrip": ({"id": "UUID!", "endsOn": "Date!", "reason": "String!"}, TRIP + TRIP_PROBLEM),
    "cancelTrip": ({"id": "UUID!", "reason": "String!"}, TRIP + TRIP_PROBLEM),
    "startTrip": ({"id": "UUID!"}, TRIP + TRIP_PROBLEM),
    "finishTrip": ({"id": "UUID!", "finishedAt": "DateTime"}, TRIP + TRIP_PROBLEM),
    "claimTrip": ({"id": "UUID!", "days": "Int!"}, TRIP + TRIP_PROBLEM),
    "fileReport": ({"id": "UUID!", "filedOn": "Date"}, TRIP + TRIP_PROBLEM),
    "recordTrack": (
        {"tripId": "UUID!", "fixes": "[FixInput!]!", "device": "String!"}
        | {"silences": "[SilenceInput!]"},
        RECEIPT,
    ),
    "recordAttendance": ({"source": "String!", "entries": "[AttendanceInput!]!"}, RECORDED),
    "recordOutsideAssignment": (
        {"source": "String!", "memberId": "UUID!", "number": "String!", "office": "String!"}
        | {"startsOn": "Date!", "endsOn": "Date!"},
        RECORDED,
    ),
    "replyToDeviation": ({"id": "UUID!", "body": "String!"}, DEVIATION),
    "ruleOnDeviation": ({"id": "UUID!", "upheld": "Boolean!", "reason": "String!"}, DEVIATION),
    "answerEscalation": ({"id": "UUID!", "body": "String!"}, ESCALATION),
    "inviteMember": ({"invitation": "InvitationInput!"}, MEMBER),
    "addOffice": ({"name": "String!", "kind": "OfficeKind!", "parentId": "UUID"}, OFFICE),
    "pairDevice": (
        {"client": "PhoneClient!", "name": "String!", "tripId": "UUID", "memberId": "UUID"},
        PAIRING,
    ),
    "revokeDevice": ({"id": "UUID!"}, f"... on Device {{ {DEVICE} }}"),
    "requestPosition": ({"deviceId": "UUID!"}, f"... on Device {{ {DEVICE} }}"),
    "pauseTracking": ({"tripId": "UUID!", "reason": "String!", "until": "DateTime"}, PAUSE),
    "checkIn": (
        {"tripId": "UUID!", "position": "PositionInput!", "at": "DateTime!", "photo": "String"},
        "... on CheckIn { id happenedAt lon lat accuracy receivedAt photoDigest }",
    ),
    "resumeTracking": ({"tripId": "UUID!"}, PAUSE),
    "confirmArrival": (SHOWN, INCOMING),
    "confirmDeparture": (SHOWN, INCOMING),
    "withdrawVisum": (
        {"id": "UUID!", "reason": "String!"},
        "... on Visum { id regionCode leg event method happenedAt confirmedAt withdrawnAt }",
    ),
    "declareSharingAgreement": ({"agreement": "SharingAgreementInput!"}, AGREEMENT),
    "withdrawSharingAgreement": ({"reason": "String!"}, AGREEMENT),
    "changeMember": (
        {"id": "UUID!", "roles": "[Role!]!", "officeId": "UUID", "position": "String"},
        CHANGED,
    ),
    "endMembership": ({"id": "UUID!", "reason": "String!"}, CHANGED),
    "resumeMembership": ({"id": "UUID!", "reason": "String!"}, CHANGED),
    "addRuleset": ({"ruleset": "RulesetInput!"}, RULESET),
    "addDailyAllowance": ({"allowance": "DailyAllowanceInput!"}, ALLOWANCE),
    "endDailyAllowance": ({"id": "UUID!", "validUntil": "Date!"}, ALLOWANCE),
    "recordRecovery": ({"deviationId": "UUID!", "payment": "PaymentInput!"}, DEVIATION),
    "withdrawRecovery": ({"id": "UUID!", "reason": "String!"}, DEVIATION),
}


def document(name: str) -> str:
    """A mutation that shows all of its result, its arguments being variables of the same names."""
    arguments, shown = MUTATIONS[name]
    declared = ", ".join(f"${each}: {kind}" for each, kind in arguments.items())
    given = ", ".join(f"{each}: ${each}" for each in arguments)
    met = (problem for problem in PROBLEMS if problem not in UNMET.get(name, ()))
    problem = " ".join(f"... on {each} {{ {PROBLEMS[each]} }}" for each in met)
    return f"mutation ({declared}) {{ {name}({given}) {{ __typename {shown} {problem} }} }}"


def ask(who: FrontEnd, mutation: str, **given: Any) -> dict[str, Any]:
    """The mutation's result: what was made, or the problem."""
    return who.ask(document(mutation), **given)[mutation]


def trip_of(who: FrontEnd, trip_id: str) -> dict[str, Any] | None:
    return who.ask(f"query ($id: UUID!) {{ trip(id: $id) {{ {TRIP} }} }}", id=trip_id)["trip"]


def sql(statement: str, slug: str = "samarinda", **given: Any) -> Sequence[Any]:
    """What a regency's database answers."""
    with catalogue.tenant(slug).session(readonly=True) as session:
        return session.execute(text(statement), given).all()


def enter(statement: str, slug: str = "samarinda", **given: Any) -> None:
    """Change a regency's database by the role of the service, which may not change evidence."""
    with catalogue.tenant(slug).session(readonly=False) as session:
        session.execute(text(statement), given)


TABLES = {
    "office": "t",
    # Without what a first sign-in adds.
    "member": "t.id, t.name, t.nip, t.position, t.office_id, t.roles, t.invited_as, t.suspended_at",
    "assignment_letter": "t",
    "trip": "t",
    "leg": "t",
    "lawful_place": "t",
    "trip_proposal": "t",
    "trip_revision": "t",
    "track_chunk": "t.digest, t.arrival, t.link",
    "flight": "t",
    "silence": "t.trip_id, t.started_at, t.ended_at, t.reason",
    "attendance": "t",
    "outside_assignment": "t",
    "device": "t",
    "pause": "t",
    "travel_notice": "t",
    "visum": "t",
    "visum_attempt": "t",
    "visum_received": "t",
    "deviation_reply": "t",
    "deviation_ruling": "t",
    "recovery": "t",
    "member_revision": "t",
    "ruleset": "t",
    "daily_allowance": "t",
    "escalation_answer": "t",
    "check_in": "t",
    "sharing_agreement": "t",
    "trip_progress": "t.trip_id, t.arrived, t.chain_head, t.last_fix_at",
}
"""What only the API writes: the workers' verdicts come when they come."""


def contents(slug: str) -> dict[str, Any]:
    unlogged(slug)
    digest = "(SELECT (count(*), md5(string_agg(({row})::text, ',' ORDER BY ({row})::text)))::text"
    tables = (
        f"{digest.format(row=row)} FROM {table} t) AS {table}" for table, row in TABLES.items()
    )
    (row,) = sql("SELECT " + ", ".join(tables), slug)
    return row._asdict()


@contextmanager
def nothing_changes(slug: str = "samarinda") -> Iterator[None]:
    before = contents(slug)
    yield
    assert contents(slug) == before


@contextmanager
def held(statement: str, slug: str = "samarinda", **given: Any) -> Iterator[Callable[[int], None]]:
    """Hold the locks that a statement takes until the block ends.

    Gives a function that waits until so many others wait: they have read by then, and go on in
    this order. No worker must have business with the same rows, see `settled`.
    """
    with catalogue.tenant(slug).session(readonly=False) as session:
        session.execute(text(statement), given)

        def waiting(number: int) -> None:
            blocked = (
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            assert happens(lambda: sql(blocked, slug)[0][0] >= number, 10), "nobody waits"

        yield waiting


def happens(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = monotonic() + seconds
    while not condition():
        if monotonic() > deadline:
            return False
        sleep(0.02)
    return True


def settled(trip_id: str) -> None:
    """Wait until the workers have judged the trip and leave it alone."""
    behind = "SELECT 1 FROM trip_progress WHERE trip_id = CAST(:id AS uuid) AND arrived > evaluated"
    assert happens(lambda: not sql(behind, id=trip_id), 20), "never judged"


def unlogged(slug: str = "samarinda") -> None:
    """Wait until all that phones were acknowledged for is in the tracks."""
    logged = "SELECT 1 FROM intake_log LIMIT 1"
    assert happens(lambda: not sql(logged, slug), 20), "never settled"


LOCK_MEMBER = "SELECT 1 FROM member WHERE id = ANY(CAST(:ids AS uuid[])) FOR UPDATE"
LOCK_TRIP = "SELECT 1 FROM trip_progress WHERE trip_id = CAST(:id AS uuid) FOR UPDATE"


@contextmanager
def threads(number: int) -> Iterator[Callable[..., Any]]:
    """Give `submit`, by which something begins in a thread of its own."""
    with ThreadPoolExecutor(number) as pool:
        yield pool.submit


def codes(*answers: dict[str, Any]) -> list[str]:
    """The code of each answer, or the type of what was made."""
    return sorted(answer.get("code", answer["__typename"]) for answer in answers)


def nowhere() -> str:
    """A key of nothing; the same each time, for parameters of tests are to have one name."""
    return "6d1c3c3a-0f5b-4c0e-9a77-b1d2a7c0ffee"


def decoded(line: str) -> list[tuple[float, float]]:
    """The positions (lon, lat) in Google's encoded polyline, by its published description.

    Each number is a run of characters, 63 above groups of five bits, lowest first; 0x20 says that
    more follow. The lowest bit is the sign. Numbers are steps of 1e-5 degrees, latitude first.
    """
    numbers, bits, shift = [], 0, 0
    for character in line:
        group = ord(character) - 63
        assert 0 <= group < 64, "not printable as the format has it"
        bits |= (group & 0x1F) << shift
        shift += 5
        if group < 0x20:
            numbers.append(~(bits >> 1) if bits & 1 else bits >> 1)
            bits, shift = 0, 0
    assert shift == 0, "ends inside a number"
    assert len(numbers) % 2 == 0
    positions, lat, lon = [], 0, 0
    for north, east in zip(numbers[::2], numbers[1::2], strict=True):
        lat, lon = lat + north, lon + east
        positions.append((lon / 1e5, lat / 1e5))
    return positions
