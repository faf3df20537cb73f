"""What persons order, and what was refused, as records: JSON that anyone can read."""

from __future__ import annotations

import json
from typing import Any

from streams.contracts.interfaces.release import NONE_MS
from streams.contracts.topics import AUDIT, GROUP, RELEASES, prefixed


def releases_topic(prefix: str, group: str) -> str:
    """Full name of the topic of releases; its key is the flow."""
    return prefixed(prefix, RELEASES.replace(GROUP, group))


def audit_topic(prefix: str, group: str) -> str:
    """Full name of the topic of audit entries; the key is what they are about."""
    return prefixed(prefix, AUDIT.replace(GROUP, group))


def order(upto_ms: int, who: str, at_ms: int, reason: str) -> bytes:
    """A release of a flow's records.

    Args:
        upto_ms: Records of this time and earlier may go, milliseconds since 1970.
        who: Who released them.
        at_ms: When, milliseconds since 1970.
        reason: Why.
    """
    return _json({"upto_ms": upto_ms, "by": who, "at_ms": at_ms, "reason": reason})


def ordered_ms(value: bytes | None) -> int:
    """Up to which time a release lets records go; nothing if it cannot be read."""
    try:
        return int(json.loads(value or b"")["upto_ms"])
    except (ValueError, KeyError, TypeError):
        return NONE_MS


def audit_entry(what: str, code: str, text: str, at_ms: int) -> bytes:
    """An entry of the audit trail.

    Args:
        what: What it is about, e.g. `connector mes-cdc`.
        code: Stable code of what happened.
        text: For people.
        at_ms: When, milliseconds since 1970.
    """
    return _json({"what": what, "code": code, "text": text, "at_ms": at_ms})


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, ensure_ascii=False).encode()
