"""`lotgate trace`: the story of a lot, from the database row to the read-back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
import psycopg

from streams.evidence.database import connected, judged
from streams.evidence.queries import lots_named
from streams.evidence.story import story_of
from streams.operator.answers.story_text import rendered
from streams.operator.answers.tooling import NotFound, as_json, trace_settings
from streams.runtime.settings import secret

if TYPE_CHECKING:
    from streams.evidence.lot_story import LotStory

NO_TABLES = ("42P01", "3F000")
"""SQL states of a database that no evidence writer has filled yet."""


@click.group()
def trace() -> None:
    """Tell what happened, from the evidence store.

    \b
    lotgate trace lot R-001
    lotgate trace lot PLANT1/RAW/R-001 --json
    """  # noqa: D301 - click reads the backspace


@trace.command("lot")
@click.argument("lot")
@click.option("--states", is_flag=True, help="Also show every published hold state.")
@click.option("--json", "json_wanted", is_flag=True, help="One JSON object on stdout.")
@click.pass_context
def trace_lot(ctx: click.Context, lot: str, *, states: bool, json_wanted: bool) -> None:
    """Tell the story of LOT, a lot number or a lot id (`<site>/<material>/<lot>`).

    If several lots have the number, all are told. Exit code 3 if none is known, 5 if the evidence
    database cannot be reached.
    """
    settings = trace_settings(ctx)
    dsn = secret("LOTGATE_EVIDENCE_DSN", settings.evidence_dsn, settings.evidence_dsn_file)
    stories = stories_of(dsn, lot)
    if json_wanted:
        click.echo(as_json({"asked": lot, "lots": stories}))
        return
    if len(stories) > 1:
        found = ", ".join(story.lot_id for story in stories)
        click.echo(f"{len(stories)} lots have the number {lot}: {found}\n")
    click.echo("\n\n".join(rendered(story, states=states) for story in stories))


def stories_of(dsn: str, lot: str) -> list[LotStory]:
    """Read the stories of all lots with a number or id.

    Args:
        dsn: Connection string of the evidence database.
        lot: A lot number or a lot id.

    Raises:
        NotFound: No event names such a lot.
        Transient: The database cannot be reached.
    """
    connection = connected(dsn, "lotgate-trace")
    try:
        return _read(connection, lot)
    except psycopg.Error as error:
        if error.sqlstate in NO_TABLES:
            raise NotFound(
                "the evidence database has no tables yet",
                code="evidence_empty",
                advice="start `lotgate connect evidence`; it makes and fills them",
            ) from error
        raise judged(error) from error
    finally:
        connection.close()


def _read(connection: psycopg.Connection[Any], lot: str) -> list[LotStory]:
    # One snapshot, so that a story does not change while it is read.
    with connection.transaction():
        connection.execute("set transaction isolation level repeatable read, read only")
        found = lots_named(connection, lot)
        if not found:
            raise NotFound(
                f"no event in the evidence store names a lot {lot!r}",
                code="lot_not_found",
                advice="check the number as the ERP writes it, and that `lotgate connect evidence`"
                " runs; `lotgate tail inventory.lot.events` shows the lots known to the pipeline",
            )
        return [story_of(connection, row) for row in found]
