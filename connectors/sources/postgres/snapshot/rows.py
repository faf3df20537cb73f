"""Rows that were read, turned into records."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

from connectors.base import Change, DeadRow, Position, RawRecord
from connectors.sources.encoding.transactions import TransactionHead, chunk_body, transaction_id
from connectors.sources.postgres.log.readable import readable_cells
from connectors.sources.postgres.log.transaction import dead_row
from connectors.sources.postgres.shape.envelope import SourceBlock, SourceFacts, clock_part
from connectors.sources.postgres.shape.rows import Place, RowWriter
from connectors.sources.postgres.snapshot.copied import copied_cells
from streams.errors import Poison
from streams.runtime import clock

if TYPE_CHECKING:
    from collections.abc import Mapping

    from connectors.sources.postgres.log.pgoutput import Cells
    from connectors.sources.postgres.log.transaction import Origin
    from connectors.sources.postgres.settings import PostgresSettings
    from connectors.sources.postgres.shape.tables import Table
    from connectors.sources.postgres.snapshot.state import Run


class Made(NamedTuple):
    """A row's reading, ready to go out.

    Attributes:
        record: The raw record.
        change: Its part of the transaction record; empty without a translator.
        id: The part of its event's id that tells run, table and row.
    """

    record: RawRecord
    change: bytes
    id: str


@dataclass(slots=True)
class Piece:
    """What goes out at once.

    Attributes:
        records: Raw records.
        changes: Their parts of the transaction record; empty without a translator.
        dead: Rows that cannot be carried.
        size: Bytes of all, about.
        filled: Bytes of the parts of the transaction record.
        odd: Takes rows in binary form that must go over their text, with their numbers; without it
            they go there at once.
    """

    records: list[RawRecord] = field(default_factory=list)
    changes: list[bytes] = field(default_factory=list)
    dead: list[DeadRow] = field(default_factory=list)
    size: int = 0
    filled: int = 0
    odd: list[tuple[int, bytes]] | None = None

    def add(self, made: Made | None) -> None:
        """Take a row; None is one that became a dead row."""
        if made is None:
            return
        self.records.append(made.record)
        self.size += len(made.record.value or b"") + len(made.change)
        if made.change:
            self.changes.append(made.change)
            self.filled += len(made.change)


class RowMaker:
    """Makes the records of a run's rows.

    Args:
        settings: The source's settings.
        origin: Where the rows come from.
        run: The snapshot.
        now_us: The instant that its records bear; now if not given.
    """

    def __init__(
        self, settings: PostgresSettings, origin: Origin, run: Run, now_us: int | None = None
    ) -> None:
        self._settings = settings
        self._origin = origin
        self.run = run
        self.mark = "incremental" if run.mode == "incremental" else "true"
        self.prefix = f"pg:{origin.system_id}:snap:"
        self.limit = settings.record_bytes
        self._writer = RowWriter(settings.record_bytes, tombstones=settings.form.tombstones)
        self.now_us = clock.now_us() if now_us is None else now_us
        self.clock = clock_part(self.now_us * 1000)
        self._sources: dict[tuple[int, str], SourceBlock] = {}
        self._head = TransactionHead(
            source=settings.source,
            translator=settings.translator,
            site=settings.site,
            database=origin.database,
            system_id=origin.system_id,
            tx_id=0,
            commit_lsn=run.point,
            committed_us=run.started_ms * 1000,
            ingested_us=self.now_us,
            snapshot=True,
            connector_version=settings.version,
        )

    def read(self, table: Table, row: Any, number: int, mark: str, piece: Piece) -> Made | None:
        """Make a row's record; one that cannot be made goes to the piece's dead rows.

        Args:
            table: Its table.
            row: Its published values as text, or as they were copied in binary form.
            number: Its number in the run.
            mark: Where it stands in the run, in Debezium's words.
            piece: Takes the dead row.
        """
        run, plan = self.run, table.plan
        own_id = f"{run.label}:{table.name}:{number}"
        shown: Cells = []
        try:
            cells = copied_cells(row, table) if isinstance(row, bytes) else row
            shown = cells = cells if table.mask is None else table.mask.cells(cells)
            key = plan.key(cells)[0]
            if key is not None:
                own_id = f"{run.label}:{table.name}:{_digest(key)}"
            event_id = self.prefix + own_id
            sequence = b'["%d","%d"]' % (run.point, number)
            source = self.source(table, mark).encode(sequence, run.point)
            carried = self._writer.read(table, Place(number, event_id, source, self.clock), cells)
        except Poison as error:
            raw = b"\t".join(b"\\N" if cell is None else cell for cell in shown)
            own = self.prefix + own_id
            dead = dead_row(error, own, table.name, run.point, raw, table.shape)
            piece.dead.append(replace(dead, row=readable_cells(table, shown)))
            return None
        change = carried.change if self._settings.translator else b""
        return Made(carried.records[0], change, own_id)

    def vanished(self, table: Table, key: bytes, number: int, piece: Piece) -> None:
        """Tell of a row that the topic has and the table has not.

        Args:
            table: Its table.
            key: Its key's Avro body.
            number: Counts such rows of the table.
            piece: Takes the delete and its tombstone.
        """
        run = self.run
        place = Place(
            number,
            f"pg:{self._origin.system_id}:gap:{run.label}:{table.name}:{_digest(key)}",
            self.source(table, "true").encode(b'["%d","%d"]' % (run.point, number), run.point),
            self.clock,
        )
        piece.records.extend(self._writer.vanished(table, place, key))

    def change(
        self, piece: Piece, fields: Mapping[str, Any], *, last: bool, snapshot: bool
    ) -> Change:
        """Hand a piece over.

        Args:
            piece: The rows.
            fields: The position behind them.
            last: Nothing of the run comes behind it.
            snapshot: The log does not flow yet.
        """
        body = None
        if self._settings.translator:
            body = chunk_body(self._head, self.run.chunk - 1, piece.changes, last=last)
        return Change(
            position=Position(fields),
            records=piece.records,
            transaction=body,
            transaction_id="" if body is None else transaction_id(self._head),
            dead=piece.dead,
            rows=len(piece.records) + len(piece.dead),
            size=piece.size,
            snapshot=snapshot,
            barrier=snapshot and last,
        )

    def source(self, table: Table, mark: str) -> SourceBlock:
        """What the `source` parts of a table's records share.

        Args:
            table: The table.
            mark: Where a row stands in the run, in Debezium's words.
        """
        relation = table.relation
        found = self._sources.get((relation.oid, mark))
        if found is None:
            found = self._sources[relation.oid, mark] = SourceBlock(
                SourceFacts(
                    name=self._settings.name,
                    version=self._settings.version,
                    database=self._origin.database,
                    schema=relation.schema,
                    table=relation.table,
                    committed_us=self.now_us,
                    xid=None,
                    snapshot=mark,
                )
            )
        return found


def _digest(key: bytes) -> str:
    """Tells a row from others in its event's id."""
    return sha256(key).hexdigest()[:32]
