"""Places a hold: everything that can still move goes to quarantine. Look first, then act."""

from __future__ import annotations

from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING

from connectors.sinks.tryton import transfer
from connectors.sinks.tryton.reading.look import look
from connectors.sinks.tryton.reading.picture import (
    CLOSED,
    OUTGOING,
    Document,
    Picture,
    Place,
    hold_reference,
)
from connectors.sinks.tryton.rest.judge import Denied
from streams.errors import Poison

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from connectors.sinks.tryton.reading.picture import LotRecord
    from connectors.sinks.tryton.rest.config import TrytonConfig
    from connectors.sinks.tryton.rest.wire import Talk

_STOPPABLE = frozenset({"picked", "packed"})


class Placing:
    """The steps of one hold of one lot.

    Args:
        talk: The calls.
        config: The installation.
        lot: The lot.
        quarantine: Id of the quarantine location.
        hold_id: The hold; its transfers carry it as reference.
        guard: Called before goods move; raises if another command has overtaken this one.
    """

    def __init__(
        self,
        talk: Talk,
        config: TrytonConfig,
        lot: LotRecord,
        quarantine: int,
        hold_id: str,
        guard: Callable[[], Awaitable[None]],
    ) -> None:
        self._talk = talk
        self._config = config
        self._lot = lot
        self._quarantine = quarantine
        self._reference = hold_reference(hold_id)
        self._guard = guard
        self.story: list[str] = []
        self._refusals: list[Poison] = []

    async def once(self) -> bool:
        """Look and move what can be moved.

        A refusal at one document or place does not keep the others from being held.

        Returns:
            True if nothing is left to do, False if it pays to look again.

        Raises:
            Poison: The first refusal, after everything else was tried.
        """
        self._refusals.clear()
        picture = await look(self._talk, self._lot, self._quarantine)
        if await self._stop_shipments(picture) or await self._unassign(picture):
            picture = await look(self._talk, self._lot, self._quarantine)
        needed = self._needed(picture)
        clean = True
        for place, quantity in needed.items():
            with self._going_on():
                clean &= await self._empty(picture, place, quantity)
        for document in self._open(picture, keep=set(needed)):
            await transfer.cancel(self._talk, document)
        if self._refusals:
            raise self._refusals[0]
        return clean

    @contextmanager
    def _going_on(self) -> Iterator[None]:
        """Keep a refusal for the end. A refused key would refuse everything else too."""
        try:
            yield
        except Denied:
            raise
        except Poison as error:
            self._refusals.append(error)

    def _needed(self, picture: Picture) -> dict[Place, Decimal]:
        """What each place still has to give: the free goods and those our own transfers took."""
        needed = picture.free
        for move in picture.open_moves:
            ours = move.document is not None and move.document.reference == self._reference
            if ours and move.state == "assigned":
                needed[move.source] = needed.get(move.source, Decimal(0)) + move.quantity
        return needed

    def _open(self, picture: Picture, keep: set[Place]) -> list[Document]:
        """Unfinished transfers of this hold whose place has nothing to give any more."""
        return [
            document
            for document, source in self._transfers(picture)
            if source not in keep and document.state not in CLOSED
        ]

    def _transfers(self, picture: Picture) -> list[tuple[Document, Place]]:
        found = {
            (move.document, move.source)
            for move in picture.open_moves
            if move.document is not None and move.document.reference == self._reference
        }
        return sorted(found, key=lambda pair: pair[0].id)

    async def _empty(self, picture: Picture, place: Place, needed: Decimal) -> bool:
        """Bring one place's goods to quarantine by one transfer; the lowest id wins."""
        chosen: Document | None = None
        for document, source in self._transfers(picture):
            if source != place:
                continue
            planned = sum(m.quantity for m in picture.open_moves if m.document == document)
            if chosen is None and planned == needed:
                chosen = document
            else:
                await transfer.cancel(self._talk, document)
        if chosen is None:
            way = (place.id, self._quarantine)
            chosen = await transfer.create(self._talk, self._lot, self._reference, way, needed)
        end = await transfer.carry(self._talk, chosen, self._guard)
        if end.state == "done":
            self.story.append(
                f"moved {needed} {self._lot.unit} from {place.label} to quarantine by {end.label}"
            )
            return True
        if end.state not in CLOSED:
            await transfer.cancel(self._talk, end)
        return False

    async def _unassign(self, picture: Picture) -> bool:
        """Take the goods back from documents that have only reserved them."""
        touched: set[tuple[str, int]] = set()
        for move in picture.open_moves:
            document = move.document
            if move.state != "assigned" or move.in_flight or document is None or document.ours:
                continue
            if move.source.id == self._quarantine or (document.model, document.id) in touched:
                continue
            if move.source.kind != "storage":
                continue
            touched.add((document.model, document.id))
            with self._going_on():
                await self._talk.press(document.model, document.id, "wait", ("state",))
                self.story.append(f"un-assigned {document.label}")
        return bool(touched)

    async def _stop_shipments(self, picture: Picture) -> bool:
        """Cancel customer shipments in flight, where the installation allows it."""
        if not self._config.cancel_shipments:
            return False
        stopped: set[int] = set()
        for move in picture.open_moves:
            document = move.document
            if document is None or document.model != OUTGOING or document.id in stopped:
                continue
            if document.state in _STOPPABLE:
                stopped.add(document.id)
                with self._going_on():
                    await self._talk.press(OUTGOING, document.id, "cancel", ("state",))
                    self.story.append(f"cancelled {document.label}")
        return bool(stopped)
