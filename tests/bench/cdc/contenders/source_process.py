"""One source process, told by `LOTGATE_*` variables as `lotgate connect` is.

    python -m tests.bench.cdc.contenders.source_process '{"snapshot": "no_data"}'

The argument holds what no variable sets: fields of `SourceConfig`, of its `form` as an object.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace

from connectors.registry import Connector, source_config
from connectors.runner.ending import run_process
from connectors.runner.source import run_source
from connectors.sources.postgres.form import RecordForm
from streams.contracts.shipped import shipped_codec
from streams.runtime.logging import configure_logging
from streams.runtime.settings import SourceSettings, load

SYSTEM = "bench"


def main() -> None:
    """Run the source until it is told to stop."""
    settings = load(SourceSettings)
    connector = Connector("source", SYSTEM, translator="")
    more = json.loads(sys.argv[1])
    form = RecordForm(**more.pop("form", {}))
    config = replace(source_config(connector, settings), form=form, **more)
    connection = settings.connection()
    configure_logging(f"connect {SYSTEM}", form=settings.log_format, secrets=())
    run_process(
        SYSTEM,
        lambda: run_source(config, connection, shipped_codec(settings.registry_url, connection)),
        (),
    )


if __name__ == "__main__":
    main()
