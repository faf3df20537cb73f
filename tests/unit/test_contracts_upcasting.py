"""Facts of earlier versions take their steps, whatever else in them was older or is newer."""

from __future__ import annotations

import copy
import io
from pathlib import Path
from typing import Any

import fastavro
import pytest

from streams.contracts.catalog import Catalog
from streams.contracts.codec import Codec
from streams.contracts.evolution.upcasters import UPCASTERS, fact_lineage
from streams.contracts.file_registry import FileRegistry
from streams.contracts.topics import NONCONFORMITIES
from streams.model.facts import Nonconformity
from tests.unit.contract_samples import LOT_ID, SAMPLES, plain

pytestmark = pytest.mark.urs("M4.5")

CATALOG = Catalog.load()
NAME = "lotgate.quality.Nonconformity"
VALUE = plain(SAMPLES[NAME])
FIRST = CATALOG.schema(NAME, 1)


def read(tmp_path: Path, writer: Any, value: Any) -> Nonconformity:
    registry = FileRegistry(tmp_path / "registry.json")
    codec = Codec(CATALOG, registry)
    number = registry.register(codec.subject(NONCONFORMITIES), writer)
    body = io.BytesIO()
    fastavro.schemaless_writer(body, writer, value)
    return codec.decode(NONCONFORMITIES, b"\0" + number.to_bytes(4, "big") + body.getvalue())


def fields_of(schema: Any, name: str) -> list[Any]:
    return next(field["type"]["fields"] for field in schema["fields"] if field["name"] == name)


def test_the_first_version_is_completed(tmp_path: Path) -> None:
    event = read(tmp_path, FIRST, VALUE)
    assert [lot.lot_id for lot in event.affected] == [LOT_ID]
    assert event.kind == "unknown"
    assert event.signature == SAMPLES[NAME].signature


def test_so_is_one_whose_envelope_was_older(tmp_path: Path) -> None:
    writer = copy.deepcopy(FIRST)
    inner = fields_of(writer, "envelope")
    inner[:] = [field for field in inner if field["name"] != "trace_id"]
    event = read(tmp_path, writer, VALUE)
    assert [lot.lot_id for lot in event.affected] == [LOT_ID]
    assert event.envelope.trace_id == ""
    assert event.envelope.event_id == SAMPLES[NAME].envelope.event_id


def test_so_is_one_whose_envelope_is_newer_than_we_know(tmp_path: Path) -> None:
    writer = copy.deepcopy(FIRST)
    fields_of(writer, "envelope").append({"name": "mood", "type": "string", "default": ""})
    value = {**VALUE, "envelope": {**VALUE["envelope"], "mood": "good"}}
    assert [lot.lot_id for lot in read(tmp_path, writer, value).affected] == [LOT_ID]


def test_todays_version_with_an_older_envelope_takes_no_step(tmp_path: Path) -> None:
    writer = copy.deepcopy(CATALOG.schema(NAME))
    inner = fields_of(writer, "envelope")
    inner[:] = [field for field in inner if field["name"] != "trace_id"]
    event = read(tmp_path, writer, VALUE)
    assert event.affected == SAMPLES[NAME].affected


def test_a_version_that_comes_after_ours_is_read_without_what_it_added(tmp_path: Path) -> None:
    writer = copy.deepcopy(CATALOG.schema(NAME))
    writer["fields"].append({"name": "later", "type": "string", "default": ""})
    assert read(tmp_path, writer, {**VALUE, "later": "x"}) == SAMPLES[NAME]


def test_a_type_without_a_step_needs_no_lineage() -> None:
    assert fact_lineage(CATALOG, "lotgate.inventory.Lot", "s") is None
    assert set(UPCASTERS) <= set(CATALOG.names())
