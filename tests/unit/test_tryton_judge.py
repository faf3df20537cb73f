"""What each answer of the ERP means: one table."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from connectors.sinks.tryton.rest.judge import (
    Call,
    Denied,
    Moved,
    failure_of,
    failure_of_transport,
    message_of,
)
from streams.errors import (
    LotgateError,
    Misconfigured,
    Outcome,
    Poison,
    Transient,
    Unknown,
    outcome_of,
)

pytestmark = pytest.mark.urs("M3.3")

READ = Call("GET", "stock.lot")
WRITE = Call("POST", "stock.shipment.internal/7/do")
PAGE = "<!doctype html>\n<html lang=en>\n<title>{0}</title>\n<h1>{0}</h1>\n<p>{1}</p>\n"


def said(message: str) -> dict[str, Any]:
    return {"status": 400, "message": message, "description": "more"}


ANSWERS: list[tuple[Call, int, Any, str, type[LotgateError] | None, str]] = [
    (READ, 200, [], "[]", None, ""),
    (WRITE, 200, {"id": 7, "state": "done"}, "", None, ""),
    (WRITE, 204, None, "", None, ""),
    (WRITE, 200, {"type": "ir.action.wizard", "wiz_name": "x"}, "", Poison, "erp_wants_dialogue"),
    (WRITE, 400, None, PAGE.format("Bad Request", ""), Poison, "erp_wants_dialogue"),
    (WRITE, 400, None, PAGE.format("Bad Request", "No JSON"), Poison, "erp_refused"),
    (WRITE, 400, said("The value is not valid."), "", Poison, "erp_refused"),
    (WRITE, 400, said('You can not call "do" on "7".'), "", Moved, "erp_state_changed"),
    (READ, 401, None, PAGE.format("Unauthorized", "x"), Denied, "erp_denied"),
    (WRITE, 403, None, PAGE.format("Forbidden", "x"), Denied, "erp_denied"),
    (WRITE, 404, None, PAGE.format("Not Found", "x"), Moved, "erp_state_changed"),
    (READ, 404, None, PAGE.format("Not Found", "x"), Misconfigured, "erp_address"),
    (WRITE, 409, None, "conflict", Moved, "erp_state_changed"),
    (WRITE, 423, None, "locked", Moved, "erp_state_changed"),
    (WRITE, 429, None, "slow down", Transient, "erp_unavailable"),
    (READ, 500, None, PAGE.format("Internal Server Error", "'x'"), Poison, "erp_unexpected"),
    (WRITE, 503, None, PAGE.format("Service Unavailable", "lock"), Transient, "erp_unavailable"),
    (READ, 504, None, "gateway", Transient, "erp_unavailable"),
    (WRITE, 504, None, "gateway", Unknown, "unknown_outcome"),
    (WRITE, 302, None, "elsewhere", Poison, "erp_unexpected"),
]


@pytest.mark.parametrize(("call", "status", "body", "text", "kind", "code"), ANSWERS)
def test_an_answer(
    call: Call,
    status: int,
    body: Any,
    text: str,
    kind: type[LotgateError] | None,
    code: str,
) -> None:
    failure = failure_of(call, status, body, text)
    if kind is None:
        assert failure is None
        return
    assert type(failure) is kind
    assert failure.code == code
    assert str(call) in failure.message
    if outcome_of(failure) is Outcome.DEAD_LETTER:
        assert failure.advice


TRANSPORT = [
    (READ, httpx.ConnectError("refused"), Transient),
    (WRITE, httpx.ConnectError("refused"), Transient),
    (WRITE, httpx.ConnectTimeout("slow"), Transient),
    (WRITE, httpx.PoolTimeout("busy"), Transient),
    (READ, httpx.ReadTimeout("slow"), Transient),
    (WRITE, httpx.ReadTimeout("slow"), Unknown),
    (WRITE, httpx.WriteError("reset"), Unknown),
    (WRITE, httpx.ReadError("reset"), Unknown),
    (WRITE, httpx.RemoteProtocolError("cut"), Unknown),
    (READ, httpx.RemoteProtocolError("cut"), Transient),
    (READ, httpx.UnsupportedProtocol("ftp"), Misconfigured),
]


@pytest.mark.parametrize(("call", "error", "kind"), TRANSPORT)
def test_no_answer(call: Call, error: httpx.TransportError, kind: type[LotgateError]) -> None:
    failure = failure_of_transport(call, error)
    assert type(failure) is kind
    assert type(error).__name__ in failure.message


def test_messages_are_plain_and_short() -> None:
    assert message_of(None, PAGE.format("Not Found", "a &amp; b")) == "Not Found Not Found a & b"
    assert message_of(json.loads('{"message": "a", "description": "b\\n c"}'), "") == "a b c"
    assert len(message_of(None, "x" * 10_000)) <= 400
