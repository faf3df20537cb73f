"""What follows from a change at a lot: commands to the targets, and the public state.

Targets hear of a lot at three moments: its first open cause, its last open cause ending, and goods
coming in while it is held. Whatever else joins or leaves its set of causes is no news to them. Ids
are derived from what they name, so a repeated history repeats its ids.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from streams.model.envelope import Envelope, Transform
from streams.model.hold import CauseRef, HoldAction, HoldCommand, Prior
from streams.model.ids import derived_id, parts_of
from streams.model.states import LotCause, LotState, TargetHold
from streams.rules.hold.spread import cause_of, open_causes

RULE = Transform("lotgate.hold", "1")


@dataclass(frozen=True, slots=True)
class Occasion:
    """What made a lot change.

    Attributes:
        by: Envelope of the event that did it; latencies count from its commit.
        cause_id: The cause that arrived, empty if something else did.
        arrival: True if live stock of the lot arrived.
    """

    by: Envelope
    cause_id: str = ""
    arrival: bool = False


def commanded(
    state: LotState, occasion: Occasion, targets: tuple[str, ...]
) -> tuple[LotState, tuple[HoldCommand, ...]]:
    """Command what the causes of a lot now demand.

    A lot that no fact has stated yet is not commanded: it waits until its first fact ("held on
    arrival"), also if that fact comes from a snapshot, since the cause that waits is live.

    Args:
        state: The lot with its causes as they are now.
        occasion: What made it change.
        targets: Names of the systems that can hold a lot.
    """
    restricted = bool(open_causes(state))
    if state.held and not restricted:
        return _released(state, occasion)
    if restricted and state.known and (not state.held or occasion.arrival):
        return _held(state, occasion, targets)
    return state, ()


def following(by: Envelope, root: Envelope, kind: str, subject: str, version: int) -> Envelope:
    """The envelope of an effect: times and position of its occasion, thread of its root cause.

    Args:
        by: The event that made the lot change.
        root: The event that began the cause concerned.
        kind: Event type without `lotgate.inventory.`.
        subject: Lot id.
        version: The lot's own version of this effect.
    """
    return replace(
        by,
        event_id=derived_id(kind, subject, version),
        event_type=f"lotgate.inventory.{kind}",
        subject_id=subject,
        subject_version=version,
        correlation_id=root.correlation_id or root.event_id,
        causation_id=by.event_id,
        transform=(replace(RULE, input_event_ids=(by.event_id,)),),
        synthetic=root.synthetic,
    )


def command_id(cause: str, lot: str, action: str, target: str, hold_version: int) -> str:
    """The id of a command: however many paths lead from a cause to a lot, it is the same."""
    return derived_id(cause, lot, action, target, hold_version)


def _held(
    state: LotState, occasion: Occasion, targets: tuple[str, ...]
) -> tuple[LotState, tuple[HoldCommand, ...]]:
    again = state.held
    cause = _cause_of_hold(state, occasion)
    version = state.hold_version + 1
    running = {hold.target: hold for hold in state.targets}
    for target in targets:
        hold = running.get(target, TargetHold(target))
        first = command_id(cause.ref.cause_id, state.lot_id, HoldAction.HOLD, target, version)
        running[target] = replace(hold, hold_id=hold.hold_id or first)
    state = replace(
        state,
        held=True,
        held_by=state.held_by if again else cause.ref.cause_id,
        hold_version=version,
        targets=tuple(running.values()),
        prior=state.prior if again else Prior(state.disposition, state.place),
    )
    reason = _why_again(state) if again else _why_held(cause.ref)
    command = _command(state, occasion, cause, HoldAction.HOLD, reason)
    return state, tuple(_at(command, running[target]) for target in targets)


def _released(state: LotState, occasion: Occasion) -> tuple[LotState, tuple[HoldCommand, ...]]:
    cause = cause_of(state, occasion.cause_id)
    if cause is None:
        return state, ()
    version = state.hold_version + 1
    running = tuple(hold for hold in state.targets if hold.hold_id)
    command = _command(
        replace(state, hold_version=version), occasion, cause, HoldAction.RELEASE, _why_free(cause)
    )
    state = replace(
        state,
        held=False,
        held_by="",
        hold_version=version,
        targets=tuple(replace(hold, hold_id="") for hold in state.targets),
        disposition=state.prior.disposition,
        place=state.prior.place,
    )
    return state, tuple(_at(command, hold) for hold in running)


def _cause_of_hold(state: LotState, occasion: Occasion) -> LotCause:
    """The cause that a hold names: the one that arrived, else the hold's own, else the nearest."""
    standing = open_causes(state)
    wanted = occasion.cause_id or state.held_by
    named = next((cause for cause in standing if cause.ref.cause_id == wanted), None)
    return named or min(standing, key=lambda cause: (cause.ref.depth, cause.ref.cause_id))


def _command(
    state: LotState, occasion: Occasion, cause: LotCause, action: HoldAction, reason: str
) -> HoldCommand:
    """A command that is complete but for its target."""
    _, material, number = parts_of(state.lot_id)
    return HoldCommand(
        envelope=following(
            occasion.by, cause.root, "hold_command", state.lot_id, state.hold_version
        ),
        command_id="",
        hold_id="",
        action=action,
        lot_id=state.lot_id,
        material=state.material or material,
        number=state.number or number,
        target="",
        hold_version=state.hold_version,
        cause=cause.ref,
        open_causes=tuple(standing.ref for standing in open_causes(state)),
        prior=state.prior,
        reason=reason,
    )


def _at(command: HoldCommand, hold: TargetHold) -> HoldCommand:
    identity = command_id(
        command.cause.cause_id, command.lot_id, command.action, hold.target, command.hold_version
    )
    return replace(
        command,
        envelope=replace(command.envelope, event_id=identity),
        command_id=identity,
        hold_id=hold.hold_id,
        target=hold.target,
    )


def _why_held(ref: CauseRef) -> str:
    if ref.direct:
        return f"{ref.cause_id} names this lot"
    return f"{ref.cause_id} reached this lot through {ref.from_lot}, {ref.depth} steps from it"


def _why_again(state: LotState) -> str:
    return f"new stock of this lot arrived while {state.held_by} and its hold stand"


def _why_free(cause: LotCause) -> str:
    return f"the last open cause, {cause.ref.cause_id}, is closed; signature: {cause.ref.signature}"
