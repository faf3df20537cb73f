"""Holds: the command, what the target was seen to do, and the lot's public state."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from streams.model.envelope import Envelope
from streams.model.facts import Disposition


class HoldAction(StrEnum):
    """What a command asks for."""

    HOLD = "hold"
    RELEASE = "release"


class Enforcement(StrEnum):
    """How far a target may go. Every target starts harmless."""

    OBSERVE = "observe"
    PROPOSE = "propose"
    ENFORCE = "enforce"


class AckResult(StrEnum):
    """What was read back. `RELEASED` is the read-back of a release."""

    CONTAINED = "contained"
    PARTIAL = "partial"
    IN_FLIGHT = "in_flight"
    ESCAPED = "escaped"
    CONSUMED = "consumed"
    NOT_FOUND = "not_found"
    WOULD_HOLD = "would_hold"
    WOULD_RELEASE = "would_release"
    REFUSED = "refused"
    STALE_IGNORED = "stale_ignored"
    RELEASED = "released"
    SYNTHETIC = "synthetic"


@dataclass(frozen=True, slots=True)
class Prior:
    """What a lot was before the hold, and what a release gives back: never more.

    Attributes:
        disposition: See `Disposition`.
        place: Where the source showed it, empty if it showed none.
    """

    disposition: str = Disposition.UNRESTRICTED
    place: str = ""


@dataclass(frozen=True, slots=True)
class CauseRef:
    """A cause as a lot knows it.

    Attributes:
        cause_id: `<type>:<source>:<id>`.
        version: Version of the cause.
        open: False once a signed close arrived.
        direct: True if the cause names this lot itself.
        from_lot: The parent through which the cause came first, empty if direct.
        depth: Steps of genealogy from a named lot; 0 if direct.
        note: Why it still stands, e.g. `closed without signature`; empty if nothing is odd.
        signature: `present, not verified` once signed, else empty.
    """

    cause_id: str
    version: int
    open: bool
    direct: bool
    from_lot: str = ""
    depth: int = 0
    note: str = ""
    signature: str = ""


@dataclass(frozen=True, slots=True)
class HoldCommand:
    """Hold a lot, or give it back, at one target.

    Attributes:
        command_id: Derived from root cause, lot, action, target and hold version.
        hold_id: Id of the command that began this hold; a release names it.
        action: `hold` or `release`.
        lot_id: The key.
        material: Material code, for targets that do not know lot ids.
        number: Lot number.
        target: Name of the target system, e.g. `erp`.
        hold_version: Fencing number; a target ignores a lower one.
        cause: The cause that made the lot change (the last one closed, for a release).
        open_causes: Every open cause at this moment.
        prior: What the lot was before the hold.
        reason: One sentence for people.
    """

    envelope: Envelope
    command_id: str
    hold_id: str
    action: str
    lot_id: str
    material: str
    number: str
    target: str
    hold_version: int
    cause: CauseRef
    open_causes: tuple[CauseRef, ...] = ()
    prior: Prior = field(default_factory=Prior)
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Share:
    """A part of the lot's quantity and how it ended.

    Attributes:
        outcome: `contained`, `free`, `assigned`, `in_flight`, `escaped` or `consumed`.
        quantity: In `unit`.
        unit: Unit as the target names it.
        place: Location in the target (for `escaped`: the customer).
        document: The document concerned, e.g. `stock.shipment.out 2`; empty if none.
        returns_to: For `contained`: the location that a release returns it to.
    """

    outcome: str
    quantity: Decimal
    unit: str
    place: str
    document: str = ""
    returns_to: str = ""


@dataclass(frozen=True, slots=True)
class HoldAck:
    """What the target was seen to be after a command.

    Attributes:
        ack_id: Derived from command id, hold version and result.
        command_id: The command answered.
        hold_id: The hold concerned.
        action: The command's action.
        lot_id: The key.
        target: The target system.
        hold_version: The command's version.
        result: The worst that is present, see `AckResult`.
        mode: The target's enforcement.
        effective_disposition: The disposition read back, empty if nothing could be read.
        shares: Quantity per outcome, with place and document.
        prior: Disposition and place before the hold.
        observed_at: When the target was read, aware.
        detail: What was seen or why it was refused, for people.
        advice: What to do next, empty if nothing.
        signature: For a release: `present, not verified`.
        calls: Calls made to the target for this command.
    """

    envelope: Envelope
    ack_id: str
    command_id: str
    hold_id: str
    action: str
    lot_id: str
    target: str
    hold_version: int
    result: str
    mode: str
    effective_disposition: str
    shares: tuple[Share, ...]
    prior: Prior
    observed_at: datetime
    detail: str = ""
    advice: str = ""
    signature: str = ""
    calls: int = 0


class HoldStatus(StrEnum):
    """Where a lot's hold stands, from the pipeline's side."""

    FREE = "free"
    WAITING = "waiting"
    HELD = "held"


@dataclass(frozen=True, slots=True)
class HoldState:
    """Whether a lot is held now, why, and what was last read back (a compacted topic).

    Attributes:
        lot_id: The key.
        status: `free`, `waiting` (named before it is known: held on arrival) or `held`.
        disposition: `Restricted` while a cause is open, else what it was before.
        causes: Every cause ever seen at this lot, open or not.
        hold_id: The running hold, empty if none.
        hold_version: The last version commanded.
        last_result: Result of the last ack, empty before the first.
        prior: What a release gives back.
        note: What a person should know, e.g. an ambiguous lot number.
    """

    envelope: Envelope
    lot_id: str
    status: str
    disposition: str
    causes: tuple[CauseRef, ...]
    hold_id: str = ""
    hold_version: int = 0
    last_result: str = ""
    prior: Prior = field(default_factory=Prior)
    note: str = ""
