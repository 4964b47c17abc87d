"""What trips are judged and paid by: versions of the rules, daily allowances.

Everyone may see them: whoever is judged may know by what. Admins add to them.
"""

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo

import strawberry

from graphql_api.context import Info
from graphql_api.enums import DeviationKind
from graphql_api.problems import InvalidInput, NotAllowed, NotFound
from graphql_api.queries import Id
from graphql_api.scalars import Rupiah
from tenants import models, rates, rulesets
from tenants.plans import text_of
from tenants.problems import InvalidInput as Invalid
from workers.rules import RULES
from workers.ruleset import Ruleset as Parameters
from workers.ruleset import UnknownParameter, parameters, ruleset


@strawberry.type(description="A number that a rule goes by, within the bounds it may have.")
class RuleParameter:
    name: str
    value: float
    standard: float = strawberry.field(description="What it is where a version says nothing.")
    unit: str = strawberry.field(description="s, m, m/s, h; empty for counts and shares.")
    least: float
    most: float
    whole: bool = strawberry.field(description="Whole numbers only.")
    meaning: str = strawberry.field(description="Artinya.")
    meaning_en: str


@strawberry.type(
    description="A rule in one version: on what terms it applies, by a trip's first day. That"
    " without a kind is how tracks are read before any rule looks at them."
)
class Rule:
    kind: DeviationKind | None
    meaning: str | None = strawberry.field(description="Artinya.")
    meaning_en: str | None
    guards: str | None = strawberry.field(description="Yang menjaga agar yang jujur tidak dituduh.")
    guards_en: str | None
    legal_basis: str | None = strawberry.field(description="*Dasar hukum*.")
    enabled: bool
    valid_from: date | None
    valid_until: date | None
    parameters: list[RuleParameter]


@strawberry.type(description="A version of the rules, for trips that begin while it is valid.")
class Ruleset:
    version: int
    valid_from: date
    valid_until: date | None
    legal_basis: str = strawberry.field(description="*Dasar hukum*.")
    in_force: bool = strawberry.field(description="Trips that begin today are judged by it.")
    stored: strawberry.Private[Mapping[str, Any]]

    @strawberry.field(description="Every rule of the catalogue, and how tracks are read.")
    def rules(self) -> list[Rule]:
        return list(_rules(ruleset(self.version, self.stored)))

    @classmethod
    def of(cls, row: models.RulesetVersion, in_force: int) -> "Ruleset":
        return cls(
            version=row.version,
            valid_from=row.valid_from,
            valid_until=row.valid_until,
            legal_basis=row.legal_basis,
            in_force=row.version == in_force,
            stored=row.parameters,
        )


def _rules(version: Parameters) -> Iterator[Rule]:
    yield Rule(
        kind=None,
        **dict.fromkeys(("meaning", "meaning_en", "guards", "guards_en", "legal_basis")),
        enabled=True,
        valid_from=None,
        valid_until=None,
        parameters=_parameters(version, None),
    )
    for rule in RULES:
        terms = version.terms.get(rule.kind)
        yield Rule(
            kind=rule.kind,
            meaning=rule.meaning.id,
            meaning_en=rule.meaning.en,
            guards=rule.guards.id,
            guards_en=rule.guards.en,
            legal_basis=(terms and terms.legal_basis) or rule.legal_basis,
            enabled=terms is None or terms.enabled,
            valid_from=terms.valid_from if terms else None,
            valid_until=terms.valid_until if terms else None,
            parameters=_parameters(version, rule.kind),
        )


def _parameters(version: Parameters, kind: DeviationKind | None) -> list[RuleParameter]:
    return [
        RuleParameter(
            name=name,
            value=getattr(version, name),
            standard=standard,
            unit=said["unit"],
            least=said["least"],
            most=said["most"],
            whole=isinstance(standard, int),
            meaning=said["id"],
            meaning_en=said["en"],
        )
        for name, standard, said in parameters(kind)
    ]


@strawberry.type(description="Rupiah a day in a province of destination (*uang harian*).")
class DailyAllowance:
    id: UUID
    province_code: str = strawberry.field(description="Kemendagri's, like 64.")
    amount: Rupiah
    valid_from: date
    valid_until: date | None
    legal_basis: str = strawberry.field(description="*Dasar hukum*.")

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, models.DailyAllowance)


@strawberry.input(description="A parameter that is to be another than the standard.")
class RuleParameterInput:
    name: str
    value: float


@strawberry.input(description="The terms of a rule; what is left out is as the catalogue has it.")
class RuleTermsInput:
    kind: DeviationKind
    enabled: bool = True
    legal_basis: str | None = None
    valid_from: date | None = None
    valid_until: date | None = None

    def stored(self) -> dict[str, Any]:
        if self.valid_from and self.valid_until and self.valid_until < self.valid_from:
            raise Invalid("validUntil", "sebelum berlaku", "is before it is valid")
        given = {
            "legal_basis": self.legal_basis and text_of("legalBasis", self.legal_basis),
            "valid_from": self.valid_from and self.valid_from.isoformat(),
            "valid_until": self.valid_until and self.valid_until.isoformat(),
        }
        return {name: value for name, value in given.items() if value} | {"enabled": self.enabled}


