"""The `lotgate` command's own part: commands that need no foreign system.

Modules are imported when a command runs, so that `--help` answers at once. Exit codes are one
table for all commands: `lotgate exit-codes`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import click

from streams.errors import LotgateError, Misconfigured, Poison, Transient

if TYPE_CHECKING:
    from collections.abc import Mapping

COMMANDS: dict[str, tuple[str, str]] = {
    "worker": ("streams.operator.worker:worker", "Run the stages of an app."),
    "tail": ("streams.operator.tail:tail", "Print a topic's records, decoded."),
    "trace": ("streams.operator.trace:trace", "Tell the story of a lot, or of an event."),
    "translate": (
        "streams.operator.translate:translate",
        "Show the events a translator makes of given rows.",
    ),
    "dlq": ("streams.operator.dlq:dlq", "List, show, correct, replay or drop dead letters."),
    "rules": ("streams.operator.rules:rules", "Check the shipped rules against case files."),
    "schema": ("streams.operator.schema:schema", "Check, publish or compare the Avro schemas."),
    "icd": ("streams.operator.icd:icd", "Compare or render interface documents."),
    "interfaces": (
        "streams.operator.flows:interfaces",
        "Check, advise on, or release flows of data.",
    ),
    "flows": ("streams.operator.flows:flows", "The register of all flows of data."),
    "topology": ("streams.operator.topology:topology", "Plan or create topics; check the routes."),
    "settings": ("streams.operator.settings:settings", "List every LOTGATE_ variable."),
    "exit-codes": ("streams.operator.exit_codes:exit_codes", "List the exit codes."),
}
"""Name → where the command is, and its short help."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they run, and whose errors become exit codes."""

    def __init__(self, *args: Any, places: Mapping[str, tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.places = dict(places)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every command's name."""
        return sorted({*self.places, *super().list_commands(ctx)})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command that this name stands for."""
        place = self.places.get(cmd_name)
        if place is None:
            return super().get_command(ctx, cmd_name)
        module, attribute = place[0].split(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)  # noqa: S101 - a wrong table, not bad input
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        rows = [(name, self._short_help(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def _short_help(self, ctx: click.Context, name: str) -> str:
        if name in self.places:
            return self.places[name][1]
        command = super().get_command(ctx, name)
        return command.get_short_help_str() if command else ""

    def invoke(self, ctx: click.Context) -> Any:
        """Run, and turn Lotgate's own errors into a sentence and an exit code."""
        try:
            return super().invoke(ctx)
        except LotgateError as error:
            click.echo(f"lotgate: {error}", err=True)
            ctx.exit(exit_code_of(error))


def exit_code_of(error: LotgateError) -> int:
    """The exit code of an error, by the table that `lotgate exit-codes` prints."""
    stated = getattr(error, "exit_code", None)
    if isinstance(stated, int):
        return stated
    match error:
        case Misconfigured():
            return 2
        case Transient():
            return 5
        case Poison():
            return 4
        case _:
            return 1


@click.group(
    cls=LazyGroup,
    places=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="lotgate")
def cli() -> None:
    """Lotgate: when quality finds a bad lot, stop it and everything made from it.

    \b
    Try it:          lotgate demo
    Then:            lotgate trace lot R-001
                     lotgate tail inventory.hold.acks --since 10m
    For operators:   lotgate doctor, lotgate dlq list, lotgate exit-codes
    """  # noqa: D301 - click reads the escape
