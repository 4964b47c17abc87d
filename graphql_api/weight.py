"""What one operation may ask for, measured before anything of it runs.

Strawberry's own `MaxAliasesLimiter` and `QueryDepthLimiter` follow a fragment each time it is
spread, so that thirty small fragments keep them busy for hours. Here every fragment is weighed
once, and the weighing comes before the other rules of validation, some of which are quadratic.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any, NamedTuple

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLField,
    GraphQLNamedType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_composite_type,
    is_list_type,
)

PAGE_ARGUMENTS = ("first", "last", "limit")
TOGETHER = {"LivePosition": 10}
"""Items of these types count as one each so many: all of a list comes from one statement."""

NESTING = 50
"""Selection sets in one another, fragments included; more would only exhaust the stack."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that one document may hold, its fragments counted wherever they are spread.

    `depth` counts fields in fields, the outermost as 1. `aliases` counts fields asked for again:
    aliased, or repeated side by side. `cost` is the number of values that the answer can hold:
    lists count as long as the page asked for, else as `page` or, without page arguments, `items`.
    Introspection has no depth and its lists count once: graphql-core limits how it may recur.
    `fragments` are definitions: validation compares each with each.
    """

    tokens: int = 2_000
    characters: int = 65_536
    depth: int = 10
    aliases: int = 30
    directives: int = 50
    selections: int = 1_000
    fragments: int = 50
    cost: int = 5_000
    page: int = 100
    items: int = 5


class Weight(NamedTuple):
    """What a selection set holds; `each` is the cost for every item of the page around it."""

    cost: int = 0
    each: int = 0
    depth: int = 0
    aliases: int = 0
    directives: int = 0
    selections: int = 0

    def beside(self, other: "Weight") -> "Weight":
        """The weight of both in one selection set."""
        return Weight(
            self.cost + other.cost,
            self.each + other.each,
            max(self.depth, other.depth),
            self.aliases + other.aliases,
            self.directives + other.directives,
            self.selections + other.selections,
        )


class TooNested(Exception):
    """Selection sets lie in one another deeper than `NESTING`."""


class Scales:
    """Weighs the operations and fragments of one document, with the variables of one request."""

    def __init__(
        self,
        schema: GraphQLSchema,
        document: DocumentNode,
        variables: Mapping[str, Any],
        limits: Limits,
    ) -> None:
        self.schema = schema
        self.limits = limits
        self.operations: list[OperationDefinitionNode] = []
        self.fragments: dict[str, FragmentDefinitionNode] = {}
        self.weighed: dict[str, Weight] = {}
        self.sizes: dict[str, int] = {}
        for definition in document.definitions:
            if isinstance(definition, OperationDefinitionNode):
                self.operations.append(definition)
            elif isinstance(definition, FragmentDefinitionNode):
                self.fragments[definition.name.value] = definition
        for operation in self.operations:
            for variable in operation.variable_definitions or ():
                name = variable.variable.name.value
                given = variables.get(name)
                if type(given) is not int:
                    given = self.literal(variable.default_value)
                self.sizes[name] = max(given or 0, self.sizes.get(name, 0))

    def total(self) -> Weight:
        """All operations together, so that no document hides much in what it does not run."""
        total = Weight()
        for operation in self.operations:
            root = self.schema.get_root_type(operation.operation)
            weight = self.selection_set(operation.selection_set, root, 1)
            directives = len(operation.directives or ()) + sum(
                len(variable.directives or ()) for variable in operation.variable_definitions or ()
            )
            cost = weight.cost + self.limits.items * weight.each
            total = total.beside(
                weight._replace(cost=cost, each=0, directives=weight.directives + directives)
            )
        for name in self.fragments:
            # Validation reads unused fragments too.
            unused = self.fragment(name, 1)
            total = total._replace(selections=max(total.selections, unused.selections))
        return total

    def fragment(self, name: str, nesting: int) -> Weight:
        if name not in self.weighed:
            definition = self.fragments.get(name)
            # Also what a fragment that spreads itself finds; the rules of validation refuse both.
            self.weighed[name] = Weight()
            if definition:
                kind = self.schema.get_type(definition.type_condition.name.value)
                weight = self.selection_set(definition.selection_set, kind, nesting)
                self.weighed[name] = weight._replace(
                    directives=weight.directives + len(definition.directives or ())
                )
        return self.weighed[name]

    def selection_set(
        self, node: SelectionSetNode, parent: GraphQLNamedType | None, nesting: int
    ) -> Weight:
        if nesting > NESTING:
            raise TooNested
        total = Weight()
        names: set[str] = set()
        for selection in node.selections:
            match selection:
                case FieldNode():
                    weight = self.field(selection, parent, nesting)
                    name = (selection.alias or selection.name).value
                    if selection.alias or name in names:
                        weight = weight._replace(aliases=weight.aliases + 1)
                    names.add(name)
                case FragmentSpreadNode():
                    weight = self.fragment(selection.name.value, nesting + 1)
                case InlineFragmentNode():
                    kind = parent
                    if selection.type_condition:
                        kind = self.schema.get_type(selection.type_condition.name.value)
                    weight = self.selection_set(selection.selection_set, kind, nesting + 1)
            total = total.beside(
                weight._replace(
                    directives=weight.directives + len(selection.directives or ()),
                    selections=weight.selections + 1,
                )
            )
        return total

    def field(self, node: FieldNode, parent: GraphQLNamedType | None, nesting: int) -> Weight:
        definition = None
        if parent and is_composite_type(parent):
            definition = self.schema.get_field(parent, node.name.value)
        introspection = node.name.value.startswith("__")
        kind = get_named_type(definition.type) if definition and not introspection else None
        inner = Weight()
        if node.selection_set:
            inner = self.selection_set(node.selection_set, kind, nesting + 1)
        size = self.size(node, definition) if definition else None
        listed = definition is not None and not introspection and _is_list(definition)
        if listed or size is None:
            cost = 1 + inner.cost + self.limits.items * inner.each
        else:  # a connection: its page is the length of the lists in it
            cost = 1 + inner.cost + size * inner.each
        if listed and size is not None:
            cost = ceil(cost * size / TOGETHER.get(kind.name if kind else "", 1))
        per_item = listed and size is None
        return inner._replace(
            cost=0 if per_item else cost,
            each=cost if per_item else 0,
            depth=0 if introspection else inner.depth + 1,
        )

    def size(self, node: FieldNode, definition: GraphQLField) -> int | None:
        """The page asked for; None if the field has no pages."""
        given: int | None = None
        paged = False
        for name in PAGE_ARGUMENTS:
            if argument := definition.args.get(name):
                paged = True
                written = next(
                    (a.value for a in node.arguments or () if a.name.value == name), None
                )
                asked = self.literal(written)
                if written is None and type(argument.default_value) is int:
                    asked = argument.default_value
                given = max(given or 0, asked or 0) or None
        return (given or self.limits.page) if paged else None

    def literal(self, node: ValueNode | None) -> int | None:
        match node:
            case VariableNode():
                return self.sizes.get(node.name.value)
            case IntValueNode():
                # int() refuses thousands of digits; nobody can pay for more than these.
                return int(node.value[:12])
        return None


def _is_list(definition: GraphQLField) -> bool:
    return is_list_type(get_nullable_type(definition.type))


def excess(
    schema: GraphQLSchema, document: DocumentNode, variables: Mapping[str, Any], limits: Limits
) -> GraphQLError | None:
    """The first limit that the document breaks, as an error; None if it keeps all."""
    scales = Scales(schema, document, variables, limits)
    try:
        weight = scales.total()
    except TooNested:
        weight = Weight(depth=limits.depth + 1)
    for code, what, what_en, found, limit in (
        ("TOO_MANY_FRAGMENTS", "fragmen", "fragments", len(scales.fragments), limits.fragments),
        ("TOO_DEEP", "kedalaman", "depth", weight.depth, limits.depth),
        ("TOO_MANY_ALIASES", "alias", "aliases", weight.aliases, limits.aliases),
        ("TOO_MANY_DIRECTIVES", "direktif", "directives", weight.directives, limits.directives),
        ("TOO_MANY_FIELDS", "kolom", "fields", weight.selections, limits.selections),
        ("TOO_COSTLY", "biaya", "cost", weight.cost, limits.cost),
    ):
        if found > limit:
            return GraphQLError(
                f"Permintaan melebihi batas: {what} paling banyak {limit}.",
                extensions={"code": code, "message_en": f"Over the limit: {what_en} {limit}."},
            )
    return None
