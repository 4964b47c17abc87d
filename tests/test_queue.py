"""The queue of deviations: in either order, and with the names of those who spoke."""

from asking import ask
from test_access import stayed_home  # noqa: F401

# ruff: noqa: F811


def test_newest_or_oldest_first_page_by_page(people, stayed_home):
    who = people.fresh()
    found = [stayed_home(starts, who).deviation for starts in (-4, -6)]
    query = """query ($after: String, $oldest: Boolean!) {
      deviations(first: 1, after: $after, oldestFirst: $oldest) {
        nodes { id } pageInfo { hasNextPage endCursor } } }"""
    for oldest in (True, False):
        shown, after = [], None
        for _ in found:
            page = who.front_end.ask(query, after=after, oldest=oldest)["deviations"]
            shown += [node["id"] for node in page["nodes"]]
            after = page["pageInfo"]["endCursor"]
        assert shown == (found if oldest else found[::-1])
        assert not page["pageInfo"]["hasNextPage"]


def test_who_spoke_and_who_signed_is_named(people, stayed_home):
    case = stayed_home()
    who = case.who.front_end
    ask(who, "replyToDeviation", id=case.deviation, body="Saya sakit.")
    ask(
        people.as_("inspektur"),
        "ruleOnDeviation",
        id=case.deviation,
        upheld=False,
        reason="Ada surat dokter.",
    )
    query = """query ($id: UUID!) { deviation(id: $id) {
      replies { memberName } rulings { memberName } trip { letter { signedByName } } } }"""
    assert who.ask(query, id=case.deviation)["deviation"] == {
        "replies": [{"memberName": case.who.name}],
        "rulings": [{"memberName": "Wahyu Inspektur"}],
        "trip": {"letter": {"signedByName": "Surya Kepala"}},
    }
