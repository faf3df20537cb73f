"""A translator of one's own, small enough to begin from: a weighing station that states lots.

Its database has two tables. `scale_lot` names each lot (`id`, `code`, `product`, `blocked`), and
`weighing` holds what was put on the scale (`id`, `lot_id`, `kilograms`, `cancelled`, `login`).
A weighing that counts is an arrival of stock of its lot.

Try it without a broker or a database, on rows of your own:

    lotgate translate --system examples.translator_template:ScaleTranslator --rows rows.jsonl

Install it by an entry point of your own package; sources name it by `LOTGATE_TRANSLATOR`:

    [project.entry-points."lotgate.translators"]
    scale = "our_package.scale:ScaleTranslator"
"""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

from connectors.translators.reading import BadRow, Record, attempt, written
from streams.model.envelope import Actor
from streams.model.facts import Disposition, Lot
from streams.model.ids import lot_id
from streams.model.translation import UNSTAMPED, Draft, Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from streams.model.translation import Coalesced, CoalescedRow, Rejected, Rows

LOT = "lotgate.inventory.lot"


class ScaleTranslator:
    """See `streams.model.translation.Translator`. It has no state: all it knows is in `rows`."""

    name = "scale"
    version = "1"
    # Columns to publish, and those of them by which rows are asked for.
    tables: Mapping[str, Table] = {
        "scale_lot": Table(("id", "code", "product", "blocked")),
        "weighing": Table(("id", "lot_id", "kilograms", "cancelled", "login"), ("lot_id",)),
    }

    def translate(self, transaction: Coalesced, rows: Rows) -> Iterator[Draft | Rejected]:
        """One fact per lot that the transaction concerns, whichever of its rows changed."""
        touched: dict[str, CoalescedRow] = {}
        for row in transaction.rows:
            key = row.key if row.table == "scale_lot" else written(row.image.get("lot_id"))
            touched[key] = row
        for key, row in sorted(touched.items()):
            # A bad row costs its own lot, not the transaction.
            yield from attempt(
                transaction.origin, partial(_drafts, transaction.origin.site, rows, key, row)
            )


def _drafts(site: str, rows: Rows, key: str, row: CoalescedRow) -> Iterator[Draft]:
    image = rows.image("scale_lot", key)
    if image is None:
        raise BadRow(
            Record(row.table, row.key, row.image),
            "lot_id",
            f"scale_lot {key} is not known",
            code="reference_unknown",
            advice="publish scale_lot too, then save the row again",
        )
    lot = Record("scale_lot", key, image)
    weighed = _weighed(rows, key)
    # What the translator itself must remember between transactions, it keeps by name.
    before = Decimal(written(rows.kept(f"weighed {key}").get("kilograms")) or 0)
    rows.keep(f"weighed {key}", {"kilograms": format(weighed, "f")})
    # A snapshot row builds state; it is no news.
    arrived = weighed - before if weighed > before and row.op != "r" else None
    name = lot_id(site, lot.text("product"), lot.text("code"))
    disposition = Disposition.RESTRICTED if lot.flag("blocked") else Disposition.UNRESTRICTED
    fact = Lot(
        UNSTAMPED,
        lot_id=name,
        material=lot.text("product"),
        number=lot.text("code"),
        disposition=disposition,
        arrived=arrived is not None,
        quantity=arrived,
        unit="kg",
        xrefs={"scale": key},
    )
    yield Draft(
        fact,
        event_type=LOT,
        subject_id=name,
        identity=(name,),
        completed_by=row,
        # Only a change of these is a new version; the same said again is dropped.
        matters=(name, disposition),
        always=arrived is not None,
        actor=Actor(written(row.image.get("login")) or Actor().user_id),
    )


def _weighed(rows: Rows, key: str) -> Decimal:
    """The sum of a lot's weighings that count: whatever came in which order, it is the same."""
    total = Decimal(0)
    for number in rows.keys_where("weighing", "lot_id", key):
        record = Record("weighing", number, rows.image("weighing", number) or {})
        if not record.flag("cancelled"):
            total += record.amount("kilograms") or Decimal(0)
    return total
