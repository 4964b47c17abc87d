"""Tables as spreadsheet programs take them, written while their rows come."""

import csv
import io
from abc import abstractmethod
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from tempfile import TemporaryFile
from typing import Any, Final

from anyio import to_thread
from xlsxwriter import Workbook

Cell = str | int | float | Decimal | datetime | date | bool | None
Batches = AsyncIterator[Sequence[Sequence[Cell]]]

FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
"""With what a text begins that a spreadsheet program may take for a formula (OWASP)."""

SHEET_ROWS: Final = 1_000_000
CHUNK: Final = 64 * 1024


class Spreadsheet:
    """A kind of file; `stream` gives its bytes."""

    media_type: str

    @abstractmethod
    def stream(self, header: Sequence[str], batches: Batches) -> AsyncIterator[bytes]:
        """The file of a table with this header, its rows in batches."""


class Csv(Spreadsheet):
    """RFC 4180 in UTF-8; times are ISO 8601 in UTC.

    Begins with a byte order mark, without which Excel takes it for another encoding. A text that
    could be taken for a formula gets an apostrophe before it.
    """

    media_type = "text/csv; charset=utf-8"

    async def stream(self, header: Sequence[str], batches: Batches) -> AsyncIterator[bytes]:
        yield b"\xef\xbb\xbf" + _lines([header])
        async for batch in batches:
            yield _lines([_text(cell) for cell in row] for row in batch)


def _lines(rows: Iterable[Iterable[str]]) -> bytes:
    lines = io.StringIO()
    csv.writer(lines).writerows(rows)
    return lines.getvalue().encode()


def _text(cell: Cell) -> str:
    match cell:
        case None:
            return ""
        case bool():
            return "ya" if cell else "tidak"
        case datetime():
            return cell.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case date():
            return cell.isoformat()
        case str():
            return f"'{cell}" if cell.startswith(FORMULA) else cell
    return str(cell)


class Xlsx(Spreadsheet):
    """Office Open XML. Each cell has a type, so that a text is no formula; times are in UTC.

    Rows go to disk as they come; the file, a ZIP, is sent once its last row is written.
    """

    media_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

    async def stream(self, header: Sequence[str], batches: Batches) -> AsyncIterator[bytes]:
        with TemporaryFile() as file:
            book = _Book(file, header)
            async for batch in batches:
                await to_thread.run_sync(book.write, batch)
            await to_thread.run_sync(book.close)
            file.seek(0)
            while chunk := await to_thread.run_sync(file.read, CHUNK):
                yield chunk


class _Book:
    """A workbook in the writing; a sheet that is full is followed by another."""

    def __init__(self, file: Any, header: Sequence[str]) -> None:
        self._book = Workbook(file, {"constant_memory": True, "remove_timezone": True})
        self._bold = self._book.add_format({"bold": True})
        self._time = self._book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        self._day = self._book.add_format({"num_format": "yyyy-mm-dd"})
        self._header = header
        self._begin_sheet()

    def _begin_sheet(self) -> None:
        self._sheet = self._book.add_worksheet()
        self._sheet.freeze_panes(1, 0)
        for column, title in enumerate(self._header):
            self._sheet.write_string(0, column, title, self._bold)
        self._row = 1

    def write(self, batch: Sequence[Sequence[Cell]]) -> None:
        for row in batch:
            if self._row > SHEET_ROWS:
                self._begin_sheet()
            for column, cell in enumerate(row):
                self._write(column, cell)
            self._row += 1

    def _write(self, column: int, cell: Cell) -> None:
        match cell:
            case None:
                return
            case bool():
                self._sheet.write_boolean(self._row, column, cell)
            case int() | float() | Decimal():
                self._sheet.write_number(self._row, column, float(cell))
            case datetime():
                at = cell.astimezone(UTC)
                self._sheet.write_datetime(self._row, column, at, self._time)
            case date():
                self._sheet.write_datetime(self._row, column, cell, self._day)
            case str():
                self._sheet.write_string(self._row, column, cell)

    def close(self) -> None:
        self._book.close()


FORMATS: Final[dict[str, Spreadsheet]] = {"csv": Csv(), "xlsx": Xlsx()}
