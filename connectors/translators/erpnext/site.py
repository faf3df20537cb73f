"""Look-ups in an ERPNext site: batches, what a ledger entry moved, people."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from connectors.translators.erpnext.tables import BATCH, BUNDLED, ITEM, USER
from connectors.translators.reading import BadRow, Record, written
from streams.model.envelope import Actor
from streams.model.ids import LotId, escaped, lot_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.model.rows import Cell, SourceTransaction
    from streams.model.translation import Rows


@dataclass(frozen=True, slots=True)
class Name:
    """How people and other systems name a batch.

    Attributes:
        lot: Canonical lot id.
        material: Item code.
        number: Batch id.
    """

    lot: LotId
    material: str
    number: str


@dataclass(frozen=True, slots=True)
class Site:
    """The images of one source, read as ERPNext means them.

    Attributes:
        origin: Header of the transaction in hand.
        rows: Images of all rows, current.
    """

    origin: SourceTransaction
    rows: Rows

    def keyed(self, table: str, key: str) -> Record | None:
        """A row by its key, as rows carry it."""
        image = self.rows.image(table, key)
        return None if image is None else Record(table, key, image)

    def named(self, table: str, name: str) -> Record | None:
        """A document by its name, as other documents refer to it."""
        return self.keyed(table, escaped(name)) if name else None

    def where(self, table: str, column: str, value: str) -> list[Record]:
        """The rows whose indexed column has a value; none for an empty one."""
        keys = self.rows.keys_where(table, column, value) if value else ()
        found = (self.keyed(table, key) for key in sorted(keys))
        return [record for record in found if record is not None]

    def name_of(self, batch: Record) -> Name:
        """The canonical name of a batch.

        Raises:
            BadRow: It has no id or no item.
        """
        number = batch.text("batch_id") or batch.text("name")
        material = batch.text("item")
        if not number or not material:
            column = "item" if number else "batch_id"
            raise BadRow(
                batch,
                column,
                "the batch has no item, and no batch number is unique without its item"
                if number
                else "the batch has no id",
                code="batch_without_item" if number else "batch_without_number",
                advice="complete the batch; its facts are then translated by themselves",
            )
        return Name(lot_id(self.origin.site, material, number), material, number)

    def lot_named(self, batch: str, of: Record, column: str) -> LotId:
        """The lot of a batch that a row refers to, also if the batch was deleted since.

        Raises:
            BadRow: The batch is not known, or cannot be named.
        """
        found = self.named(BATCH, batch)
        if found is not None:
            return self.name_of(found).lot
        former = written(self.rows.kept(f"lot {escaped(batch)}").get("lot_id"))
        if former:
            return LotId(former)
        raise BadRow(
            of,
            column,
            f"{BATCH} {batch} is not known",
            code="reference_unknown",
            advice=f"check that {BATCH} is in the source's publication and was read by its "
            "snapshot, then save the row again",
        )

    def batches_of(self, record: Record) -> list[str]:
        """The batches that a row names itself or by its bundle."""
        named = optional(record, "batch_no")
        if named:
            return [named]
        bundle = optional(record, "serial_and_batch_bundle")
        entries = self.where(BUNDLED, "parent", bundle)
        return list(dict.fromkeys(b for entry in entries if (b := entry.text("batch_no"))))

    def moved(self, entry: Record) -> dict[str, Decimal]:
        """Quantity of each batch that a ledger entry brought (or took, if negative).

        Raises:
            BadRow: A quantity is none.
        """
        whole = entry.amount("actual_qty") or Decimal(0)
        named = optional(entry, "batch_no")
        if named:
            return {named: whole}
        quantities: dict[str, Decimal] = {}
        for part in self.where(BUNDLED, "parent", optional(entry, "serial_and_batch_bundle")):
            batch = part.text("batch_no")
            if batch:
                # Older releases write the quantity of a bundle without its sign.
                quantity = abs(part.amount("qty") or Decimal(0)).copy_sign(whole)
                quantities[batch] = quantities.get(batch, Decimal(0)) + quantity
        return quantities

    def unit_of(self, batch: Record) -> str:
        """The unit in which stock of a batch is kept."""
        item = self.named(ITEM, batch.text("item"))
        return optional(batch, "stock_uom") or ("" if item is None else optional(item, "stock_uom"))

    def actor(self, image: Mapping[str, Cell], *columns: str) -> Actor:
        """Who wrote a row: the first of the named columns that is filled, else who saved it."""
        for column in (*columns, "modified_by", "owner"):
            login = written(image.get(column)).strip()
            if login:
                user = self.named(USER, login)
                return Actor(login, "" if user is None else optional(user, "full_name"))
        return Actor()


def optional(record: Record, column: str) -> str:
    """A column that not every release has, as trimmed text; empty if it is absent."""
    return written(record.cells.get(column)).strip()
