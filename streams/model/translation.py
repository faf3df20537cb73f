"""What translation is made of: images of rows, coalesced transactions, drafts of facts.

A translator is a plug-in for one system (entry point group `lotgate.translators`). It reads a whole
database transaction and the last known images of rows, and says which facts follow. Everything else
(chunks, images, before-images, duplicates, versions, ids, envelopes) is done for it by
`streams.rules.translation`, so that the mapping of another system is a short, pure package.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from streams.model.envelope import Actor, Envelope, Source
from streams.model.facts import (
    CustomerSpec,
    GenealogyEdge,
    InspectionResult,
    Lot,
    Nonconformity,
)
from streams.model.rows import Cell, SourceTransaction

Fact = Lot | GenealogyEdge | InspectionResult | Nonconformity | CustomerSpec
"""The canonical facts that a translator can give."""


@dataclass(frozen=True, slots=True)
class TranslateEntry:
    """One entry of the translation's state; which fields are used depends on its key.

    Attributes:
        cells: Columns of a row image, or values that a translator keeps.
        system_id: Server of the row's last change; positions compare only within one server.
        commit_lsn: Commit position of the row's last change, -1 if none.
        ordinal: Place of that change in its transaction, -1 for a snapshot row.
        deleted: The row is gone; its position stays, so that a late replay cannot bring it back.
        rejected: The row could not be translated; its next change is read even if nothing differs.
        members: Keys of an index page, or a list that a translator keeps.
        count: Version of a subject, number of pages of an index, or next page of a snapshot.
        digest: Digest of what was last said of a subject.
        chunk: A chunk that waits for the last one of its transaction.
    """

    cells: Mapping[str, Cell] = field(default_factory=dict)
    system_id: str = ""
    commit_lsn: int = -1
    ordinal: int = -1
    deleted: bool = False
    rejected: bool = False
    members: tuple[str, ...] = ()
    count: int = 0
    digest: str = ""
    chunk: SourceTransaction | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """What a translator needs of a table.

    Attributes:
        columns: The columns it reads; only these are kept, and only these need be published.
        indexed: Those of them by which it asks for rows (`Rows.keys_where`).
    """

    columns: tuple[str, ...]
    indexed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CoalescedRow:
    """A row after a whole transaction: however often it was written, it changed once.

    Attributes:
        schema: Schema of the table.
        table: Table name.
        key: Primary key as text.
        op: `c`, `u`, `d` over the whole transaction, `r` for a snapshot row.
        ordinal: Place of the row's last change in the transaction.
        before: Image before the transaction, None if the row is new.
        after: Image after it, None if the row is gone.
    """

    schema: str
    table: str
    key: str
    op: str
    ordinal: int
    before: Mapping[str, Cell] | None
    after: Mapping[str, Cell] | None

    @property
    def image(self) -> Mapping[str, Cell]:
        """The newest image there is."""
        return self.after or self.before or {}


@dataclass(frozen=True, slots=True)
class Coalesced:
    """One database transaction, ready to be translated.

    Attributes:
        origin: The transaction's header (`changes` is empty).
        rows: Its rows, in the order of their last change.
    """

    origin: SourceTransaction
    rows: tuple[CoalescedRow, ...]


_NEVER = datetime(1, 1, 1, tzinfo=UTC)

UNSTAMPED = Envelope(
    event_id="",
    event_type="",
    subject_id="",
    subject_version=0,
    site_id="",
    occurred_at=_NEVER,
    recorded_at=_NEVER,
    ingested_at=_NEVER,
    source=Source("", "", "", "", 0, 0, 0, ""),
)
"""Stands in a draft until the stage stamps the real envelope."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A fact without its envelope.

    Attributes:
        fact: The fact, with `UNSTAMPED` as its envelope.
        event_type: E.g. `lotgate.inventory.lot`.
        subject_id: The fact's key.
        identity: What tells the subject apart; ids and versions are counted by it.
        completed_by: The row change that made the fact true.
        matters: Everything whose change is worth a new version. A draft that matters no more than
            what was last said is dropped, so repeating a translation says nothing twice.
        always: Say it even so (an arrival is news each time).
        actor: Who did it.
        occurred_at: Business time, aware; None for the commit time.
        signature_ids: Signatures that stand for it.
    """

    fact: Fact
    event_type: str
    subject_id: str
    identity: tuple[str, ...]
    completed_by: CoalescedRow
    matters: tuple[str, ...]
    always: bool = False
    actor: Actor = field(default_factory=Actor)
    occurred_at: datetime | None = None
    signature_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that could not be translated, while the rest of its transaction could.

    Attributes:
        source: Source id.
        table: Table of the row.
        key: Primary key as text, empty if a whole table is meant.
        column: The column at fault, empty if no single one is.
        commit_lsn: Commit position of the transaction.
        code: Stable code.
        message: What is wrong, and where.
        kept: What was kept safe.
        advice: What to do next.
    """

    source: str
    table: str
    key: str
    column: str
    commit_lsn: int
    code: str
    message: str
    kept: str
    advice: str


class Rows(Protocol):
    """What a translator may look up and keep. Everything is per source."""

    def image(self, table: str, key: Cell) -> Mapping[str, Cell] | None:
        """The last image of a row; None if it is unknown, gone, or the key is None."""
        ...

    def keys_where(self, table: str, column: str, value: Cell) -> tuple[str, ...]:
        """Keys of the rows whose indexed column has this value, oldest first."""
        ...

    def latest_where(self, table: str, column: str, value: Cell) -> tuple[str, ...]:
        """The last noted of those keys, at most a few dozen: for what only the newest decide."""
        ...

    def said(self, event_type: str, identity: tuple[str, ...]) -> bool:
        """Whether a fact was ever given for this subject."""
        ...

    def kept(self, name: str) -> Mapping[str, Cell]:
        """Values that the translator kept under a name; empty if none."""
        ...

    def keep(self, name: str, cells: Mapping[str, Cell]) -> None:
        """Keep values under a name; an empty mapping forgets it."""
        ...

    def listed(self, name: str) -> tuple[str, ...]:
        """A list that the translator kept under a name; empty if none."""
        ...

    def keep_list(self, name: str, members: tuple[str, ...]) -> None:
        """Keep a list under a name; an empty one forgets it."""
        ...


class Translator(Protocol):
    """The mapping of one system's tables to canonical facts: pure, and without state of its own.

    Attributes:
        name: Name in the entry point group `lotgate.translators` and in source settings.
        version: Version of the mapping; travels on every fact.
        tables: Tables it reads, with their columns.
    """

    name: str
    version: str
    tables: Mapping[str, Table]

    def translate(self, transaction: Coalesced, rows: Rows) -> Iterable[Draft | Rejected]:
        """Say which facts a transaction makes true.

        Images of all its rows are already current in `rows`. The order of the answer is kept.
        """
        ...


TranslatorLookup = Callable[[str], Translator]
"""Gives the translator of a name; raises `Misconfigured` for an unknown one."""
