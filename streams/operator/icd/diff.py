"""`lotgate icd diff`: what a document says that its earlier version did not."""

from __future__ import annotations

from pathlib import Path

import click

from streams.contracts.icd.loading import read_file
from streams.contracts.icd.words import differences
from streams.operator.answers.tooling import as_json
from streams.operator.icd.options import json_option

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("diff")
@click.argument("old", type=_FILE)
@click.argument("new", type=_FILE)
@json_option
@click.pass_context
def diff(ctx: click.Context, /, *, old: Path, new: Path, json_wanted: bool) -> None:
    """Say in words what changed from the document OLD to the document NEW.

    Exit code 4 if anything did.
    """
    before, after = read_file(old), read_file(new)
    found = differences(before.document, after.document)
    if json_wanted:
        hashes = {"old": before.content_hash, "new": after.content_hash}
        click.echo(as_json({**hashes, "differences": found}))
    else:
        click.echo("\n".join(found) if found else "the same content")
    if found:
        ctx.exit(4)
