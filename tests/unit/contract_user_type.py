"""A user's own event with one field for every row of the mapping table, and codecs for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, NewType

import pytest

from streams.contracts.catalog import Catalog
from streams.contracts.codec import Codec
from streams.contracts.file_registry import FileRegistry
from streams.contracts.topics import (
    INTERNAL,
    PUBLIC,
    Topic,
)
from streams.errors import Poison
from tests.unit.contract_samples import NOON

CATALOG = Catalog.load()
TOPICS = (*PUBLIC, *INTERNAL)
Colour = StrEnum("Colour", ["RED", "GREEN"])
Code = NewType("Code", str)


@dataclass(frozen=True, slots=True)
class Inner:
    code: Code
    weight: Decimal | None = None


@dataclass(frozen=True)
class Everything:
    """One field for every row of the mapping table."""

    text: str
    colour: Colour
    shade: Literal["dark", "light"]
    whole: int
    short: int
    yes: bool
    raw: bytes
    hash: bytes
    double: float
    single: float
    amount: Decimal
    at: datetime
    at_ms: datetime
    cell: str | int | bool | bytes | float | None
    maybe: Inner | None
    many: tuple[Inner, ...]
    listed: list[int]
    table: Mapping[str, str | None]
    nested: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


EVERYTHING = {
    "type": "record",
    "name": "Everything",
    "namespace": "user",
    "fields": [
        {"name": "text", "type": "string"},
        {"name": "colour", "type": {"type": "enum", "name": "Colour", "symbols": ["red", "green"]}},
        {"name": "shade", "type": "string"},
        {"name": "whole", "type": "long"},
        {"name": "short", "type": "int"},
        {"name": "yes", "type": "boolean"},
        {"name": "raw", "type": "bytes"},
        {"name": "hash", "type": {"type": "fixed", "name": "Hash", "size": 4}},
        {"name": "double", "type": "double"},
        {"name": "single", "type": "float"},
        {"name": "amount", "type": "string"},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "at_ms", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "cell", "type": ["null", "boolean", "long", "double", "string", "bytes"]},
        {
            "name": "maybe",
            "type": [
                {
                    "type": "record",
                    "name": "Inner",
                    "fields": [
                        {"name": "code", "type": "string"},
                        {"name": "weight", "type": ["null", "string"], "default": None},
                    ],
                },
                "null",
            ],
        },
        {"name": "many", "type": {"type": "array", "items": "Inner"}},
        {"name": "listed", "type": {"type": "array", "items": "int"}},
        {"name": "table", "type": {"type": "map", "values": ["null", "string"]}},
        {
            "name": "nested",
            "type": {"type": "map", "values": {"type": "array", "items": "long"}},
            "default": {},
        },
    ],
}
USER = Topic("user.everything.events", Everything, EVERYTHING, lambda event: event.text)


EXAMPLE = Everything(
    "t", Colour.RED, "dark", 1, 1, True, b"", b"1234", 1.5, 1.5, Decimal(1), NOON,
    NOON.replace(microsecond=0), None, None, (), [], {"k": "v"},
)  # fmt: skip


def prepared(path: Path) -> Codec:
    """A codec over a file registry that knows every topic and the user's own."""
    made = Codec(CATALOG, FileRegistry(path), "p", "g")
    made.prepare((*TOPICS, USER), register=True)
    return made


def poison(codec: Codec, topic: Topic[Any], payload: bytes) -> str:
    """The code of the poison that these bytes are, which must come with advice."""
    with pytest.raises(Poison) as caught:
        codec.decode(topic, payload)
    assert caught.value.advice
    return caught.value.code
