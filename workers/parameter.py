"""What a parameter of the evaluation is, and on what terms a rule applies."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from workers.case import DeviationKind

READING: Final = None
"""The `rule` of a parameter by which the track is read, before any rule looks at it."""

SHARE: Final = (0, 1)
BOUNDS: Final[Mapping[str, tuple[float, float]]] = {
    "h": (0, 23),
    "s": (0, 366 * 86_400),
    "m": (0, 20_000_000),
    "m/s": (1, 1_000),
    "": (0, 1_000_000),
}
"""By unit: hours of the day, a year, the way to the far side of the earth, speeds that move."""


def parameter(
    default: float,
    unit: str,
    said_id: str,
    said_en: str,
    *,
    rule: DeviationKind | None = READING,
    bounds: tuple[float, float] | None = None,
) -> Any:
    """A parameter of the ruleset; without bounds of its own it has its unit's.

    What has neither a unit nor whole numbers is a share.
    """
    share = not unit and isinstance(default, float)
    least, most = bounds or (SHARE if share else BOUNDS[unit])
    said = {"rule": rule, "unit": unit, "id": said_id, "en": said_en}
    return field(default=default, metadata=said | {"least": least, "most": most})


@dataclass(frozen=True, slots=True)
class Terms:
    """On what basis a rule applies, and to trips that begin when; None leaves that side open."""

    legal_basis: str | None = None
    valid_from: date | None = None
    valid_until: date | None = None
    enabled: bool = True

    def hold(self, day: date) -> bool:
        """Whether the rule applies to a trip that begins on this day."""
        return (
            self.enabled
            and (self.valid_from is None or self.valid_from <= day)
            and (self.valid_until is None or day <= self.valid_until)
        )
