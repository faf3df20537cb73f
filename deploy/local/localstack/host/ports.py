"""Ports that are chosen free once and remembered, so that addresses survive a restart."""

from __future__ import annotations

import json
import secrets
import socket
import time
from typing import TYPE_CHECKING

from localstack.errors import StackError
from localstack.layout import exclusive, write_whole

if TYPE_CHECKING:
    from pathlib import Path

# Below the range from which Linux draws ports of outgoing connections (32768 and up), so that
# a port that was free yesterday is not lent to a client today.
LOWEST, HIGHEST = 20_000, 32_000
HOST = "127.0.0.1"
ATTEMPTS = 200


LEAVING_SECONDS = 3.0


def is_free(port: int) -> bool:
    """Tell whether a server could listen on that loopback port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


class PortMemory:
    """The stack's ports by name, kept in one JSON file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = path.with_suffix(".lock")

    def known(self) -> dict[str, int]:
        """Return every remembered port by name."""
        if not self._path.exists():
            return {}
        kept: dict[str, int] = json.loads(self._path.read_text(encoding="utf-8"))
        return kept

    def port(self, name: str) -> int:
        """Return the port of that name, choosing a free one the first time."""
        known = self.known()
        if name in known:
            return known[name]
        with exclusive(self._lock):
            kept = self.known()
            if name not in kept:
                kept[name] = self._choose(set(kept.values()))
                self._keep(kept)
            return kept[name]

    def renew_if_taken(self, name: str) -> int:
        """Return a port that can be listened on, replacing one that a stranger took."""
        port = self.port(name)
        # A killed process is seen as gone before the last of its threads has let its port go.
        until = time.monotonic() + LEAVING_SECONDS
        while not is_free(port) and time.monotonic() < until:
            time.sleep(0.05)
        if is_free(port):
            return port
        with exclusive(self._lock):
            kept = self.known()
            kept[name] = self._choose(set(kept.values()))
            self._keep(kept)
            return kept[name]

    def _choose(self, taken: set[int]) -> int:
        for _ in range(ATTEMPTS):
            candidate = LOWEST + secrets.randbelow(HIGHEST - LOWEST)
            if candidate not in taken and is_free(candidate):
                return candidate
        raise StackError(
            f"No free port between {LOWEST} and {HIGHEST} on {HOST} after {ATTEMPTS} attempts; "
            "nothing was started. Close programs that listen there and try again."
        )

    def _keep(self, ports: dict[str, int]) -> None:
        write_whole(self._path, json.dumps(ports, indent=2, sort_keys=True) + "\n")
