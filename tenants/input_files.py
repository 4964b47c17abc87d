"""Files that somebody hands in from outside: their bytes, and what is wrong with them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tenants.problems import Problem

MOST_BYTES: Final = 1_000_000_000

Said = tuple[str, str]
"""The same words in Indonesian and in English."""


@dataclass(eq=False)
class UnusableFile(Problem):
    """A file that cannot be used; `where` is the place in it. Never a value that it holds."""

    file: str
    reason: Said
    where: Said | None = None

    @property
    def message_id(self) -> str:
        return self._sentence(0)

    @property
    def message_en(self) -> str:
        return self._sentence(1)

    def _sentence(self, language: int) -> str:
        place = f", {self.where[language]}" if self.where else ""
        return printable(f"{self.file}{place}: {self.reason[language]}.")


def printable(text: str) -> str:
    """A text from outside without what would steer a terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def contents(path: Path) -> bytes:
    """All bytes of a file; raises `UnusableFile`."""
    try:
        if path.is_dir():
            raise UnusableFile(str(path), ("ini folder, bukan berkas", "is a folder, not a file"))
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except FileNotFoundError as missing:
        raise UnusableFile(
            str(path), ("tidak ada berkas ini", "there is no such file")
        ) from missing
    except (OSError, ValueError) as unreadable:
        raise UnusableFile(str(path), ("tidak dapat dibaca", "cannot be read")) from unreadable
    if len(data) > MOST_BYTES:
        raise UnusableFile(str(path), ("lebih besar dari 1 GB", "is larger than 1 GB"))
    return data
