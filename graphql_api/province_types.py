"""The province's GraphQL types: figures and cases, and no track."""

from datetime import date, datetime
from typing import Annotated, Any, Self
from uuid import UUID

import strawberry

from graphql_api.context import ProvinceInfo
from graphql_api.enums import DeviationKind, DeviationState, EscalationState, Outcome, Severity
from graphql_api.scalars import Rupiah
from tenants import indicators, province
from tenants.escalations import Asked


@strawberry.type(description="How many trips have this outcome now.")
class OutcomeCount:
    outcome: Outcome
    trips: int


@strawberry.type(description="How many cases are of this kind.")
class KindCount:
    kind: DeviationKind
    deviations: int


@strawberry.type(
    description="A share, and the Wilson score interval around it at 95 %: of few trips it is wide."
)
class ShareInterval:
    share: float
    low: float
    high: float


@strawberry.type(
    description="Trips by the month of their last planned day, and the cases of these trips."
)
class Indicators:
    figures: strawberry.Private[indicators.Figures]
    trips: int = strawberry.field(description="Trips issued and not cancelled.")
    days: int = strawberry.field(description="Planned days of these trips.")
    coverage: float | None = strawberry.field(
        description="Mean share of the time that is known, 0 to 1, over trips with a verdict."
    )
    open_deviations: int
    settled_deviations: int
    amount_at_stake: Rupiah = strawberry.field(description="Of the open deviations, in rupiah.")

    @strawberry.field
    def verdicts(self) -> list[OutcomeCount]:
        return [
            OutcomeCount(outcome=outcome, trips=self.figures.verdicts[outcome])
            for outcome in Outcome
        ]

    @strawberry.field(description="The kinds of which there is a case, open or settled.")
    def deviations_by_kind(self) -> list[KindCount]:
        return [
            KindCount(kind=kind, deviations=self.figures.kinds[kind])
            for kind in DeviationKind
            if self.figures.kinds[kind]
        ]

    @strawberry.field(
        description="Of the trips that a final verdict says to conform or to deviate, those that"
        " deviate; what cannot be verified counts for neither."
    )
    def deviation_share(self) -> ShareInterval | None:
        return _interval(self.figures.deviation_share)

    @strawberry.field(
        description="Hours from the finding to the first reply (*hak jawab*), the median over the"
        " cases that had one."
    )
    def median_hours_to_reply(self) -> float | None:
        return self.figures.median_hours_to_reply

    @strawberry.field(
        description="Hours from the finding to the first ruling, the median over the cases that"
        " had one."
    )
    def median_hours_to_ruling(self) -> float | None:
        return self.figures.median_hours_to_ruling

    @classmethod
    def of(cls, figures: indicators.Figures, **more: Any) -> Self:
        """The figures as GraphQL shows them; `more` are the fields of the type that extends."""
        return cls(
            figures=figures,
            trips=figures.trips,
            days=figures.days,
            coverage=figures.coverage,
            open_deviations=figures.open_deviations,
            settled_deviations=figures.settled_deviations,
            amount_at_stake=Rupiah(figures.amount_at_stake),
            **more,
        )


def _interval(found: indicators.Interval | None) -> ShareInterval | None:
    return ShareInterval(share=found.share, low=found.low, high=found.high) if found else None


@strawberry.type(description="One month of a regency.")
class MonthlyIndicators(Indicators):
    month: date = strawberry.field(description="Its first day.")


@strawberry.type(
    description="How old what the province holds of a regency is (*per tanggal*). What was last"
    " known stays readable while the regency cannot be reached."
)
class Freshness:
    as_of: datetime | None = strawberry.field(
        description="When the regency's database was last heard of; null if never."
    )
    age_seconds: float | None
    reachable: bool = strawberry.field(description="Heard of within the last minute.")
    bytes_behind: float | None = strawberry.field(
        description="Of its server's log, what the province has not confirmed, of all databases"
        " there; null where that server is not the province's own."
    )
    copying: bool = strawberry.field(description="Its rows are being copied and not complete.")
    needs_resync: bool = strawberry.field(
        description="It will not catch up by itself: the operator copies it anew."
    )

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, indicators.Freshness)


@strawberry.type(
    description="The head of a regency's evidence chain (*rantai bukti*), as the province keeps it."
)
class EvidenceHead:
    number: int = strawberry.field(description="Of the seal, counted from 1.")
    sealed_at: datetime
    received_at: datetime = strawberry.field(description="When it came here.")

    @strawberry.field(description="SHA-256, hexadecimal.")
    def head(row: strawberry.Parent[province.KeptHead]) -> str:
        return row.head.hex()

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, province.KeptHead)


@strawberry.type(description="A kabupaten or kota in figures, as it publishes them.")
class Regency(Indicators):
    row: strawberry.Private[indicators.RegencyFigures]
    code: str = strawberry.field(description="Kemendagri code.")
    name: str

    @strawberry.field(description="Months with a trip or a case, in order.")
    def months(self) -> list[MonthlyIndicators]:
        return [MonthlyIndicators.of(figures, month=month) for month, figures in self.row.months]

    @strawberry.field(graphql_type=Freshness)
    def freshness(self) -> indicators.Freshness:
        return self.row.freshness

    @strawberry.field(
        graphql_type=EvidenceHead | None, description="The newest; null before the first came."
    )
    def evidence_head(self) -> province.KeptHead | None:
        return self.row.head

    @strawberry.field(
        description="Heads that came with a number that had another head: 0 of an honest regency."
    )
    def conflicting_heads(self) -> int:
        return self.row.conflicting_heads


