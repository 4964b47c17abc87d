"""The catalogue of the rules says what the rules are."""

from pathlib import Path

import pytest

from workers.case import DeviationKind
from workers.parameter import READING
from workers.rules import RULES
from workers.rules.catalogue import catalogue
from workers.ruleset import UnknownParameter, parameters, ruleset

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


PARAMETERS = [row for kind in (READING, *DeviationKind) for row in parameters(kind)]


@pytest.mark.parametrize(
    ("name", "default", "said"), PARAMETERS, ids=[name for name, *_ in PARAMETERS]
)
def test_a_parameter_stays_within_its_bounds(name, default, said):
    least, most = said["least"], said["most"]
    assert least <= default <= most
    for value in (default, most) if name == "waking_until_hour" else (least, default):
        assert getattr(ruleset(1, {name: value}), name) == value
    for value in (least - 1, most + 1, -1, 10**9, float("nan"), float("inf"), True, "1", None):
        with pytest.raises(UnknownParameter, match=name):
            ruleset(1, {name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("lodging_from_hour", 24),
        ("waking_until_hour", 24),
        ("home_share", 1.1),
        ("min_coverage", 50),
        ("road_mps", 0),
        ("air_mps", 0),
        ("detour", 0.5),
        ("offshore_m", 3e7),
        ("outlier_seconds", 1e6),
        ("waking_from_hour", 22),
        ("waking_until_hour", 6),
    ],
)
def test_values_without_sense_are_refused(name, value):
    with pytest.raises(UnknownParameter, match=name):
        ruleset(1, {name: value})


def test_each_kind_has_at_most_one_rule():
    kinds = [rule.kind for rule in RULES]
    assert len(set(kinds)) == len(kinds)
