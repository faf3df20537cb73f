"""What the commands of a person share: settings, times, answers, the exit code of "not found"."""

from __future__ import annotations

import re
import sys
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import click
import orjson
import tenacity

from streams.contracts.registry import ConfluentRegistry
from streams.contracts.shipped import shipped_codec
from streams.errors import LotgateError, Transient
from streams.runtime.settings import ToolSettings, TraceSettings, load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.contracts.codec import Codec
    from streams.runtime.connection import KafkaConnection


class NotFound(LotgateError):
    """What was asked for is not there; everything needed to look for it was."""

    code = "not_found"
    exit_code: Final = 3


_AGO = re.compile(r"(\d+)\s*(s|m|h|d)")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def moment(text: str, now: datetime) -> datetime:
    """Read `10m`, `2h`, `1d`, `90s` as that long before now, else an ISO 8601 instant.

    Args:
        text: As a person writes it; an instant without zone counts as UTC.
        now: The current instant, aware.

    Raises:
        click.BadParameter: It is neither.
    """
    ago = _AGO.fullmatch(text.strip())
    try:
        if ago is not None:
            return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        given = datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError):
        raise click.BadParameter(
            f"{text!r} is neither an age (90s, 10m, 2h, 1d) nor an ISO 8601 time"
        ) from None
    return given if given.tzinfo is not None else given.replace(tzinfo=UTC)


def tool_settings(ctx: click.Context) -> ToolSettings:
    """Read the settings of a tool; what the environment leaves out comes from the local stack."""
    return load(ToolSettings, ctx.obj() if callable(ctx.obj) else {})


def trace_settings(ctx: click.Context) -> TraceSettings:
    """Read where the evidence is; see `tool_settings`."""
    return load(TraceSettings, ctx.obj() if callable(ctx.obj) else {})


patient = tenacity.retry(
    retry=tenacity.retry_if_exception_type(Transient),
    wait=tenacity.wait_fixed(0.2),
    stop=tenacity.stop_after_delay(5),
    reraise=True,
)
"""Calls again for a few seconds: a new topic or a moved leader answers a moment later."""


@contextmanager
def codec_of(settings: ToolSettings, connection: KafkaConnection) -> Iterator[Codec]:
    """Lend the codec that decodes what tools show; it registers nothing."""
    codec = shipped_codec(settings.registry_url, connection)
    try:
        yield codec
    finally:
        if isinstance(codec.registry, ConfluentRegistry):
            codec.registry.close()


def as_json(value: Any) -> str:
    """Return a value as one line of JSON."""
    return orjson.dumps(value, default=_plain, option=orjson.OPT_NON_STR_KEYS).decode()


def _plain(value: object) -> object:
    match value:
        case Decimal():
            return format(value, "f")
        case bytes():
            return value.hex()
        case _:
            return str(value)


def instant_text(at: datetime | None) -> str:
    """Return an instant in UTC to the millisecond, or a dash."""
    if at is None:
        return "-"
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def say(text: str) -> None:
    """Say something to the person, beside the data on stdout; silent when nobody looks."""
    if sys.stderr.isatty():
        click.echo(text, err=True)
