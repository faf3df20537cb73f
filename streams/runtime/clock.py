"""The one place that reads the wall clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def now() -> datetime:
    """The current instant, aware, in UTC."""
    return datetime.now(UTC)  # noqa: TID251 - the one reader


def now_ms() -> int:
    """The current instant in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def now_us() -> int:
    """The current instant in microseconds since 1970."""
    return time.time_ns() // 1_000
