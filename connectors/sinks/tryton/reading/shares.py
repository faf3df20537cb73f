"""From one look at a lot to quantities per outcome. Pure: this is what "read back" means."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from connectors.sinks.tryton.reading.picture import (
    GONE,
    HOLD_PREFIX,
    USED_UP,
    Move,
    Picture,
    Place,
    held_by,
)
from streams.model.facts import Disposition
from streams.model.hold import Prior, Share

if TYPE_CHECKING:
    from collections.abc import Iterator

NOTHING = Decimal(0)


def shares_of(picture: Picture) -> tuple[Share, ...]:
    """Say where every part of the lot is.

    Returns:
        Contained, free, assigned, in flight, escaped and consumed parts, in this order. A receipt
        or production that is not finished counts as in flight at the place it will come to.
    """
    stray = _strays(picture)
    return (
        *_contained(picture),
        *_free(picture, stray),
        *_assigned(picture),
        *_in_flight(picture),
        *_left(picture, GONE, "escaped"),
        *_left(picture, USED_UP, "consumed"),
    )


def disposition_of(shares: tuple[Share, ...]) -> str:
    """The disposition that the ERP effectively shows.

    Returns:
        `Restricted` if goods lie in quarantine and none elsewhere can move, `Closed` if nothing
        of the lot is on the site, else `UnRestricted`.
    """
    outcomes = {share.outcome for share in shares}
    if outcomes & {"free", "assigned", "in_flight"}:
        return Disposition.UNRESTRICTED
    if "contained" in outcomes:
        return Disposition.RESTRICTED
    return Disposition.CLOSED if outcomes else Disposition.UNRESTRICTED


def prior_of(picture: Picture) -> Prior:
    """What the lot was before our hold: read from our own documents, else from what lies there.

    Goods that somebody else put into quarantine were restricted before, and stay so.
    """
    origins = [entry.origin.label for entry in held_by(picture) if entry.owed > 0]
    if origins:
        return Prior(Disposition.UNRESTRICTED, ", ".join(dict.fromkeys(origins)))
    lying = [
        place.label
        for place, quantity in picture.stock.items()
        if quantity > 0 and place.id != picture.quarantine
    ]
    if lying or picture.in_quarantine <= 0:
        return Prior(Disposition.UNRESTRICTED, ", ".join(lying))
    return Prior(Disposition.RESTRICTED, _quarantine_label(picture))


def negative_of(picture: Picture) -> tuple[str, ...]:
    """Locations whose stock of the lot is below zero: somebody forced a move."""
    return tuple(place.label for place, quantity in picture.stock.items() if quantity < 0)


def _contained(picture: Picture) -> Iterator[Share]:
    left = picture.in_quarantine
    for move in _taken_from_quarantine(picture):
        left -= move.quantity
    place = _quarantine_label(picture)
    for entry in held_by(picture):
        quantity = min(entry.owed, left)
        if quantity > 0:
            yield _share(
                picture, "contained", quantity, place, entry.document.label, entry.origin.label
            )
            left -= quantity
    if left > 0:
        yield _share(picture, "contained", left, place)


def _strays(picture: Picture) -> dict[str, Decimal]:
    """Per hold document, what it brought into quarantine but is neither there nor returned."""
    left = picture.in_quarantine
    strays: dict[str, Decimal] = {}
    for entry in held_by(picture):
        missing = entry.owed - max(min(entry.owed, left), NOTHING)
        left -= entry.owed - missing
        if missing > 0:
            strays[f"{entry.document.label}\n{entry.origin.label}"] = missing
    return strays


def _free(picture: Picture, strays: dict[str, Decimal]) -> Iterator[Share]:
    """Free goods; those that somebody took out of quarantine still name where they belong."""
    for place, quantity in picture.free.items():
        rest = quantity
        for key, missing in strays.items():
            document, origin = key.split("\n")
            part = min(rest, missing)
            if part > 0 and origin != place.label:
                yield _share(picture, "free", part, place.label, document, origin)
                strays[key] = missing - part
                rest -= part
        if rest > 0:
            yield _share(picture, "free", rest, place.label)


def _assigned(picture: Picture) -> Iterator[Share]:
    for move in picture.open_moves:
        if move.state != "assigned" or move.in_flight or move.source.kind != "storage":
            continue
        if move.source.id == picture.quarantine and move.document and move.document.ours:
            continue
        yield _of_move(picture, "assigned", move, move.source)


def _in_flight(picture: Picture) -> Iterator[Share]:
    for move in picture.open_moves:
        if move.source.kind == "storage":
            if move.in_flight:
                yield _of_move(picture, "in_flight", move, move.source)
        elif move.target.kind == "storage" and move.source.kind != "lost_found":
            yield _of_move(picture, "in_flight", move, move.target)


def _left(picture: Picture, kinds: frozenset[str], outcome: str) -> Iterator[Share]:
    """Goods that went to a kind of place, less what came back from there, newest kept first."""
    out = [m for m in picture.moves if m.state == "done" and m.target.kind in kinds]
    back: dict[str, Decimal] = {}
    for move in picture.moves:
        # Goods come from a supplier and from production before they ever went there.
        if move.state == "done" and move.source.kind in kinds - {"supplier", "production"}:
            back[move.source.kind] = back.get(move.source.kind, NOTHING) + move.quantity
    for move in out:
        returned = min(back.get(move.target.kind, NOTHING), move.quantity)
        back[move.target.kind] = back.get(move.target.kind, NOTHING) - returned
        if move.quantity > returned:
            document = move.document
            yield _share(
                picture,
                outcome,
                move.quantity - returned,
                (document.party if document else "") or move.target.label,
                document.label if document else "",
            )


def _taken_from_quarantine(picture: Picture) -> Iterator[Move]:
    for move in picture.open_moves:
        ours = move.document is not None and move.document.ours
        leaves = move.state == "assigned" or move.in_flight
        if move.source.id == picture.quarantine and leaves and not ours:
            yield move


def _of_move(picture: Picture, outcome: str, move: Move, place: Place) -> Share:
    document = move.document.label if move.document else ""
    back = ""
    if move.document is not None and move.document.reference.startswith(HOLD_PREFIX):
        back = move.source.label
    return _share(picture, outcome, move.quantity, place.label, document, back)


def _share(
    picture: Picture,
    outcome: str,
    quantity: Decimal,
    place: str,
    *where: str,
) -> Share:
    document, returns_to = (*where, "", "")[:2]
    return Share(outcome, quantity, picture.lot.unit, place, document, returns_to)


def _quarantine_label(picture: Picture) -> str:
    for place in picture.stock:
        if place.id == picture.quarantine:
            return place.label
    return ""
