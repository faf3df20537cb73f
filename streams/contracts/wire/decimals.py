"""Exact numbers as the text that carries them."""

from __future__ import annotations

import re
from decimal import Decimal

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,6})?", re.ASCII)
"""Digits and an exponent: neither spaces nor underscores nor digits of other scripts, which Python
would take, nor an exponent that makes a few bytes a number of gigabytes."""


def decimal_of(text: str) -> Decimal:
    """The number in a text.

    Raises:
        ValueError: The text is no finite number in plain digits.
    """
    if _NUMBER.fullmatch(text) is None:
        raise ValueError(f"{text[:40]!r} is not a decimal number")
    return Decimal(text)


def text_of(value: object) -> bytes:
    """The text of a number, which gives the same number and the same scale back.

    Raises:
        TypeError: Not a Decimal; a float never becomes one unseen.
        ValueError: Not finite, or its exponent has more than six digits.
    """
    if not isinstance(value, Decimal):
        raise TypeError(f"{value!r} is not a Decimal")
    text = str(value)
    if _NUMBER.fullmatch(text) is None:
        raise ValueError(f"{text[:40]} is not a finite number of usual size")
    return text.encode()
