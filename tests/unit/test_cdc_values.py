"""PostgreSQL's text forms as Avro bytes."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.sources.encoding import primitives as avro
from connectors.sources.postgres.shape import temporal, values
from connectors.sources.postgres.shape.temporal import NoWireForm
from connectors.sources.postgres.shape.types import TypeFacts, wire_type
from connectors.sources.postgres.shape.wire import WireType

pytestmark = pytest.mark.urs("M2.4", "M5.6")

LONGS = st.integers(-(2**63), 2**63 - 1)


def written(schema: Any, value: Any) -> bytes:
    """What the reference writer makes of a value."""
    out = io.BytesIO()
    fastavro.schemaless_writer(out, schema, value)
    return out.getvalue()


def read(wire: WireType, text: bytes) -> Any:
    body = io.BytesIO(wire.encode(text))
    value = fastavro.schemaless_reader(body, wire.schema, None)
    assert body.read() == b""
    return value


@given(LONGS)
def test_longs_equal_the_reference_writers(value: int) -> None:
    assert avro.long(value) == written("long", value)


@given(st.text())
def test_strings_equal_the_reference_writers(value: str) -> None:
    assert values.text(value.encode()) == written("string", value)


@given(
    st.decimals(
        allow_nan=False, allow_infinity=False, places=4, min_value=-(10**9), max_value=10**9
    )
)
def test_decimals_are_read_by_the_reference_reader(value: Decimal) -> None:
    schema = {"type": "bytes", "logicalType": "decimal", "precision": 20, "scale": 4}
    body = io.BytesIO(values.decimal(4)(f"{value:f}".encode()))
    assert fastavro.schemaless_reader(body, schema, None) == value
    assert body.read() == b""


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1])
def test_a_number_past_64_bits_is_refused(value: int) -> None:
    with pytest.raises(OverflowError):
        avro.long(value)


@given(st.dates())
def test_days_agree_with_the_calendar(value: date) -> None:
    assert temporal.days(value.isoformat().encode()) == (value - date(1970, 1, 1)).days


@given(st.datetimes(timezones=st.just(UTC)))
def test_instants_agree_with_the_calendar(value: datetime) -> None:
    text = value.replace(tzinfo=None).isoformat(sep=" ").encode()
    expected = (value - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    assert temporal.micros(text) == expected


@pytest.mark.parametrize(
    ("text", "number"),
    [
        (b"0044-03-15 BC", -735_160),
        (b"0001-12-31 BC", -719_163),
        (b"10000-01-01", 2_932_897),
        (b"2000-02-29", 11_016),
    ],
)
def test_days_outside_the_ordinary_range(text: bytes, number: int) -> None:
    assert temporal.days(text) == number


@pytest.mark.parametrize(
    ("text", "precision", "expected"),
    [
        (b"2026-11-23 08:20:30.5+00", 3, b"2026-11-23T08:20:30.500Z"),
        (b"2026-11-23 08:20:30+00", 6, b"2026-11-23T08:20:30.000000Z"),
        (b"2026-11-23 08:20:30+00", 0, b"2026-11-23T08:20:30Z"),
        (b"0044-03-15 00:00:00+00 BC", 6, b"-0043-03-15T00:00:00.000000Z"),
        (b"12026-01-01 00:00:00+00", 0, b"+12026-01-01T00:00:00Z"),
        (b"infinity", 6, b"infinity"),
    ],
)
def test_zoned_timestamps(text: bytes, precision: int, expected: bytes) -> None:
    assert temporal.zoned_timestamp(text, precision) == expected


def test_a_zoned_timestamp_of_another_session_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        temporal.zoned_timestamp(b"2026-11-23 10:20:30+02", 6)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"10:20:30+02", b"08:20:30Z"),
        (b"00:30:00.25+01", b"23:30:00.25Z"),
        (b"23:59:59.999999-11:30", b"11:29:59.999999Z"),
    ],
)
def test_zoned_times(text: bytes, expected: bytes) -> None:
    assert temporal.zoned_time(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"1 year 2 mons 3 days 04:05:06.789", 37_091_106_789_000),
        (b"-1 days -00:00:00.000001", -86_400_000_001),
        (b"00:00:00", 0),
        (b"178000000 years", 2**63 - 1),
    ],
)
def test_intervals(text: bytes, expected: int) -> None:
    assert temporal.interval_micros(text) == expected


@pytest.mark.parametrize(
    ("oid", "typmod", "text", "expected"),
    [
        (16, -1, b"t", True),
        (17, -1, b"\\xdeadbeef", b"\xde\xad\xbe\xef"),
        (20, -1, b"-9223372036854775808", -(2**63)),
        (21, -1, b"-32768", -32768),
        (600, -1, b"(1.5,-2.5)", None),
        (700, -1, b"1.5", 1.5),
        (701, -1, b"-Infinity", float("-inf")),
        (790, -1, b"-$1,234.56", Decimal("-1234.56")),
        (790, -1, b"(1.234,56 \xe2\x82\xac)", Decimal("-1234.56")),
        (1082, -1, b"1970-01-02", date(1970, 1, 2)),
        (1083, 3, b"24:00:00", 86_400_000),
        (1083, -1, b"10:20:30.123456", 37_230_123_456),
        (1114, 0, b"1970-01-01 00:00:01", 1000),
        (1560, 5, b"1", True),
        (1560, 12, b"10100101", b"\xa5"),
        (1562, -1, b"", b""),
        (1562, -1, b"100000001", b"\x01\x01"),
        (1700, ((12 << 16) | 4) + 4, b"-0.0001", Decimal("-0.0001")),
        (2950, -1, b"6f1e1f0a-9d7b-4f5e-8a8e-0123456789ab", None),
        (99999, -1, b"(3,4)", "(3,4)"),
    ],
)
def test_types(oid: int, typmod: int, text: bytes, expected: Any) -> None:
    wire = wire_type(oid, 1 if oid == 1560 and text == b"1" else typmod, {})
    found = read(wire, text)
    if expected is not None:
        assert found in (
            expected,
            (expected - date(1970, 1, 1)).days if isinstance(expected, date) else expected,
        )


TYPES = {
    500: TypeFacts("grade", "e", labels=("A", "B")),
    501: TypeFacts("_grade", "b", element=500),
    502: TypeFacts("lotno", "d", base=25),
    1007: TypeFacts("_int4", "b", element=23),
    1009: TypeFacts("_text", "b", element=25),
    1231: TypeFacts("_numeric", "b", element=1700),
}


@pytest.mark.parametrize(
    ("oid", "typmod", "text", "expected"),
    [
        (1007, -1, b"{1,NULL,-3}", [1, None, -3]),
        (1007, -1, b"{}", []),
        (1009, -1, b'{"a,b","q\\"x","",NULL,"NULL"}', ["a,b", 'q"x', "", None, "NULL"]),
        (1231, ((8 << 16) | 2) + 4, b"{1.10}", [Decimal("1.10")]),
        (501, -1, b"{A,NULL}", ["A", None]),
        (502, -1, b"L-77", "L-77"),
    ],
)
def test_made_types(oid: int, typmod: int, text: bytes, expected: Any) -> None:
    assert read(wire_type(oid, typmod, TYPES), text) == expected


@pytest.mark.parametrize(
    ("oid", "typmod", "text"),
    [
        (1082, -1, b"infinity"),
        (1114, -1, b"-infinity"),
        (1700, -1, b"NaN"),
        (1700, ((8 << 16) | 2) + 4, b"Infinity"),
        (1007, -1, b"{{1,2},{3,4}}"),
        (1007, -1, b"[0:1]={1,2}"),
    ],
)
def test_values_without_a_wire_form_say_so(oid: int, typmod: int, text: bytes) -> None:
    with pytest.raises(NoWireForm):
        wire_type(oid, typmod, TYPES).encode(text)


@pytest.mark.parametrize("typmod", [((6 << 16) | (-2 & 0x7FF)) + 4, ((2 << 16) | 5) + 4])
def test_a_scale_that_avro_does_not_allow_travels_with_the_value(typmod: int) -> None:
    assert read(wire_type(1700, typmod, {}), b"-300") == {"scale": 0, "value": b"\xfe\xd4"}


@pytest.mark.parametrize("text", [b"\xff", b"ab\xc3"])
def test_text_that_is_not_utf8_is_refused(text: bytes) -> None:
    with pytest.raises(UnicodeDecodeError):
        values.text(text)
