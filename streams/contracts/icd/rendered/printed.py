"""A document as PDF, for signing and filing; the same content gives the same bytes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from fpdf import FPDF
from fpdf.enums import XPos, YPos
from fpdf.fonts import FontFace

from streams.contracts.icd.rendered.sheet import sheet_of
from streams.errors import Misconfigured

if TYPE_CHECKING:
    from pathlib import Path

    from streams.contracts.icd.loading import Loaded
    from streams.contracts.icd.rendered.sheet import Sheet, Table

BUILT_IN: Final = "helvetica"
OWN: Final = "document"
FIRST_COLUMN: Final = 0.3
"""Width of the first column, of the whole."""


class _Paper(FPDF):
    """Pages whose foot names document, content and page."""

    def __init__(self, sheet: Sheet, face: str) -> None:
        super().__init__(format="A4")
        self._sheet, self.face = sheet, face

    def footer(self) -> None:
        """Write the foot of a page."""
        self.set_y(-14)
        self.set_font(self.face, size=6.5)
        sheet = self._sheet
        self.cell(0, 4, f"{sheet.id}  SHA-256 {sheet.content_hash}")
        self.set_x(-40)
        self.cell(30, 4, f"page {self.page_no()} of {{nb}}", align="R")


def pdf_of(loaded: Loaded, font: Path | None = None) -> bytes:
    """Render a document.

    Args:
        loaded: The document.
        font: A TrueType font for texts beyond Western European letters; None for the built-in.

    Raises:
        Misconfigured: `font_needed`: the built-in font lacks a letter; `bad_font`.
    """
    sheet = sheet_of(loaded)
    face = BUILT_IN if font is None else OWN
    paper = _Paper(sheet, face)
    if font is None:
        _refuse_unknown_letters(sheet)
    else:
        _add(paper, font)
    # The day of the agreement, not of the printing: a file can then be compared by its hash.
    paper.set_creation_date(datetime.fromisoformat(sheet.day).replace(tzinfo=UTC))
    paper.set_title(f"{sheet.id}: {sheet.title}")
    paper.set_keywords(f"content-sha256 {sheet.content_hash}")
    paper.set_auto_page_break(auto=True, margin=18)
    paper.add_page()
    paper.set_font(face, "B", 18)
    paper.multi_cell(0, 9, sheet.title, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    paper.set_font(face, size=10)
    paper.multi_cell(0, 6, sheet.subtitle, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    for table in sheet.tables:
        _write(paper, table)
    return bytes(paper.output())


def _write(paper: _Paper, table: Table) -> None:
    paper.ln(4)
    if paper.will_page_break(24):
        paper.add_page()
    paper.set_font(paper.face, "B", 12)
    paper.multi_cell(0, 8, table.title, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    paper.set_font(paper.face, size=9)
    columns = len(table.rows[0])
    rest = (1 - FIRST_COLUMN) / (columns - 1)
    with paper.table(
        first_row_as_headings=bool(table.head),
        headings_style=FontFace(emphasis="BOLD", fill_color=(236, 236, 236)),
        col_widths=(FIRST_COLUMN * 100, *[rest * 100] * (columns - 1)),
        text_align="LEFT",
        line_height=5,
        padding=1,
    ) as drawn:
        if table.head:
            drawn.row(table.head)
        for row in table.rows:
            drawn.row(row)


def _add(paper: _Paper, font: Path) -> None:
    try:
        for style in ("", "B"):
            paper.add_font(OWN, style, font)
    except Exception as error:  # the library lets every kind of error of a broken file through
        raise Misconfigured(
            f"{font} is no TrueType font that can be used: {error}",
            code="bad_font",
            advice="give a .ttf or .otf file with --font",
        ) from error


def _refuse_unknown_letters(sheet: Sheet) -> None:
    texts = [sheet.title, sheet.subtitle]
    texts += [
        cell
        for table in sheet.tables
        for cell in (table.title, *table.head, *(cell for row in table.rows for cell in row))
    ]
    unknown = sorted({letter for text in texts for letter in text if ord(letter) > 255})
    if unknown:
        raise Misconfigured(
            f"the built-in font cannot print {' '.join(unknown)} of document {sheet.id}",
            code="font_needed",
            kept="no file was written",
            advice="give a TrueType font with --font",
        )
