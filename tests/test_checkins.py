"""Check-ins: evidence of their own kind, within the window of tracking, with a photo or without."""

import hashlib
import struct
import zlib
from base64 import b64decode, b64encode
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from asking import ask, enter, nothing_changes, nowhere, sql
from browsing import chromium  # noqa: F401
from conftest import plan
from hypothesis import given, settings
from hypothesis import strategies as st

from tenants import photos
from tenants.problems import InvalidInput

# ruff: noqa: F811

HERE = {"lon": 116.845, "lat": -1.262, "accuracy": 8.5}
WHERE_TAKEN = b"Exif\x00\x00MM\x00*GPS-117.148"
CHECK_INS = """
query ($id: UUID!) {
  trip(id: $id) { checkIns { id happenedAt lon lat accuracy photoDigest } } }"""
PHOTO = "query ($id: UUID!) { checkInPhoto(id: $id) { mediaType content digest } }"


def now() -> str:
    return datetime.now(UTC).isoformat()


@pytest.fixture(scope="module")
def pictures(chromium) -> dict[str, bytes]:
    """Real pictures, as a browser writes them."""
    page = chromium.new_page()
    drawn = """(type) => { const canvas = document.createElement('canvas');
      canvas.width = 40; canvas.height = 30; const pen = canvas.getContext('2d');
      pen.fillStyle = '#0b4a7a'; pen.fillRect(5, 5, 20, 20);
      return canvas.toDataURL(type).split(',')[1]; }"""
    kinds = ("image/jpeg", "image/png", "image/webp")
    found = {kind: b64decode(page.evaluate(drawn, kind)) for kind in kinds}
    page.close()
    return found


def with_metadata(kind: str, picture: bytes) -> bytes:
    """The picture with EXIF as cameras write it, and something hidden behind it."""
    behind = b"<script>alert(1)</script>"
    if kind == "image/jpeg":
        exif = b"\xff\xe1" + struct.pack(">H", len(WHERE_TAKEN) + 2) + WHERE_TAKEN
        return picture[:2] + exif + picture[2:] + behind
    if kind == "image/png":
        chunk = b"eXIf" + WHERE_TAKEN
        whole = struct.pack(">I", len(WHERE_TAKEN)) + chunk + struct.pack(">I", zlib.crc32(chunk))
        return picture[:33] + whole + picture[33:] + behind
    exif = b"EXIF" + struct.pack("<I", len(WHERE_TAKEN)) + WHERE_TAKEN
    exif += b"\0" * (len(exif) % 2)
    # Chromium keeps what is transparent apart, in the form that may bear EXIF.
    assert picture[12:16] == b"VP8X"
    parts = picture[8:20] + bytes([picture[20] | 0x08]) + picture[21:] + exif
    return b"RIFF" + struct.pack("<I", len(parts)) + parts + behind


@pytest.fixture
def away(people, issue):
    who = people.fresh()
    return who, issue(who, plan(starts=-1))["id"]


@pytest.mark.parametrize("kind", ["image/jpeg", "image/png", "image/webp"])
def test_a_photo_is_kept_without_what_the_camera_said(
    people, away, pictures, chromium, kind
) -> None:
    who, trip_id = away
    sent = with_metadata(kind, pictures[kind])
    assert WHERE_TAKEN in sent
    at = now()
    given = {"tripId": trip_id, "position": HERE, "at": at, "photo": b64encode(sent).decode()}
    made = ask(who.front_end, "checkIn", **given)
    assert made["__typename"] == "CheckIn", made
    with nothing_changes():
        assert ask(who.front_end, "checkIn", **given) == made
    trip = people.as_("inspektur").ask(CHECK_INS, id=trip_id)["trip"]
    (shown,) = trip["checkIns"]
    assert (shown["lon"], shown["lat"], shown["accuracy"]) == tuple(HERE.values())
    assert datetime.fromisoformat(shown["happenedAt"]) == datetime.fromisoformat(at)
    photo = people.as_("inspektur").ask(PHOTO, id=made["id"])["checkInPhoto"]
    content = b64decode(photo["content"])
    assert photo["mediaType"] == kind
    assert photo["digest"] == shown["photoDigest"] == hashlib.sha256(content).hexdigest()
    assert WHERE_TAKEN not in content
    assert b"script" not in content
    # It is the picture still: a browser shows it, pixel by pixel the same.
    page = chromium.new_page()
    look = """async (address) => { const image = new Image(); image.src = address;
      await image.decode(); const canvas = document.createElement('canvas');
      canvas.width = image.width; canvas.height = image.height;
      const pen = canvas.getContext('2d'); pen.drawImage(image, 0, 0);
      return [image.width, image.height, [...pen.getImageData(0, 0, 40, 30).data].join()]; }"""
    seen, original = (
        page.evaluate(look, f"data:{kind};base64,{b64encode(each).decode()}")
        for each in (content, pictures[kind])
    )
    page.close()
    assert seen == original
    assert seen[:2] == [40, 30]


