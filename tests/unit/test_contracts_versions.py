"""Old and new builds on one topic, in both directions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from streams.contracts.codec import Codec
from streams.contracts.file_registry import FileRegistry
from streams.contracts.topics import (
    Topic,
)
from streams.errors import Misconfigured
from tests.unit.contract_samples import NOON
from tests.unit.contract_user_type import (
    CATALOG,
    poison,
)

pytestmark = pytest.mark.urs("M4.5")


@dataclass(frozen=True, slots=True)
class First:
    name: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Second:
    name: str
    at: datetime
    grade: str = "A"
    cells: Mapping[str, str | int | bool | None] = field(default_factory=dict)


FIRST_FIELDS: list[dict[str, Any]] = [
    {"name": "name", "type": "string"},
    {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
]
SECOND_FIELDS: list[dict[str, Any]] = [
    {"name": "grade", "type": "string", "default": "A"},
    *FIRST_FIELDS,
    {
        "name": "cells",
        "type": {"type": "map", "values": ["null", "boolean", "long", "string"]},
        "default": {},
    },
]


def versions(tmp_path: Path) -> tuple[Codec, Topic[First], Codec, Topic[Second]]:
    old = Topic("u.v", First, {"type": "record", "name": "u.V", "fields": FIRST_FIELDS},
                lambda event: event.name)  # fmt: skip
    new = Topic("u.v", Second, {"type": "record", "name": "u.V", "fields": SECOND_FIELDS},
                lambda event: event.name)  # fmt: skip
    old_codec, new_codec = (Codec(CATALOG, FileRegistry(tmp_path / "r")) for _ in range(2))
    old_codec.prepare([old], register=True)
    new_codec.prepare([new], register=True)
    return old_codec, old, new_codec, new


def test_a_newer_build_reads_older_records_with_defaults(tmp_path: Path) -> None:
    old_codec, old, new_codec, new = versions(tmp_path)
    payload = old_codec.encode(old, First("n", NOON))
    assert new_codec.decode(new, payload) == Second("n", NOON)
    assert poison(new_codec, new, payload[:-1]) == "truncated_body"
    assert poison(new_codec, new, payload + b"x") == "trailing_bytes"


def test_an_older_build_reads_newer_records_during_a_roll_out(tmp_path: Path) -> None:
    old_codec, old, new_codec, new = versions(tmp_path)
    event = Second("n", NOON, "B", {"a": True, "b": 1, "c": "x", "d": None})
    payload = new_codec.encode(new, event)
    assert old_codec.decode(old, payload) == First("n", NOON)
    assert new_codec.decode(new, payload) == event


def test_a_change_that_registries_overlook_is_refused_before_it_is_published(
    tmp_path: Path,
) -> None:
    def topic(unit: str) -> Topic[First]:
        at = {"name": "at", "type": {"type": "long", "logicalType": f"timestamp-{unit}"}}
        schema = {"type": "record", "name": "u.V", "fields": [FIRST_FIELDS[0], at]}
        return Topic("u.v", First, schema, lambda event: event.name)

    registry = FileRegistry(tmp_path / "r")
    Codec(CATALOG, registry).prepare([topic("micros")], register=True)
    with pytest.raises(Misconfigured, match="beside its version 1") as caught:
        Codec(CATALOG, registry).prepare([topic("millis")], register=True)
    assert caught.value.code == "incompatible_schema"
    assert "timestamp-micros" in str(caught.value)
    assert len(registry.versions("u.v-value")) == 1
