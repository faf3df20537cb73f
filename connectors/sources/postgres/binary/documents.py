"""Binary documents as the server's text: words for text search, and key-value pairs."""

from __future__ import annotations

import struct
from typing import Final

_short = struct.Struct(">H").unpack_from
_int = struct.Struct(">i").unpack_from

_WEIGHTS: Final = (b"", b"C", b"B", b"A")
_VALUE, _NOT, _AND, _OR, _PHRASE = 1, 1, 2, 3, 4
_PRIORITY: Final = {_OR: 1, _AND: 2, _PHRASE: 3, _NOT: 4}
_LOOSEST: Final = -1


def _word(value: bytes, place: int) -> tuple[bytes, int]:
    end = value.index(0, place)
    text = value[place:end].replace(b"\\", b"\\\\").replace(b"'", b"''")
    return b"'%b'" % text, end + 1


def tsvector(value: bytes) -> bytes:
    """Words with their places and weights."""
    (count,) = _int(value)
    place = 4
    words = []
    for _ in range(count):
        text, place = _word(value, place)
        (places,) = _short(value, place)
        numbers = struct.unpack_from(f">{places}H", value, place + 2)
        place += 2 + 2 * places
        marks = b",".join(b"%d%b" % (each & 0x3FFF, _WEIGHTS[each >> 14]) for each in numbers)
        words.append(text + (b":" + marks if marks else b""))
    return b" ".join(words)


def tsquery(value: bytes) -> bytes:
    """A search for words."""
    if not _int(value)[0]:
        return b""
    return _query(value, 4, _LOOSEST, behind_phrase=False)[0]


def _query(value: bytes, place: int, outer: int, *, behind_phrase: bool) -> tuple[bytes, int]:
    if value[place] == _VALUE:
        weights, prefix = value[place + 1], value[place + 2]
        text, place = _word(value, place + 3)
        marks = b"*" if prefix else b""
        marks += b"".join(b"DCBA"[bit : bit + 1] for bit in (3, 2, 1, 0) if weights >> bit & 1)
        return text + (b":" + marks if marks else b""), place
    operator = value[place + 1]
    place += 2
    priority = _PRIORITY[operator]
    if operator == _NOT:
        inner, place = _query(value, place, priority, behind_phrase=False)
        text = b"!" + inner
    else:
        sign = {_OR: b" | ", _AND: b" & "}.get(operator, b"")
        if operator == _PHRASE:
            (distance,) = _short(value, place)
            sign = b" <-> " if distance == 1 else b" <%d> " % distance
            place += 2
        # The right side is stored first.
        right, place = _query(value, place, priority, behind_phrase=operator == _PHRASE)
        left, place = _query(value, place, priority, behind_phrase=False)
        text = left + sign + right
    if priority < outer or (operator == _PHRASE and behind_phrase):
        text = b"( %b )" % text
    return text, place


def hstore(value: bytes) -> bytes:
    """Pairs of a key and a value."""
    (count,) = _int(value)
    place = 4
    pairs = []
    for _ in range(count):
        (length,) = _int(value, place)
        key = value[place + 4 : place + 4 + length]
        place += 4 + length
        (length,) = _int(value, place)
        place += 4
        if length < 0:
            pairs.append(_quoted(key) + b"=>NULL")
        else:
            pairs.append(_quoted(key) + b"=>" + _quoted(value[place : place + length]))
            place += length
    return b", ".join(pairs)


def _quoted(text: bytes) -> bytes:
    return b'"%b"' % text.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
