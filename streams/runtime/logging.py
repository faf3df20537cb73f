"""Log lines: one JSON object per record for programs, one plain line for people.

A log says what happened and where in the stream it happened. It never holds a payload: a record is
named by its topic, partition, offset and ids, and can be read from there. Secrets that a process
has read are taken out of every line, also out of exception texts.
"""

from __future__ import annotations

import logging
import re
import sys
import traceback
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal, TextIO

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterable

LogFormat = Literal["json", "text"]

FIELDS: Final = {
    "interface": "interface",
    "stage": "stage",
    "topic": "topic",
    "partition": "partition",
    "offset": "offset",
    "event_id": "event_id",
    "correlation_id": "correlation_id",
    "causation_id": "causation_id",
    "trace_id": "trace_id",
    "span_id": "span_id",
    "code": "code",
    "attempts": "attempts",
    "seconds": "seconds",
    "records": "records",
    "payload_sha256": "payload_sha256",
    "error_type": "error.type",
}
"""Names that `extra=` may carry, and what each is called in the line. Others are dropped, so that
no payload can slip into a log by accident."""

STACK_LIMIT = 8 * 1024
"""Characters of a stack that one line may hold; the end is kept, where the cause stands."""

HIDDEN = "***"
_PATTERNS = (
    # user:password@host of any URL; a bare @ or / may be part of the password
    (re.compile(r"(?<=://)([^\s/:@]*):\S+(?=@)"), r"\1:" + HIDDEN),
    (
        re.compile(
            r"(?i)([\w.-]*(?:password|passwd|pwd|secret|token|api[_-]?key))"
            r"""(["']?\s*[=:]\s*["']?)[^\s,;&"']+"""
        ),
        None,
    ),
    (re.compile(r"(?i)\b(bearer|basic)(\s+)[a-z0-9._~+/=-]{8,}"), None),
)
LEAST_SECRET = 4
"""Shorter secrets are not searched for: hiding every `a` would hide the log."""


class Scrubber:
    """Takes secrets out of text."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        # The longest first, so that a secret that contains another is hidden whole.
        self._secrets = sorted({s for s in secrets if len(s) >= LEAST_SECRET}, key=len)[::-1]

    def clean(self, text: str) -> str:
        """Return the text with known secrets, and what looks like one, hidden."""
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        for pattern, replacement in _PATTERNS:
            text = pattern.sub(replacement or (r"\1\2" + HIDDEN), text)
        return text


class NoLifecycle(logging.Filter):
    """Drops what Faust says of each of its services at start and end; trouble stays.

    Such lines carry the name of the module that the service is of, ours included, so that a
    logger's level cannot hold them back.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is for an operator."""
        return record.levelno > logging.INFO or not str(record.msg).startswith("[^")


class JsonLines(logging.Formatter):
    """One JSON object per record, in one line."""

    def __init__(self, service: str, instance: str, scrubber: Scrubber) -> None:
        super().__init__()
        self._fixed = {"service": service, "instance": instance}
        self._scrubber = scrubber

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, Any] = {
            "ts": _instant(record.created).replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": self._scrubber.clean(record.getMessage()),
            **self._fixed,
        }
        for name, value in fields_of(record):
            line[name] = self._scrubber.clean(value) if isinstance(value, str) else value
        line.update(self._error(record))
        return orjson.dumps(line, default=str).decode()

    def _error(self, record: logging.LogRecord) -> dict[str, str]:
        error = record.exc_info[1] if record.exc_info else None
        if error is None:
            return {}
        stack = "".join(traceback.format_exception(error))[-STACK_LIMIT:]
        found = {
            "error.type": type(error).__name__,
            "error.message": self._scrubber.clean(str(error)),
            "stack": self._scrubber.clean(stack),
        }
        code = getattr(error, "code", None)
        return found | ({"code": code} if isinstance(code, str) else {})


class TextLines(logging.Formatter):
    """A plain line for people: time, level, logger, what happened, and where."""

    def __init__(self, scrubber: Scrubber) -> None:
        super().__init__()
        self._scrubber = scrubber

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, with the stack below it if there is an error."""
        where = " ".join(f"{name}={value}" for name, value in fields_of(record))
        line = f"{_instant(record.created)[11:23]} {record.levelname:<7} {record.name}: "
        line += record.getMessage() + (f"  [{where}]" if where else "")
        if record.exc_info and record.exc_info[1] is not None:
            line += "\n" + "".join(traceback.format_exception(record.exc_info[1])).rstrip()
        return self._scrubber.clean(line)


def fields_of(record: logging.LogRecord) -> Iterable[tuple[str, Any]]:
    """Give the allowed extra fields of a record, by the names they have in a line."""
    for attribute, name in FIELDS.items():
        value = record.__dict__.get(attribute)
        if value is not None and value != "":
            yield name, value


def configure_logging(
    service: str,
    *,
    instance: str = "",
    form: LogFormat = "json",
    secrets: Iterable[str] = (),
    stream: TextIO | None = None,
) -> None:
    """Send all log records of this process to one stream, in one form.

    Args:
        service: Which process this is, e.g. `worker` or `connect evidence`.
        instance: Which of several, e.g. the pod's name.
        form: `json` for programs, `text` for people.
        secrets: Values that must never appear in a line.
        stream: Where to write; standard output unless told.
    """
    scrubber = Scrubber(secrets)
    handler = logging.StreamHandler(stream if stream is not None else sys.stdout)
    handler.setFormatter(
        TextLines(scrubber) if form == "text" else JsonLines(service, instance, scrubber)
    )
    handler.addFilter(NoLifecycle())
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    for chatty in ("httpx", "httpcore", "faust", "mode"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def _instant(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
