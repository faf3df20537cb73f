"""`lotgate worker`: run the stages of an app."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import TypeVar

import click

from streams import app as composition
from streams.engine import Lotgate, arm, provision, run_worker
from streams.errors import Misconfigured
from streams.runtime.logging import configure_logging
from streams.runtime.settings import WorkerSettings, load

T = TypeVar("T")


@click.command()
@click.option(
    "--app",
    "place",
    help="package.module:app of your own stages; without it the main job runs.",
)
def worker(place: str | None) -> None:
    """Run the stages of an app until stopped. Exit codes: `lotgate exit-codes`."""
    if place is None:
        settings = load(WorkerSettings)
        app = composition.main_job(tuple(settings.hold_targets.split(",")))
        specs = composition.installation_of(settings.connection())
    else:
        app = imported(place, Lotgate)
        settings = load(WorkerSettings, {"group": app.conf.id})
        specs = composition.topics_of(app, settings.connection())
    configure_logging("worker", instance=settings.instance_id, form=settings.log_format)
    arm(settings.fault)
    if settings.provision:
        provision(settings.connection(), specs)
    app.configure(composition.engine_settings(settings))
    sys.exit(run_worker(app))


def imported(place: str, kind: type[T]) -> T:
    """Import `package.module:attribute`, also from the working directory.

    Raises:
        Misconfigured: There is no such thing, or it is of another kind.
    """
    module, _, attribute = place.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found = getattr(importlib.import_module(module), attribute or "app")
    except (ImportError, AttributeError) as error:
        raise Misconfigured(
            f"--app {place} cannot be imported: {error}",
            code="bad_app",
            advice="give package.module:app, importable from here",
        ) from error
    if not isinstance(found, kind):
        raise Misconfigured(
            f"--app {place} is a {type(found).__name__}, not an app of Lotgate",
            code="bad_app",
            advice="make it with streams.app.application(name)",
        )
    return found
