"""A user's keys beside the engine's own records in one store."""

from __future__ import annotations

from typing import Final

ENGINES: Final = b"\0"
"""What the keys of the engine's own records begin with."""
ESCAPE: Final = b"\0\2"


def user_key(key: bytes) -> bytes:
    """A user's key as it is stored: apart from the engine's own records."""
    return ESCAPE + key if key[:1] == ENGINES else key
