"""The `lotgate` command as a person meets it: help, unknown names, settings, exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from connectors.cli import LOCAL_COMMANDS, real_command
from connectors.registry import CONNECTORS
from streams.cli import COMMANDS, cli, exit_code_of
from streams.engine import MEANING
from streams.errors import LotgateError, Misconfigured, Poison, Transient
from streams.operator.exit_codes import all_codes


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.chdir("/")
    # Commands run in this very process, which must not become the supervisor of a worker.
    inherited = dict.fromkeys(("LOTGATE_BOOTSTRAP", "LOTGATE_REGISTRY_URL"))
    return CliRunner(env={**inherited, "LOTGATE_WATCHDOG_S": "0"})


def test_help_names_every_command_without_importing_it(runner: CliRunner) -> None:
    shown = runner.invoke(cli, ["--help"]).output
    for name in (*COMMANDS, *LOCAL_COMMANDS, "connect"):
        assert f"\n  {name} " in shown
    assert "lotgate trace lot R-001\n" in shown


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(runner: CliRunner, name: str) -> None:
    result = runner.invoke(cli, [name, "--help"])
    assert result.exit_code == 0, result.output
    assert "Usage:" in result.output


def test_an_unknown_connector_is_refused_with_the_known_ones(runner: CliRunner) -> None:
    result = runner.invoke(cli, ["connect", "erp-cdcc"])
    assert result.exit_code == 2
    assert all(name in result.stderr for name in CONNECTORS)


@pytest.mark.parametrize("name", CONNECTORS)
def test_a_connector_without_settings_says_which_are_missing(runner: CliRunner, name: str) -> None:
    result = runner.invoke(cli, ["connect", name])
    assert result.exit_code == 2
    assert "LOTGATE_BOOTSTRAP is not set" in result.stderr


def test_a_misspelt_variable_stops_a_worker(runner: CliRunner) -> None:
    result = runner.invoke(cli, ["worker"], env={"LOTGATE_ENFORSE": "enforce"})
    assert result.exit_code == 2
    assert "did you mean LOTGATE_ENFORCE" in result.stderr


def test_a_worker_whose_app_is_not_there_says_so(runner: CliRunner) -> None:
    result = runner.invoke(cli, ["worker", "--app", "no_such_module:app"])
    assert result.exit_code == 2
    assert "no_such_module" in result.stderr


@pytest.mark.parametrize("name", LOCAL_COMMANDS)
def test_outside_a_checkout_local_commands_say_one_sentence(name: str, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured) as refused:
        real_command(name, local=tmp_path)
    assert exit_code_of(refused.value) == 2
    assert f"`lotgate {name}` works in a checkout" in refused.value.message
    assert str(tmp_path) in refused.value.message


def test_exit_codes_are_one_table_that_programs_can_read(runner: CliRunner) -> None:
    shown = json.loads(runner.invoke(cli, ["exit-codes", "--json"]).output)
    assert {int(code) for code in shown} == set(all_codes())
    assert {int(code) for code in MEANING} == {code for code in all_codes() if 10 <= code <= 19}


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Misconfigured("x"), 2),
        (Transient("x"), 5),
        (Poison("x"), 4),
        (LotgateError("x"), 1),
    ],
)
def test_errors_end_with_their_documented_code(error: LotgateError, code: int) -> None:
    assert exit_code_of(error) == code
    assert code in all_codes()


def test_settings_lists_every_variable(runner: CliRunner) -> None:
    shown = json.loads(runner.invoke(cli, ["settings", "--json"]).output)
    assert {"variable", "processes", "default", "meaning"} == set(shown[0])
    assert any(row["variable"] == "LOTGATE_ENFORCE" for row in shown)


def test_the_position_of_something_that_is_no_source_is_refused(runner: CliRunner) -> None:
    result = runner.invoke(cli, ["cdc", "position", "erp-hold"])
    assert result.exit_code == 2
    assert "erp-hold reads no database" in result.stderr
