"""The hold stages of the main job in a process of their own, with a registry in a file."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import orjson

from streams.agents import register_all
from streams.contracts.catalog import Catalog
from streams.contracts.codec import Codec
from streams.contracts.file_registry import FileRegistry
from streams.engine import EngineSettings, Lotgate, run_worker
from streams.runtime.connection import KafkaConnection

TARGETS = ("erp", "mes")


class Registering(Codec):
    """Registers what it meets: the registry is the test's own file."""

    def prepare(self, topics: Any, *, register: bool = True) -> None:
        super().prepare(topics, register=register)


def codec(connection: KafkaConnection, registry: Path) -> Registering:
    return Registering(Catalog.load(), FileRegistry(registry), connection.prefix, connection.group)


def settings() -> EngineSettings:
    """Settings from the file that the test names."""
    given = orjson.loads(Path(os.environ["HOLD_TEST_SETTINGS"]).read_bytes())
    connection = KafkaConnection(given["bootstrap"], given["prefix"])
    instance = os.environ["HOLD_TEST_INSTANCE"]
    return EngineSettings(
        connection=connection,
        codec=lambda: codec(connection, Path(given["registry"])),
        data_dir=Path(given["data"]) / instance,
        instance_id=instance,
        build="1",
        session_timeout_ms=6_000,
        cycle_records=40,
    )


app = Lotgate("hold-test")
app.configure_from(settings)
register_all(app, targets=TARGETS)

if __name__ == "__main__":
    sys.exit(run_worker(app))
