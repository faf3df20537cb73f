"""The group of the `lotgate cdc` commands; each is imported when it runs."""

from __future__ import annotations

import importlib

import click

COMMANDS: dict[str, tuple[str, str]] = {
    "preflight": ("connectors.cdc.preflight:preflight", "List what would go wrong, with its SQL."),
    "grants": ("connectors.cdc.grants:grants", "Print the SQL of a role with only what it needs."),
    "position": ("connectors.cdc.stored:position", "Print where a source goes on."),
    "shapes": ("connectors.cdc.shapes:shapes", "List the tables' shapes, and what waits."),
    "snapshot": ("connectors.cdc.snapshot:snapshot", "Read tables again, or mend a lost slot."),
    "forget": ("connectors.cdc.stored:forget", "Forget a position, for a new snapshot."),
}
"""Name → where the command is, and its short help."""


class CaptureGroup(click.Group):
    """A group that lists its commands without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every command's name, in the order in which a source's operator meets them."""
        return [*COMMANDS, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command that this name stands for."""
        place = COMMANDS.get(cmd_name)
        if place is None:
            return super().get_command(ctx, cmd_name)
        module, attribute = place[0].split(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)  # noqa: S101 - a wrong table, not bad input
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in self.list_commands(ctx)])


@click.command(cls=CaptureGroup)
def cdc() -> None:
    """Change data capture: check a source, give it rights, see or forget where it stands.

    NAME is a connector that reads a database, as in `lotgate connect NAME`, and the same LOTGATE_
    variables are read. LOTGATE_SOURCE_SELECTION, or the file that LOTGATE_SOURCE_SELECTION_FILE
    names, says which tables must be published, what the key of a table's records is if not its own,
    and which columns are hashed or dropped before anything leaves the process:

    \b
    {"tables": ["public.person"],
     "keys":   {"public.person": ["number"]},
     "fields": {"public.person.email": "hash", "public.person.born": "drop"}}

    \b
    lotgate cdc preflight erp-cdc           what is missing, and the SQL for it
    lotgate cdc grants erp-cdc | psql …     a role with only what it needs
    lotgate cdc position erp-cdc            where it goes on
    """  # noqa: D301 - click reads the backspace