def test_what_is_no_photo_is_refused(away, pictures) -> None:
    who, trip_id = away
    jpeg, png = pictures["image/jpeg"], pictures["image/png"]
    flipped = bytearray(png)
    flipped[40] ^= 1
    with nothing_changes():
        for wrong in (
            *("", "bukan base64!", b64encode(b"GIF89a").decode()),
            b64encode(b"<svg xmlns='http://www.w3.org/2000/svg'/>").decode(),
            *(b64encode(each).decode() for each in (jpeg[:-9], png[:-12], bytes(flipped))),
            b64encode(jpeg + b"\0" * photos.MOST_BYTES).decode(),
        ):
            refused = ask(
                who.front_end, "checkIn", tripId=trip_id, position=HERE, at=now(), photo=wrong
            )
            assert (refused["code"], refused["field"]) == ("INVALID_INPUT", "photo"), wrong[:40]


@given(data=st.data())
@settings(max_examples=200, deadline=None)
def test_no_picture_makes_the_reader_fall(data) -> None:
    """Whatever is cut or exchanged: it is read without metadata, or it is refused."""
    picture = data.draw(st.sampled_from(SMALLEST))
    at = data.draw(st.integers(0, len(picture)))
    spoilt = picture[:at] + data.draw(st.binary(max_size=9)) + picture[at + 1 :]
    with suppress(InvalidInput):
        plain = photos.plain(spoilt)
        assert photos.plain(plain.content) == plain


def _png_chunk(kind: bytes, content: bytes) -> bytes:
    checked = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + checked


PNG = (
    photos.PNG
    + _png_chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    + _png_chunk(b"tEXt", b"Comment\0rahasia")
    + _png_chunk(b"IDAT", zlib.compress(b"\0\0"))
    + _png_chunk(b"IEND", b"")
)
JPEG = bytes.fromhex(
    "ffd8ffe000044a46ffc0000b080001000101011100ffda0008010100003f00aaff00ffd0bbffd9"
)
WEBP = b"RIFF\x12\0\0\0WEBPVP8L\x05\0\0\0\x2f\0\0\0\0\0"
SMALLEST = (PNG, JPEG, WEBP)


def test_the_smallest_are_pictures() -> None:
    kinds = [photos.plain(each).media_type for each in SMALLEST]
    assert kinds == ["image/png", "image/jpeg", "image/webp"]


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("position", {"position": {"lon": 181.0, "lat": 0.0}}),
        ("position", {"position": {"lon": 0.0, "lat": -90.5}}),
        ("position", {"position": {"lon": 0.0, "lat": 0.0, "accuracy": -1.0}}),
        ("position", {"at": (datetime.now(UTC) + timedelta(days=1)).isoformat()}),
        ("at", {"at": (datetime.now(UTC) - timedelta(days=3)).isoformat()}),
    ],
)
def test_where_and_when_nobody_can_be(away, field, given) -> None:
    who, trip_id = away
    with nothing_changes():
        given = {"tripId": trip_id, "position": HERE, "at": now()} | given
        refused = ask(who.front_end, "checkIn", **given)
    assert (refused["code"], refused["field"]) == ("INVALID_INPUT", field)


