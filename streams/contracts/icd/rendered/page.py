"""A document as one HTML page that needs nothing beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from streams.contracts.icd.rendered.sheet import sheet_of

if TYPE_CHECKING:
    from streams.contracts.icd.loading import Loaded

_PAGES: Final = Environment(
    loader=PackageLoader("streams.contracts.icd.rendered", "templates"),
    autoescape=select_autoescape(default=True, default_for_string=True),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def html_of(loaded: Loaded) -> str:
    """Render a document; the same content gives the same text."""
    return _PAGES.get_template("document.html.j2").render(sheet=sheet_of(loaded))
