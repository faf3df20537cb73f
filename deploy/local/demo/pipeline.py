"""Lotgate's own processes on the local stack, each with its settings and its log."""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from localstack import Stack

from streams import app as composition
from streams import engine
from streams.contracts.catalog import Catalog
from streams.contracts.codec import Codec
from streams.contracts.evolution.publishing import publish_all
from streams.contracts.registry import ConfluentRegistry
from streams.runtime.settings import ToolSettings, load

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localstack import Addresses

SITE = "PLANT1"
"""The demo plant's site id: the first part of every lot id."""

PROCESSES = ("worker", "erp-cdc", "qms-cdc", "erp-hold", "evidence")
"""In the order of starting: readers of a topic before its writers keeps the first lag short."""


def command_of(name: str) -> list[str]:
    """The command line of one of our processes."""
    lotgate = str(Path(sys.executable).with_name("lotgate"))
    return [lotgate, "worker"] if name == "worker" else [lotgate, "connect", name]


def settings_of(
    name: str, addresses: Addresses, data: Path, *, enforce: str = "enforce"
) -> dict[str, str]:
    """The LOTGATE_ variables of one of our processes.

    Args:
        name: One of `PROCESSES`.
        addresses: Where the parts answer.
        data: Folder for the worker's stores.
        enforce: The hold target's mode; the demo says that it sets `enforce`.
    """
    common = {
        "LOTGATE_BOOTSTRAP": addresses.bootstrap,
        "LOTGATE_REGISTRY_URL": addresses.registry_url,
        "LOTGATE_REPLICATION_FACTOR": "1",
        "LOTGATE_MIN_INSYNC": "1",
        "LOTGATE_PROVISION": "true",
    }
    own = {
        "worker": {
            "LOTGATE_DATA_DIR": str(data / "worker"),
            "LOTGATE_INSTANCE_ID": "worker-0",
        },
        "erp-cdc": {"LOTGATE_SOURCE_DSN": addresses.erp_dsn, "LOTGATE_SOURCE_SITE": SITE},
        "qms-cdc": {"LOTGATE_SOURCE_DSN": addresses.qms_dsn, "LOTGATE_SOURCE_SITE": SITE},
        "erp-hold": {
            "LOTGATE_ERP_URL": f"{addresses.erp_url.rstrip('/')}/{addresses.erp_database}",
            "LOTGATE_ERP_KEY_FILE": str(addresses.holdbot_key_file),
            "LOTGATE_ENFORCE": enforce,
        },
        "evidence": {"LOTGATE_EVIDENCE_DSN": addresses.evidence_dsn},
    }
    return {**common, **own[name]}


def environment_of(
    name: str, stack: Stack, *, extra: Mapping[str, str] | None = None, enforce: str = "enforce"
) -> dict[str, str]:
    """The whole environment of one of our processes: ours without other LOTGATE_ variables."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("LOTGATE_")}
    own = settings_of(name, stack.addresses(), data_of(stack), enforce=enforce)
    return {**inherited, **own, **(extra or {})}


def data_of(stack: Stack) -> Path:
    """Where our processes keep their state."""
    return stack.layout.root / "lotgate"


def provision(stack: Stack) -> None:
    """Create the topics and register the schemas, as a deployment does before its processes."""
    settings = load(ToolSettings, tool_defaults(stack), {})
    connection = settings.connection()
    engine.provision(connection, composition.installation_of(connection))
    with closing(ConfluentRegistry(settings.registry_url)) as registry:
        codec = Codec(Catalog.load(), registry, connection.prefix, connection.group)
        topics = composition.schemas_of(composition.main_job())
        publish_all(registry, {codec.subject(topic): codec.schema(topic) for topic in topics})


def start(
    stack: Stack, name: str, *, extra: Mapping[str, str] | None = None, enforce: str = "enforce"
) -> None:
    """Start one of our processes, unless it runs."""
    stack.start_process(
        name, command_of(name), environment_of(name, stack, extra=extra, enforce=enforce)
    )


def forget_state(stack: Stack) -> None:
    """Remove our processes' state, after the broker's data was removed."""
    shutil.rmtree(data_of(stack), ignore_errors=True)


def tool_defaults(stack: Stack | None = None) -> dict[str, Any]:
    """Addresses for commands that a person runs in the checkout, if the local stack was started."""
    stack = stack or Stack()
    if not stack.layout.ports.is_file():
        return {}
    addresses = stack.addresses()
    return {
        "bootstrap": addresses.bootstrap,
        "registry_url": addresses.registry_url,
        "evidence_dsn": addresses.evidence_dsn,
        "replication_factor": 1,
        "min_insync": 1,
    }
