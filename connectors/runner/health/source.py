"""How a source is: what its loop leaves to be read, and what is made of it for probes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from streams.runtime import clock

if TYPE_CHECKING:
    from collections.abc import Mapping

STILL_S = 300.0
"""A loop that looks up no more for so long hangs; every wait in it is shorter or is said."""


@dataclass(slots=True)
class SourceHealth:
    """What a probe may ask of a running source.

    Attributes:
        state: `starting` (snapshot included), `reading`, `waiting` (for something that is
            unavailable) or `ended`.
        detail: What it waits for, for people.
        rows: Row changes carried over since the start.
        commits: Kafka transactions committed since the start.
        committed_ms: When the last one was committed, milliseconds since 1970; 0 for never.
        seen_ms: When the loop last looked up, milliseconds since 1970.
        dead: Rows set aside as dead letters since the start.
        retries: How often it went back to the stored position since the start.
        position: The stored position's fields; empty before the first commit of this process.
    """

    state: str = "starting"
    detail: str = ""
    rows: int = 0
    commits: int = 0
    committed_ms: int = 0
    seen_ms: int = 0
    dead: int = 0
    retries: int = 0
    position: Mapping[str, Any] = field(default_factory=dict)

    @property
    def stored(self) -> int:
        """The stored position in the log; 0 while there is none."""
        return int(self.position.get("lsn", 0))

    def snapshot(self) -> tuple[str, int, int, int] | None:
        """The running snapshot: mode, tables left, rows out, rows expected; None without one."""
        runs = (self.position.get("snapshot") or {}).get("runs", ())
        for run in runs:
            if run["tables"]:
                open_rows = sum(max(t["expected"] - t["rows"], 0) for t in run["tables"])
                return run["mode"], len(run["tables"]), run["rows"], run["rows"] + open_rows
        return None


def not_started(health: SourceHealth) -> list[str]:
    """Why a source has not begun to work, in sentences."""
    if health.commits or health.state in ("reading", "waiting"):
        return []
    return [health.detail or "broker, registry and database were not reached yet"]


def not_live(health: SourceHealth) -> list[str]:
    """Why a source should be ended and started anew, in sentences.

    What is away never counts: a source that waits says so, and one that begins may have to wait
    for the database's long transactions before its slot is made.
    """
    if health.state == "ended":
        return ["the source has ended"]
    silent = (clock.now_ms() - health.seen_ms) / 1000
    if health.state == "reading" and health.seen_ms and silent > STILL_S:
        return [f"the source has not looked up for {silent:.0f} s"]
    return []


def not_ready(health: SourceHealth) -> list[str]:
    """Why a source does not carry changes right now, in sentences."""
    if health.state == "reading":
        return []
    found = health.snapshot()
    if health.state == "starting" and found is not None:
        return [f"reads a snapshot: {found[2]:,} of about {found[3]:,} rows"]
    return [f"{health.state}: {health.detail}" if health.detail else health.state]
