"""A dead letter's row in words, whatever its bytes are."""

from __future__ import annotations

import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.sources.postgres.log.pgoutput import Relation, RelationColumn
from connectors.sources.postgres.log.readable import CELL_CHARS, readable, readable_cells
from connectors.sources.postgres.shape.plan import TableFacts, TablePlan
from connectors.sources.postgres.shape.tables import Table
from tests.unit.test_cdc_log import text, tuple_of

pytestmark = pytest.mark.urs("M3.3")

COLUMNS = (RelationColumn("id", 23, -1, flagged=True), RelationColumn("v", 25, -1, flagged=False))


def number(raw: bytes) -> bytes:
    return b"%d" % int.from_bytes(raw, "big") if len(raw) == 4 else raw.decode().encode()


def table() -> Table:
    relation = Relation(1, "public", "t", "d", COLUMNS)
    plan = TablePlan(relation, TableFacts(frozenset({"id"})), {}, "cdc.erp.public.t")
    return Table(plan, "public.t", b"", b"", renders=(number, bytes))


def binary(value: bytes) -> bytes:
    return b"b" + struct.pack(">I", len(value)) + value


HEAD = b"U" + struct.pack(">I", 1)


def test_binary_and_text_values_are_shown_and_bad_ones_in_hex() -> None:
    old = struct.pack(">H", 2) + binary(struct.pack(">i", 7)) + b"u"
    new = struct.pack(">H", 2) + binary(b"\xff") + text(b"a\xffb")
    images = json.loads(readable(table(), HEAD + b"O" + old + b"N" + new))
    assert images["old"]["id"] == "7"
    assert "did not change" in images["old"]["v"]
    assert images["new"] == {"id": "\\xff", "v": "a\\xffb"}


def test_a_large_value_is_cut_and_says_so() -> None:
    message = HEAD + b"N" + tuple_of(b"1", b"x" * 5_000)
    shown = json.loads(readable(table(), message))["new"]["v"]
    assert shown == "x" * CELL_CHARS + "… (5,000 bytes)"
    assert json.loads(readable_cells(table(), [b"1", None])) == {"new": {"id": "1", "v": None}}


@given(st.binary(max_size=80))
def test_any_bytes_give_a_text_or_none(rest: bytes) -> None:
    found = readable(table(), HEAD + rest)
    assert found == "" or isinstance(json.loads(found), dict)
