"""What the commands about interface documents share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from streams.contracts.catalog import Catalog
from streams.contracts.icd.loading import Loaded, read_folder

if TYPE_CHECKING:
    from collections.abc import Callable

    Option = Callable[[Callable[..., None]], Callable[..., None]]

FOLDER = Path("deploy/contracts/icd")

folder_option: Option = click.option(
    "--dir",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=FOLDER,
    show_default=True,
    help="Where the documents are.",
)
json_option: Option = click.option(
    "--json", "json_wanted", is_flag=True, help="One JSON object on stdout."
)


def documents_in(folder: Path) -> list[Loaded]:
    """Read the documents of a folder; see `read_folder`."""
    return read_folder(folder, Catalog.load())
