"""A log line says what and where, never a payload and never a secret."""

from __future__ import annotations

import io
import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from streams.errors import Poison
from streams.runtime.logging import Scrubber, configure_logging

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _same_handlers_after() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def raised(error: Exception) -> Exception:
    with pytest.raises(type(error)) as caught:
        raise error
    return caught.value


def written(form: Any, secrets: tuple[str, ...] = ()) -> tuple[logging.Logger, io.StringIO]:
    stream = io.StringIO()
    configure_logging("worker", instance="worker-0", form=form, secrets=secrets, stream=stream)
    return logging.getLogger("lotgate.test"), stream


def test_a_json_line_names_the_place_in_the_stream() -> None:
    log, stream = written("json")
    log.warning("slow commit", extra={"topic": "t", "partition": 3, "offset": 17, "seconds": 1.5})
    line = json.loads(stream.getvalue())
    assert line["ts"].endswith("Z")
    assert line["level"] == "warning"
    assert line["service"] == "worker"
    assert line["instance"] == "worker-0"
    assert (line["topic"], line["partition"], line["offset"]) == ("t", 3, 17)
    assert line["event"] == "slow commit"


def test_an_extra_that_is_not_listed_is_dropped_so_that_no_payload_slips_in() -> None:
    log, stream = written("json")
    log.info("decoded", extra={"payload": "patient data", "body": b"x"})
    assert "patient data" not in stream.getvalue()
    assert "body" not in json.loads(stream.getvalue())


def test_an_error_keeps_its_type_code_and_stack_in_one_line() -> None:
    log, stream = written("json")
    log.error("record set aside", exc_info=raised(Poison("it ends early", code="truncated_body")))
    assert stream.getvalue().count("\n") == 1
    line = json.loads(stream.getvalue())
    assert line["error.type"] == "Poison"
    assert line["code"] == "truncated_body"
    assert "test_runtime_logging" in line["stack"]


@pytest.mark.parametrize("form", ["json", "text"])
def test_secrets_are_hidden_in_messages_fields_and_stacks(form: str) -> None:
    log, stream = written(form, secrets=("hunter22",))
    log.error(
        "cannot reach postgresql://u:pw1234@h/db",
        exc_info=raised(ValueError("login with hunter22 refused")),
        extra={"interface": "hunter22"},
    )
    text = stream.getvalue()
    assert "hunter22" not in text
    assert "pw1234" not in text
    assert "***" in text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("password=abc def", "password=*** def"),
        ("Authorization: Bearer abcdefgh123", "Authorization: Bearer ***"),
        ("https://user:pw@host/x", "https://user:***@host/x"),
        ("api_key: zzz, lot R-001", "api_key: ***, lot R-001"),
        ("lot R-001 held", "lot R-001 held"),
    ],
)
def test_what_looks_like_a_secret_is_hidden(text: str, shown: str) -> None:
    assert Scrubber().clean(text) == shown


def test_a_text_line_is_for_people() -> None:
    log, stream = written("text")
    log.info("restored", extra={"partition": 2})
    assert stream.getvalue().rstrip().endswith("lotgate.test: restored  [partition=2]")


def test_configuring_twice_does_not_double_the_lines() -> None:
    written("json")
    log, stream = written("json")
    log.info("once")
    assert stream.getvalue().count("\n") == 1


def test_what_a_framework_says_of_its_services_is_told_only_when_it_is_trouble() -> None:
    log, stream = written("text")
    log.info("[^--Consumer]: %s", "Starting...")
    assert stream.getvalue() == ""
    log.warning("[^--Consumer]: is late")
    log.info("[four] partitions restored")
    assert stream.getvalue().count("\n") == 2


def test_faust_is_heard_from_warnings_on() -> None:
    _, stream = written("text")
    for name in ("faust.app.base", "mode.worker"):
        logging.getLogger(name).info("Executing _on_partitions_assigned")
        logging.getLogger(name).warning("it hangs")
    assert stream.getvalue().count("it hangs") == 2
    assert "Executing" not in stream.getvalue()
