"""The catalogue of the rules says what the rules are."""

from pathlib import Path

import pytest

from workers.case import DeviationKind
from workers.rules import RULES
from workers.rules.catalogue import catalogue
from workers.ruleset import READING, parameters

FILE = Path(__file__).parents[1] / "workers" / "RULES.md"


def test_the_file_is_what_the_rules_say():
    assert FILE.read_text() == catalogue(), "write it anew with `jejak rules catalogue`"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.kind)
def test_each_rule_is_explained_in_both_languages_with_its_basis_and_parameters(rule):
    section = catalogue().split(f"## {rule.kind}\n")[1].split("\n## ")[0]
    for text in (rule.meaning, rule.guards, rule.refutation):
        assert text.id in section
        assert text.en in section
    assert rule.legal_basis in section
    for name, _, said in parameters(rule.kind):
        (row,) = (line for line in section.splitlines() if f"| `{name}` |" in line)
        assert f"{said['id']} · {said['en']}" in row


def test_every_parameter_is_listed_once():
    kinds = (READING, *DeviationKind)
    names = [name for kind in kinds for name, *_ in parameters(kind)]
    assert all(catalogue().count(f"| `{name}` |") == 1 for name in names)


def test_each_kind_has_at_most_one_rule():
    kinds = [rule.kind for rule in RULES]
    assert len(set(kinds)) == len(kinds)
