"""What each application is answered, so that it neither loses fixes nor stops sending them."""

import pytest

from graphql_api.phones.answers import Outcome, answer
from tenants.models import PhoneClient

PHONES = [client for client in PhoneClient if client is not PhoneClient.BROWSER]


@pytest.mark.parametrize("client", PhoneClient)
@pytest.mark.parametrize("outcome", Outcome)
def test_there_is_one_for_everything(client, outcome):
    given = answer(client, outcome)
    assert (given.status // 100 == 2) == (outcome is Outcome.STORED) or (
        outcome is Outcome.TOO_LARGE
    )
    assert given.headers["Cache-Control"] == "no-store"
    assert ("Retry-After" in given.headers) == (given.status == 503)


@pytest.mark.parametrize("client", PHONES)
def test_a_stranger_learns_nothing_and_a_phone_loses_nothing(client):
    unknown = answer(client, Outcome.UNKNOWN_DEVICE)
    assert unknown == answer(client, Outcome.TRY_AGAIN)
    assert unknown.status == 503


def test_no_4xx_for_owntracks():
    assert {answer(PhoneClient.OWNTRACKS, each).status for each in Outcome} == {200, 503}


def test_what_waits_in_order_is_never_held_up_by_what_cannot_be_taken():
    for client in (PhoneClient.OWNTRACKS, PhoneClient.TRACCAR, PhoneClient.GPSLOGGER):
        assert answer(client, Outcome.TOO_LARGE) == answer(client, Outcome.STORED)


def test_a_batch_of_overland_goes_by_one_answer_only():
    for outcome in Outcome:
        given = answer(PhoneClient.OVERLAND, outcome)
        assert (given.body == b'{"result":"ok"}') == (outcome is Outcome.STORED)


def test_only_owntracks_can_be_asked():
    for client in PhoneClient:
        for outcome in Outcome:
            asked = answer(client, outcome, report_location=True)
            told = client is PhoneClient.OWNTRACKS and outcome is Outcome.STORED
            assert (b"reportLocation" in asked.body) == told
