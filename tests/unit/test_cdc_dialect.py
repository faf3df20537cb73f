"""Types that travel otherwise: Debezium's lossy ways, its modes, its defaults in schemas."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.sources.encoding.primitives import whole_number
from connectors.sources.postgres.form import RecordForm
from connectors.sources.postgres.shape.dialect import iso, lossy, magic
from connectors.sources.postgres.shape.dialect.defaults import NO_DEFAULT, schema_default
from connectors.sources.postgres.shape.temporal import NoWireForm
from connectors.sources.postgres.shape.types import TypeFacts, wire_type
from connectors.sources.postgres.shape.wire import Label

if TYPE_CHECKING:
    from connectors.sources.postgres.shape.wire import WireType

DATE, TIME, TIMESTAMP, TIMESTAMPTZ, INTERVAL = 1082, 1083, 1114, 1184, 1186
BYTEA, NUMERIC, MONEY, INTS, BOX, TEXT = 17, 1700, 790, 1007, 603, 25
TYPES = {
    INTS: TypeFacts("_int4", "b", element=23),
    9001: TypeFacts("grade", "e", labels=("A", "B")),
    9002: TypeFacts("_grade", "b", element=9001),
    9003: TypeFacts("pair", "c"),
    9004: TypeFacts("_pair", "b", element=9003),
}
STRINGS = RecordForm(
    decimal_mode="string", time_mode="isostring", interval_mode="string", binary_mode="base64"
)
NUMBERS = RecordForm(decimal_mode="double", time_mode="connect", binary_mode="hex")


def scaled(precision: int, scale: int) -> int:
    """The type modifier of a numeric."""
    return (precision << 16 | scale & 0x7FF) + 4


def read(wire: WireType, text: bytes) -> Any:
    """A value as an Avro reader finds it, decimals as bytes."""
    schema = wire.schema
    if isinstance(schema, dict):
        schema = {name: each for name, each in schema.items() if name != "logicalType"}
    body = io.BytesIO(wire.encode(text))
    found = fastavro.schemaless_reader(body, fastavro.parse_schema(schema), None)
    assert body.read() == b""
    return found


@pytest.mark.parametrize(
    ("oid", "typmod", "text", "expected"),
    [
        (DATE, -1, b"infinity", 2_146_033_979),
        (DATE, -1, b"-infinity", -2_147_472_691),
        (TIMESTAMP, -1, b"infinity", 2**63 - 1),
        (TIMESTAMP, 6, b"-infinity", -(2**63)),
        (TIMESTAMP, 3, b"-infinity", -9_223_372_036_832_400_000),
        (TIMESTAMPTZ, -1, b"infinity", "infinity"),
        (INTS, -1, b"{{1,2},{3,4}}", [None, None]),
        (INTS, -1, b"[0:1]={1,2}", [1, 2]),
        (NUMERIC, scaled(6, -2), b"-300", (-300 * 10**2046).to_bytes(851, "big", signed=True)),
    ],
)
def test_debezium_is_mirrored_where_it_loses_a_value(
    oid: int, typmod: int, text: bytes, expected: Any
) -> None:
    assert read(wire_type(oid, typmod, TYPES, mirror=True), text) == expected


@pytest.mark.parametrize("oid", [9003, 9004, BOX])
def test_types_that_debezium_does_not_know_are_left_out_or_bytes(oid: int) -> None:
    out = wire_type(oid, -1, TYPES, mirror=True)
    assert (out.left_out, out.schema, out.encode(b"(1,2)")) == (True, None, b"")
    asked = wire_type(oid, -1, TYPES, mirror=True, form=RecordForm(unknown_types=True))
    assert read(asked, b"(1,2)") == b"(1,2)"
    ours = wire_type(BOX, -1, TYPES)
    assert read(ours, b"(2,2),(1,1)") == "(2,2),(1,1)"


@pytest.mark.parametrize(
    ("form", "oid", "text", "expected"),
    [
        (STRINGS, NUMERIC, b"12.50", "12.50"),
        (STRINGS, NUMERIC, b"NaN", "NaN"),
        (STRINGS, MONEY, b"-$1,234.05", "-1234.05"),
        (STRINGS, DATE, b"2026-11-23", "2026-11-23Z"),
        (STRINGS, DATE, b"infinity", "infinity"),
        (STRINGS, TIME, b"10:20:30.120000", "10:20:30.12Z"),
        (STRINGS, TIME, b"24:00:00", "00:00:00Z"),
        (STRINGS, TIMESTAMP, b"0044-03-15 00:00:00 BC", "-0043-03-15T00:00:00Z"),
        (STRINGS, TIMESTAMP, b"10000-01-01 00:00:00", "+10000-01-01T00:00:00Z"),
        (STRINGS, BYTEA, b"\\xdeadbeef", "3q2+7w=="),
        (NUMBERS, NUMERIC, b"12.5", 12.5),
        (NUMBERS, NUMERIC, b"-Infinity", float("-inf")),
        (NUMBERS, MONEY, b"($1.25)", -1.25),
        (NUMBERS, TIME, b"10:20:30.123456", 37_230_123),
        (NUMBERS, TIMESTAMP, b"1970-01-01 00:00:01.5", 1500),
        (NUMBERS, BYTEA, b"\\x00ff", "00ff"),
    ],
)
def test_modes_choose_how_a_value_travels(
    form: RecordForm, oid: int, text: bytes, expected: Any
) -> None:
    assert read(wire_type(oid, -1, TYPES, form=form), text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"NaN", "NAN"),
        (b"Infinity", "POSITIVE_INFINITY"),
        (b"-Infinity", "NEGATIVE_INFINITY"),
    ],
)
def test_decimals_as_text_have_debeziums_words(text: bytes, expected: str) -> None:
    assert read(wire_type(NUMERIC, -1, TYPES, mirror=True, form=STRINGS), text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"1 year 2 mons 3 days 04:05:06.789", b"P1Y2M3DT4H5M6.789S"),
        (b"178000000 years", b"P178000000Y0M0DT0H0M0S"),
        (b"-1 days -00:00:00.000001", b"P0Y0M-1DT0H0M-0.000001S"),
        (b"00:00:00", b"P0Y0M0DT0H0M0S"),
        (b"-23:59:59.5", b"P0Y0M0DT-23H-59M-59.5S"),
    ],
)
def test_an_interval_in_iso_names_all_its_parts(text: bytes, expected: bytes) -> None:
    assert iso.interval(text) == expected


@pytest.mark.parametrize(
    ("expression", "oid", "expected"),
    [
        ("5", 23, 5),
        ("'-1'::integer", 23, -1),
        ("nextval('s'::regclass)", 23, 0),
        ("'new'::text", TEXT, "new"),
        ("true", 16, True),
        ("1.50", NUMERIC, "\x00\x96"),
        ("now()", TIMESTAMPTZ, "1970-01-01T00:00:00.000000Z"),
        ("CURRENT_DATE", DATE, 0),
        ("'2026-01-01'::date", DATE, 20454),
        ("gen_random_uuid()", 2950, "00000000-0000-0000-0000-000000000000"),
        ("NULL::text", TEXT, NO_DEFAULT),
        ("'(1,2)'::box", BOX, NO_DEFAULT),
        (None, 23, NO_DEFAULT),
    ],
)
def test_a_default_stands_in_the_schema(expression: str | None, oid: int, expected: Any) -> None:
    typmod = scaled(8, 2) if oid == NUMERIC else -1
    wire = wire_type(oid, typmod, TYPES, mirror=True)
    assert schema_default(expression, oid, "", wire) == expected


def test_an_enums_default_is_its_label() -> None:
    wire = wire_type(9001, -1, TYPES, mirror=True)
    assert schema_default("'A'::grade", 9001, "e", wire) == "A"


def test_a_label_that_the_schema_lacks_is_noticed_once() -> None:
    label = Label(("A", "B"))
    assert label(b"A") == b"\x02A"
    assert label(b"C") == b"\x02C"
    assert (label.missed, label.known) == (True, {b"A", b"B", b"C"})
    again = Label(("A", "B", "C"))
    assert again(b"C") == b"\x02C"
    assert not again.missed


def test_arrays_of_an_enum_keep_the_first_labels() -> None:
    kept = lossy.ArrayLabels()
    kept.of(TYPES)
    later = {**TYPES, 9001: TypeFacts("grade", "e", labels=("A", "B", "C"))}
    wire = wire_type(9002, -1, kept.of(later), mirror=True)
    assert wire.schema["items"]["connect.parameters"]["allowed"] == "A,B"
    wire = wire_type(9001, -1, kept.of(later), mirror=True)
    assert wire.schema["connect.parameters"]["allowed"] == "A,B,C"


def test_a_misread_scale_has_no_form_for_nan() -> None:
    with pytest.raises(NoWireForm):
        magic.shifted(2046)(b"NaN")


@given(st.integers(min_value=-(10**9000), max_value=10**9000))
def test_a_number_of_any_length_is_read(number: int) -> None:
    shorter = abs(number)
    digits = []
    while shorter:
        shorter, low = divmod(shorter, 10**1000)
        digits.append(f"{low:01000d}")
    text = ("-" if number < 0 else "") + ("".join(reversed(digits)) or "0")
    assert whole_number(text.encode()) == number


@given(st.lists(st.lists(st.text(alphabet='a{},"\\ ', max_size=4), min_size=1), min_size=1))
def test_the_outer_length_of_an_array_is_counted(rows: list[list[str]]) -> None:
    def quoted(text: str) -> str:
        return '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'

    inner = ("{" + ",".join(quoted(text) for text in row) + "}" for row in rows)
    assert magic.outer_length(("{" + ",".join(inner) + "}").encode()) == len(rows)