def regency_of(row: indicators.RegencyFigures) -> Regency:
    """The regency as GraphQL shows it."""
    return Regency.of(row.total, row=row, code=row.code, name=row.name)


@strawberry.type(
    description="A regency among the others, by the share of its judged trips that deviate. The"
    " order is that of the intervals' lower bounds: a few trips put nobody first. Regencies whose"
    " intervals overlap are not told apart: each could stand anywhere in its range of places."
)
class RankedRegency:
    place: int
    from_place: int = strawberry.field(description="The first place it could have as well.")
    to_place: int = strawberry.field(description="The last place it could have as well.")
    distinguishable: bool = strawberry.field(
        description="Told apart from every other (*dapat dibedakan*)."
    )
    code: str
    name: str
    deviating: int = strawberry.field(description="Trips that deviate.")
    judged: int = strawberry.field(description="Trips that conform or deviate, finally.")

    @strawberry.field
    def interval(row: strawberry.Parent[indicators.Ranked]) -> ShareInterval:
        found = row.interval
        return ShareInterval(share=found.share, low=found.low, high=found.high)

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, indicators.Ranked)


@strawberry.type(description="What a regency answered (*penjelasan*); who did, is its own matter.")
class SharedAnswer:
    id: UUID
    body: str
    answered_at: datetime

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, province.SharedAnswer)


@strawberry.type(description="A question to a regency about a case (*permintaan penjelasan*).")
class Escalation:
    state: EscalationState
    answers: list[SharedAnswer] = strawberry.field(description="As they arrived.")

    @strawberry.field
    def id(row: strawberry.Parent[Asked]) -> UUID:
        return row.row.id

    @strawberry.field(description="Kemendagri code.")
    def regency_code(row: strawberry.Parent[Asked]) -> str:
        return row.row.tenant

    @strawberry.field(description="The case; it may have been withdrawn since.")
    def deviation_id(row: strawberry.Parent[Asked]) -> UUID:
        return row.row.deviation_id

    @strawberry.field
    def question(row: strawberry.Parent[Asked]) -> str:
        return row.row.question

    @strawberry.field(description="The member of the province who asks.")
    def asked_by_id(row: strawberry.Parent[Asked]) -> UUID:
        return row.row.asked_by_id

    @strawberry.field
    def asked_at(row: strawberry.Parent[Asked]) -> datetime:
        return row.row.asked_at

    @strawberry.field(description="What was said when it was closed.")
    def note(row: strawberry.Parent[Asked]) -> str | None:
        return row.closing.note if row.closing else None

    @strawberry.field
    def closed_by_id(row: strawberry.Parent[Asked]) -> UUID | None:
        return row.closing.closed_by_id if row.closing else None

    @strawberry.field
    def closed_at(row: strawberry.Parent[Asked]) -> datetime | None:
        return row.closing.closed_at if row.closing else None

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, Asked)


@strawberry.type(description="That a case came to be in a state, and when.")
class StateChange:
    state: DeviationState
    at: datetime


@strawberry.type(description="A case (*temuan*) as a regency shares it: no position.")
class SharedDeviation:
    id: UUID
    tenant: str = strawberry.field(name="regencyCode", description="Kemendagri code.")
    trip_id: UUID
    kind: DeviationKind
    severity: Severity
    state: DeviationState
    started_at: datetime
    ended_at: datetime
    region_code: str | None
    planned_region_code: str | None
    coverage: float
    amount: Rupiah | None
    message_id: str = strawberry.field(name="message")
    message_en: str
    found_at: datetime
    replied_at: datetime | None = strawberry.field(
        description="When the traveller first replied (*hak jawab*); her words stay in the regency."
    )
    ruled_at: datetime | None = strawberry.field(
        description="When an inspector first ruled on it; the reasons stay in the regency."
    )
    pseudonym: str | None = strawberry.field(
        description="The same for one person in all regencies; null for who has no NIP."
    )
    traveller_name: str | None = strawberry.field(
        description="Only where the regency agreed to share names."
    )
    traveller_nip: str | None = strawberry.field(description="The same.")

    @strawberry.field(description="Each state it came to be in, in order.")
    def history(row: strawberry.Parent[province.SharedDeviation]) -> list[StateChange]:
        return [
            StateChange(
                state=DeviationState(change["state"]), at=datetime.fromisoformat(change["at"])
            )
            for change in row.history
        ]

    @strawberry.field(
        graphql_type=list[Escalation], description="What the province asked about it, in order."
    )
    async def escalations(
        row: strawberry.Parent[province.SharedDeviation], info: ProvinceInfo
    ) -> list[Asked]:
        return await info.context.escalations.load(row.id)

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, province.SharedDeviation)


MonthArgument = Annotated[date | None, strawberry.argument(description="Any day of the month.")]
