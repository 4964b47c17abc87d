"""The rules a trip is judged by; RULES.md, generated from them, explains each."""

from collections.abc import Mapping

from workers.case import DeviationKind
from workers.rules.elsewhere import WRONG_REGION
from workers.rules.group import GROUP_HEADCOUNT
from workers.rules.phone import PHONE
from workers.rules.places import PLACES
from workers.rules.presence import PRESENCE
from workers.rules.records import RECORDS
from workers.rules.rule import Rule
from workers.rules.visum import VISUM_MISMATCH

RULES: tuple[Rule, ...] = (
    *PRESENCE,
    WRONG_REGION,
    GROUP_HEADCOUNT,
    *PLACES,
    *PHONE,
    *RECORDS,
    VISUM_MISMATCH,
)

BY_KIND: Mapping[DeviationKind, Rule] = {rule.kind: rule for rule in RULES}
