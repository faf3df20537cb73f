"""One cause over its versions: who is named, whether it still stands, and whom to tell.

What was once suspected stays suspected until somebody signs: lots and spread add up over all
versions, so a later edit that strikes a lot off, or plays the matter down, frees nothing. The state
is a join; versions may come in any order, and more than once, and it ends the same.

Versions read from a snapshot tell no lot. The next live version of that cause tells everything.
"""

from __future__ import annotations

from dataclasses import replace

from streams.model.hold import CauseRef
from streams.model.messages import CauseMessage, LotMessage, LotMessageKind
from streams.model.states import CauseState, CauseVersions
from streams.model.verdict import Verdict

CLOSED_WITHOUT_SIGNATURE = "closed without signature"
PRESENT_NOT_VERIFIED = "present, not verified"
"""A signature row was found. Nothing has checked it cryptographically."""


def decide(state: CauseState | None, message: CauseMessage) -> Verdict[CauseState]:
    """Take in one version of a cause and tell every lot it names what is new."""
    before = state or CauseState(message.cause_id, message.cause_type)
    arrived = version_of(message)
    if message.baseline:
        return Verdict(replace(before, silent=joined(before.silent, arrived)))
    after = _told(before, arrived)
    return Verdict(after, _news(before.told, after))


def version_of(message: CauseMessage) -> CauseVersions:
    """A single version, in the form that joins."""
    signed = message.signed and not message.open
    return CauseVersions(
        opened=message.version if message.open else 0,
        closed=message.version if signed else 0,
        unsigned=0 if message.open or signed else message.version,
        spreads=message.spreads,
        lots=tuple(sorted(set(message.lots))),
        signature=message.signature if signed else None,
        root=message.envelope,
    )


def joined(one: CauseVersions, other: CauseVersions) -> CauseVersions:
    """Join two sets of versions. On equal versions the first gives root and signature."""
    newer = other if last_version(other) > last_version(one) else one
    signed = other if other.closed > one.closed else one
    return CauseVersions(
        opened=max(one.opened, other.opened),
        closed=max(one.closed, other.closed),
        unsigned=max(one.unsigned, other.unsigned),
        spreads=one.spreads or other.spreads,
        lots=tuple(sorted({*one.lots, *other.lots})),
        signature=signed.signature,
        root=newer.root or one.root or other.root,
    )


def last_version(versions: CauseVersions) -> int:
    """The highest version seen, 0 before the first."""
    return max(versions.opened, versions.closed, versions.unsigned)


def deciding_version(versions: CauseVersions) -> int:
    """The version that says how the cause stands: the last opening or the last signed close.

    A version says one thing only, so a higher deciding version always replaces a lower one. An
    unsigned close decides nothing: it is a note on the opening that it did not end.
    """
    return max(versions.opened, versions.closed)


def is_open(versions: CauseVersions) -> bool:
    """Whether the cause stands. Equal versions that disagree leave it standing."""
    return versions.opened > 0 and versions.opened >= versions.closed


def reference(cause_id: str, versions: CauseVersions) -> CauseRef:
    """The cause as a lot that it names sees it."""
    standing = is_open(versions)
    odd = standing and versions.unsigned > versions.opened
    return CauseRef(
        cause_id=cause_id,
        version=deciding_version(versions),
        open=standing,
        direct=True,
        note=CLOSED_WITHOUT_SIGNATURE if odd else "",
        signature="" if standing else PRESENT_NOT_VERIFIED,
    )


def _told(state: CauseState, arrived: CauseVersions) -> CauseState:
    told = joined(state.told, arrived)
    if last_version(told) < last_version(state.silent):
        return replace(state, told=told)
    return replace(state, told=joined(told, state.silent), silent=CauseVersions())


def _news(before: CauseVersions, state: CauseState) -> tuple[LotMessage, ...]:
    """Messages to all lots, if anything that lots must know changed.

    A version that only edits the record tells nobody, and a cause that never stood has nothing
    to take back.
    """
    told = state.told
    old = reference(state.cause_id, before)
    new = reference(state.cause_id, told)
    same = replace(old, version=new.version) == new
    if same and before.spreads == told.spreads and before.lots == told.lots:
        return ()
    if not old.open and not new.open:
        return ()
    return tuple(
        LotMessage(
            lot_id=lot,
            kind=LotMessageKind.CAUSE,
            cause=new,
            spreads=told.spreads,
            root=told.root,
        )
        for lot in told.lots
    )
