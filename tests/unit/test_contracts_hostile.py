"""Bytes that nobody should trust: each is decoded exactly or is poison, never more."""

from __future__ import annotations

import io
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.contracts.codec import Codec
from streams.contracts.file_registry import FileRegistry
from streams.contracts.registry import ConfluentRegistry
from streams.contracts.topics import (
    HOLD_COMMANDS,
    LOT_INPUT,
    NONCONFORMITIES,
)
from streams.errors import Poison, Transient
from streams.model.messages import LotMessage, LotMessageKind
from tests.unit.contract_samples import SAMPLES, plain
from tests.unit.contract_user_type import (
    CATALOG,
    EXAMPLE,
    TOPICS,
    USER,
    poison,
    prepared,
)

pytestmark = pytest.mark.urs("M3.3")


class CountingRegistry(FileRegistry):
    """A file registry that counts what it is asked."""

    asked = 0

    def schema_of(self, schema_id: int) -> Any:
        self.asked += 1
        return super().schema_of(schema_id)


@pytest.fixture(scope="module")
def codec(tmp_path_factory: pytest.TempPathFactory) -> Codec:
    return prepared(tmp_path_factory.mktemp("registry") / "r.json")


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_mutated_bytes_decode_or_are_poison_and_nothing_else(codec: Codec, data: Any) -> None:
    sample = data.draw(st.sampled_from(sorted({str(topic.schema) for topic in TOPICS})))
    topic = next(topic for topic in TOPICS if topic.schema == sample)
    payload = bytearray(codec.encode(topic, SAMPLES[sample]))
    for _ in range(data.draw(st.integers(1, 4))):
        payload[data.draw(st.integers(5, len(payload) - 1))] = data.draw(st.integers(0, 255))
    try:
        event = codec.decode(topic, bytes(payload))
    except Poison as error:
        assert error.code in {"truncated_body", "trailing_bytes", "bad_value"}  # noqa: PT017
    else:
        assert codec.decode(topic, codec.encode(topic, event)) == event
        body = io.BytesIO(bytes(payload[5:]))
        oracle = fastavro.schemaless_reader(body, codec.schema(topic), None)
        assert same(plain(event), oracle), "an independent decoder reads the same"


def same(ours: Any, oracle: Any) -> bool:
    """Equal, where a number's text may be written in more than one way."""
    if isinstance(ours, dict):
        return ours.keys() == oracle.keys() and all(same(ours[key], oracle[key]) for key in ours)
    if isinstance(ours, list):
        return len(ours) == len(oracle) and all(map(same, ours, oracle))
    if isinstance(ours, str) and ours != oracle:
        return Decimal(ours) == Decimal(oracle)
    return bool(ours == oracle)


@pytest.mark.parametrize(
    "text", ["", " 1", "1 ", "1_0", "\u0661", "NaN", "-Infinity", "1e9999999", "0x1"]
)
def test_a_text_that_is_no_plain_number_is_no_amount(codec: Codec, text: str) -> None:
    payload = codec.encode(USER, EXAMPLE)
    at = payload.index(b"\x021", 20)
    body = text.encode()
    changed = payload[:at] + bytes([len(body) * 2]) + body + payload[at + 2 :]
    assert poison(codec, USER, changed) == "bad_value"


def test_every_cut_of_a_record_is_called_truncated_or_not_framed(codec: Codec) -> None:
    payload = codec.encode(NONCONFORMITIES, SAMPLES["lotgate.quality.Nonconformity"])
    codes = [poison(codec, NONCONFORMITIES, payload[:size]) for size in range(len(payload))]
    assert set(codes[:5]) == {"not_framed"}
    assert set(codes[5:]) == {"truncated_body"}


def test_bytes_after_the_last_value_are_refused(codec: Codec) -> None:
    payload = codec.encode(NONCONFORMITIES, SAMPLES["lotgate.quality.Nonconformity"])
    assert poison(codec, NONCONFORMITIES, payload + b"\0") == "trailing_bytes"


@pytest.mark.parametrize("payload", [b"", b"\0\0\0\0", b'{"json": true}', b"\x01\0\0\0\x01abc"])
def test_bytes_of_another_format_are_not_framed(codec: Codec, payload: bytes) -> None:
    assert poison(codec, HOLD_COMMANDS, payload) == "not_framed"
    with pytest.raises(Poison):
        codec.decode_any(payload)


