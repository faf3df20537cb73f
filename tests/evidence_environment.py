"""On what the tests ran: sources, Python, platform, packages, real parts."""

from __future__ import annotations

import platform
import re
import subprocess
import sys
from hashlib import sha256
from importlib.metadata import distributions
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx
import psycopg

if TYPE_CHECKING:
    from collections.abc import Callable

_JARS: Final = Path(__file__).parent.parent / "deploy" / "local" / "kafka-jars.txt"


def tree_state(root: Path) -> dict[str, str]:
    """Return the commit, and a hash of what differs from it in tracked files (empty if nothing).

    Outside a repository, `commit` says so.
    """
    commit = _git(root, "rev-parse", "HEAD").decode().strip()
    changes = _git(root, "diff", "HEAD", "--", ".") if commit else b""
    return {
        "commit": commit or "not a git repository",
        "changes_sha256": sha256(changes).hexdigest() if changes else "",
    }


def _git(root: Path, *words: str) -> bytes:
    try:
        ended = subprocess.run(["git", *words], cwd=root, capture_output=True, check=False)
    except OSError:
        return b""
    return ended.stdout if ended.returncode == 0 else b""


def environment(state: dict[str, str], parts: dict[str, str]) -> dict[str, Any]:
    """Return the fingerprint of this run's surroundings."""
    packages = {d.name: d.version for d in distributions() if d.name}
    return {
        "sources": state,
        "python": sys.version,
        "implementation": platform.python_implementation(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "libc": " ".join(platform.libc_ver()),
        "packages": dict(sorted(packages.items(), key=lambda pair: pair[0].lower())),
        "real_parts": dict(sorted(parts.items())),
    }


def _broker(_: Any) -> str:
    """The protocol does not tell the broker's release; the jars it was started from do."""
    found = re.search(r"org\.apache\.kafka:kafka_[\d.]+:(\S+)", _JARS.read_text("utf-8"))
    return f"Apache Kafka {found[1]}" if found else "Apache Kafka, release not stated"


def _registry(url: str) -> str:
    root = url.split("/apis/", maxsplit=1)[0]
    try:
        answer = httpx.get(f"{root}/apis/registry/v3/system/info", timeout=5, trust_env=False)
        told = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        return f"asked without answer: {type(error).__name__}"
    return f"{told.get('name', '')} {told.get('version', '')}".strip()


def _database(addresses: Any) -> str:
    try:
        with psycopg.connect(addresses.evidence_dsn, connect_timeout=5) as connection:
            row = connection.execute("select version()").fetchone()
    except psycopg.Error as error:
        return f"asked without answer: {type(error).__name__}"
    return str(row[0]) if row else ""


PROBES: Final[dict[str, Callable[[Any], str]]] = {
    "broker": _broker,
    "registry": _registry,
    "database": _database,
}
"""Fixture of a real part to how its version is learnt."""
