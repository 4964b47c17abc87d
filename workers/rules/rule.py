"""What a rule is: a small pure function with what people must know of it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from workers.case import Deviation, DeviationKind
from workers.observed import Observed

PMK = "PMK 113/PMK.05/2012 jo. PMK 119/2023"


@dataclass(frozen=True, slots=True)
class Text:
    """The same in Indonesian and in English."""

    id: str
    en: str


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of the catalogue.

    `legal_basis` holds where a regency names none of its own. `guards` says what keeps it from
    accusing the honest, `refutation` what the traveller can show to refute it.
    """

    kind: DeviationKind
    find: Callable[[Observed], Iterator[Deviation]]
    meaning: Text
    guards: Text
    refutation: Text
    legal_basis: str = PMK
