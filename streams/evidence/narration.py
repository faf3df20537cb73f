"""Each stored event in one sentence for people, with details below it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.evidence.queries import StoredEvent

Told = tuple[str, tuple[str, ...]]
"""A sentence, and further lines."""


def told(event: StoredEvent) -> Told:
    """Tell an event. Fields that a version of the event does not have are left out."""
    body = event.body
    match event.kind:
        case "command":
            return _command(body)
        case "ack":
            return _ack(body)
        case "state":
            return _state(body)
        case _:
            return _fact(body)


def _fact(body: Mapping[str, Any]) -> Told:
    if "parent_lot_id" in body:
        return _edge(body)
    if "verdict" in body:
        return _inspection(body)
    if "nc_id" in body:
        return _nonconformity(body)
    return _lot(body)


def _lot(body: Mapping[str, Any]) -> Told:
    number = body.get("number", "")
    if body.get("arrived"):
        amount = f"{body.get('quantity') or ''} {body.get('unit', '')}".strip()
        return f"stock of lot {number} arrived" + (f": {amount}" if amount else ""), _place(body)
    return f"lot {number} is {body.get('disposition', '')}", _place(body)


def _place(body: Mapping[str, Any]) -> tuple[str, ...]:
    return (f"place: {body['place']}",) if body.get("place") else ()


def _edge(body: Mapping[str, Any]) -> Told:
    order = f" by work order {body['work_order']}" if body.get("work_order") else ""
    taken_back = ", taken back" if body.get("op") == "reverse" else ""
    made = f"{body['child_lot_id']} made from {body['parent_lot_id']}"
    return f"{made} ({body.get('relation', '')}){order}{taken_back}", ()


def _inspection(body: Mapping[str, Any]) -> Told:
    details = [f"lots: {', '.join(body.get('lots', ()))}"]
    if body.get("control"):
        details.append(f"control: {body['control']}")
    if body.get("origin"):
        details.append(f"inspected: {body['origin']}")
    return f"inspection {body.get('number', '')} {body['verdict']}", tuple(details)


def _nonconformity(body: Mapping[str, Any]) -> Told:
    state = body.get("state", "")
    if state in ("closed", "cancelled") and not body.get("signed"):
        state += " without signature"
    details = [f"lots: {', '.join(body.get('lots', ()))}"]
    if signature := signature_of(body):
        details.append(f"signature: {signature}")
    title = f"nonconformity {body.get('ref', '')} ({body.get('severity', '')}) {state}"
    return title, tuple(details)


def signature_of(body: Mapping[str, Any]) -> str:
    """Return who signed, what it means, when, and that nothing was verified; empty without one."""
    found = body.get("signature")
    if not isinstance(found, dict):
        return ""
    signer = found.get("printed_name") or found.get("signer", "")
    said = f"{found.get('meaning', '')} by {signer} at {found.get('signed_at', '')}"
    return f"{said}: {found.get('verification', '')}"


def _command(body: Mapping[str, Any]) -> Told:
    verb = "hold" if body.get("action") == "hold" else "release"
    title = f"{verb} commanded at {body.get('target', '')} (version {body.get('hold_version', '')})"
    details = [f"cause: {body.get('cause', {}).get('cause_id', '')}"]
    if body.get("reason"):
        details.append(f"reason: {body['reason']}")
    others = [ref["cause_id"] for ref in body.get("open_causes", ())]
    if len(others) > 1:
        details.append(f"open causes: {', '.join(others)}")
    return title, tuple(details)


def _ack(body: Mapping[str, Any]) -> Told:
    title = f"read back at {body.get('target', '')}: {body.get('result', '')}"
    if body.get("effective_disposition"):
        title += f", {body['effective_disposition']}"
    if body.get("mode") not in (None, "", "enforce"):
        title += f" (mode {body['mode']})"
    details = [_share(share) for share in body.get("shares", ())]
    details += [body[name] for name in ("detail", "advice") if body.get(name)]
    if body.get("signature"):
        details.append(f"signature: {body['signature']}")
    return title, tuple(details)


def _share(share: Mapping[str, Any]) -> str:
    outcome = share.get("outcome", "")
    line = f"{outcome}: {share.get('quantity', '')} {share.get('unit', '')}".rstrip()
    if share.get("place"):
        line += f" {'to' if outcome == 'escaped' else 'in'} {share['place']}"
    if share.get("document"):
        line += f" ({share['document']})"
    if share.get("returns_to"):
        line += f", returns to {share['returns_to']}"
    return line


def _state(body: Mapping[str, Any]) -> Told:
    standing = [_standing(ref) for ref in body.get("causes", ()) if ref.get("open")]
    return f"state: {body.get('status', '')}, {body.get('disposition', '')}", tuple(standing)


def _standing(ref: Mapping[str, Any]) -> str:
    note = f" ({ref['note']})" if ref.get("note") else ""
    return f"open cause: {ref['cause_id']}{note}"
