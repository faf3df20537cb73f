"""The chain of an event, rebuilt from what the store holds: every step with the event it gave."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from streams.contracts.provenance import Hop, read
from streams.evidence.queries import StoredEvent, events_with
from streams.evidence.story import row_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from psycopg import Connection

    from streams.evidence.lot_story import DatabaseRow

REJOINED = 32
"""How often a shortened chain is followed into the chain of an earlier event."""


@dataclass(frozen=True, slots=True)
class Link:
    """One step of a chain, with what it gave.

    Attributes:
        transform: What ran; empty where steps were left out.
        version: Its version.
        inputs: Ids of the events it read.
        event_id: Id of the event that it gave, or that the message it gave stands for.
        event_type: Type of that event; empty if it is not in the store.
        subject: What the event is about.
        place: `topic/partition@offset`, empty if it is not in the store.
        made: This step made the event; otherwise it only passed it on.
        left_out: Steps that the header no longer told, and the store neither.
    """

    transform: str
    version: str
    inputs: tuple[str, ...]
    event_id: str
    event_type: str = ""
    subject: str = ""
    place: str = ""
    made: bool = False
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where an event comes from.

    Attributes:
        event_id: The event.
        topic: Where it was published.
        row: The row whose commit is its root.
        links: Every step from the source to the event; empty if the record came without a chain.
    """

    event_id: str
    topic: str
    row: DatabaseRow
    links: tuple[Link, ...]


def provenance_of(connection: Connection[Any], event_id: str) -> list[Provenance]:
    """Rebuild the chain of each record that has an event id; ids are unique within a topic.

    Raises:
        Poison: `provenance_unreadable`: a stored chain is of no known form.
    """

    def stored(ids: Sequence[str]) -> dict[str, StoredEvent]:
        return {event.event_id: event for event in events_with(connection, ids)}

    found = events_with(connection, [event_id])
    return [_provenance(event, stored) for event in found]


def rejoined(hops: tuple[Hop, ...], chain_of: Callable[[str], str]) -> tuple[Hop, ...]:
    """Fill the gap of a shortened chain from the chains of the events behind it.

    Args:
        hops: The chain.
        chain_of: Gives the chain that an event was published with, empty if it is not known.
    """
    for _ in range(REJOINED):
        gap = next((at for at, hop in enumerate(hops) if hop.left_out), None)
        if gap is None:
            break
        # Every event behind the gap was published with a chain that reaches further back.
        for at in range(gap + 2, len(hops)):
            text = chain_of(hops[at].event_id) if _made(hops, at) else ""
            if text and hops[at].event_id != hops[-1].event_id:
                hops = (*read(text.encode()), *hops[at + 1 :])
                break
        else:
            break
    return hops


def _made(hops: Sequence[Hop], at: int) -> bool:
    return at == 0 or hops[at].event_id != hops[at - 1].event_id


def _provenance(
    event: StoredEvent, stored: Callable[[Sequence[str]], dict[str, StoredEvent]]
) -> Provenance:
    hops = read(event.chain.encode()) if event.chain else ()

    def chain_of(event_id: str) -> str:
        found = stored([event_id]).get(event_id)
        return "" if found is None else found.chain

    hops = rejoined(hops, chain_of)
    known = stored([hop.event_id for hop in hops])
    links = tuple(
        _link(hop, known.get(hop.event_id), made=_made(hops, at)) for at, hop in enumerate(hops)
    )
    return Provenance(event.event_id, event.topic, row_of(event), links)


def _link(hop: Hop, event: StoredEvent | None, *, made: bool) -> Link:
    link = Link(
        hop.transform,
        hop.version,
        hop.inputs,
        hop.event_id,
        made=made and not hop.left_out,
        left_out=hop.left_out,
    )
    if event is None:
        return link
    return replace(
        link,
        event_type=event.event_type,
        subject=event.subject_id,
        place=f"{event.topic}/{event.partition}@{event.record_offset}",
    )
