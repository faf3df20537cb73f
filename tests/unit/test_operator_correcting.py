"""A dead letter's value as JSON and back: exact if nothing changed, refused if it is wrong."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.contracts.catalog import Catalog
from streams.contracts.codec import Codec
from streams.contracts.file_registry import FileRegistry
from streams.contracts.topics import Topic
from streams.errors import Misconfigured
from streams.operator.answers.correcting import changed, difference, draft_of

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.urs("M3.3")


@dataclass(frozen=True)
class Where:
    site: str
    line: int | None


@dataclass(frozen=True)
class Result:
    lot: str
    limit: int
    at: datetime
    raw: bytes
    seal: bytes | None
    where: Where
    tags: tuple[str, ...]


SCHEMA: dict[str, Any] = {
    "type": "record",
    "name": "test.Result",
    "fields": [
        {"name": "lot", "type": "string"},
        {"name": "limit", "type": "long"},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "raw", "type": "bytes"},
        {"name": "seal", "type": ["null", "bytes"]},
        {
            "name": "where",
            "type": {
                "type": "record",
                "name": "test.Where",
                "fields": [
                    {"name": "site", "type": "string"},
                    {"name": "line", "type": ["null", "long"]},
                ],
            },
        },
        {"name": "tags", "type": {"type": "array", "items": "string"}},
    ],
}
TOPIC = Topic("results", Result, SCHEMA, lambda event: event.lot)
RESULT = Result(
    "L1", 10, datetime(2026, 3, 1, tzinfo=UTC), b"\0\xff", None, Where("north", None), ("a",)
)


@pytest.fixture(scope="module")
def codec(tmp_path_factory: pytest.TempPathFactory) -> Codec:
    made = Codec(Catalog(()), FileRegistry(tmp_path_factory.mktemp("r") / "registry.json"))
    made.prepare([TOPIC], register=True)
    return made


@given(
    st.builds(
        Result,
        lot=st.text(st.characters(exclude_categories=["Cs"])),
        limit=st.integers(-(2**63), 2**63 - 1),
        at=st.datetimes(
            min_value=datetime(1900, 1, 1),  # noqa: DTZ001 - given a zone below
            max_value=datetime(2200, 1, 1),  # noqa: DTZ001
            timezones=st.just(UTC),
        ),
        raw=st.binary(max_size=30),
        seal=st.none() | st.binary(max_size=5),
        where=st.builds(Where, site=st.just("n"), line=st.none() | st.integers(0, 9)),
        tags=st.lists(st.text("ab", max_size=3), max_size=3).map(tuple),
    )
)
def test_a_value_that_nobody_changed_has_the_same_bytes(codec: Codec, result: Result) -> None:
    payload = codec.encode(TOPIC, result)
    draft = draft_of(codec, "results", payload)
    assert draft.encode(draft.text) == payload
    assert difference(draft.text, draft.text) == ""


def test_fields_are_set_and_shown_as_a_difference(codec: Codec) -> None:
    draft = draft_of(codec, "results", codec.encode(TOPIC, RESULT))
    text = changed(draft.text, ["limit=12", "where.line=3", "lot=L=2", 'tags=["b"]', "seal=xy"])
    corrected = codec.decode(TOPIC, draft.encode(text))
    assert (corrected.lot, corrected.limit, corrected.where.line) == ("L=2", 12, 3)
    assert (corrected.tags, corrected.seal, corrected.raw) == (("b",), b"xy", RESULT.raw)
    assert corrected.at == RESULT.at
    lines = difference(draft.text, text).splitlines()
    assert '-  "limit": 10,' in lines
    assert '+  "limit": 12,' in lines
    assert not [line for line in lines if line.startswith("+") and "site" in line]


@pytest.mark.parametrize("assignment", ["limit", "nothing=1", "where.nothing=1", "lot.x=1", "=1"])
def test_a_field_that_is_not_there_is_refused(codec: Codec, assignment: str) -> None:
    draft = draft_of(codec, "results", codec.encode(TOPIC, RESULT))
    with pytest.raises(Misconfigured, match="names no field") as refused:
        changed(draft.text, [assignment])
    assert refused.value.code == "bad_field"


@pytest.mark.parametrize(
    "change",
    [{"limit": "many"}, {"limit": 2**63}, {"lot": None}, {"more": 1}, {"raw": "\u0100"}],
    ids=str,
)
def test_a_value_that_does_not_fit_is_refused(codec: Codec, change: dict[str, Any]) -> None:
    draft = draft_of(codec, "results", codec.encode(TOPIC, RESULT))
    text = json.dumps({**json.loads(draft.text), **change})
    with pytest.raises(Misconfigured, match=r"is no test\.Result") as refused:
        draft.encode(text)
    assert refused.value.code == "bad_value"
    with pytest.raises(Misconfigured, match=r"is no test\.Result"):
        draft.encode("{")


@pytest.mark.parametrize("payload", [None, b"", b"\0\0\0\0\x63abc", b"plain", b"\0\0\0\0\1"])
def test_bytes_that_cannot_be_decoded_leave_the_whole_value_to_the_person(
    codec: Codec, payload: bytes | None
) -> None:
    draft = draft_of(codec, "results", payload)
    assert (draft.text, draft.title) == ("", "test.Result")
    assert draft.trouble
    good = draft_of(codec, "results", codec.encode(TOPIC, RESULT))
    assert codec.decode(TOPIC, draft.encode(good.text)) == RESULT


def test_a_topic_without_a_schema_takes_the_records_own(codec: Codec, tmp_path: Path) -> None:
    payload = codec.encode(TOPIC, RESULT)
    assert draft_of(codec, "elsewhere", payload).encode(
        draft_of(codec, "elsewhere", payload).text
    ) == payload  # fmt: skip
    with pytest.raises(Misconfigured, match="no schema for elsewhere"):
        draft_of(codec, "elsewhere", b"plain")
    empty = Codec(Catalog(()), FileRegistry(tmp_path / "registry.json"))
    with pytest.raises(Misconfigured, match="no schema for results"):
        draft_of(empty, "results", payload)


def test_a_newer_schema_of_the_topic_is_the_one_to_fill(tmp_path: Path) -> None:
    codec = Codec(Catalog(()), FileRegistry(tmp_path / "registry.json"))
    codec.prepare([TOPIC], register=True)
    payload = codec.encode(TOPIC, RESULT)
    added = {"name": "unit", "type": "string", "default": "mm"}
    newer = {**SCHEMA, "fields": [*SCHEMA["fields"], added]}
    number = codec.registry.register("results-value", newer)
    draft = draft_of(codec, "results", payload)
    assert json.loads(draft.text)["unit"] == "mm"
    corrected = draft.encode(changed(draft.text, ["unit=in"]))
    assert int.from_bytes(corrected[1:5]) == number
    assert codec.decode(TOPIC, corrected) == RESULT
