"""`lotgate exit-codes`: what every exit code means; programs may rely on them."""

from __future__ import annotations

import click
import orjson

from streams.engine.exit_codes import MEANING

COMMAND_LINE = {
    0: "done",
    1: "failed",
    2: "wrong use, or a setting is missing, wrong or unknown",
    3: "not found",
    4: "a check found differences",
    5: "something that is needed cannot be reached or is not well",
    6: "denied",
    7: "timed out",
    130: "interrupted (SIGINT)",
    143: "terminated (SIGTERM)",
}
"""Codes of all commands; workers and connectors add 10 to 19."""


def all_codes() -> dict[int, str]:
    """Every exit code with its meaning, in order."""
    workers = {int(code): meaning for code, meaning in MEANING.items()}
    return dict(sorted({**COMMAND_LINE, **workers}.items()))


@click.command("exit-codes")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def exit_codes(*, as_json: bool) -> None:
    """List the exit codes."""
    if as_json:
        click.echo(orjson.dumps({str(code): meaning for code, meaning in all_codes().items()}))
        return
    for code, meaning in all_codes().items():
        click.echo(f"{code:>4}  {meaning}")
