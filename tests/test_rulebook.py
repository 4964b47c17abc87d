"""Rules and rates as a regency enters them: anybody reads them, an admin adds to them."""

from datetime import timedelta

import pytest
from asking import ask, nothing_changes, nowhere
from conftest import today

from infra.front_end import Refused

HOSTILE = '<img src=x onerror="x"> {{7*7}}'
RULESETS = """{ rulesets { version validFrom validUntil legalBasis inForce
  rules { kind meaning meaningEn guards legalBasis enabled
    parameters { name value standard unit least most whole meaning meaningEn } } } }"""
RATES = "{ dailyAllowances { id provinceCode amount validFrom validUntil legalBasis } }"


@pytest.fixture(scope="module")
def admin(people):
    return people.as_("admin")


def day(days: int) -> str:
    return (today() + timedelta(days=days)).isoformat()


def ruleset(**given):
    # Long ago and over: other tests' trips are judged by the version they know.
    return {"legalBasis": "Perwali uji", "validFrom": "2001-01-01", "validUntil": "2001-12-31"} | (
        given
    )


class TestRules:
    def test_whoever_is_judged_may_read_by_what(self, people):
        (*_, oldest) = people.fresh().front_end.ask(RULESETS)["rulesets"]
        reading, *rules = oldest["rules"]
        assert reading["kind"] is None
        assert len(rules) == len({rule["kind"] for rule in rules}) == 18
        assert all(rule["meaning"] and rule["meaningEn"] and rule["guards"] for rule in rules)
        (late,) = [rule for rule in rules if rule["kind"] == "REPORT_LATE"]
        (days,) = late["parameters"]
        assert (days["name"], days["value"], days["whole"]) == ("report_working_days", 5, True)
        (share,) = [each for each in reading["parameters"] if each["name"] == "home_share"]
        assert (share["least"], share["most"], share["whole"]) == (0, 1, False)

    def test_a_version_is_added(self, admin):
        made = ask(
            admin,
            "addRuleset",
            ruleset=ruleset(
                legalBasis=HOSTILE,
                parameters=[
                    {"name": "report_working_days", "value": 7},
                    {"name": "min_coverage", "value": 0.25},
                ],
                rules=[
                    {"kind": "MOCK_FLAG", "enabled": False},
                    {"kind": "REPORT_LATE", "legalBasis": "Perwali 9", "validFrom": "2001-02-03"},
                ],
            ),
        )
        assert (made["legalBasis"], made["inForce"]) == (HOSTILE, False)
        rules = {rule["kind"]: rule for rule in made["rules"]}
        assert rules["REPORT_LATE"]["parameters"][0]["value"] == 7
        assert rules["REPORT_LATE"]["legalBasis"] == "Perwali 9"
        assert rules["REPORT_LATE"]["validFrom"] == "2001-02-03"
        assert rules["LOW_COVERAGE"]["parameters"][0]["value"] == 0.25
        assert [rule["kind"] for rule in made["rules"] if not rule["enabled"]] == ["MOCK_FLAG"]
        newest, *_ = admin.ask(RULESETS)["rulesets"]
        assert newest["version"] == made["version"]
        (valid,) = [each for each in admin.ask(RULESETS)["rulesets"] if each["inForce"]]
        assert valid["version"] != made["version"]

    @pytest.mark.parametrize(
        ("wrong", "field"),
        [
            ({"legalBasis": " "}, "legalBasis"),
            ({"legalBasis": "\x00"}, "legalBasis"),
            ({"validUntil": "2000-12-31"}, "validUntil"),
            ({"parameters": [{"name": HOSTILE, "value": 1}]}, "parameters"),
            ({"parameters": [{"name": "terms", "value": 1}]}, "parameters"),
            ({"parameters": [{"name": "visit_fixes", "value": 1.5}]}, "visit_fixes"),
            ({"parameters": [{"name": "visit_fixes", "value": 1e300}]}, "visit_fixes"),
            ({"parameters": [{"name": "home_share", "value": 1.01}]}, "home_share"),
            ({"parameters": [{"name": "waking_until_hour", "value": 3}]}, "waking_until_hour"),
            ({"parameters": [{"name": "jump_m", "value": 1}] * 2}, "parameters"),
            ({"rules": [{"kind": "OVERLAP"}] * 2}, "parameters"),
            ({"rules": [{"kind": "OVERLAP", "legalBasis": "x" * 501}]}, "legalBasis"),
        ],
        ids=lambda value: str(value)[:40],
    )
    def test_versions_that_cannot_be(self, admin, wrong, field):
        with nothing_changes():
            refused = ask(admin, "addRuleset", ruleset=ruleset(**wrong))
        assert (refused["code"], refused["field"]) == ("INVALID_INPUT", field)


