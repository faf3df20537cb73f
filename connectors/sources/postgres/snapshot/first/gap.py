"""Rows that vanished while the log was lost: told as deletes before the tables are read again.

What consumers believe to be there is what the raw topic says: a key whose last record has a value.
A key that the topic has and the table has not was deleted in between. So far back as the topic is
kept; what was deleted before, changes in between, and rows of tables without a key are not known.
A translator is told of no such delete: its snapshot adds and corrects.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from connectors.sources.postgres.snapshot.copied import cells_of
from connectors.sources.postgres.snapshot.ranges import Range
from connectors.sources.postgres.snapshot.rows import Piece

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from connectors.sources.postgres.shape.tables import Table
    from connectors.sources.postgres.snapshot.ranges import Readable
    from connectors.sources.postgres.snapshot.rows import RowMaker
    from connectors.sources.postgres.snapshot.session import Session

FRAME = 5
AT_ONCE = 5_000
_log = logging.getLogger(__name__)


def vanished(
    session: Session,
    readable: Readable,
    table: Table,
    maker: RowMaker,
    told: Callable[[str], Iterable[tuple[bytes, bool]]],
) -> Iterator[Piece]:
    """Find the keys that the topic has and the table has not.

    Args:
        session: Looks through the snapshot.
        readable: The table.
        table: Its plan; it has a key.
        maker: Makes the deletes.
        told: Gives the keys of a topic's records in their order, and whether each has a value.

    Yields:
        Deletes with their tombstones.
    """
    there = _keys(session, readable, table)
    gone: dict[bytes, None] = {}
    for key, is_there in told(table.plan.topic):
        body = key[FRAME:]
        if _digest(body) in there:
            continue
        if is_there:
            gone[body] = None
        else:
            gone.pop(body, None)
    if gone:
        _log.warning("%d rows of %s vanished while the log was lost", len(gone), table.name)
    piece = Piece()
    for number, body in enumerate(gone):
        if len(piece.records) >= AT_ONCE:
            yield piece
            piece = Piece()
        maker.vanished(table, body, number, piece)
    if piece.records:
        yield piece


def _keys(session: Session, readable: Readable, table: Table) -> set[bytes]:
    """Digests of all keys of a table: sixteen bytes each, however large the keys are."""
    plan = table.plan
    key = {plan.relation.columns[index].name for index in plan.key_indexes}
    others = frozenset(name for name in readable.table.columns if name not in key)
    width = len(readable.table.columns)
    query = replace(readable, dropped=others).rows(Range(None, None))
    found: set[bytes] = set()
    for line in session.stream(query):
        cells = cells_of(line, width)
        body = plan.key(cells if table.mask is None else table.mask.cells(cells))[0]
        found.add(_digest(body or b""))
    return found


def _digest(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=16).digest()
