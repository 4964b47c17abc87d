"""The schemas that front ends build on: exported, described, and audited by others' rules."""

from pathlib import Path

import pytest
from conftest import People
from graphql import GraphQLSchema, build_schema, is_enum_type, is_input_object_type, is_object_type
from node_clients import run

from graphql_api import province, schema
from infra.world import World

API = Path(__file__).parents[1] / "graphql_api"
SCHEMAS = {"schema.graphql": schema.schema, "province.graphql": province.schema}


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_exported_schema_is_the_one_that_is_served(name: str) -> None:
    exported = (API / name).read_text()
    assert exported.rstrip() == SCHEMAS[name].as_str().rstrip(), (
        f"export it again: .venv/bin/jejak schema{' --province' * (name != 'schema.graphql')}"
        f" > graphql_api/{name}"
    )


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_root_field_says_what_it_is(name: str) -> None:
    built = build_schema(SCHEMAS[name].as_str())
    silent = [
        f"{root.name}.{field}"
        for root in (built.query_type, built.mutation_type, built.subscription_type)
        if root is not None
        for field, definition in root.fields.items()
        if not definition.description
    ]
    assert silent == []


@pytest.mark.parametrize("word", ["perjalanan dinas", "surat tugas", "tempat sah", "hak jawab"])
def test_the_words_of_the_law_are_in_the_descriptions(word: str) -> None:
    assert word in schema.schema.as_str()


@pytest.mark.parametrize("name", SCHEMAS)
def test_failures_of_mutations_implement_problem(name: str) -> None:
    built: GraphQLSchema = build_schema(SCHEMAS[name].as_str())
    assert built.mutation_type is not None
    for field in built.mutation_type.fields.values():
        union = built.type_map[str(field.type).rstrip("!")]
        success, *failures = union.types
        assert not success.interfaces, success
        assert failures, field
        for failure in failures:
            assert [interface.name for interface in failure.interfaces] == ["Problem"], failure


def test_nothing_can_be_set_that_is_not_the_callers() -> None:
    built = build_schema(schema.schema.as_str())
    fields = {
        name
        for kind in built.type_map.values()
        if is_input_object_type(kind)
        for name in kind.fields
    }
    assert fields.isdisjoint({"tenant", "state", "id", "evaluatedAt", "revision", "receivedAt"})
    assert any(is_enum_type(kind) for kind in built.type_map.values())
    assert any(is_object_type(kind) for kind in built.type_map.values())


@pytest.mark.parametrize("slug", ["samarinda", "province"])
def test_the_server_audit_passes_whole(world: World, people: People, slug: str) -> None:
    token = people.as_("inspektur" if slug == "samarinda" else "pengawas", slug).token
    code, (results,), complaint = run(
        "audit.mjs",
        f"{world.base_url}/{slug}/graphql",
        "--header",
        f"Authorization: Bearer {token}",
    )
    assert [result for result in results if result["status"] != "ok"] == [], complaint
    assert (len(results), code) == (61, 0)