def test_an_unknown_id_is_asked_once_and_again_only_later(tmp_path: Path) -> None:
    now = [0.0]
    registry = CountingRegistry(tmp_path / "r.json")
    codec = Codec(CATALOG, registry, clock=lambda: now[0])
    payload = b"\0\0\0\xff\xff" + b"\0" * 30
    for _ in range(3):
        assert poison(codec, HOLD_COMMANDS, payload) == "unknown_schema_id"
    assert registry.asked == 1
    now[0] = 31.0
    assert poison(codec, HOLD_COMMANDS, payload) == "unknown_schema_id"
    assert registry.asked == 2


def test_a_registry_that_is_down_costs_no_record() -> None:
    codec = Codec(CATALOG, ConfluentRegistry("http://127.0.0.1:9"))
    for _ in range(2):
        with pytest.raises(Transient) as caught:
            codec.decode(HOLD_COMMANDS, b"\0\0\0\0\x01" + b"\0" * 30)
        assert caught.value.code == "registry_unreachable"


def test_another_topics_schema_is_a_poison_not_a_guess(codec: Codec) -> None:
    payload = codec.encode(NONCONFORMITIES, SAMPLES["lotgate.quality.Nonconformity"])
    assert poison(codec, HOLD_COMMANDS, payload) == "unreadable_schema"


def array_bomb(item: Any) -> dict[str, Any]:
    return {
        "type": "record",
        "name": "user.Bomb",
        "fields": [{"name": "items", "type": {"type": "array", "items": item}}],
    }


@pytest.mark.parametrize(
    "item",
    [
        "null",
        {"type": "record", "name": "E", "fields": []},
        {"type": "fixed", "name": "F", "size": 0},
    ],
)
def test_a_writer_schema_whose_items_take_no_bytes_is_never_decoded(
    tmp_path: Path, item: Any
) -> None:
    registry = FileRegistry(tmp_path / "r.json")
    bundle = {"schemas": {"9": array_bomb(item)}, "subjects": {}}
    (tmp_path / "r.json").write_text(json.dumps(bundle))
    codec = Codec(CATALOG, registry)
    assert poison(codec, HOLD_COMMANDS, b"\0\0\0\0\x09" + b"\x80\x80\x80\x80\x10\0") == (
        "unreadable_schema"
    )


def test_a_count_above_the_bytes_left_is_refused_before_anything_is_built(codec: Codec) -> None:
    head = codec.encode(LOT_INPUT, LotMessage("l", LotMessageKind.LOT))[:5]
    many = b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01"
    assert poison(codec, LOT_INPUT, head + many) == "truncated_body"
    user = codec.encode(USER, EXAMPLE)
    assert poison(codec, USER, user[:-2] + many) == "truncated_body"


@pytest.mark.parametrize(
    ("varint", "code"),
    [
        (b"\x80" * 40 + b"\x00", "bad_value"),
        (b"\xff" * 9 + b"\x7f", "bad_value"),
        (b"\xff" * 11, "bad_value"),
        (b"\x01", "bad_value"),
        (b"\x80" * 7, "truncated_body"),
    ],
)
def test_lengths_that_are_no_lengths(codec: Codec, varint: bytes, code: str) -> None:
    head = codec.encode(LOT_INPUT, LotMessage("l", LotMessageKind.LOT))[:5]
    assert poison(codec, LOT_INPUT, head + varint) == code


def test_blocks_with_a_byte_size_are_read_as_the_format_allows(codec: Codec) -> None:
    payload = codec.encode(USER, EXAMPLE)
    assert payload.endswith(b"\x02\x02k\x02\x02v\x00\x00")
    # The same map as one block of -1 items and 5 bytes.
    blocks = payload.removesuffix(b"\x02\x02k\x02\x02v\x00\x00") + b"\x01\x0a\x02k\x02\x02v\x00\x00"
    assert codec.decode(USER, blocks) == EXAMPLE


def test_the_limit_holds_in_both_directions(tmp_path: Path) -> None:
    wide = Codec(CATALOG, FileRegistry(tmp_path / "r.json"))
    wide.prepare([LOT_INPUT], register=True)
    narrow = Codec(CATALOG, FileRegistry(tmp_path / "r.json"), limit=100)
    narrow.prepare([LOT_INPUT])
    event = LotMessage("x" * 200, LotMessageKind.LOT)
    payload = wide.encode(LOT_INPUT, event)
    assert poison(narrow, LOT_INPUT, payload) == "too_large"
    with pytest.raises(Poison, match="too_large"):
        narrow.encode(LOT_INPUT, event)
