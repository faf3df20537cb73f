"""From a connector's name to its source's settings, as `lotgate connect` would read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.registry import CONNECTORS, connector_of, source_config
from streams.errors import Misconfigured
from streams.runtime.settings import SourceSettings, load

if TYPE_CHECKING:
    from connectors.runner.source_config import SourceConfig


def named_source(name: str) -> tuple[SourceConfig, SourceSettings]:
    """What a source is told, and the settings that it comes from.

    Raises:
        Misconfigured: There is no such source, or a setting is missing or wrong.
    """
    connector = connector_of(name)
    if connector.kind != "source":
        sources = [other for other, each in CONNECTORS.items() if each.kind == "source"]
        raise Misconfigured(
            f"{name} reads no database",
            code="not_a_source",
            advice=f"use one of: {', '.join(sources)}",
        )
    settings = load(SourceSettings)
    return source_config(connector, settings), settings