def rate(**given):
    return {
        "provinceCode": "35",
        "amount": "410000",
        "validFrom": "2026-01-01",
        "legalBasis": "Perwali uji",
    } | given


class TestRates:
    def test_one_follows_another(self, people, admin):
        first = ask(admin, "addDailyAllowance", allowance=rate(legalBasis=HOSTILE))
        assert (first["amount"], first["validUntil"]) == ("410000.00", None)
        with nothing_changes():
            refused = ask(admin, "addDailyAllowance", allowance=rate(validFrom="2030-01-01"))
            early = ask(admin, "endDailyAllowance", id=first["id"], validUntil="2025-12-31")
        assert (refused["code"], refused["field"]) == ("INVALID_INPUT", "validFrom")
        assert (early["code"], early["field"]) == ("INVALID_INPUT", "validUntil")
        ended = ask(admin, "endDailyAllowance", id=first["id"], validUntil="2029-12-31")
        assert ended["validUntil"] == "2029-12-31"
        again = ask(admin, "endDailyAllowance", id=first["id"], validUntil="2030-12-31")
        assert again["field"] == "validUntil"
        ask(admin, "addDailyAllowance", allowance=rate(validFrom="2030-01-01", amount="1.5"))
        shown = people.fresh().front_end.ask(RATES)["dailyAllowances"]
        ours = [each for each in shown if each["provinceCode"] == "35"]
        assert [each["validFrom"] for each in ours] == ["2030-01-01", "2026-01-01"]
        assert [each["amount"] for each in ours] == ["1.50", "410000.00"]
        assert ours[1]["legalBasis"] == HOSTILE
        assert people.as_("admin", "balikpapan").ask(RATES)["dailyAllowances"] != shown

    @pytest.mark.parametrize(
        ("wrong", "field"),
        [
            ({"provinceCode": "6"}, "provinceCode"),
            ({"provinceCode": "٦٤"}, "provinceCode"),
            ({"provinceCode": "64\n"}, "provinceCode"),
            ({"amount": "-1"}, "amount"),
            ({"amount": "NaN"}, "amount"),
            ({"amount": "1e9"}, "amount"),
            ({"amount": "1e999999"}, "amount"),
            ({"amount": "0.001"}, "amount"),
            ({"validUntil": "2025-12-31"}, "validUntil"),
            ({"legalBasis": ""}, "legalBasis"),
        ],
        ids=lambda value: str(value)[:40],
    )
    def test_rates_that_cannot_be(self, admin, wrong, field):
        with nothing_changes():
            refused = ask(admin, "addDailyAllowance", allowance=rate(provinceCode="91") | wrong)
        assert (refused["code"], refused["field"]) == ("INVALID_INPUT", field)

    def test_what_is_no_number_is_the_askers_mistake(self, admin):
        with pytest.raises(Refused, match="BAD_USER_INPUT"):
            ask(admin, "addDailyAllowance", allowance=rate(amount="banyak"))

    def test_of_none(self, admin):
        refused = ask(admin, "endDailyAllowance", id=nowhere(), validUntil=day(0))
        assert refused["code"] == "NOT_FOUND"


def test_only_an_admin_adds(people):
    others = [people.fresh().front_end]
    others += map(people.as_, ("operator", "kepala", "bendahara", "inspektur", "penerima"))
    with nothing_changes():
        for who in others:
            for refused in (
                ask(who, "addRuleset", ruleset=ruleset()),
                ask(who, "addDailyAllowance", allowance=rate(provinceCode="92")),
                ask(who, "endDailyAllowance", id=nowhere(), validUntil=day(0)),
            ):
                assert refused["code"] == "NOT_ALLOWED"
                assert refused["allowed"] == ["TENANT_ADMIN"]
