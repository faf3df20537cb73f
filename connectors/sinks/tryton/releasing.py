"""Gives a hold back: every hold document's goods return to the place they came from."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from connectors.sinks.tryton import transfer
from connectors.sinks.tryton.reading.look import look
from connectors.sinks.tryton.reading.picture import (
    CLOSED,
    Document,
    HeldBy,
    Picture,
    held_by,
    hold_reference,
    release_reference,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from connectors.sinks.tryton.reading.picture import LotRecord
    from connectors.sinks.tryton.rest.wire import Talk


class Releasing:
    """The steps of one release.

    Args:
        talk: The calls.
        lot: The lot.
        quarantine: Id of the quarantine location.
        hold_id: The hold to give back.
        guard: Called before goods move; raises if another command has overtaken this one.
    """

    def __init__(
        self,
        talk: Talk,
        lot: LotRecord,
        quarantine: int,
        hold_id: str,
        guard: Callable[[], Awaitable[None]],
    ) -> None:
        self._talk = talk
        self._lot = lot
        self._quarantine = quarantine
        self._reference = hold_reference(hold_id)
        self._guard = guard
        self.story: list[str] = []

    async def once(self) -> bool:
        """Look and return what is still owed.

        Returns:
            True if nothing is left to do, False if it pays to look again.
        """
        picture = await look(self._talk, self._lot, self._quarantine)
        for document in self._open(picture, self._reference):
            await transfer.cancel(self._talk, document)
            self.story.append(f"cancelled {document.label}")
        clean = True
        left = picture.in_quarantine
        for entry in held_by(picture):
            quantity = min(entry.owed, left)
            if entry.document.reference == self._reference and quantity > 0:
                clean &= await self._give_back(picture, entry, quantity)
            left -= max(quantity, Decimal(0))
        return clean

    @staticmethod
    def _open(picture: Picture, reference: str) -> list[Document]:
        found = {
            move.document
            for move in picture.open_moves
            if move.document is not None
            and move.document.reference == reference
            and move.document.state not in CLOSED
        }
        return sorted(found, key=lambda document: document.id)

    async def _give_back(self, picture: Picture, entry: HeldBy, quantity: Decimal) -> bool:
        reference = release_reference(entry.document.reference, entry.document)
        chosen: Document | None = None
        for document in self._open(picture, reference):
            planned = sum(m.quantity for m in picture.open_moves if m.document == document)
            if chosen is None and planned == quantity:
                chosen = document
            else:
                await transfer.cancel(self._talk, document)
        if chosen is None:
            way = (self._quarantine, entry.origin.id)
            chosen = await transfer.create(self._talk, self._lot, reference, way, quantity)
        end = await transfer.carry(self._talk, chosen, self._guard)
        if end.state == "done":
            self.story.append(
                f"returned {quantity} {self._lot.unit} to {entry.origin.label} by {end.label}"
            )
            return True
        if end.state not in CLOSED:
            await transfer.cancel(self._talk, end)
        return False
