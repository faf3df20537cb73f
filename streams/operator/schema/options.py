"""What the commands about schemas share: their options, and the topics and contracts meant."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from streams.app import main_job, schemas_of
from streams.contracts.evolution.consumers import Consumer, consumers_in
from streams.contracts.evolution.contracts import Contracts
from streams.contracts.evolution.levels import Level
from streams.contracts.wire.schema_tree import title_of
from streams.errors import Misconfigured
from streams.operator.answers.apps import imported, settings_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from streams.contracts.topics import Topic
    from streams.engine import Lotgate
    from streams.runtime.settings import ToolSettings

    Option = Callable[[Callable[..., None]], Callable[..., None]]

level_option: Option = click.option(
    "--level",
    type=click.Choice([level.value for level in Level], case_sensitive=False),
    default=Level.FULL_TRANSITIVE.value,
    show_default=True,
    help="What a version owes to those before it.",
)
contracts_option: Option = click.option(
    "--contracts",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Directory with avro/, lock.json and consumers.json; by default the product's own.",
)
consumers_option: Option = click.option(
    "--consumers",
    "more",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file of readers of your own, beside those of the product; may be repeated.",
)
json_option: Option = click.option(
    "--json", "json_wanted", is_flag=True, help="One JSON object on stdout."
)


def meant(
    ctx: click.Context, place: str | None
) -> tuple[ToolSettings, tuple[Topic[Any], ...], tuple[Consumer, ...]]:
    """The settings and topics of the main job, or of a user's app with the readers in it.

    Args:
        ctx: The command's context.
        place: `package.module:app`, None for the main job, whose readers are in a file.
    """
    if place is None:
        return settings_for(ctx, None), schemas_of(main_job()), ()
    app = imported(place)
    return settings_for(ctx, app), schemas_of(app), tuple(_readers(app, place))


def _readers(app: Lotgate, place: str) -> Iterator[Consumer]:
    """The stages of an app as readers of their inputs, by all fields."""
    for stage in app.stages:
        named = stage.topic.schema
        name = named if isinstance(named, str) else title_of(named)
        yield Consumer(f"stage {stage.name}", name, 1, frozenset(), place, 0)


def contracts_at(place: Path | None, more: tuple[Path, ...]) -> Contracts:
    """Read contracts and a site's own readers.

    Args:
        place: Their directory; None for what came with the product.
        more: Files of readers.

    Raises:
        Misconfigured: As `Contracts.load`; `bad_consumers_file` also for a file that cannot be
            read.
    """
    try:
        readers = [
            reader for file in more for reader in consumers_in(file.read_text("utf-8"), str(file))
        ]
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(
            f"A file of consumers cannot be read: {error}", code="bad_consumers_file"
        ) from error
    return Contracts.load(place, readers)
