"""Model and schema say the same, field by field; published schemas and old bytes stay readable."""

from __future__ import annotations

import dataclasses
import io
import json
import typing
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from importlib import resources
from pathlib import Path
from typing import Any

import fastavro
import pytest

from streams.contracts.catalog import Catalog
from streams.contracts.evolution import lock_problems, problems, transitive_problems
from streams.contracts.topics import INTERNAL, PUBLIC
from streams.contracts.wire.plan import plan
from streams.model import envelope, facts, hold, messages, rows
from streams.model.canonical import affected, conflict, deviation, nonconformity
from tests.unit.contract_samples import GOLDEN, SAMPLES, STATE_SAMPLES, as_json, plain

pytestmark = pytest.mark.urs("M4.5")

CATALOG = Catalog.load()
CELL = ["null", "boolean", "long", "string", "bytes"]
MODULES = (affected, conflict, deviation, envelope, facts, hold, messages, nonconformity, rows)
SCALARS: dict[Any, Any] = {
    str: "string",
    int: "long",
    bool: "boolean",
    bytes: "bytes",
    Decimal: "string",
    datetime: {"type": "long", "logicalType": "timestamp-micros"},
}


def model_types() -> dict[str, type]:
    """Every record type of the model by its full name, found by walking the modules."""
    by_class = {name.rpartition(".")[2]: name for name in CATALOG.names()}
    found = {}
    for module in MODULES:
        for name, python in vars(module).items():
            if dataclasses.is_dataclass(python) and python.__module__ == module.__name__:
                assert name in by_class, f"{name} has no schema file"
                found[by_class[name]] = typing.cast("type", python)
    return found


def expected(annotation: Any) -> Any:
    """The Avro type that the mapping rules ask for, references by full name."""
    if annotation in SCALARS:
        return SCALARS[annotation]
    if dataclasses.is_dataclass(annotation):
        return next(n for n, python in model_types().items() if python is annotation)
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is tuple:
        return {"type": "array", "items": expected(arguments[0])}
    if origin is Mapping:
        return {"type": "map", "values": expected(arguments[1])}
    if set(arguments) == {str, int, bool, bytes, type(None)}:
        return CELL
    (inner,) = [a for a in arguments if a is not type(None)]
    return ["null", expected(inner)]


def avro_default(value: Any) -> Any:
    if isinstance(value, StrEnum):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: avro_default(getattr(value, f.name)) for f in dataclasses.fields(value)}
    return list(value) if isinstance(value, tuple) else value


@pytest.mark.parametrize("name", sorted(model_types()))
def test_a_schema_has_the_fields_types_and_defaults_of_its_model(name: str) -> None:
    python = model_types()[name]
    declared = next(d for d in reversed(CATALOG.declarations()) if d.name == name).schema
    hints = typing.get_type_hints(python)
    fields = dataclasses.fields(python)
    assert [f["name"] for f in declared["fields"]] == [f.name for f in fields]
    for avro, field in zip(declared["fields"], fields, strict=True):
        assert avro["type"] == expected(hints[field.name]), field.name
        assert avro["doc"], field.name
        if field.default is not dataclasses.MISSING:
            assert avro["default"] == avro_default(field.default), field.name
        elif field.default_factory is not dataclasses.MISSING:
            assert avro["default"] == avro_default(field.default_factory()), field.name
        else:
            assert "default" not in avro, field.name


@pytest.mark.parametrize("topic", [*PUBLIC, *INTERNAL], ids=lambda topic: topic.name)
def test_every_topic_has_a_schema_that_fits_its_event_type(topic: Any) -> None:
    assert plan(CATALOG.schema(topic.schema), topic.event).python is topic.event


def test_every_sample_exists() -> None:
    assert set(SAMPLES) == set(model_types())


def test_every_file_resolves_and_names_its_domain() -> None:
    for declaration in CATALOG.declarations():
        domain = declaration.path.partition("/")[0]
        assert declaration.name.startswith(f"lotgate.{domain}."), declaration.path
        schema = CATALOG.schema(declaration.name, declaration.version)
        assert schema["name"] == declaration.name
        assert schema.get("doc"), declaration.path
        assert all(field.get("doc") for field in schema["fields"]), declaration.path


def test_a_published_file_never_changes() -> None:
    lock = json.loads((resources.files("schemas") / "lock.json").read_text(encoding="utf-8"))
    assert lock_problems(CATALOG.declarations(), lock) == []


def test_versions_of_a_name_are_fully_compatible() -> None:
    for name in CATALOG.names():
        numbers = sorted(d.version for d in CATALOG.declarations() if d.name == name)
        assert numbers == list(range(1, len(numbers) + 1)), name
        assert transitive_problems(CATALOG.schema(name, number) for number in numbers) == []


GOLDENS = sorted(GOLDEN.glob("*.json"))


def test_every_version_of_a_published_name_has_a_golden() -> None:
    stems = {Path(d.path).name.removesuffix(".avsc") for d in CATALOG.declarations()
             if d.name in SAMPLES | STATE_SAMPLES}  # fmt: skip
    assert {file.stem for file in GOLDENS} == stems


def still_says(found: Any, old: Any) -> bool:
    """Whether all of an old value is in a new one; newer fields may stand beside it."""
    if isinstance(old, dict):
        return all(key in found and still_says(found[key], old[key]) for key in old)
    if isinstance(old, list):
        return len(found) == len(old) and all(map(still_says, found, old))
    return bool(found == old)


@pytest.mark.parametrize("file", GOLDENS, ids=lambda file: file.stem)
def test_old_bytes_are_read_by_the_newest_schema_for_ever(file: Path) -> None:
    golden = json.loads(file.read_text(encoding="utf-8"))
    reader = CATALOG.schema(golden["schema"])
    body = io.BytesIO(file.with_suffix(".avro").read_bytes())
    value = fastavro.schemaless_reader(body, golden["writer"], reader)
    assert body.read() == b""
    assert still_says(as_json(value), golden["value"])
    assert problems(golden["writer"], reader) == []


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_the_last_golden_is_the_sample_written_by_an_independent_encoder(name: str) -> None:
    stem = [Path(d.path).name for d in CATALOG.declarations() if d.name == name][-1]
    golden = json.loads((GOLDEN / stem).with_suffix(".json").read_text(encoding="utf-8"))
    assert golden["value"] == as_json(plain(SAMPLES[name]))
