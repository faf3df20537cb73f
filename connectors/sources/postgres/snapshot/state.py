"""What is left to read, as it is kept in the source's position."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Mode = Literal["initial", "incremental"]
RECOVER = "recover"
"""Phase of a position behind which the log is lost: slot and snapshot begin again, and deletes
in between are told."""


@dataclass(slots=True)
class TableCursor:
    """A table that is not read to its end.

    Attributes:
        name: `schema.table`.
        where: An operator's condition on its rows, as SQL; empty for all.
        after: The key behind which reading goes on, as the server's text; None from the start.
        rows: Rows that are out.
        expected: Rows that the server's planner expected.
        keyed: It has a key, so that reading can go on in the middle.
    """

    name: str
    where: str = ""
    after: tuple[str, ...] | None = None
    rows: int = 0
    expected: int = 0
    keyed: bool = True


@dataclass(slots=True)
class Run:
    """One snapshot: the initial one, or one that an operator asked for.

    Attributes:
        label: Part of the ids of its rows' events; no other run has it.
        point: Position of the log at its beginning.
        mode: Whether it is the initial one.
        started_ms: When it began, milliseconds since 1970.
        tables: What is left of it; the first one is being read.
        chunk: Number of its next transaction record.
        rows: Rows that are out.
    """

    label: str
    point: int
    mode: Mode
    started_ms: int
    tables: list[TableCursor] = field(default_factory=list)
    chunk: int = 0
    rows: int = 0

    @property
    def resumable(self) -> bool:
        """Reading can go on where it broke off."""
        return self.chunk > 0 and all(table.keyed for table in self.tables)


@dataclass(slots=True)
class SnapshotState:
    """All that is left to read.

    Attributes:
        runs: Unfinished snapshots; the first one is being read.
        early: Rows that are out although their chunk is not: the hash part of their events' ids.
        paused: An operator asked to wait.
        message: Position of the last order that came through the log.
    """

    runs: list[Run] = field(default_factory=list)
    early: set[str] = field(default_factory=set)
    paused: bool = False
    message: int = 0

    @property
    def current(self) -> tuple[Run, TableCursor] | None:
        """What is to be read next; None if nothing is."""
        for run in self.runs:
            if run.tables:
                return run, run.tables[0]
        return None

    def fields(self) -> dict[str, Any]:
        """As JSON values."""
        found: dict[str, Any] = {"runs": [asdict(run) for run in self.runs]}
        if self.early:
            found["early"] = sorted(self.early)
        if self.paused:
            found["paused"] = True
        if self.message:
            found["message"] = self.message
        return found

    @property
    def empty(self) -> bool:
        """There is nothing that a position would have to keep."""
        return not (self.runs or self.early or self.paused or self.message)


def state_of(stored: Mapping[str, Any] | None) -> SnapshotState:
    """The state that a position keeps; an empty one where it keeps none."""
    if not stored:
        return SnapshotState()
    return SnapshotState(
        runs=[_run(each) for each in stored.get("runs", ())],
        early=set(stored.get("early", ())),
        paused=stored.get("paused", False),
        message=stored.get("message", 0),
    )


def _run(stored: Mapping[str, Any]) -> Run:
    tables = [
        TableCursor(**{**each, "after": None if each["after"] is None else tuple(each["after"])})
        for each in stored["tables"]
    ]
    return Run(**{**stored, "tables": tables})


def begins_again(stored: Mapping[str, Any]) -> bool:
    """Whether a position leaves nothing to go on from: its slot and snapshot begin again."""
    if stored["phase"] == "stream":
        return False
    return not all(run.resumable for run in state_of(stored.get("snapshot")).runs or [_NOTHING])


_NOTHING = Run("", 0, "initial", 0)
