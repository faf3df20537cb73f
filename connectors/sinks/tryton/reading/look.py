"""Reads one lot from the ERP: the lot, its moves, the documents behind them. Writes nothing."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from connectors.sinks.tryton.reading.picture import (
    INTERNAL,
    OUTGOING,
    PRODUCTION,
    Document,
    LotRecord,
    Move,
    Picture,
    Place,
)
from streams.errors import Misconfigured, Poison

if TYPE_CHECKING:
    from collections.abc import Iterable

    from connectors.sinks.tryton.rest.wire import Record, Talk

_PLACE = ("code", "name", "type")
_MOVE_FIELDS = (
    "state",
    "internal_quantity",
    "shipment",
    *(f"from_location.{field}" for field in _PLACE),
    *(f"to_location.{field}" for field in _PLACE),
    *(f"production_input.{field}" for field in ("number", "state")),
    *(f"production_output.{field}" for field in ("number", "state")),
)
GUARDED = ("stock.move", INTERNAL)
_PARTY = {
    OUTGOING: "customer",
    "stock.shipment.out.return": "customer",
    "stock.shipment.in": "supplier",
    "stock.shipment.in.return": "supplier",
}
"""Which field of a document names the other company."""


async def quarantine_of(talk: Talk, code: str) -> int:
    """Id of the quarantine location.

    Raises:
        Misconfigured: There is no storage location with that code, there are several, or it has a
            parent: inside a warehouse the ERP would go on picking from it.
    """
    found = await talk.search(
        "stock.location", [["code", "=", code], ["type", "=", "storage"]], ("parent",)
    )
    if len(found) != 1:
        raise Misconfigured(
            f"the ERP has {len(found)} storage locations with the code {code}, one is needed",
            code="erp_quarantine",
            advice=f"create one storage location {code} without parent, outside every warehouse",
        )
    if found[0].get("parent"):
        raise Misconfigured(
            f"the ERP's quarantine location {code} lies inside another location",
            code="erp_quarantine",
            advice=f"empty the parent of {code}, so that no document picks from it",
        )
    return int(found[0]["id"])


async def unguarded(talk: Talk, code: str) -> tuple[str, ...]:
    """Models through which anybody may take goods out of quarantine.

    Without an access rule the ERP lets every stock user move goods back. The rules are looked for
    by the quarantine's code in their text; what they say exactly is the installation's business.
    """
    missing = []
    for model in GUARDED:
        domain = [["rule_group.model", "=", model], ["domain", "ilike", f"%{code}%"]]
        if not await talk.search("ir.rule", domain, ("id",)):
            missing.append(model)
    return tuple(missing)


async def find_lot(talk: Talk, material: str, number: str) -> LotRecord | None:
    """The lot with a number and a product code.

    Returns:
        None if the ERP does not know it.

    Raises:
        Poison: Several lots fit; holding one of them by guess could free the wrong goods.
    """
    domain = [["number", "=", number]]
    if material:
        domain.append(["product.code", "=", material])
    found = await talk.search(
        "stock.lot", domain, ("product.code", "product.default_uom.symbol", "number")
    )
    if len(found) > 1:
        ids = ", ".join(str(record["id"]) for record in found)
        raise Poison(
            f"the ERP has {len(found)} lots with number {number} of product {material or '(any)'}: "
            f"ids {ids}",
            code="erp_lot_ambiguous",
            advice="give the lots different numbers in the ERP, then replay the command",
        )
    if not found:
        return None
    product = found[0]["product"]
    unit = product["default_uom"]
    return LotRecord(
        int(found[0]["id"]), int(product["id"]), int(unit["id"]), str(unit.get("symbol") or "")
    )


async def look(talk: Talk, lot: LotRecord, quarantine: int) -> Picture:
    """Read all moves of a lot and then their documents.

    The documents are read last: a document that moves on between the two calls then shows as in
    flight, never as harmless.
    """
    rows = await talk.search(
        "stock.move", [["lot", "=", lot.id], ["state", "!=", "cancelled"]], _MOVE_FIELDS
    )
    documents = await _documents(talk, (row.get("shipment") for row in rows))
    return Picture(lot, quarantine, tuple(_move(row, documents) for row in rows))


async def _documents(talk: Talk, references: Iterable[Any]) -> dict[str, Document]:
    wanted: dict[str, set[int]] = {}
    for reference in references:
        if reference:
            model, _, number = str(reference).partition(",")
            wanted.setdefault(model, set()).add(int(number))
    documents: dict[str, Document] = {}
    for model, ids in sorted(wanted.items()):
        party = _PARTY.get(model)
        fields = ["state", "number", "reference"]
        if party:
            fields += [f"{party}.name", f"{party}.code"]
        for row in await talk.search(model, [["id", "in", sorted(ids)]], fields):
            documents[f"{model},{row['id']}"] = document_of(model, row)
    return documents


def document_of(model: str, row: Record) -> Document:
    """A document from its record."""
    party = row.get(_PARTY.get(model, "")) or {}
    name, code = party.get("name") or "", party.get("code") or ""
    return Document(
        model,
        int(row["id"]),
        str(row["state"]),
        str(row.get("number") or ""),
        str(row.get("reference") or ""),
        f"{name} ({code})" if name and code else name or code,
    )


def _move(row: Record, documents: dict[str, Document]) -> Move:
    production = row.get("production_input") or row.get("production_output")
    document = documents.get(str(row["shipment"])) if row.get("shipment") else None
    if document is None and production:
        document = document_of(PRODUCTION, production)
    return Move(
        int(row["id"]),
        str(row["state"]),
        Decimal(str(row["internal_quantity"])),
        _place(row["from_location"]),
        _place(row["to_location"]),
        document,
    )


def _place(row: Record) -> Place:
    return Place(int(row["id"]), str(row.get("code") or row.get("name") or ""), str(row["type"]))