def test_the_first_begins_the_trip_and_a_pause_keeps_them_away(people, away) -> None:
    who, trip_id = away
    phone = who.front_end
    given = {"tripId": trip_id, "position": HERE}
    assert ask(phone, "checkIn", at=now(), **given)["__typename"] == "CheckIn"
    state = "query ($id: UUID!) { trip(id: $id) { state startedAt } }"
    assert phone.ask(state, id=trip_id)["trip"]["state"] == "ACTIVE"
    paused = ask(phone, "pauseTracking", tripId=trip_id, reason="Istirahat")
    with nothing_changes():
        assert ask(phone, "checkIn", at=now(), **given)["field"] == "at"
    resumed = ask(phone, "resumeTracking", tripId=trip_id)
    assert resumed["id"] == paused["id"]
    assert ask(phone, "checkIn", at=now(), **given)["__typename"] == "CheckIn"
    # One that comes late, with the time of before the return, is kept; one of after is not.
    before = now()
    assert ask(phone, "finishTrip", id=trip_id)["state"] == "FINISHED"
    assert ask(phone, "checkIn", at=now(), **given)["field"] == "at"
    assert ask(phone, "checkIn", at=before, **given)["__typename"] == "CheckIn"
    # A return that is declared earlier hides what came after it, from everybody.
    assert len(phone.ask(CHECK_INS, id=trip_id)["trip"]["checkIns"]) == 3
    enter(
        "UPDATE trip SET finished_at = CAST(:at AS timestamptz) WHERE id = CAST(:id AS uuid)",
        at=(datetime.now(UTC) - timedelta(hours=1)).isoformat(),
        id=trip_id,
    )
    assert phone.ask(CHECK_INS, id=trip_id)["trip"]["checkIns"] == []
    assert len(sql("SELECT 1 FROM check_in WHERE trip_id = CAST(:id AS uuid)", id=trip_id)) == 3


def test_who_may_check_in_and_who_may_see(people, away, pictures) -> None:
    who, trip_id = away
    photo = b64encode(pictures["image/jpeg"]).decode()
    given = {"tripId": trip_id, "position": HERE, "at": now(), "photo": photo}
    with nothing_changes():
        for other in (people.as_("operator"), people.as_("inspektur"), people.fresh().front_end):
            assert ask(other, "checkIn", **given)["code"] == "NOT_FOUND"
        assert ask(who.front_end, "checkIn", **given | {"tripId": nowhere()})["code"] == "NOT_FOUND"
    made = ask(who.front_end, "checkIn", **given)["id"]
    for viewer in (who.front_end, people.as_("inspektur"), people.as_("kepala")):
        assert len(viewer.ask(CHECK_INS, id=trip_id)["trip"]["checkIns"]) == 1
        assert viewer.ask(PHOTO, id=made)["checkInPhoto"]
    # Those who issue and pay need no position, nor do people of elsewhere.
    assert people.as_("operator").ask(CHECK_INS, id=trip_id)["trip"]["checkIns"] == []
    for viewer in (
        people.as_("operator"),
        people.fresh().front_end,
        people.as_("inspektur", "balikpapan"),
    ):
        for wanted in (made, nowhere()):
            assert viewer.ask(PHOTO, id=wanted)["checkInPhoto"] is None
    cancelled, its = away_cancelled(people, away)
    assert ask(cancelled, "checkIn", **given | {"tripId": its})["code"] == "WRONG_STATE"


def away_cancelled(people, away):
    who, trip_id = away
    assert ask(people.as_("operator"), "cancelTrip", id=trip_id, reason="Batal")["state"]
    return who.front_end, trip_id


def test_none_of_it_is_published(world) -> None:
    published = sql("SELECT tablename FROM pg_publication_tables")
    assert not {"check_in", "access_entry"} & {name for (name,) in published}
