"""The lock: fingerprints of schema files that were published and therefore never change."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from streams.contracts.catalog import Declaration


def fingerprint(text: str) -> str:
    """SHA-256 of a schema file's text, as hex. Documentation counts: a published text is final."""
    return hashlib.sha256(text.encode()).hexdigest()


def lock_problems(files: Iterable[Declaration], lock: Mapping[str, str]) -> list[str]:
    """How the schema files differ from what was published.

    Args:
        files: The catalog's files.
        lock: Fingerprint by path, as published.

    Returns:
        One sentence, beginning with its path, for each file that changed, vanished or is not
        locked yet.
    """
    found = {file.path: fingerprint(file.text) for file in files}
    changed = [
        f"{path} was published and has changed; add the next version instead"
        for path, known in lock.items()
        if found.get(path, known) != known
    ]
    gone = [f"{path} was published and is gone" for path in lock if path not in found]
    new = [f"{path} is not locked yet" for path in found if path not in lock]
    return changed + gone + new
