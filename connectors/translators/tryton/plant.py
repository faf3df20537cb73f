"""Look-ups in a Tryton plant: names of lots, places, moves, documents and people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from connectors.translators.reading import BadRow, Record, written
from connectors.translators.tryton.tables import INTERNAL, OWN_PREFIXES, split_reference
from streams.model.envelope import Actor
from streams.model.ids import LotId, lot_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.model.rows import Cell, SourceTransaction
    from streams.model.translation import CoalescedRow, Rows

DEPTH = 50
"""Bound on the depth of a location tree; deeper means that it has a cycle."""


@dataclass(frozen=True, slots=True)
class Name:
    """How people and other systems name a lot.

    Attributes:
        lot: Canonical lot id.
        material: Product code.
        number: Lot number.
    """

    lot: LotId
    material: str
    number: str


@dataclass(frozen=True, slots=True)
class Plant:
    """The images of one source, read as Tryton means them.

    Attributes:
        origin: Header of the transaction in hand.
        rows: Images of all rows, current.
    """

    origin: SourceTransaction
    rows: Rows

    def find(self, table: str, key: Cell) -> Record | None:
        """A row by its key, or None."""
        image = self.rows.image(table, key)
        return None if image is None else Record(table, written(key), image)

    def follow(self, record: Record, column: str, table: str) -> Record:
        """The row that a column refers to.

        Raises:
            BadRow: It is not known.
        """
        key = record.cell(column)
        found = self.find(table, key)
        if found is None:
            raise BadRow(
                record,
                column,
                f"{table} {written(key)} is not known",
                code="reference_unknown",
                advice=f"check that {table} is in the source's publication and was read by its "
                "snapshot, then save the row again",
            )
        return found

    def name_of(self, lot: Record) -> Name:
        """The canonical name of a lot.

        Raises:
            BadRow: Its number is empty, or its product has no code.
        """
        number = lot.text("number")
        if not number:
            raise BadRow(
                lot,
                "number",
                "the lot has no number",
                code="lot_without_number",
                advice="give the lot a number",
            )
        product = self.follow(lot, "product", "product_product")
        material = product.text("code")
        if not material:
            raise BadRow(
                lot,
                "product",
                f"product {product.key} of lot {number} has no code, and no lot number is unique "
                "without its product",
                code="product_without_code",
                advice="give the product a code; its lots are then translated by themselves",
            )
        return Name(lot_id(self.origin.site, material, number), material, number)

    def lot_of(self, key: Cell, row: CoalescedRow) -> Record:
        """The row of a lot that a row refers to.

        Raises:
            BadRow: It was never seen.
        """
        lot = self.find("stock_lot", key)
        if lot is not None:
            return lot
        raise BadRow(
            Record(row.table, row.key, row.image),
            "lot",
            f"stock_lot {written(key)} is not known",
            code="reference_unknown",
            advice="check that stock_lot is in the source's publication and was read by its "
            "snapshot, then save the row again",
        )

    def unit_of(self, lot: Record) -> str:
        """Symbol of the unit in which Tryton keeps the lot's stock, empty if it is not known."""
        product = self.find("product_product", lot.cells.get("product"))
        template = product and self.find("product_template", product.cells.get("template"))
        unit = template and self.find("product_uom", template.cells.get("default_uom"))
        return "" if unit is None else written(unit.cells.get("symbol"))

    def warehouse_of(self, location: Record) -> Record | None:
        """The warehouse that a storage location belongs to; None if it lies outside of any."""
        if location.text("type") != "storage":
            return None
        above: Record | None = location
        for _ in range(DEPTH):
            if above is None or above.text("type") == "warehouse":
                return above
            above = self.find("stock_location", above.cell("parent"))
        return None

    def is_own(self, move: Record) -> bool:
        """Whether a move belongs to a document by which a hold was placed or given back."""
        document = split_reference(move.text("shipment"))
        if document is None or document[0] != INTERNAL:
            return False
        shipment = self.find("stock_shipment_internal", document[1])
        return shipment is not None and shipment.text("reference").startswith(OWN_PREFIXES)

    def actor(self, row: CoalescedRow, employees: tuple[str, ...] = ()) -> Actor:
        """Who wrote a row: the user's login, with the name of the employee if the row names one."""
        image: Mapping[str, Cell] = row.image
        uid = image.get("write_uid")
        uid = image.get("create_uid") if uid is None else uid
        user = self.find("res_user", uid)
        printed = self._employee(image, employees)
        if user is None:
            identity = {} if uid is None else {"user_id": f"res.user,{written(uid)}"}
            return Actor(**identity, printed_name=printed)
        login, name = user.cells.get("login"), user.cells.get("name")
        return Actor(written(login) or f"res.user,{written(uid)}", printed or written(name))

    def _employee(self, image: Mapping[str, Cell], columns: tuple[str, ...]) -> str:
        for column in columns:
            employee = self.find("company_employee", image.get(column))
            party = employee and self.find("party_party", employee.cells.get("party"))
            if party is not None:
                return written(party.cells.get("name"))
        return ""
