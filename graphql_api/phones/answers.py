"""What to answer each application, by what it then does with the fixes it still keeps."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from graphql_api.phones import gpslogger, overland, owntracks, traccar
from tenants.models import PhoneClient

JSON: Final = "application/json"
TEXT: Final = "text/plain; charset=utf-8"


class Outcome(StrEnum):
    """What became of a request.

    STORED: all of it is kept, be it as duplicate or as unusable. TRY_AGAIN: not now, also for
    limits of rate. UNKNOWN_DEVICE: nobody's or a revoked one. TOO_LARGE: never as it is.
    """

    STORED = "STORED"
    TRY_AGAIN = "TRY_AGAIN"
    UNKNOWN_DEVICE = "UNKNOWN_DEVICE"
    TOO_LARGE = "TOO_LARGE"


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer."""

    status: int
    body: bytes = b""
    media: str = TEXT
    retry_after: int | None = None

    @property
    def headers(self) -> dict[str, str]:
        headers = {"Cache-Control": "no-store", "Content-Type": self.media}
        if self.retry_after is not None:
            headers["Retry-After"] = str(self.retry_after)
        return headers


# Every application keeps its fixes at 5xx. An unknown device is told the same, to the byte: once
# it is paired anew the phone delivers what it kept, and a stranger learns nothing.
LATER: Final = Answer(503, retry_after=60)
DONE_OWNTRACKS: Final = Answer(200, owntracks.answer(), JSON)
DONE_TRACCAR: Final = Answer(200, traccar.answer())
DONE_OVERLAND: Final = Answer(200, overland.answer(), JSON)
DONE_GPSLOGGER: Final = Answer(200, gpslogger.answer())

POLICY: Final[Mapping[PhoneClient, Mapping[Outcome, Answer]]] = MappingProxyType(
    {
        # On iOS any 4xx deletes the fix as 2xx does; on Android any but 2xx keeps it at the head
        # of the queue. Old Android wants a body of JSON. What is too large must go, or it would
        # hold up on Android all that comes after it.
        PhoneClient.OWNTRACKS: {
            Outcome.STORED: DONE_OWNTRACKS,
            Outcome.TRY_AGAIN: LATER,
            Outcome.UNKNOWN_DEVICE: LATER,
            Outcome.TOO_LARGE: DONE_OWNTRACKS,
        },
        # Any but 2xx is sent again, in order, before all others. Until version 8 a waiting fix
        # keeps the id that it was recorded under: a phone paired anew has to keep its id too.
        PhoneClient.TRACCAR: {
            Outcome.STORED: DONE_TRACCAR,
            Outcome.TRY_AGAIN: LATER,
            Outcome.UNKNOWN_DEVICE: LATER,
            Outcome.TOO_LARGE: DONE_TRACCAR,
        },
        # Only a result of "ok" deletes the batch, if so set any 2xx. A batch too large is kept,
        # for its user can make batches smaller; the phone shows the status.
        PhoneClient.OVERLAND: {
            Outcome.STORED: DONE_OVERLAND,
            Outcome.TRY_AGAIN: LATER,
            Outcome.UNKNOWN_DEVICE: LATER,
            Outcome.TOO_LARGE: Answer(413),
        },
        # Any but 2xx is tried thrice more, then dropped; but its log stays on the phone, and may be
        # sent again as a whole up to the first line that fails: one too large must not fail.
        PhoneClient.GPSLOGGER: {
            Outcome.STORED: DONE_GPSLOGGER,
            Outcome.TRY_AGAIN: LATER,
            Outcome.UNKNOWN_DEVICE: LATER,
            Outcome.TOO_LARGE: DONE_GPSLOGGER,
        },
        # Our own page: it does what HTTP says. GPX files come from it.
        PhoneClient.BROWSER: {
            Outcome.STORED: Answer(200, b"{}", JSON),
            Outcome.TRY_AGAIN: LATER,
            Outcome.UNKNOWN_DEVICE: Answer(401),
            Outcome.TOO_LARGE: Answer(413),
        },
    }
)


def answer(client: PhoneClient, outcome: Outcome, *, report_location: bool = False) -> Answer:
    """The answer to a client; `report_location` asks OwnTracks for its location, where it may."""
    found = POLICY[client][outcome]
    if report_location and client is PhoneClient.OWNTRACKS and outcome is Outcome.STORED:
        return replace(found, body=owntracks.answer(report_location=True))
    return found
