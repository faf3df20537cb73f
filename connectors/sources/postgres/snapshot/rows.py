"""Rows that were read, turned into records."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from connectors.base import Change, DeadRow, Position, RawRecord
from connectors.sources.encoding.transactions import TransactionHead, chunk_body
from connectors.sources.postgres.log.transaction import dead_row
from connectors.sources.postgres.shape.envelope import SourceBlock, SourceFacts, clock_part
from connectors.sources.postgres.shape.rows import Place, RowWriter
from streams.errors import Poison
from streams.runtime import clock

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from connectors.sources.postgres.log.pgoutput import Cells
    from connectors.sources.postgres.log.transaction import Origin
    from connectors.sources.postgres.settings import PostgresSettings
    from connectors.sources.postgres.shape.tables import Table
    from connectors.sources.postgres.snapshot.state import Run

_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_MEANT = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}
_NULL = rb"\N"


def cells_of(line: bytes, width: int) -> Cells:
    """The values of a row as COPY sends it in text form.

    Args:
        line: The row, without the line's end.
        width: Columns of the row.
    """
    parts = line.split(b"\t") if width else []
    if b"\\" not in line:
        return [*parts]
    return [
        None if part == _NULL else _ESCAPED.sub(_meant, part) if b"\\" in part else part
        for part in parts
    ]


def _meant(found: re.Match[bytes]) -> bytes:
    return _MEANT.get(found[1], found[1])


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
    """What goes out at once."""

    made: list[Made] = field(default_factory=list)
    dead: list[DeadRow] = field(default_factory=list)
    gone: list[RawRecord] = field(default_factory=list)
    filled: int = 0
    rows: int = 0


def reads_binary(settings: PostgresSettings, table: Table) -> bool:
    """Whether a table's rows are read in the server's binary form."""
    return False


class RowMaker:
    """Makes the records of a run's rows.

    Args:
        settings: The source's settings.
        origin: Where the rows come from.
        run: The snapshot.
    """

    def __init__(self, settings: PostgresSettings, origin: Origin, run: Run) -> None:
        self._settings = settings
        self._origin = origin
        self._run = run
        self._prefix = f"pg:{origin.system_id}:snap:"
        self._writer = RowWriter(settings.record_bytes, tombstones=settings.form.tombstones)
        self._now_us = clock.now_ms() * 1000
        self._clock = clock_part(self._now_us * 1000)
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
            ingested_us=self._now_us,
            snapshot=True,
            connector_version=settings.version,
        )

    def read(self, table: Table, row: Any, number: int, mark: str, piece: Piece) -> Made | None:
        """Make a row's record; one that cannot be made goes to the piece's dead rows.

        Args:
            table: Its table.
            row: Its published values as text.
            number: Its number in the run.
            mark: Where it stands in the run, in Debezium's words.
            piece: Takes the dead row.
        """
        run, plan = self._run, table.plan
        own_id = f"{run.label}:{table.name}:{number}"
        shown: Cells = []
        try:
            shown = cells = row if table.mask is None else table.mask.cells(row)
            key = plan.key(cells)[0]
            if key is not None:
                own_id = f"{run.label}:{table.name}:{_digest(key)}"
            event_id = self._prefix + own_id
            sequence = b'["%d","%d"]' % (run.point, number)
            source = self._source(table, mark).encode(sequence, run.point)
            carried = self._writer.read(table, Place(number, event_id, source, self._clock), cells)
        except Poison as error:
            raw = b"\t".join(b"\\N" if cell is None else cell for cell in shown)
            piece.dead.append(dead_row(error, self._prefix + own_id, table.name, run.point, raw))
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
        run = self._run
        place = Place(
            number,
            f"pg:{self._origin.system_id}:gap:{run.label}:{table.name}:{_digest(key)}",
            self._source(table, "true").encode(b'["%d","%d"]' % (run.point, number), run.point),
            self._clock,
        )
        piece.gone.extend(self._writer.vanished(table, place, key))

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
        if self._settings.translator and not piece.gone:
            changes = [made.change for made in piece.made]
            body = chunk_body(self._head, self._run.chunk - 1, changes, last=last)
        size = sum(len(made.record.value or b"") + len(made.change) for made in piece.made)
        return Change(
            position=Position(fields),
            records=piece.gone or [made.record for made in piece.made],
            transaction=body,
            dead=piece.dead,
            rows=len(piece.made) + len(piece.dead) + len(piece.gone),
            size=size,
            snapshot=snapshot,
            barrier=snapshot and last,
        )

    def _source(self, table: Table, mark: str) -> SourceBlock:
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
                    committed_us=self._now_us,
                    xid=None,
                    snapshot=mark,
                )
            )
        return found


def _digest(key: bytes) -> str:
    """Tells a row from others in its event's id."""
    return hashlib.sha256(key).hexdigest()[:32]
