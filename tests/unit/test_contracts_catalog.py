"""The catalog: what a directory of schema files promises, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from streams.contracts.catalog import Catalog
from streams.contracts.wire.schema_tree import inline, self_contained, shape, title_of
from streams.errors import Misconfigured

pytestmark = pytest.mark.urs("M4.5")


def record(name: str, **fields: Any) -> dict[str, Any]:
    return {
        "type": "record",
        "name": name,
        "fields": [{"name": field, "type": kind} for field, kind in fields.items()],
    }


def write(root: Path, path: str, schema: Any) -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(schema if isinstance(schema, str) else json.dumps(schema))


def code_of(call: Any, *arguments: Any) -> str:
    with pytest.raises(Misconfigured) as caught:
        call(*arguments)
    return caught.value.code


def test_references_are_written_out_at_their_first_use(tmp_path: Path) -> None:
    write(tmp_path, "core/unit.v1.avsc", record("l.core.Unit", code="string"))
    write(
        tmp_path,
        "core/pair.v1.avsc",
        record("l.core.Pair", a="Unit", b=["null", "l.core.Unit"]),
    )
    schema = Catalog.load(tmp_path).schema("l.core.Pair")
    assert schema["fields"][0]["type"] == record("l.core.Unit", code="string")
    assert schema["fields"][1]["type"] == ["null", "l.core.Unit"]


def test_the_highest_version_is_the_one_in_force(tmp_path: Path) -> None:
    write(tmp_path, "core/unit.v1.avsc", record("l.core.Unit", code="string"))
    write(tmp_path, "core/unit.v2.avsc", record("l.core.Unit", code="string", more="long"))
    catalog = Catalog.load(tmp_path)
    assert catalog.names() == ("l.core.Unit",)
    assert catalog.version_of("l.core.Unit") == 2
    assert len(catalog.schema("l.core.Unit")["fields"]) == 2
    assert len(catalog.schema("l.core.Unit", 1)["fields"]) == 1
    assert code_of(catalog.schema, "l.core.Unit", 3) == "unknown_schema"
    assert code_of(catalog.schema, "l.core.Other") == "unknown_schema"


def test_two_files_for_one_version_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "a/unit.v1.avsc", record("l.core.Unit", code="string"))
    write(tmp_path, "b/unit.v1.avsc", record("l.core.Unit", code="string"))
    assert code_of(Catalog.load, tmp_path) == "duplicate_schema_name"


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("core/unit.v1.avsc", "{"),
        ("core/unit.avsc", record("l.Unit", code="string")),
        ("core/Unit.v1.avsc", record("l.Unit", code="string")),
        ("core/unit.v0.avsc", record("l.Unit", code="string")),
        ("core/unit.v1.avsc", record("l.Other", code="string")),
        ("core/unit.v1.avsc", ["null", "string"]),
    ],
)
def test_a_file_must_be_what_its_name_says(tmp_path: Path, path: str, content: Any) -> None:
    write(tmp_path, path, content)
    assert code_of(Catalog.load, tmp_path) == "bad_schema_file"


def test_a_schema_that_avro_does_not_allow_names_its_file(tmp_path: Path) -> None:
    write(
        tmp_path,
        "core/unit.v1.avsc",
        {"type": "enum", "name": "l.Unit", "symbols": ["not a symbol"]},
    )
    with pytest.raises(Misconfigured, match=r"core/unit\.v1\.avsc"):
        Catalog.load(tmp_path).schema("l.Unit")


@pytest.mark.parametrize(
    ("unit", "code"),
    [
        (record("l.Unit", other="l.Missing"), "unknown_schema_reference"),
        (record("l.Unit", other=["null", "l.Unit"]), "recursive_schema"),
        (record("l.Unit", other={"type": "map", "values": "l.Tree"}), "recursive_schema"),
        (record("l.Unit", other={"type": "array", "items": "null"}), "zero_size_items"),
        (record("l.Unit", other={"type": "array", "items": record("E")}), "zero_size_items"),
        (record("l.Unit", e=record("E"), o={"type": "array", "items": "E"}), "zero_size_items"),
        (
            record("l.Unit", a=record("E", x="long"), b=record("E", x="long")),
            "duplicate_schema_name",
        ),
    ],
)
def test_dangerous_and_broken_schemas_are_refused(tmp_path: Path, unit: Any, code: str) -> None:
    write(tmp_path, "core/unit.v1.avsc", unit)
    write(tmp_path, "core/tree.v1.avsc", record("l.Tree", unit="l.Unit"))
    assert code_of(Catalog.load(tmp_path).schema, "l.Unit") == code


def test_a_schema_nested_through_itself_far_down_is_refused() -> None:
    schema: Any = "u.Outer"
    for depth in range(40):
        schema = record(f"u.R{depth}", next=["null", {"type": "array", "items": schema}])
    assert code_of(self_contained, record("u.Outer", inner=schema)) == "recursive_schema"


def test_shape_ignores_words_and_sees_meaning() -> None:
    plain = record("u.A", at={"type": "long", "logicalType": "timestamp-micros"})
    worded = {**plain, "doc": "an instant", "namespace": "ignored.when.dotted"}
    millis = record("u.A", at={"type": "long", "logicalType": "timestamp-millis"})
    assert shape(self_contained(plain)) == shape(self_contained(worded))
    assert shape(self_contained(plain)) != shape(self_contained(millis))
    assert shape("string") == shape({"type": "string"})
    assert shape("string") == shape(self_contained({"type": {"type": "string"}}))


def test_namespaces_are_inherited_and_the_original_stays_as_it_was() -> None:
    inner = {"type": "enum", "name": "Colour", "symbols": ["red"]}
    schema = {**record("Outer", colour=inner, again="Colour"), "namespace": "u"}
    before = json.dumps(schema)
    found = inline(schema, lambda _: None)
    assert found["fields"][0]["type"]["name"] == "u.Colour"
    assert found["fields"][1]["type"] == "u.Colour"
    assert json.dumps(schema) == before


def test_titles_for_people() -> None:
    assert title_of("string") == "string"
    assert title_of(["null", "string"]) == "union"
    assert title_of({"type": "array", "items": "string"}) == "array"
    assert title_of({"type": "record", "name": "A", "namespace": "u"}) == "u.A"
