"""`lotgate translate`: what a translator makes of given rows, without a broker or a database."""

from __future__ import annotations

import importlib
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

import click
import orjson

from streams.agents.translate import GROUP, installed
from streams.errors import Misconfigured
from streams.evidence.records import as_json
from streams.operator.translate.rows import nearest, read_rows
from streams.operator.translate.trial import Trial, tried

if TYPE_CHECKING:
    from streams.model.translation import Translator
    from streams.operator.translate.rows import Trouble
    from streams.operator.translate.trial import Given

__all__ = ["translate"]

PARTS = ("name", "version", "tables", "translate")
"""What makes an object a translator."""


@click.command()
@click.option(
    "--system",
    required=True,
    help="Name of an installed translator, e.g. tryton, or package.module:Class of one's own.",
)
@click.option(
    "--rows",
    "file",
    required=True,
    type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
    help="Row changes as JSON lines, or as CSV if the name ends in .csv; - reads JSON lines.",
)
@click.option("--site", default="SITE", show_default=True, help="The plant that owns the lots.")
@click.option("--json", "json_wanted", is_flag=True, help="One JSON object on stdout.")
@click.pass_context
def translate(ctx: click.Context, *, system: str, file: Path, site: str, json_wanted: bool) -> None:
    """Show the events that a translator makes of given rows.

    \b
    A line is a row change:
      {"table": "stock_lot", "op": "c", "after": {"id": 7, "number": "R-1", "product": 3}}
    op       c, u, d as the source committed it, r for a row of its snapshot, t for truncate
    before   optional, the old row
    after    the new row; an update may give only the columns it changes
    key      optional; the primary key where it is not the table's first column
    tx       optional; lines that follow each other with one tx are one database transaction

    Exit code 4 if any row is bad; each is named with its line and what is wrong with it.
    """  # noqa: D301 - click reads the backspace
    translator = _imported(system) if ":" in system else _installed(system)
    text = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    changes, bad = read_rows(text, is_csv=file.suffix.lower() == ".csv", tables=translator.tables)
    trial = tried(translator, changes, site)
    trial.bad[:0] = bad
    trial.bad.sort(key=lambda trouble: trouble.line)
    click.echo(_json(trial) if json_wanted else _text(trial))
    if trial.bad:
        ctx.exit(4)


def _installed(name: str) -> Translator:
    known = sorted(entry.name for entry in entry_points(group=GROUP))
    if name not in known:
        raise Misconfigured(
            f"no translator {name!r} is installed; there are {', '.join(known)}",
            code="unknown_translator",
            kept="nothing was read",
            advice=nearest(name, tuple(known)) or "give package.module:Class to try one's own",
        )
    return installed()(name)


def _imported(place: str) -> Translator:
    """A translator that is not installed yet, also from the working directory."""
    module, _, name = place.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        made = getattr(importlib.import_module(module), name)()
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise Misconfigured(
            f"--system {place} cannot be made: {error}",
            code="bad_translator",
            kept="nothing was read",
            advice="give package.module:Class, importable from here and made without arguments",
        ) from error
    missing = [
        name for name in ("name", "version", "tables", "translate") if not hasattr(made, name)
    ]
    if missing:
        raise Misconfigured(
            f"--system {place} is no translator: it has no {', '.join(missing)}",
            code="bad_translator",
            kept="nothing was read",
            advice="see streams.model.translation.Translator, and examples/translator_template.py",
        )
    translator: Translator = made
    return translator


def _json(trial: Trial) -> str:
    told = {
        "translator": trial.translator,
        "transactions": trial.transactions,
        "events": [
            {"line": given.line, "event": orjson.loads(as_json(given.fact))}
            for given in trial.given
        ],
        "bad": trial.bad,
        "notes": trial.notes,
    }
    return orjson.dumps(told).decode()


def _text(trial: Trial) -> str:
    head = f"{trial.translator}: events {len(trial.given)}, transactions {trial.transactions}"
    lines = [f"{head}, bad rows {len(trial.bad)}"]
    if trial.given:
        rows = [("line", "event", "subject", "version", "what"), *map(_row, trial.given)]
        widths = [max(len(row[at]) for row in rows) for at in range(4)]
        for row in rows:
            cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
            lines.append("  ".join([*cells, row[4]]).rstrip())
    lines += [f"BAD  {_trouble(trouble)}" for trouble in trial.bad]
    lines += [f"note {_trouble(trouble)}" for trouble in trial.notes]
    return "\n".join(lines)


def _row(given: Given) -> tuple[str, str, str, str, str]:
    envelope = given.fact.envelope
    kind = envelope.event_type.removeprefix("lotgate.")
    version = str(envelope.subject_version)
    return (str(given.line), kind, envelope.subject_id, version, given.what)


def _trouble(trouble: Trouble) -> str:
    advice = f" -> {trouble.advice}" if trouble.advice else ""
    return f"line {trouble.line}: {trouble.reason} [{trouble.code}]{advice}"
