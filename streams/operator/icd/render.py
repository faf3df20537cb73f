"""`lotgate icd render`: documents for people, as pages and on paper, with hashes of both."""

from __future__ import annotations

import hashlib
from pathlib import Path

import click
import orjson

from streams.contracts.icd.rendered.page import html_of
from streams.contracts.icd.rendered.printed import pdf_of
from streams.errors import Misconfigured
from streams.operator.answers.tooling import as_json
from streams.operator.icd.options import documents_in, folder_option, json_option

MANIFEST = "manifest.json"


@click.command("render")
@folder_option
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Where the files go.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["html", "pdf", "all"]),
    default="all",
    show_default=True,
)
@click.option(
    "--font",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="TrueType font for the PDF, where texts go beyond Western European letters.",
)
@json_option
def render(*, folder: Path, out: Path, form: str, font: Path | None, json_wanted: bool) -> None:
    """Write each document as HTML and PDF, and manifest.json with the SHA-256 of each.

    The same content gives the same bytes, so a filed copy can be compared by its hash. Each copy
    also carries the hash of the document's content.
    """
    made: list[dict[str, str]] = []
    files: dict[Path, bytes] = {}
    for loaded in documents_in(folder):
        copies = {}
        if form != "pdf":
            copies["html"] = html_of(loaded).encode()
        if form != "html":
            copies["pdf"] = pdf_of(loaded, font)
        for kind, content in copies.items():
            file = out / f"{loaded.document.id}.{kind}"
            files[file] = content
            made.append(
                {
                    "document": loaded.document.id,
                    "version": str(loaded.document.version),
                    "content_sha256": loaded.content_hash,
                    "file": file.name,
                    "file_sha256": hashlib.sha256(content).hexdigest(),
                }
            )
    files[out / MANIFEST] = orjson.dumps(made, option=orjson.OPT_INDENT_2) + b"\n"
    _write(out, files)
    if json_wanted:
        click.echo(as_json({"out": str(out), "files": made}))
        return
    for each in made:
        click.echo(f"{each['file_sha256']}  {out / each['file']}")


def _write(out: Path, files: dict[Path, bytes]) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        for file, content in files.items():
            file.write_bytes(content)
    except OSError as error:
        raise Misconfigured(
            f"{out} cannot be written: {error}",
            code="cannot_write",
            advice="give a folder that can be written with --out",
        ) from error
