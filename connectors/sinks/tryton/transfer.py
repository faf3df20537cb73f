"""One internal transfer from where it stands to done, the state read after each button."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.sinks.tryton.reading.look import document_of
from connectors.sinks.tryton.reading.picture import INTERNAL, Document, LotRecord

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from decimal import Decimal

    from connectors.sinks.tryton.rest.wire import Talk

FIELDS = ("state", "number", "reference")
_NEXT = {"request": "draft", "draft": "wait", "waiting": "assign_try", "assigned": "do"}
"""The button that brings a transfer one state on."""


async def create(
    talk: Talk, lot: LotRecord, reference: str, way: tuple[int, int], quantity: Decimal
) -> Document:
    """Create a transfer of a lot.

    Args:
        talk: The calls.
        lot: What to move.
        reference: Whose it is; the ERP does not enforce that it is unique.
        way: Ids of the locations from and to.
        quantity: In the product's own unit.
    """
    source, target = way
    line = {
        "product": lot.product,
        "lot": lot.id,
        "unit": lot.unit_id,
        "quantity": float(quantity),
        "from_location": source,
        "to_location": target,
    }
    row = await talk.create(
        INTERNAL,
        {
            "reference": reference,
            "from_location": source,
            "to_location": target,
            "moves": [["create", [line]]],
        },
        FIELDS,
    )
    return document_of(INTERNAL, row)


async def carry(talk: Talk, document: Document, guard: Callable[[], Awaitable[None]]) -> Document:
    """Press the buttons of a transfer until it is done or does not go on.

    A transfer whose goods were taken meanwhile stays `waiting` without an error, so the state
    alone says how far it came.

    Args:
        talk: The calls.
        document: Where it stands.
        guard: Called before the goods move; raises if they must not any more.

    Returns:
        The document as it is at the end.
    """
    while document.state in _NEXT:
        button = _NEXT[document.state]
        if button == "do":
            await guard()
        row = await talk.press(INTERNAL, document.id, button, FIELDS)
        after = document_of(INTERNAL, row)
        if after.state == document.state:
            return after
        document = after
    return document


async def cancel(talk: Talk, document: Document) -> Document:
    """Cancel a transfer that is not done."""
    return document_of(INTERNAL, await talk.press(INTERNAL, document.id, "cancel", FIELDS))
