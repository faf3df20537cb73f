"""The app that a command is about: a user's own, by `--app package.module:app`, or the main job."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from streams import app as composition
from streams.engine import Lotgate
from streams.errors import Misconfigured
from streams.operator.answers.tooling import tool_settings
from streams.runtime.settings import ToolSettings

if TYPE_CHECKING:
    from collections.abc import Callable

app_option: Callable[[Callable[..., None]], Callable[..., None]] = click.option(
    "--app",
    "place",
    metavar="PACKAGE.MODULE:APP",
    help="Your own app; without it the main job is meant.",
)
"""The option by which a command takes an app; its parameter is `place`."""


def imported(place: str) -> Lotgate:
    """Import the app at `package.module:attribute`, also from the working directory.

    Args:
        place: Without an attribute, `app` is meant.

    Raises:
        Misconfigured: `bad_app`: there is no such thing, or it is no app of Lotgate.
    """
    module, _, attribute = place.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found = getattr(importlib.import_module(module), attribute or "app")
    except (ImportError, AttributeError, ValueError) as error:
        raise Misconfigured(
            f"--app {place} cannot be imported: {error}",
            code="bad_app",
            advice="give package.module:app, importable from here",
        ) from error
    if not isinstance(found, Lotgate):
        raise Misconfigured(
            f"--app {place} is a {type(found).__name__}, not an app of Lotgate",
            code="bad_app",
            advice="make it with streams.app.application(name)",
        )
    return found


def settings_for(ctx: click.Context, app: Lotgate | None) -> ToolSettings:
    """Read the settings of a tool that is about an app.

    Args:
        ctx: The command's context.
        app: A user's own app, None for the main job.
    """
    if app is None:
        return tool_settings(ctx)
    return composition.settings_of(app, ToolSettings, ctx.obj() if callable(ctx.obj) else {})
