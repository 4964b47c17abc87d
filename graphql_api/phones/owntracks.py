"""OwnTracks in HTTP mode: one message a request, or an array of them, perhaps encrypted.

Source: its booklet, "JSON" and "HTTP". `tst` epoch s, `acc` m, `vel` km/h, `batt` percent.
"""

import base64
import binascii
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import orjson
from nacl.exceptions import CryptoError
from nacl.secret import SecretBox

from graphql_api.phones.reading import (
    KMH,
    MOST_MEMBERS,
    PERCENT,
    Columns,
    Object,
    Reason,
    Upload,
    document,
    nothing,
    read_members,
    said,
    unusable,
)
from tenants.intake import Unusable

REPORT_LOCATION: Final = {"_type": "cmd", "action": "reportLocation"}


def read(
    body: bytes,
    _query: Mapping[str, str],
    *,
    now: datetime,
    passphrase: str | None = None,
) -> Upload:
    """The locations in a request; a phone may well send an empty one."""
    if not body.strip():
        return nothing()
    said_all = document(body)
    if isinstance(said_all, Unusable):
        return nothing(said_all)
    messages: list[Any] = said_all if isinstance(said_all, list) else [said_all]
    if len(messages) > MOST_MEMBERS:
        return unusable(Reason.TOO_LARGE, {"members": len(messages)})
    locations: list[Object] = []
    others: list[Unusable] = []
    for message in messages:
        found = _location(message, passphrase)
        if isinstance(found, Unusable):
            others.append(found)
        else:
            locations.append(found)
    return read_members(locations, _columns, now=now, others=others)


def _location(message: object, passphrase: str | None) -> Object | Unusable:
    kind = message.get("_type") if isinstance(message, dict) else None
    if kind == "encrypted" and isinstance(message, dict):
        return _opened(message, passphrase)
    if kind == "location" and isinstance(message, dict):
        return message
    if isinstance(kind, str):
        return Unusable(Reason.NO_FIX, said({"_type": kind}))
    return Unusable(Reason.BAD_VALUE, said(message))


def _opened(message: Object, passphrase: str | None) -> Object | Unusable:
    """What is encrypted in a message; a second encryption within is nobody's."""
    plain = decrypt(message.get("data"), passphrase) if passphrase else None
    if plain is None:
        return Unusable(Reason.ENCRYPTED, said(message))
    within = document(plain)
    if isinstance(within, Unusable):
        return within
    if isinstance(within, dict) and within.get("_type") == "encrypted":
        return Unusable(Reason.ENCRYPTED, said(within))
    return _location(within, None)


def decrypt(data: object, passphrase: str) -> bytes | None:
    """Opens base64 of nonce and secret box (XSalsa20-Poly1305); None with another passphrase.

    The key is the passphrase in UTF-8, padded with zeros to 32 bytes or cut to them.
    """
    if not isinstance(data, str):
        return None
    key = passphrase.encode(errors="replace")[: SecretBox.KEY_SIZE]
    try:
        sealed = base64.b64decode(data)  # perhaps in lines
        return SecretBox(key.ljust(SecretBox.KEY_SIZE, b"\0")).decrypt(sealed)
    except (binascii.Error, CryptoError, ValueError):
        return None


def _columns(messages: list[Object]) -> Columns:
    return Columns(
        time=[message.get("tst") for message in messages],
        lon=[message.get("lon") for message in messages],
        lat=[message.get("lat") for message in messages],
        accuracy=[message.get("acc") for message in messages],
        speed=[message.get("vel") for message in messages],
        battery=[message.get("batt") for message in messages],
        metre_a_second=KMH,
        full=PERCENT,
    )


def answer(*, report_location: bool = False) -> bytes:
    """What the phone shall do: nothing, or send its location now."""
    return orjson.dumps([REPORT_LOCATION] if report_location else [])
