"""`lotgate icd verify`: one line for each thing that is not as a document says."""

from __future__ import annotations

import dataclasses
from contextlib import closing
from typing import TYPE_CHECKING, Any

import click

from streams.contracts.evolution.contracts import Contracts
from streams.contracts.icd.drift import Expected, drifts, live_names
from streams.contracts.registry import ConfluentRegistry
from streams.operator.answers.tooling import as_json, tool_settings
from streams.operator.icd.gathering import found
from streams.operator.icd.options import documents_in, folder_option, json_option
from streams.runtime import clock

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from streams.contracts.icd.findings import Drift
    from streams.contracts.icd.live import Live
    from streams.contracts.icd.loading import Loaded
    from streams.runtime.settings import ToolSettings


@click.command("verify")
@folder_option
@click.option(
    "--connector",
    "connectors",
    multiple=True,
    metavar="NAME=URL",
    help="A running connector's probes, e.g. erp-hold=http://127.0.0.1:8080; may be repeated.",
)
@click.option(
    "--on",
    "day",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Judge the age of contact tests as of this day; by default today.",
)
@click.option("--complete", is_flag=True, help="What cannot be compared counts as a difference.")
@json_option
@click.pass_context
def verify(
    ctx: click.Context,
    /,
    *,
    folder: Path,
    connectors: tuple[str, ...],
    day: datetime | None,
    complete: bool,
    json_wanted: bool,
) -> None:
    """Compare the documents with broker, registry, access rules, quotas and connectors.

    Exit code 4 on any difference; each is one line with the document's file and line. What could
    not be compared is listed, and with --complete it counts.
    """
    started = clock.now_ms()
    documents = documents_in(folder)
    today = (day or clock.now()).date()
    live, expected, differences = compared(documents, tool_settings(ctx), _named(connectors), today)
    silent = not_compared(documents, live)
    answer = {
        "documents": len(documents),
        "topics": sum(
            len(live_names(topic, live, expected))
            for loaded in documents
            for topic in loaded.document.topics
        ),
        "drifts": [dataclasses.asdict(drift) for drift in differences],
        "not_compared": silent,
        "seconds": (clock.now_ms() - started) / 1000,
    }
    if json_wanted:
        click.echo(as_json(answer))
    else:
        _say(differences, answer)
    if differences or (complete and silent):
        ctx.exit(4)


def compared(
    documents: Sequence[Loaded], settings: ToolSettings, connectors: dict[str, str], today: Any
) -> tuple[Live, Expected, list[Drift]]:
    """Look at the installation and compare.

    Args:
        documents: The documents.
        settings: Where broker and registry are.
        connectors: Where running connectors answer, by name.
        today: The day for which contacts are judged.

    Returns:
        What was found, what it was compared under, and the differences.
    """
    connection, contracts = settings.connection(), Contracts.load()
    expected = Expected(
        contracts.catalog, contracts.lock, connection.prefix, connection.group, today
    )
    with closing(ConfluentRegistry(settings.registry_url)) as registry:
        live = found(documents, connection, registry, connectors)
    return live, expected, drifts(documents, live, expected)


def not_compared(documents: Sequence[Loaded], live: Live) -> list[str]:
    """What the documents say and nobody could be asked about."""
    silent = []
    if live.grants is None and any(
        topic.access is not None for loaded in documents for topic in loaded.document.topics
    ):
        silent.append("accounts: the broker has no access control")
    for loaded in documents:
        name = loaded.document.connector
        if name is not None and name not in live.connectors:
            silent.append(f"connector {name}: give --connector {name}=URL of its probes")
    return silent


def _named(given: tuple[str, ...]) -> dict[str, str]:
    for each in given:
        if not all(each.partition("=")):
            raise click.BadParameter(f"{each!r} is not NAME=URL", param_hint="--connector")
    return {name: url for name, _, url in (each.partition("=") for each in given)}


def _say(differences: list[Drift], answer: dict[str, Any]) -> None:
    for drift in differences:
        click.echo(f"DRIFT    {drift}")
    for text in answer["not_compared"]:
        click.echo(f"unasked  {text}")
    click.echo(
        f"{len(differences)} differences; {answer['topics']} topics of {answer['documents']}"
        f" documents compared in {answer['seconds']:.1f} s"
    )
