"""What every command that decides on something takes and says: why, who, whether to do it."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Any

import click

from streams.operator.answers.tooling import as_json

if TYPE_CHECKING:
    from collections.abc import Callable

REASON = click.option("--reason", required=True, help="Why; it is kept with the decision.")
DRY_RUN = click.option("--dry-run", is_flag=True, help="Say what would be done, do nothing.")
JSON = click.option("--json", "json_wanted", is_flag=True, help="JSON on stdout.")


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""


def actor_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Take `--actor`, by default the name at the login."""
    return click.option("--actor", default=_user, show_default="the login", help="Who decides.")(
        command
    )


def answer(
    kind: str, place: str, actor: str, reason: str, done: str, *, json_wanted: bool, **more: str
) -> None:
    """Say what was decided and done."""
    if json_wanted:
        fields = {"decision": kind, "place": place, "actor": actor, "reason": reason, "done": done}
        click.echo(as_json({**fields, **more}))
    else:
        click.echo(f"{kind} of {place} by {actor}: {done}")