@strawberry.input(
    description="A version of the rules. What it leaves out is standard, not as the one before had"
    " it."
)
class RulesetInput:
    legal_basis: str
    valid_from: date
    valid_until: date | None = None
    parameters: list[RuleParameterInput] = strawberry.field(default_factory=list)
    rules: list[RuleTermsInput] = strawberry.field(default_factory=list)

    def stored(self) -> dict[str, Any]:
        """What the database keeps of it; raises `InvalidInput` for what can be no version."""
        named = [each.name for each in self.parameters] + [each.kind for each in self.rules]
        if len(named) != len(set(named)):
            raise Invalid("parameters", "disebut dua kali", "are named twice")
        values = {each.name: _number(each.value) for each in self.parameters}
        if "terms" in values:
            raise Invalid("parameters", "tidak dikenal", "hold no such parameter")
        terms = {each.kind.value: each.stored() for each in self.rules}
        stored = values | ({"terms": terms} if terms else {})
        try:
            ruleset(0, stored)
        except UnknownParameter as wrong:
            name, _, reason = str(wrong).partition(": ")
            known = name if name in values and "no such" not in reason else "parameters"
            raise Invalid(known, "tidak dikenal atau di luar batas", reason) from None
        return stored


def _number(value: float) -> float:
    return int(value) if value.is_integer() else value


@strawberry.input(description="A daily allowance (*uang harian*); both days included.")
class DailyAllowanceInput:
    province_code: str = strawberry.field(description="Kemendagri's, like 64.")
    amount: Rupiah
    valid_from: date
    valid_until: date | None = None
    legal_basis: str

    def value(self) -> rates.Rate:
        return rates.Rate(**vars(self))


AddRulesetResult = Annotated[
    Ruleset | NotAllowed | InvalidInput, strawberry.union("AddRulesetResult")
]
AddDailyAllowanceResult = Annotated[
    DailyAllowance | NotAllowed | InvalidInput, strawberry.union("AddDailyAllowanceResult")
]
EndDailyAllowanceResult = Annotated[
    DailyAllowance | NotFound | NotAllowed | InvalidInput,
    strawberry.union("EndDailyAllowanceResult"),
]


async def _shown(info: Info, rows: list[models.RulesetVersion]) -> dict[int, Ruleset]:
    known = await info.context.read(rulesets.versions)
    today = datetime.now(ZoneInfo(info.context.realm.zone)).date()
    valid = rulesets.in_force(known, today)
    return {row.version: Ruleset.of(row, valid) for row in rows or known}


@strawberry.type
class RuleQuery:
    @strawberry.field(
        description="Every version of the rules (*aturan penilaian*), newest first, with validity"
        " and legal basis."
    )
    async def rulesets(self, info: Info) -> list[Ruleset]:
        _ = info.context.signed_in
        shown = await _shown(info, [])
        return [shown[version] for version in sorted(shown, reverse=True)]

    @strawberry.field(
        graphql_type=list[DailyAllowance],
        description="Every daily allowance (*uang harian*) that was entered: by province, newest"
        " first.",
    )
    async def daily_allowances(self, info: Info) -> list[models.DailyAllowance]:
        _ = info.context.signed_in
        return await info.context.read(rates.every)


@strawberry.type
class RuleMutation:
    @strawberry.mutation(
        graphql_type=AddRulesetResult,
        description="Add a version of the rules (*aturan penilaian*), as TENANT_ADMIN; trips that"
        " begin while it is valid are judged by it, closed ones stay under theirs.",
    )
    async def add_ruleset(self, info: Info, ruleset: RulesetInput) -> Ruleset:
        added = await info.context.write(
            rulesets.add_as,
            info.context.signed_in,
            parameters=ruleset.stored(),
            legal_basis=ruleset.legal_basis,
            valid_from=ruleset.valid_from,
            valid_until=ruleset.valid_until,
        )
        return (await _shown(info, [added]))[added.version]

    @strawberry.mutation(
        graphql_type=AddDailyAllowanceResult,
        description="Enter a daily allowance (*uang harian*), as TENANT_ADMIN.",
    )
    async def add_daily_allowance(
        self, info: Info, allowance: DailyAllowanceInput
    ) -> models.DailyAllowance:
        return await info.context.write(rates.add_as, info.context.signed_in, allowance.value())

    @strawberry.mutation(
        graphql_type=EndDailyAllowanceResult,
        description="Give a daily allowance (*uang harian*) that has none its last day, as"
        " TENANT_ADMIN.",
    )
    async def end_daily_allowance(
        self, info: Info, key: Id, valid_until: date
    ) -> models.DailyAllowance:
        return await info.context.write(rates.end, info.context.signed_in, key, valid_until)
