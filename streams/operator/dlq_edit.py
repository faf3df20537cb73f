"""`lotgate dlq edit`: correct a dead letter's value and try it again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from streams.engine import control
from streams.errors import Misconfigured
from streams.operator.answers import dead_letters, deciding
from streams.operator.answers.correcting import changed, difference, draft_of
from streams.operator.answers.decision_options import (
    DRY_RUN,
    JSON,
    REASON,
    actor_option,
    answer,
)
from streams.operator.answers.tooling import codec_of, tool_settings

if TYPE_CHECKING:
    from streams.operator.answers.correcting import Draft


@click.command("edit")
@click.argument("place")
@REASON
@actor_option
@click.option("--set", "assignments", multiple=True, metavar="FIELD=VALUE", help="Set a field.")
@click.option(
    "--value-json",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The corrected value as JSON.",
)
@click.option("--yes", is_flag=True, help="Do not ask after the editor.")
@DRY_RUN
@JSON
@click.pass_context
def edit(  # noqa: PLR0913 - one parameter per option
    ctx: click.Context,
    place: str,
    *,
    reason: str,
    actor: str,
    assignments: tuple[str, ...],
    value_json: Path | None,
    yes: bool,
    dry_run: bool,
    json_wanted: bool,
) -> None:
    """Correct the value of the dead letter at PLACE, then try it again, once.

    \b
    lotgate dlq edit dlq.lotgate/0/17 --set limit=10 --reason "typo"
    lotgate dlq edit dlq.lotgate/0/17 --value-json corrected.json --reason "from the laboratory"
    lotgate dlq edit dlq.lotgate/0/17 --reason "typo"        (opens $EDITOR)

    The value is shown as JSON by the newest schema of its topic. The dead letter keeps the
    original bytes; the decision holds the corrected ones, with actor and reason.
    """  # noqa: D301 - click reads the backspace
    settings = tool_settings(ctx)
    connection = settings.connection()
    control.refuse_unreasoned(actor, reason)
    letter = dead_letters.found(connection, place)
    topic = deciding.certain_origin(letter)[0]
    deciding.refuse_correction(letter)
    with codec_of(settings, connection) as codec:
        draft = draft_of(codec, topic, letter.value)
    text, value = _corrected(draft, assignments, value_json)
    lines = difference(draft.text, text)
    if not lines:
        raise Misconfigured(
            "nothing was changed",
            code="no_change",
            kept="the dead letter; nothing was decided",
            advice="use `lotgate dlq replay` to try the original bytes again",
        )
    if not json_wanted:
        click.echo(lines)
    if not (assignments or value_json or yes or dry_run):
        click.confirm("Try it again with this value?", abort=True, err=True)
    done = "nothing: dry run"
    if not dry_run:
        done = deciding.replay(connection, letter, actor=actor, reason=reason, value=value)
    more = {"difference": lines, "value": value.hex()}
    answer("edit", place, actor, reason, done, json_wanted=json_wanted, **more)


def _corrected(
    draft: Draft, assignments: tuple[str, ...], value_json: Path | None
) -> tuple[str, bytes]:
    """The corrected value as JSON, and its bytes."""
    if assignments and value_json is not None:
        raise click.UsageError("--set and --value-json exclude each other")
    if value_json is not None:
        text = value_json.read_text(encoding="utf-8")
        return text, draft.encode(text)
    if draft.trouble:
        raise Misconfigured(
            f"the bytes cannot be decoded: {draft.trouble}",
            code="not_decodable",
            kept="the dead letter; nothing was decided",
            advice=f"write the whole value, a {draft.title}, and give it as --value-json FILE",
        )
    if assignments:
        text = changed(draft.text, assignments)
        return text, draft.encode(text)
    return _edited(draft)


def _edited(draft: Draft) -> tuple[str, bytes]:
    """The value from a person's editor; what does not fit is not lost, it can be edited again."""
    text = draft.text
    while True:
        text = _opened(text)
        try:
            return text, draft.encode(text)
        except Misconfigured as wrong:
            if not click.get_text_stream("stdin").isatty():
                raise
            click.echo(f"lotgate: {wrong}", err=True)
            if not click.confirm("Edit it again?", default=True, err=True):
                raise


def _opened(text: str) -> str:
    """What the editor leaves; what was not saved, or was emptied, changes nothing."""
    try:
        return click.edit(text, extension=".json") or text
    except click.ClickException as failure:
        raise Misconfigured(
            f"the editor did not end well: {failure.format_message()}",
            code="editor_failed",
            kept="the dead letter; nothing was decided",
            advice="set EDITOR to a program that ends when the file is saved, or correct the value"
            " with --set or --value-json",
        ) from failure
