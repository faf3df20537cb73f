"""How a connector ends: one sentence, a documented exit code, and no secret in either."""

from __future__ import annotations

import logging
import traceback
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner
from confluent_kafka import KafkaError, KafkaException

import connectors.cli  # noqa: F401 - adds `connect` and `cdc`
from connectors.runner.ending import run_process
from connectors.sources.postgres.names import secrets_of
from streams.cli import LazyGroup, cli
from streams.engine import Fenced, StartPosition
from streams.engine.kafka.failures import judged
from streams.errors import LotgateError, Misconfigured, Poison, Transient
from streams.operator.exit_codes import all_codes
from streams.runtime.connection_string import parts_of
from streams.runtime.logging import configure_logging

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PASSWORD = "hunter2pass"
MALFORMED = (
    f"postgres//u:{PASSWORD}@h/db",
    f"host=h user=u passwort={PASSWORD}",
    f"postgresql://u:one@{PASSWORD}@h/db",
    f"postgresql://u:one/{PASSWORD}@h/db",
    f"postgresql://u:{PASSWORD}%zz@h/db",
    f"host=h port={PASSWORD}",
    PASSWORD,
)
COMMON = {
    "LOTGATE_BOOTSTRAP": "127.0.0.1:1",
    "LOTGATE_REGISTRY_URL": "http://127.0.0.1:1",
    "LOTGATE_SOURCE_SITE": "P1",
    "LOTGATE_LOG_FORMAT": "text",
}


@pytest.fixture(autouse=True)
def _same_handlers_after() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def shown(arguments: list[str], environment: dict[str, str]) -> tuple[int, str]:
    """Exit code, and all that a person or a log could see, the traceback included."""
    result = CliRunner().invoke(cli, arguments, env=environment)
    seen = result.output
    if result.exception is not None:
        seen += "".join(traceback.format_exception(result.exception))
    return result.exit_code, seen


def ended(failure: Exception, *secrets: str) -> tuple[int, str]:
    """Exit code and output of a `lotgate` whose connector meets a failure."""

    async def work() -> None:
        raise failure

    @click.command()
    def connect() -> None:
        configure_logging("connect erp-cdc", form="text", secrets=secrets)
        run_process("erp-cdc", work, secrets)

    group = LazyGroup(places={}, commands={"connect": connect})
    result = CliRunner().invoke(group, ["connect"])
    return result.exit_code, result.output


@pytest.mark.parametrize("dsn", MALFORMED)
@pytest.mark.parametrize(
    ("arguments", "variable"),
    [
        (["connect", "erp-cdc"], "LOTGATE_SOURCE_DSN"),
        (["cdc", "position", "qms-cdc"], "LOTGATE_SOURCE_DSN"),
        (["connect", "evidence"], "LOTGATE_EVIDENCE_DSN"),
        (["trace", "lot", "R-001"], "LOTGATE_EVIDENCE_DSN"),
    ],
)
def test_a_malformed_connection_string_is_one_sentence_without_its_text(
    arguments: list[str], variable: str, dsn: str
) -> None:
    code, seen = shown(arguments, {**COMMON, variable: dsn})
    assert code == 2
    assert f"[bad_setting] {variable} is no PostgreSQL connection string." in seen
    assert PASSWORD not in seen


def test_a_malformed_connection_string_in_a_file_is_not_shown_either(tmp_path: Path) -> None:
    file = tmp_path / "dsn"
    file.write_text(MALFORMED[0], encoding="utf-8")
    code, seen = shown(["connect", "erp-cdc"], {**COMMON, "LOTGATE_SOURCE_DSN_FILE": str(file)})
    assert code == 2
    assert "bad_setting" in seen
    assert PASSWORD not in seen


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://u:p%40ss%2Fw@h:5433/db",
        "postgresql://u@h1:1,h2:2/db?passfile=/etc/pass",
        "host=/run/postgresql dbname=db user=u",
    ],
)
def test_connection_strings_in_every_form_are_taken(dsn: str) -> None:
    assert parts_of(dsn)["user"] == "u"


