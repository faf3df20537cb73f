"""What is known of one lot in the ERP at one look: its moves and their documents. Pure nouns."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

HOLD_PREFIX = "HOLD:"
RELEASE_PREFIX = "RELEASE:"
INTERNAL = "stock.shipment.internal"
OUTGOING = "stock.shipment.out"
PRODUCTION = "production"

OPEN_MOVE = frozenset({"draft", "assigned"})
IN_FLIGHT = frozenset({"picked", "packed", "received", "shipped"})
"""States in which a document never looks at the stock again before its goods move."""
CLOSED = frozenset({"done", "cancelled"})
GONE = frozenset({"customer", "supplier"})
"""Kinds of place that lie outside the site."""
USED_UP = frozenset({"production", "lost_found", "drop"})
"""Kinds of place where goods stop being stock of the lot."""


@dataclass(frozen=True, slots=True)
class Place:
    """A location.

    Attributes:
        id: Tryton's id.
        label: Its code, or its name if it has no code.
        kind: Tryton's type, e.g. `storage`.
    """

    id: int
    label: str
    kind: str


@dataclass(frozen=True, slots=True)
class Document:
    """What a move belongs to.

    Attributes:
        model: Tryton's model, e.g. `stock.shipment.out`.
        id: Tryton's id.
        state: Its state at the look.
        number: Its number, empty before it has one.
        reference: Its reference, e.g. `HOLD:<id>`.
        party: Customer or supplier, name and code, empty if it has none.
    """

    model: str
    id: int
    state: str
    number: str = ""
    reference: str = ""
    party: str = ""

    @property
    def label(self) -> str:
        """As people and acks name it."""
        return f"{self.model} {self.number or self.id}"

    @property
    def ours(self) -> bool:
        """True for a document that a hold or a release made."""
        return self.reference.startswith((HOLD_PREFIX, RELEASE_PREFIX))


@dataclass(frozen=True, slots=True)
class Move:
    """A movement of the lot, done or planned.

    Attributes:
        id: Tryton's id.
        state: `draft`, `assigned`, `done` or `cancelled`.
        quantity: In the product's own unit.
        source: Where from.
        target: Where to.
        document: What it belongs to, None for a move without document.
    """

    id: int
    state: str
    quantity: Decimal
    source: Place
    target: Place
    document: Document | None = None

    @property
    def in_flight(self) -> bool:
        """True if its document is past the last point at which the ERP checks stock."""
        return (
            self.state in OPEN_MOVE
            and self.document is not None
            and self.document.state in IN_FLIGHT
        )


@dataclass(frozen=True, slots=True)
class LotRecord:
    """The lot as the ERP knows it.

    Attributes:
        id: Tryton's id.
        product: Id of its product.
        unit_id: Id of the product's own unit.
        unit: Symbol of that unit.
    """

    id: int
    product: int
    unit_id: int
    unit: str


@dataclass(frozen=True, slots=True)
class Picture:
    """One look at a lot.

    Attributes:
        lot: The lot.
        quarantine: Id of the quarantine location.
        moves: All its moves that are not cancelled, oldest first.
    """

    lot: LotRecord
    quarantine: int
    moves: tuple[Move, ...]

    @property
    def stock(self) -> dict[Place, Decimal]:
        """Quantity per storage location, by the done moves; zero and negative included."""
        balance: dict[Place, Decimal] = {}
        for move in self.moves:
            if move.state == "done":
                for place, sign in ((move.target, 1), (move.source, -1)):
                    if place.kind == "storage":
                        balance[place] = balance.get(place, Decimal(0)) + sign * move.quantity
        return balance

    @property
    def open_moves(self) -> tuple[Move, ...]:
        """Moves that are not done yet, of documents that are not closed."""
        return tuple(
            move
            for move in self.moves
            if move.state in OPEN_MOVE and (not move.document or move.document.state not in CLOSED)
        )

    @property
    def taken(self) -> dict[Place, Decimal]:
        """Per location, what planned moves will take whoever else asks: assigned or in flight."""
        taken: dict[Place, Decimal] = {}
        for move in self.open_moves:
            if move.source.kind == "storage" and (move.state == "assigned" or move.in_flight):
                taken[move.source] = taken.get(move.source, Decimal(0)) + move.quantity
        return taken

    @property
    def free(self) -> dict[Place, Decimal]:
        """Per storage location outside quarantine, what nobody has taken yet; only above zero."""
        taken = self.taken
        free = {place: held - taken.get(place, Decimal(0)) for place, held in self.stock.items()}
        return {
            place: quantity
            for place, quantity in free.items()
            if quantity > 0 and place.id != self.quarantine
        }

    @property
    def in_quarantine(self) -> Decimal:
        """What lies in quarantine."""
        return sum(
            (held for place, held in self.stock.items() if place.id == self.quarantine), Decimal(0)
        )


@dataclass(frozen=True, slots=True)
class HeldBy:
    """What one finished hold document brought into quarantine and what came back of it.

    Attributes:
        document: The hold document.
        origin: Where it took the goods from, and where a release returns them.
        held: What it brought.
        returned: What releases returned to that place.
    """

    document: Document
    origin: Place
    held: Decimal
    returned: Decimal

    @property
    def owed(self) -> Decimal:
        """What a release still has to return."""
        return max(self.held - self.returned, Decimal(0))


def hold_reference(hold_id: str) -> str:
    """Reference of the transfers that place a hold."""
    return f"{HOLD_PREFIX}{hold_id}"


def release_reference(hold_reference_of: str, document: Document) -> str:
    """Reference of the transfer that gives one hold document's goods back."""
    hold_id = hold_reference_of.removeprefix(HOLD_PREFIX)
    return f"{RELEASE_PREFIX}{hold_id}/{document.number or document.id}"


def held_by(picture: Picture) -> tuple[HeldBy, ...]:
    """The finished hold documents of every hold of the lot, oldest first."""
    held: dict[tuple[Document, Place], Decimal] = {}
    returned: dict[tuple[str, int], Decimal] = {}
    for move in picture.moves:
        document = move.document
        if move.state != "done" or document is None:
            continue
        if document.reference.startswith(HOLD_PREFIX) and move.target.id == picture.quarantine:
            key = (document, move.source)
            held[key] = held.get(key, Decimal(0)) + move.quantity
        elif document.reference.startswith(RELEASE_PREFIX):
            back = (document.reference, move.target.id)
            returned[back] = returned.get(back, Decimal(0)) + move.quantity
    return tuple(
        HeldBy(
            document,
            origin,
            quantity,
            returned.get((release_reference(document.reference, document), origin.id), Decimal(0)),
        )
        for (document, origin), quantity in sorted(held.items(), key=lambda item: item[0][0].id)
    )
