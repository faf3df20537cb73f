"""A lot's story as plain text."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from streams.operator.answers.tooling import instant_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.evidence.lot_story import CauseStory, DatabaseRow, Hop, LotStory, Step

NO_STATE = "no hold state was published for it"


def rendered(story: LotStory, *, states: bool = False) -> str:
    """Lay out a story.

    Args:
        story: The story.
        states: Also show every published hold state.
    """
    return "\n".join([*_head(story), "", *_causes(story), "", *_steps(story, states=states)])


def _head(story: LotStory) -> Iterator[str]:
    material = story.material or "material not named"
    yield f"Lot {story.number} ({material}, {story.site})"
    yield f"  id              {story.lot_id}"
    if not story.status:
        yield f"  now             {NO_STATE}"
        return
    yield f"  now             {story.status}, {story.disposition}"
    yield f"  last read-back  {story.last_result or 'none yet'}"
    if story.note:
        yield f"  note            {story.note}"


def _causes(story: LotStory) -> Iterator[str]:
    if not story.causes:
        yield "Causes: none"
        return
    standing = sum(cause.open for cause in story.causes)
    yield f"Causes: {len(story.causes)}, {standing} open"
    for cause in story.causes:
        yield from _cause(cause)


def _cause(cause: CauseStory) -> Iterator[str]:
    yield f"  {cause.number or cause.cause_id}: {'open' if cause.open else 'closed'}"
    yield f"    cause id    {cause.cause_id}"
    reach = "names this lot itself" if cause.direct else path_text(cause.path)
    yield f"    path        {reach}"
    if cause.open and cause.note:
        yield f"    still open  {cause.note}"
    elif cause.note:
        yield f"    note        {cause.note}"
    if cause.signature:
        yield f"    signature   {cause.signature}"
    for version in cause.versions:
        yield f"    version {version.version:<3} {version.told}"
        yield f"                {row_text(version.row)}"
        if version.signature:
            yield f"                signature: {version.signature}"


def path_text(path: tuple[Hop, ...]) -> str:
    """Lay out a path through the genealogy, the lot that the cause names first."""
    parts = [path[0].lot_id] if path else []
    for hop in path[1:]:
        how = " ".join(word for word in (hop.relation, hop.work_order) if word)
        parts.append(f"-> {hop.lot_id}" + (f" ({how})" if how else ""))
    return " ".join(parts)


def row_text(row: DatabaseRow) -> str:
    """Name a row: table, log position, transaction, actor, commit time."""
    who = f"{row.actor} ({row.actor_name})" if row.actor_name else row.actor
    return (
        f"{row.system} row {row.table}, LSN {row.lsn}, transaction {row.transaction},"
        f" by {who}, committed {instant_text(row.committed_at)}"
    )


def _steps(story: LotStory, *, states: bool) -> Iterator[str]:
    shown = [step for step in story.steps if states or step.kind != "state"]
    yield "What happened (seconds from the commit of the row)"
    if not shown:
        yield "  nothing yet"
    shown.sort(key=lambda step: (*_root(step), step.at is not None and step.at.timestamp()))
    for _, group in groupby(shown, key=_root):
        steps = list(group)
        yield f"  {row_text(steps[0].row)}"
        for step in steps:
            yield from _step(step)


def _root(step: Step) -> tuple[float, str, int]:
    row = step.row
    return row.committed_at.timestamp(), row.system, row.transaction


def _step(step: Step) -> Iterator[str]:
    seconds = "" if step.seconds is None else f"{step.seconds:+.3f} s"
    if step.row.operation == "r":
        # A snapshot row was committed long before it was read: the distance says nothing.
        seconds = "snapshot"
    yield f"    {seconds:>11}  {step.kind:<7}  {step.title}"
    for detail in step.details:
        yield f"    {'':>11}  {'':<7}    {detail}"
