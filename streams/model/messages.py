"""Messages between stages, each keyed by what its reader keeps state for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from streams.model.envelope import Envelope
from streams.model.facts import GenealogyEdge, Lot, Signature
from streams.model.hold import CauseRef, HoldAck


@dataclass(frozen=True, slots=True)
class CauseMessage:
    """A cause of holds at one version.

    Attributes:
        cause_id: `<type>:<source>:<id>`; the key.
        cause_type: `nonconformity` or `inspection`.
        version: The cause's own version; the highest wins.
        open: False when this version closes it.
        signed: True when the close is signed.
        signature: The signature, or None.
        spreads: True if descendants are held too (severity critical, major, unknown).
        lots: Lots named by this version.
        baseline: True for snapshot rows: state is built, nothing is commanded.
    """

    envelope: Envelope
    cause_id: str
    cause_type: str
    version: int
    open: bool
    signed: bool
    spreads: bool
    lots: tuple[str, ...]
    signature: Signature | None = None
    baseline: bool = False


class LotMessageKind(StrEnum):
    """Which part of a `LotMessage` is set."""

    LOT = "lot"
    CHILD = "child"
    PARENT = "parent"
    CAUSE = "cause"
    ACK = "ack"


@dataclass(frozen=True, slots=True)
class LotMessage:
    """Everything that can reach a lot's state, through one topic, in one order per lot.

    Attributes:
        lot_id: The key.
        kind: Which of the parts below is set.
        lot: A lot fact.
        edge: An edge: for `child` the key is the parent lot, for `parent` it is the child lot.
        cause: A cause that reaches this lot, from the cause stage or from a parent lot.
        spreads: With `cause`: whether it goes on to this lot's children.
        root: With `cause`: the envelope of the root event (its times and source position).
        ack: A read-back.
    """

    lot_id: str
    kind: str
    lot: Lot | None = None
    edge: GenealogyEdge | None = None
    cause: CauseRef | None = None
    spreads: bool = False
    root: Envelope | None = None
    ack: HoldAck | None = None
