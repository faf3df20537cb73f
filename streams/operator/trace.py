"""`lotgate trace`: the story of a lot, and the chain of steps that made an event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import click
import psycopg

from streams.evidence.chain import provenance_of
from streams.evidence.database import connected, judged
from streams.evidence.queries import lots_named
from streams.evidence.story import story_of
from streams.operator.answers.story_text import rendered, row_text
from streams.operator.answers.tooling import NotFound, as_json, trace_settings
from streams.runtime.settings import secret

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.evidence.chain import Provenance
    from streams.evidence.lot_story import LotStory

T = TypeVar("T")

NO_TABLES = ("42P01", "3F000", "42703")
"""SQL states of a database that no evidence writer of this version has filled yet."""


@click.group()
def trace() -> None:
    """Tell what happened, from the evidence store.

    \b
    lotgate trace lot R-001
    lotgate trace lot PLANT1/RAW/R-001 --json
    lotgate trace event 1f0c6a1e-7c1b-5d0e-9a52-0242ac120002
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


@trace.command("event")
@click.argument("event_id")
@click.option("--json", "json_wanted", is_flag=True, help="One JSON object on stdout.")
@click.pass_context
def trace_event(ctx: click.Context, event_id: str, *, json_wanted: bool) -> None:
    """Rebuild the chain of EVENT_ID: every step from the source to it, with what each one read.

    Exit code 3 if no such event is known, 4 if its record came without a chain, 5 if the evidence
    database cannot be reached.
    """
    settings = trace_settings(ctx)
    dsn = secret("LOTGATE_EVIDENCE_DSN", settings.evidence_dsn, settings.evidence_dsn_file)
    found = _asked(dsn, lambda connection: _chains(connection, event_id))
    if json_wanted:
        click.echo(as_json({"asked": event_id, "events": found}))
    else:
        click.echo("\n\n".join(provenance_text(each) for each in found))
    if not all(each.links for each in found):
        ctx.exit(4)


def _chains(connection: psycopg.Connection[Any], event_id: str) -> list[Provenance]:
    found = provenance_of(connection, event_id)
    if not found:
        raise NotFound(
            f"no event in the evidence store has the id {event_id!r}",
            code="event_not_found",
            advice="take the id from `lotgate tail` (ce_id) or `lotgate trace lot --json`, and "
            "check that `lotgate connect evidence` runs",
        )
    return found


def provenance_text(found: Provenance) -> str:
    """Lay out a chain: one step under the other, with what it read and gave."""
    lines = [f"Event {found.event_id} on {found.topic}", f"  {row_text(found.row)}"]
    if not found.links:
        lines.append("  its record came without the header that tells its steps")
    for number, link in enumerate(found.links, 1):
        if link.left_out:
            lines.append(f"      ({link.left_out} steps are no longer told)")
            continue
        name = f"{link.transform}@{link.version}" if link.version else link.transform
        lines.append(f"  {number:>3}  {name}")
        if link.inputs:
            lines.append(f"       read   {', '.join(link.inputs)}")
        gave = "gave   " if link.made else "passed "
        about = f"  {link.event_type} {link.subject}" if link.event_type and link.made else ""
        lines.append(f"       {gave}{link.event_id}{about}")
        if link.place and link.made:
            lines.append(f"       at     {link.place}")
    return "\n".join(lines)


def stories_of(dsn: str, lot: str) -> list[LotStory]:
    """Read the stories of all lots with a number or id.

    Args:
        dsn: Connection string of the evidence database.
        lot: A lot number or a lot id.

    Raises:
        NotFound: No event names such a lot.
        Transient: The database cannot be reached.
    """
    return _asked(dsn, lambda connection: _read(connection, lot))


def _asked(dsn: str, question: Callable[[psycopg.Connection[Any]], list[T]]) -> list[T]:
    """Ask within one snapshot, so that nothing changes while it is read."""
    connection = connected(dsn, "lotgate-trace")
    try:
        with connection.transaction():
            connection.execute("set transaction isolation level repeatable read, read only")
            return question(connection)
    except psycopg.Error as error:
        if error.sqlstate in NO_TABLES:
            raise NotFound(
                "the evidence database has no tables of this version yet",
                code="evidence_empty",
                advice="start `lotgate connect evidence`; it makes and fills them",
            ) from error
        raise judged(error) from error
    finally:
        connection.close()


def _read(connection: psycopg.Connection[Any], lot: str) -> list[LotStory]:
    found = lots_named(connection, lot)
    if not found:
        raise NotFound(
            f"no event in the evidence store names a lot {lot!r}",
            code="lot_not_found",
            advice="check the number as the ERP writes it, and that `lotgate connect evidence`"
            " runs; `lotgate tail inventory.lot.events` shows the lots known to the pipeline",
        )
    return [story_of(connection, row) for row in found]
