"""Phones that do as real clients do: keep what is not acknowledged, and send it again, in order."""

import random
import time
from collections import Counter
from datetime import UTC, datetime
from threading import Event
from typing import Any, Final
from uuid import UUID

import httpx2

PAUSE: Final = 0.05
AGAIN: Final = 0.1  # real phones wait longer, which would only thin out the load

Fix = tuple[float, float, float]
"""Epoch s, longitude, latitude."""


class Phone:
    """A paired phone of a trip that records every other second from `first` on.

    It speaks Traccar's format for one fix a request, Overland's for up to `most`.
    """

    def __init__(
        self, base_url: str, slug: str, token: str, trip_id: UUID, *, first: int, most: int
    ) -> None:
        self.trip_id = trip_id
        self.recorded: list[Fix] = []
        self.acknowledged = 0
        """So many of the fixes recorded, the first ones."""
        self.served_at = 0.0
        """When the newest request that was acknowledged was sent, on the monotonic clock."""
        self.refused: Counter[str] = Counter()
        self._address = f"{base_url}/{slug}/track/{'traccar' if most == 1 else 'overland'}"
        self._token = token
        self._first = first
        self._most = most
        self._random = random.Random(first)  # noqa: S311

    @property
    def waiting(self) -> bool:
        """Whether it holds fixes that nobody acknowledged."""
        return self.acknowledged < len(self.recorded)

    def travel(self, home: Event, off: Event) -> None:
        """Record until `home`, send until all is acknowledged or the phone is switched `off`."""
        with httpx2.Client(trust_env=False, timeout=20) as http:
            while not off.is_set() and (self.waiting or not home.is_set()):
                # By halves while it holds some, so that what an outage left is caught up with.
                if not home.is_set() and (not self.waiting or self._random.random() < 0.5):
                    self._record(self._random.randint(1, self._most))
                sent = self.recorded[self.acknowledged : self.acknowledged + self._most]
                began = time.monotonic()
                if self._send(http, sent):
                    self.acknowledged += len(sent)
                    self.served_at = began
                    if not self.waiting:
                        time.sleep(self._random.expovariate(1 / PAUSE))
                else:
                    time.sleep(AGAIN)

    def _record(self, number: int) -> None:
        for _ in range(number):
            n = len(self.recorded)
            lon, lat = 116.845 + n % 997 * 1e-6, -1.262 + n % 991 * 1e-6
            self.recorded.append((float(self._first + 2 * n), round(lon, 6), round(lat, 6)))

    def _send(self, http: httpx2.Client, fixes: list[Fix]) -> bool:
        try:
            answer = http.post(self._address, **self._request(fixes))
        except httpx2.TransportError as reason:
            self.refused[type(reason).__name__] += 1
            return False
        if answer.is_success and (self._most == 1 or answer.json() == {"result": "ok"}):
            return True
        self.refused[str(answer.status_code)] += 1
        return False

    def _request(self, fixes: list[Fix]) -> dict[str, Any]:
        if self._most == 1:
            ((at, lon, lat),) = fixes
            said = {"id": self._token, "timestamp": int(at), "lon": lon, "lat": lat, "batt": 71}
            return {"data": said}
        features = [
            {
                "type": "Feature",
                "geometry": {"type": "Point", "coordinates": [lon, lat]},
                "properties": {
                    "timestamp": datetime.fromtimestamp(at, UTC).isoformat(),
                    "horizontal_accuracy": 8,
                },
            }
            for at, lon, lat in fixes
        ]
        bearer = {"Authorization": f"Bearer {self._token}"}
        return {"json": {"locations": features}, "headers": bearer}
