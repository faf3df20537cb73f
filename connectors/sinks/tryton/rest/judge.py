"""What an answer of Tryton's REST API means. Pure: one table, no call is made here.

Tryton answers a `UserError` and a `UserWarning` alike with 400 and a JSON message. Both are a
person's business: a warning is never confirmed by machine. A button that wants a dialogue first
(an inspection, say) answers 400 with an empty page, or through other protocols 200 with the
dialogue to open; nothing was done then.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from typing import Any

import httpx

from streams.errors import LotgateError, Misconfigured, Poison, Transient, Unknown

NOT_CALLABLE = "You can not call"
"""How Tryton begins its refusal of a button whose document is in another state."""
TEXT_LIMIT = 400
_EMPTY_PAGE = "<p></p>"
"""What the page of a 400 holds when the error has no text: a button asks for a dialogue."""

_KEPT_COMMAND = "the command with its bytes and position"


class Moved(Transient):
    """Somebody changed the record meanwhile: read it again and decide again."""

    code = "erp_state_changed"


class Denied(Poison):
    """The server refuses the key, or the key's user lacks a right."""

    code = "erp_denied"


@dataclass(frozen=True, slots=True)
class Call:
    """A call as errors tell it.

    Attributes:
        method: HTTP method.
        path: Path below the database, without query.
    """

    method: str
    path: str

    @property
    def writes(self) -> bool:
        """True if the call may change the target."""
        return self.method != "GET"

    @property
    def of_record(self) -> bool:
        """True if the call names a record, which may be gone."""
        return "/" in self.path

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def failure_of(call: Call, status: int, body: Any, text: str) -> LotgateError | None:
    """Judge an answer.

    Args:
        call: What was asked.
        status: HTTP status.
        body: The decoded JSON body, or None if it was no JSON.
        text: The body as text.

    Returns:
        The error to raise, or None if the call did what it should.
    """
    said = message_of(body, text)
    failure: LotgateError | None
    match status:
        case _ if 200 <= status < 300:
            failure = _wizard(call, body)
        case 400:
            failure = _refusal(call, said, empty=body is None and _EMPTY_PAGE in text)
        case 401 | 403:
            failure = _denied(call, status)
        case 404 if not call.of_record:
            failure = Misconfigured(
                f"the ERP answered 404 to {call}: there is no such database or interface",
                code="erp_address",
                kept=_KEPT_COMMAND,
                advice="correct the ERP's address; it ends with the name of the database",
            )
        case 404 | 409 | 410 | 423:
            failure = Moved(f"the ERP answered {status} to {call}: {said}")
        case 429 | 503:
            story = f"the ERP answered {status} to {call}: {said}"
            failure = Transient(story, code="erp_unavailable")
        case 408 | 502 | 504:
            failure = _gateway(call, status)
        case _:
            failure = Poison(
                f"the ERP answered {status} to {call}: {said}",
                code="erp_unexpected",
                kept=_KEPT_COMMAND,
                advice="look into the server's log: a model or a field may be missing, or its "
                "version differ from the supported ones; then replay the command",
            )
    return failure


def failure_of_transport(call: Call, error: httpx.TransportError) -> LotgateError:
    """Judge a call that got no answer.

    Returns:
        `Unknown` if the request may have reached the server and may write: the server commits
        even when nobody waits any more. `Transient` otherwise.
    """
    story = f"no answer from the ERP to {call}: {type(error).__name__} {error}".rstrip()
    never_sent = httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout
    if isinstance(error, httpx.UnsupportedProtocol):
        return Misconfigured(story, code="erp_address", advice="correct the ERP's address")
    if call.writes and not isinstance(error, never_sent):
        return Unknown(story, kept=_KEPT_COMMAND)
    return Transient(story, code="erp_unreachable")


def message_of(body: Any, text: str) -> str:
    """The part of an answer that a person can use, without markup and of bounded length."""
    if isinstance(body, dict) and body.get("message"):
        parts = [str(body["message"]), str(body.get("description") or "")]
        said = " ".join(part for part in parts if part)
    else:
        said = html.unescape(re.sub(r"<[^>]*>", " ", text))
    return " ".join(said.split())[:TEXT_LIMIT]


def _wizard(call: Call, body: Any) -> Poison | None:
    action = body if isinstance(body, dict) else None
    if action is None or not str(action.get("type", "")).startswith("ir.action"):
        return None
    return _wants_dialogue(call, str(action.get("wiz_name") or action.get("name") or "unnamed"))


def _wants_dialogue(call: Call, name: str) -> Poison:
    return Poison(
        f"the ERP answered {call} with a dialogue ({name}) instead of doing it",
        code="erp_wants_dialogue",
        kept=_KEPT_COMMAND,
        advice="a person must press the button in the ERP and finish the dialogue, e.g. an "
        "inspection; then replay the command",
    )


def _refusal(call: Call, said: str, *, empty: bool) -> LotgateError:
    if empty:
        return _wants_dialogue(call, "unnamed")
    if said.startswith(NOT_CALLABLE):
        return Moved(f"the ERP refused {call}: {said}")
    return Poison(
        f"the ERP refused {call}: {said}",
        code="erp_refused",
        kept=_KEPT_COMMAND,
        advice="settle what the message says in the ERP (errors and warnings are never confirmed "
        "by machine), then replay the command",
    )


def _denied(call: Call, status: int) -> Denied:
    what = "does not accept the key" if status == 401 else "gives the key's user no right to do it"
    return Denied(
        f"the ERP answered {status} to {call}: it {what}",
        kept=_KEPT_COMMAND,
        advice="put a valid key of a user in the groups Stock, Quality and Production into the "
        "key file, then replay the command",
    )


def _gateway(call: Call, status: int) -> LotgateError:
    story = f"a gateway before the ERP answered {status} to {call}"
    if call.writes:
        return Unknown(story, kept=_KEPT_COMMAND)
    return Transient(story, code="erp_unavailable")
