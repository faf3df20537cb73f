"""Rare forms of schemas and types that users may bring."""

from __future__ import annotations

from dataclasses import dataclass, make_dataclass
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from streams.contracts.catalog import Catalog
from streams.contracts.codec import Codec
from streams.contracts.evolution import problems
from streams.contracts.file_registry import FileRegistry
from streams.contracts.registry import ConfluentRegistry
from streams.contracts.topics import HOLD_COMMANDS, Topic
from streams.contracts.wire.schema_tree import self_contained
from streams.contracts.wire.varints import int_bytes, long_bytes, read_int, read_long
from streams.errors import Misconfigured, Poison

if TYPE_CHECKING:
    from fractions import Fraction

Shade = StrEnum("Shade", ["DARK", "LIGHT"])


@dataclass(frozen=True, slots=True)
class Unknowable:
    part: Fraction


@dataclass(frozen=True, slots=True)
class Checked:
    """Computes when it is made, so the codec must make it the ordinary way."""

    size: int

    def __post_init__(self) -> None:
        if self.size < 0:
            raise ValueError("a size is not negative")


def topic_of(event: type[Any], **fields: Any) -> Topic[Any]:
    schema = {
        "type": "record",
        "name": "u.Event",
        "fields": [{"name": name, "type": kind} for name, kind in fields.items()],
    }
    return Topic("u.edges", event, schema, lambda _: "")


def codec_of(path: Path, topic: Topic[Any]) -> Codec:
    codec = Codec(Catalog(()), FileRegistry(path / "r.json"))
    codec.prepare([topic], register=True)
    return codec


NULLS = dict[str, dict[str, None]]
OCTETS = dict[str, bytes]


@pytest.mark.parametrize(
    ("avro", "python", "value"),
    [
        ({"type": {"type": "string"}}, str, "x"),
        ({"type": ["null", "long"]}, int | None, None),
        ("string", Shade, Shade.DARK),
        ({"type": "record", "name": "Empty", "fields": []}, make_dataclass("Empty", []), None),
        ("null", type(None), None),
        ("float", float, 0.5),
        ({"type": "map", "values": {"type": "map", "values": "null"}}, NULLS, {"k": {"n": None}}),
        ({"type": "map", "values": {"type": "fixed", "name": "F", "size": 1}}, OCTETS, {"k": b"1"}),
        ({"type": "array", "items": {"type": {"type": "long"}}}, list[int], [-1]),
    ],
    ids=str,
)  # fmt: skip
def test_a_rare_form_survives(tmp_path: Path, avro: Any, python: Any, value: Any) -> None:
    event_type = make_dataclass("Event", [("value", python)])
    topic = topic_of(event_type, value=avro)
    event = event_type(python() if value is None and "Empty" in str(python) else value)
    codec = codec_of(tmp_path, topic)
    assert codec.decode(topic, codec.encode(topic, event)) == event


def test_a_class_that_checks_itself_is_asked(tmp_path: Path) -> None:
    topic = topic_of(Checked, size="long")
    codec = codec_of(tmp_path, topic)
    good = codec.encode(topic, Checked(1))
    assert codec.decode(topic, good) == Checked(1)
    with pytest.raises(Poison, match="not negative"):
        codec.decode(topic, good[:-1] + long_bytes(-1))


@pytest.mark.parametrize(
    ("avro", "python"),
    [
        ({"type": "record", "name": "R", "fields": []}, str),
        ({"type": "fixed", "name": "F", "size": 4}, str),
        ({"type": "enum", "name": "E", "symbols": ["a"]}, int),
        ({"type": "bytes", "logicalType": "decimal", "precision": 4}, Decimal),
        (["string", "long"], str | int | None),
    ],
)
def test_a_form_that_does_not_fit_is_refused(tmp_path: Path, avro: Any, python: Any) -> None:
    topic = topic_of(make_dataclass("Event", [("value", python)]), value=avro)
    with pytest.raises(Misconfigured, match="model_schema_mismatch"):
        codec_of(tmp_path, topic)


def test_types_that_are_not_known_at_run_time_are_explained(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="TYPE_CHECKING"):
        codec_of(tmp_path, topic_of(Unknowable, part="string"))


def test_a_wrapped_type_is_the_type_itself() -> None:
    assert problems({"type": {"type": "string"}}, "string") == []
    assert self_contained({"type": {"type": "string"}}) == {"type": "string"}


@pytest.mark.parametrize("value", [0, -1, 63, 64, -64, -65, 8191, 2**31 - 1, -(2**31)])
def test_ints_have_one_form(value: int) -> None:
    assert read_int(int_bytes(value), 0) == (value, len(int_bytes(value)))


def test_an_int_of_33_bits_is_none() -> None:
    with pytest.raises(ValueError, match="32 bits"):
        read_int(long_bytes(2**31), 0)
    with pytest.raises(ValueError, match="64 bits"):
        long_bytes(-(2**63) - 1)
    assert read_long(long_bytes(-(2**63)), 0) == (-(2**63), 10)


def test_many_unknown_ids_do_not_fill_the_memory(tmp_path: Path) -> None:
    codec = Codec(Catalog.load(), FileRegistry(tmp_path / "r.json"), clock=lambda: 0.0)
    for number in range(1, 2100):
        with pytest.raises(Poison, match="unknown_schema_id"):
            codec.decode(HOLD_COMMANDS, b"\0" + number.to_bytes(4, "big") + b"\0" * 9)


def test_a_registry_that_refuses_us_costs_no_record(tmp_path: Path) -> None:
    """Nothing is dead-lettered because of a wrong password or a broken bundle."""
    registry = FileRegistry(tmp_path / "r.json")
    codec = Codec(Catalog.load(), registry)
    (tmp_path / "r.json").write_text("{")
    with pytest.raises(Misconfigured, match="bad_registry_file"):
        codec.decode(HOLD_COMMANDS, b"\0\0\0\0\x01" + b"\0" * 9)


DEEP: Any = "string"
for _ in range(2000):
    DEEP = {"type": "array", "items": DEEP}


NO_SCHEMAS: dict[str, Any] = {
    "a number": 5,
    "nothing": None,
    "no type": {},
    "a type that is a number": {"type": 5},
    "no name": {"type": "record"},
    "a field without type": {"type": "record", "name": "R", "fields": [{"name": "x"}]},
    "an unknown name": "unheard.of",
    "nested without end": DEEP,
}


class Holding(FileRegistry):
    """A registry that answers every id with one thing."""

    answer: Any = None

    def schema_of(self, schema_id: int) -> Any:  # noqa: ARG002
        return self.answer


@pytest.mark.parametrize("name", NO_SCHEMAS)
def test_what_is_no_schema_is_poison_and_does_not_stop_the_process(
    tmp_path: Path, name: str
) -> None:
    registry = Holding(tmp_path / "r.json")
    registry.answer = NO_SCHEMAS[name]
    codec = Codec(Catalog.load(), registry)
    for decode in (lambda b: codec.decode(HOLD_COMMANDS, b), codec.decode_any):
        with pytest.raises(Poison, match="unreadable_schema"):
            decode(b"\0\0\0\0\x01" + b"\0" * 9)


def test_preparing_twice_asks_once(tmp_path: Path) -> None:
    topic = topic_of(Checked, size="long")
    codec = codec_of(tmp_path, topic)
    codec.registry = ConfluentRegistry("http://127.0.0.1:9")
    codec.prepare([topic])
