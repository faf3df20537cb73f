"""Binary network addresses and shapes as the server's text."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from connectors.sources.postgres.binary.scalars import float8

if TYPE_CHECKING:
    from collections.abc import Iterable

_IPV4: Final = 2
_BITS: Final = {4: 32, 16: 128}
_count = struct.Struct(">I").unpack_from


def inet(value: bytes) -> bytes:
    """An address, with its network's size unless that is the whole address."""
    address = value[4 : 4 + value[3]]
    text = _address(value[0], address)
    return text if value[1] == _BITS[len(address)] else b"%b/%d" % (text, value[1])


def cidr(value: bytes) -> bytes:
    """A network, always with its size."""
    return b"%b/%d" % (_address(value[0], value[4 : 4 + value[3]]), value[1])


def _address(family: int, address: bytes) -> bytes:
    if family == _IPV4:
        return b".".join(b"%d" % byte for byte in address)
    words = struct.unpack(">8H", address)
    start, length = _longest_zeros(words)
    end = start + length
    mapped = length == 5 and words[5] == 0xFFFF
    if start == 0 and length and (length == 6 or (length == 7 and words[7] != 1) or mapped):
        middle = b"ffff:" if mapped else b""
        return b"::" + middle + _address(_IPV4, address[12:])
    if not length:
        return _words(words)
    return _words(words[:start]) + b"::" + _words(words[end:])


def _words(words: Iterable[int]) -> bytes:
    return b":".join(b"%x" % word for word in words)


def _longest_zeros(words: tuple[int, ...]) -> tuple[int, int]:
    """Where the first of the longest runs of two or more zero words begins, and its length."""
    best, place = (0, 0), 0
    while place < len(words):
        end = place
        while end < len(words) and not words[end]:
            end += 1
        if end - place > max(best[1], 1):
            best = (place, end - place)
        place = end + 1
    return best


def macaddr(value: bytes) -> bytes:
    """A hardware address of 6 or 8 bytes."""
    return value.hex(":").encode()


def _points(value: bytes, start: int, count: int) -> bytes:
    return b",".join(
        b"(%b,%b)" % (float8(value[at : at + 8]), float8(value[at + 8 : at + 16]))
        for at in range(start, start + 16 * count, 16)
    )


def point(value: bytes) -> bytes:
    """A point."""
    return _points(value, 0, 1)


def lseg(value: bytes) -> bytes:
    """A line segment."""
    return b"[%b]" % _points(value, 0, 2)


def box(value: bytes) -> bytes:
    """A box."""
    return _points(value, 0, 2)


def path(value: bytes) -> bytes:
    """A path, open in brackets or closed in parentheses."""
    points = _points(value, 5, _count(value, 1)[0])
    return b"(%b)" % points if value[0] else b"[%b]" % points


def polygon(value: bytes) -> bytes:
    """A polygon."""
    return b"(%b)" % _points(value, 4, _count(value)[0])


def line(value: bytes) -> bytes:
    """An endless line by its three coefficients."""
    return b"{%b,%b,%b}" % (float8(value[:8]), float8(value[8:16]), float8(value[16:]))


def circle(value: bytes) -> bytes:
    """A circle."""
    return b"<%b,%b>" % (_points(value, 0, 1), float8(value[16:]))
