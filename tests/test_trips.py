def test_issue(people, issue):
    someone = people.fresh()
    trip = issue(someone)
    assert trip["__typename"] == "Trip", trip
    again = issue(someone)
    assert again["code"] == "OVERLAPPING_TRIP", again
    assert again["tripId"] == trip["id"]