def test_of_a_connection_string_the_password_is_secret_in_both_spellings() -> None:
    dsn = "postgresql://u:p%40ss%2Fw@h/db"
    assert set(secrets_of(dsn)) == {dsn, "p@ss/w", "p%40ss%2Fw"}


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (Fenced("another process took over"), 11),
        (StartPosition("the position is not retained"), 13),
        (Misconfigured("topic t is missing", code="preflight"), 14),
        (Misconfigured("the slot is missing", code="slot_missing"), 14),
        (Transient("the broker is away"), 5),
        (LotgateError("nobody knows this one"), 16),
        (Poison("a record that nothing took care of"), 16),
        (ValueError("a number is no number"), 16),
    ],
)
def test_a_connector_ends_with_the_documented_code(failure: Exception, code: int) -> None:
    number, seen = ended(failure)
    assert number == code
    assert code in all_codes()
    told = [line for line in seen.splitlines() if line.startswith("lotgate: ")]
    assert len(told) == 1
    assert str(failure.args[0]) in told[0]
    assert " CRITICAL " in seen
    assert f"ends with code {code}" in seen
    assert ("Traceback" in seen) is (code == 16)


@pytest.mark.parametrize("code", ["unforeseen", "foreseen"])
def test_no_secret_is_in_the_last_words(code: str) -> None:
    text = f"could not use {PASSWORD} at h"
    failure = ValueError(text) if code == "unforeseen" else Misconfigured(text, advice=PASSWORD)
    _, seen = ended(failure, PASSWORD)
    assert PASSWORD not in seen
    assert "could not use *** at h" in seen


def test_a_settings_error_of_a_connector_keeps_code_2() -> None:
    code, seen = shown(["connect", "erp-hold"], {**COMMON, "LOTGATE_ERP_URL": "http://h/db"})
    assert code == 2
    assert "LOTGATE_ERP_KEY is not set" in seen


def test_a_transaction_time_out_that_the_broker_refuses_is_no_outage() -> None:
    refused = KafkaException(KafkaError(KafkaError.INVALID_TRANSACTION_TIMEOUT))
    error = judged(refused, "opening transactions as x")
    assert isinstance(error, Misconfigured)
    assert error.code == "transaction_timeout"
    assert "transaction.max.timeout.ms" in error.advice


@pytest.mark.parametrize(
    ("arguments", "more"),
    [
        (["worker"], {"LOTGATE_DATA_DIR": "/nowhere", "LOTGATE_INSTANCE_ID": "0"}),
        (["connect", "erp-cdc"], {"LOTGATE_SOURCE_DSN": "host=h"}),
        (["connect", "erp-hold"], {"LOTGATE_ERP_URL": "http://h/db", "LOTGATE_ERP_KEY": "k"}),
        (["connect", "evidence"], {"LOTGATE_EVIDENCE_DSN": "host=h"}),
    ],
)
def test_every_process_hides_the_broker_password_from_its_log(
    arguments: list[str], more: dict[str, str]
) -> None:
    sasl = {
        "LOTGATE_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
        "LOTGATE_SASL_MECHANISM": "PLAIN",
        "LOTGATE_SASL_USERNAME": "u",
        "LOTGATE_SASL_PASSWORD": PASSWORD,
        # Refused when the log is set up and before anything is opened.
        "LOTGATE_FAULT": "nowhere:0",
    }
    code, seen = shown(arguments, {**COMMON, **sasl, **more})
    assert code == 2, seen
    assert "bad_fault_point" in seen
    record = logging.makeLogRecord({"msg": f"logging in with {PASSWORD} failed"})
    (handler,) = logging.getLogger().handlers
    assert "logging in with *** failed" in handler.format(record)
