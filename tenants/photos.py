"""Photos: a JPEG, PNG or WebP is read part by part, and what is not picture is left out of it.

Where and with what it was taken (EXIF, XMP), comments, and whatever follows the picture are gone.
A camera's note on which side is up goes too: who sends a photo turns it before.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tenants.problems import InvalidInput

MOST_BYTES: Final = 512 * 1024
MOST_PIXELS: Final = 40_000_000

PNG: Final = b"\x89PNG\r\n\x1a\n"
PNG_KEPT: Final = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
JPEG_FRAMES: Final = frozenset({0xC0, 0xC1, 0xC2})
"""Baseline, extended and progressive: what browsers show."""
JPEG_KEPT: Final = JPEG_FRAMES | {0xC4, 0xDB, 0xDD, 0xDA, 0xEE}
"""Those, tables, scans, and Adobe's note of how colours are meant."""


@dataclass(frozen=True, slots=True)
class Photo:
    """A picture without its metadata; `media_type` is image/jpeg, image/png or image/webp."""

    media_type: str
    content: bytes


def plain(sent: bytes) -> Photo:
    """The picture in what was sent; raises `InvalidInput` for what is none, or too large."""
    if len(sent) > MOST_BYTES:
        raise InvalidInput(
            "photo", f"paling banyak {MOST_BYTES} byte", f"must be {MOST_BYTES} bytes at most"
        )
    try:
        if sent.startswith(b"\xff\xd8"):
            return Photo("image/jpeg", b"\xff\xd8" + b"".join(_jpeg(sent)))
        if sent.startswith(PNG):
            return Photo("image/png", PNG + b"".join(_png(sent)))
        if sent[:4] == b"RIFF" and sent[8:12] == b"WEBP":
            parts = b"WEBP" + b"".join(_webp(sent))
            return Photo("image/webp", b"RIFF" + struct.pack("<I", len(parts)) + parts)
    except (ValueError, IndexError, struct.error):
        pass  # cut short, or not what it says it is
    raise InvalidInput(
        "photo", "bukan gambar JPEG, PNG, atau WebP", "is no JPEG, PNG or WebP picture"
    )


def _measured(width: int, height: int) -> None:
    if not 0 < width * height <= MOST_PIXELS:
        raise ValueError


def _jpeg(sent: bytes) -> Iterator[bytes]:
    at, frames, scans = 2, 0, 0
    while True:
        if sent[at] != 0xFF:
            raise ValueError
        marker = sent[at + 1]
        if marker == 0xFF:  # fill bytes may stand before a marker
            at += 1
            continue
        if marker == 0xD9:
            break
        (length,) = struct.unpack_from(">H", sent, at + 2)
        end = at + 2 + length
        if length < 2 or end > len(sent) or marker < 0xC0 or 0xD0 <= marker <= 0xD8:
            raise ValueError
        if marker in JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", sent, at + 5)
            _measured(width, height)
            frames += 1
        if marker == 0xDA:
            end = _scan_end(sent, end)
            scans += 1
        if marker in JPEG_KEPT:
            yield sent[at:end]
        at = end
    if frames != 1 or not scans:
        raise ValueError
    yield b"\xff\xd9"


def _scan_end(sent: bytes, at: int) -> int:
    """Where the next marker is: within a scan, 0xFF is followed by 0 or a restart's number."""
    while True:
        at = sent.index(b"\xff", at)
        after = sent[at + 1]
        if after != 0 and not 0xD0 <= after <= 0xD7:
            return at
        at += 2


def _png(sent: bytes) -> Iterator[bytes]:
    at, first, data = len(PNG), True, False
    while True:
        length, kind = struct.unpack_from(">I4s", sent, at)
        end = at + 12 + length
        (checked,) = struct.unpack_from(">I", sent, end - 4)
        if zlib.crc32(sent[at + 4 : end - 4]) != checked or first != (kind == b"IHDR"):
            raise ValueError
        if first:
            _measured(*struct.unpack_from(">II", sent, at + 8))
        first, data = False, data or kind == b"IDAT"
        if kind in PNG_KEPT:
            yield sent[at:end]
        if kind == b"IEND":
            break
        at = end
    if not data:
        raise ValueError


def _webp(sent: bytes) -> Iterator[bytes]:
    (length,) = struct.unpack_from("<I", sent, 4)
    if length + 8 > len(sent):
        raise ValueError
    at, pictures = 12, 0
    while at < length + 8:
        kind, size = struct.unpack_from("<4sI", sent, at)
        content = sent[at + 8 : at + 8 + size]
        if len(content) != size:
            raise ValueError
        if kind == b"VP8X":
            if at != 12:
                raise ValueError
            _measured(
                int.from_bytes(content[4:7], "little") + 1,
                int.from_bytes(content[7:10], "little") + 1,
            )
            # Of its flags only that of transparency: no profile, no EXIF, no XMP, not animated.
            content = bytes([content[0] & 0x10, 0, 0, 0]) + content[4:10]
        elif kind == b"VP8 ":
            if content[3:6] != b"\x9d\x01\x2a":
                raise ValueError
            width, height = struct.unpack_from("<HH", content, 6)
            _measured(width & 0x3FFF, height & 0x3FFF)
            pictures += 1
        elif kind == b"VP8L":
            if content[0] != 0x2F:
                raise ValueError
            (bits,) = struct.unpack_from("<I", content, 1)
            _measured((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
            pictures += 1
        if kind in (b"VP8X", b"ALPH", b"VP8 ", b"VP8L"):
            yield kind + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)
        at += 8 + size + size % 2
    if pictures != 1:
        raise ValueError
