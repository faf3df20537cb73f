"""The `lotgate` command: the commands of streams, the connectors, and a checkout's local stack."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import click

from streams.cli import cli
from streams.errors import Misconfigured

LOCAL = Path(__file__).resolve().parent.parent / "deploy" / "local"
"""The local stack lives in the checkout, beside the packages; it is never installed."""

LOCAL_COMMANDS: dict[str, str] = {
    "up": "Start the local stack: broker, registry, database, ERP, workers.",
    "down": "Stop what `lotgate up` started, and nothing else.",
    "purge": "Stop the local stack and remove its data and downloads.",
    "demo": "Run the main job on the local stack.",
    "doctor": "Say which part is not well, and why.",
}


class LocalCommand(click.Command):
    """A command of the checkout's local stack, which says so where there is none."""

    def __init__(self, name: str, short_help: str) -> None:
        super().__init__(name, short_help=short_help, help=short_help)

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the real command."""
        return real_command(str(self.name)).main(*args, **kwargs)

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Let the real command read the arguments."""
        return real_command(str(self.name)).make_context(info_name, args, parent, **extra)


def real_command(name: str, local: Path = LOCAL) -> click.Command:
    """Load a command of the local stack from the checkout.

    Args:
        name: One of `LOCAL_COMMANDS`.
        local: Where a checkout has its local stack.

    Raises:
        Misconfigured: This installation has no checkout around it.
    """
    if not (local / "demo" / "commands.py").is_file():
        raise Misconfigured(
            f"`lotgate {name}` works in a checkout of Lotgate only: there is no {local}",
            code="no_checkout",
            advice="run it from a clone, or start `lotgate worker` and `lotgate connect` yourself",
        )
    if str(local) not in sys.path:
        sys.path.insert(0, str(local))
    command = importlib.import_module("demo.commands").COMMANDS[name]
    assert isinstance(command, click.Command)  # noqa: S101 - a wrong table, not bad input
    return command


def local_defaults() -> dict[str, Any]:
    """Addresses of the checkout's local stack, for the settings that the environment leaves out."""
    if not (LOCAL / "demo" / "commands.py").is_file():
        return {}
    if str(LOCAL) not in sys.path:
        sys.path.insert(0, str(LOCAL))
    defaults = importlib.import_module("demo.pipeline").tool_defaults()
    assert isinstance(defaults, dict)  # noqa: S101 - our own module
    return defaults


for _name, _help in LOCAL_COMMANDS.items():
    cli.add_command(LocalCommand(_name, _help))


@cli.command(short_help="Run one connector until it is stopped.")
@click.argument("name")
@click.option(
    "--place-open",
    is_flag=True,
    help="With LOTGATE_ENFORCE=enforce: also place the holds that observe mode reported.",
)
def connect(name: str, *, place_open: bool) -> None:
    """Run one connector until it is stopped: erp-cdc, qms-cdc, crm-cdc, erp-hold or evidence."""
    importlib.import_module("connectors.registry").run(name, place_open=place_open)


cli.places["cdc"] = ("connectors.cdc:cdc", "Sources: check, grant rights, see where they stand.")


def main() -> None:
    """The console script."""
    cli(prog_name="lotgate", obj=local_defaults)
