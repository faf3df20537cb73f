"""`lotgate worker`: run the stages of an app."""

from __future__ import annotations

import logging
import sys

import click

from streams import app as composition
from streams.engine import arm, provision, run_worker, supervised
from streams.operator.answers.apps import app_option, imported
from streams.runtime.logging import configure_logging
from streams.runtime.settings import WatchdogSettings, WorkerSettings, load

log = logging.getLogger(__name__)


@click.command()
@app_option
def worker(place: str | None) -> None:
    """Run the stages of an app until stopped. Exit codes: `lotgate exit-codes`."""
    # Before an app's imports start threads: what follows goes on in a child of this process.
    heart = supervised(load(WatchdogSettings).watchdog_s)
    if place is None:
        settings = load(WorkerSettings)
        app = composition.main_job(tuple(settings.hold_targets.split(",")))
    else:
        app = imported(place)
        settings = composition.settings_of(app, WorkerSettings)
    connection = settings.connection()
    configure_logging(
        "worker",
        instance=settings.instance_id,
        form=settings.log_format,
        secrets=(connection.security.get("sasl.password", ""),),
    )
    log.info(
        "worker %s of group %s starts: Lotgate %s, broker %s, stores in %s",
        settings.instance_id, settings.group, composition.build(), settings.bootstrap,
        settings.data_dir,
    )  # fmt: skip
    arm(settings.fault)
    if place is None and settings.provision:
        # The connectors' topics too; those of the stages are the engine's business.
        provision(connection, composition.installation_of(connection))
    app.configure(composition.engine_settings(settings))
    sys.exit(run_worker(app, heart))
