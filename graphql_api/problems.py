"""The domain's problems as GraphQL types: each mutation's union names those it can meet."""

from collections.abc import Iterator
from datetime import date
from typing import Any
from uuid import UUID

import strawberry
from strawberry.schema import ExceptionHandler

from tenants import problems


@strawberry.interface(description="An expected failure; nothing was changed.")
class Problem:
    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        """The domain's class of the same name is the value itself."""
        return isinstance(value, getattr(problems, cls.__name__))

    code: str = strawberry.field(description="The kind of failure, for programs.")
    message_id: str = strawberry.field(name="message", description="Pesan untuk pengguna.")
    message_en: str = strawberry.field(description="The same in English.")


@strawberry.type(description="Absent, or not yours to see.")
class NotFound(Problem):
    kind: str


@strawberry.type(description="Your roles do not allow it (*bukan kewenangan*).")
class NotAllowed(Problem):
    roles: list[str] = strawberry.field(description="The roles that may.")


@strawberry.type(description="A value that cannot be what it is meant to be.")
class InvalidInput(Problem):
    field: str


@strawberry.type(description="A Kemendagri code that the boundaries do not hold.")
class UnknownRegion(Problem):
    region: str


@strawberry.type(description="The traveller is on another trip then (*tugas rangkap*).")
class OverlappingTrip(Problem):
    trip_id: UUID
    letter_number: str
    starts_on: date
    ends_on: date


@strawberry.type(description="Not possible for a trip in this state.")
class WrongState(Problem):
    state: str


@strawberry.type(description="A deviation stands (*temuan*): the plan is closed.")
class PlanIsJudged(Problem):
    deviations: int


@strawberry.type(description="More fixes than one upload may hold.")
class TooManyFixes(Problem):
    limit: int
    given: int


@strawberry.type(description="A fix that cannot be one; the whole upload was refused.")
class InvalidFix(Problem):
    index: int = strawberry.field(description="Which of the upload's fixes, from 0.")


class _AsMember:
    """The exception itself is the value: it carries what the type shows."""

    def __init__(self, exception_type: type[problems.Problem], error_type: type[Problem]) -> None:
        self.exception_type = exception_type
        self.error_type = error_type

    def handle(self, exception: problems.Problem, *, field: object, info: object) -> Any:  # noqa: ARG002
        return exception


def handlers() -> Iterator[ExceptionHandler[Any]]:
    """A problem becomes a member of the field's union where the union has it."""
    for error_type in Problem.__subclasses__():
        yield _AsMember(getattr(problems, error_type.__name__), error_type)
