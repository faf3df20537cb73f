"""Types as the modes of a source's form ask for them."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from connectors.sources.encoding import primitives as avro
from connectors.sources.postgres.shape import values
from connectors.sources.postgres.shape.dialect import iso, magic
from connectors.sources.postgres.shape.wire import WireType, named

if TYPE_CHECKING:
    from collections.abc import Callable

    from connectors.sources.postgres.form import RecordForm
    from connectors.sources.postgres.shape.values import Encode

BYTEA, DATE, TIME, TIMESTAMP, INTERVAL, MONEY, NUMERIC = 17, 1082, 1083, 1114, 1186, 790, 1700
_SPECIAL = {b"NaN": b"NAN", b"Infinity": b"POSITIVE_INFINITY", b"-Infinity": b"NEGATIVE_INFINITY"}
"""What Debezium writes as text for what is no finite number."""
_CONNECT = "org.apache.kafka.connect.data"
_DEBEZIUM = "io.debezium.time"


def changed(oid: int, typmod: int, form: RecordForm, *, mirror: bool) -> WireType | None:
    """The type where a mode has another word on it than the default.

    Args:
        oid: The column's type.
        typmod: Its modifier.
        form: The modes.
        mirror: Do as Debezium, also where that loses a value.
    """
    if oid in (NUMERIC, MONEY) and form.decimal_mode != "precise":
        return _decimal(oid, typmod, form.decimal_mode, mirror=mirror)
    if oid in (DATE, TIME, TIMESTAMP) and form.time_mode != "adaptive":
        return (
            _connect(oid, mirror=mirror)
            if form.time_mode == "connect"
            else _iso(oid, mirror=mirror)
        )
    if oid == INTERVAL and form.interval_mode == "string":
        return WireType(named("string", f"{_DEBEZIUM}.Interval"), _text_of(iso.interval))
    if oid == BYTEA and form.binary_mode != "bytes":
        return WireType("string", base64_text if form.binary_mode == "base64" else _hex)
    return None


def _text_of(convert: Callable[[bytes], bytes]) -> Encode:
    return lambda value: avro.raw(convert(value))


def _decimal(oid: int, typmod: int, mode: str, *, mirror: bool) -> WireType:
    plain = _amount if oid == MONEY else _same
    if mode == "double":
        return WireType("double", lambda value: avro.float64(float(plain(value))), zero=bytes(8))
    if not mirror:
        return WireType("string", _text_of(plain))
    scale = (typmod - 4) & 0x7FF if typmod >= 0 else 0
    zeros = b"." + b"0" * scale if scale > values.LARGEST_SCALE else b""

    def printed(value: bytes) -> bytes:
        return _SPECIAL.get(value) or plain(value) + zeros

    return WireType("string", _text_of(printed))


def _same(value: bytes) -> bytes:
    return value


def _amount(value: bytes) -> bytes:
    unscaled = values.money_unscaled(value)
    sign = b"-" if unscaled < 0 else b""
    return b"%b%d.%02d" % (sign, abs(unscaled) // 100, abs(unscaled) % 100)


def _logical(base: str, name: str, logical: str) -> dict[str, Any]:
    return {**named(base, f"{_CONNECT}.{name}"), "logicalType": logical}


def _connect(oid: int, *, mirror: bool) -> WireType:
    if oid == DATE:
        encode = magic.date(values.date) if mirror else values.date
        return WireType(_logical("int", "Date", "date"), encode)
    if oid == TIME:
        return WireType(_logical("int", "Time", "time-millis"), values.time_millis)
    encode = magic.millis(values.timestamp_millis) if mirror else values.timestamp_millis
    return WireType(_logical("long", "Timestamp", "timestamp-millis"), encode)


def _iso(oid: int, *, mirror: bool) -> WireType:
    if oid == DATE:
        date = _text_of(lambda value: iso.date(value, mirror=mirror))
        return WireType(named("string", f"{_DEBEZIUM}.IsoDate"), date)
    if oid == TIME:
        return WireType(named("string", f"{_DEBEZIUM}.IsoTime"), _text_of(iso.time))
    stamp = _text_of(lambda value: iso.timestamp(value, mirror=mirror))
    return WireType(named("string", f"{_DEBEZIUM}.IsoTimestamp"), stamp)


def base64_text(value: bytes) -> bytes:
    """Bytes as base64 text."""
    return avro.raw(base64.b64encode(values.bytea_bytes(value)))


def _hex(value: bytes) -> bytes:
    return avro.raw(values.bytea_bytes(value).hex().encode())
