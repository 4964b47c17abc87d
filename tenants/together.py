"""Selects of several tables in one statement: one journey to the database instead of many."""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Float, Numeric, Select, String, cast, func, select
from sqlalchemy.orm import Session

Row = tuple[Any, ...]

READ: Final[Mapping[type, Callable[[str], Any]]] = {
    date: date.fromisoformat,
    datetime: lambda told: datetime.fromisoformat(told).astimezone(UTC),
    Decimal: Decimal,
    UUID: UUID,
}
"""How a value is read that JSON knows no type for."""


class Together:
    """Selects with their parameters open, to be made once and read many times.

    Each is a list of rows in the order it asks for; dates, times, amounts and ids have their types.
    """

    def __init__(self, **parts: Select[*tuple[Any, ...]]) -> None:
        self._readers = {
            name: tuple(READ.get(_kind(column)) for column in part.selected_columns)
            for name, part in parts.items()
        }
        self._statement = select(*(_listed(part).label(name) for name, part in parts.items()))

    def read(self, session: Session, **given: Any) -> dict[str, list[Row]]:
        """The rows of each select, by its name."""
        found = session.execute(self._statement, given).one()
        return {
            name: [
                tuple(
                    value if reader is None or value is None else reader(value)
                    for value, reader in zip(row, readers, strict=True)
                )
                for row in rows
            ]
            for (name, readers), rows in zip(self._readers.items(), found, strict=True)
        }


def _kind(column: ColumnElement[Any]) -> type:
    return column.type.python_type


def _listed(part: Select[*tuple[Any, ...]]) -> ColumnElement[Any]:
    rows = part.subquery()
    # JSON's numbers are floating, rupiah are not.
    columns = (
        cast(column, String)
        if isinstance(column.type, Numeric) and not isinstance(column.type, Float)
        else column
        for column in rows.c
    )
    listed = func.json_agg(func.json_build_array(*columns))
    return select(func.coalesce(listed, func.json_build_array())).scalar_subquery()
