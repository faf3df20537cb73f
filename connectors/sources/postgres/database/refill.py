"""Large values that the log leaves out, read from the row where they are needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.sources.postgres.log.pgoutput import UNCHANGED
from connectors.sources.postgres.names import quoted

if TYPE_CHECKING:
    from connectors.sources.postgres.database.catalog import Catalog
    from connectors.sources.postgres.log.pgoutput import Cells, Relation


def refilled(catalog: Catalog, relation: Relation, cells: Cells) -> Cells:
    """A row under a new key, with the large values that it took along unchanged.

    Nothing was ever sent under the new key, so a reader of it cannot have them. They are read from
    the row as it is now: a later change of one of them is still to come and brings its own value,
    and where the row is gone again its delete, or its next key, follows: they stay unavailable.

    Args:
        catalog: The source's catalogue.
        relation: The table.
        cells: The row, as the log has it.

    Raises:
        Transient: The connection broke.
    """
    missing = [place for place, cell in enumerate(cells) if cell is UNCHANGED]
    keys = [place for place, column in enumerate(relation.columns) if column.flagged]
    if not missing or not keys or any(cells[place] in (None, UNCHANGED) for place in keys):
        return cells
    names = [quoted(column.name) for column in relation.columns]
    wanted = ", ".join(names[place] for place in missing)
    where = " AND ".join(f"{names[place]} = ${number}" for number, place in enumerate(keys, 1))
    table = f"{quoted(relation.schema)}.{quoted(relation.table)}"
    query = f"SELECT {wanted} FROM {table} WHERE {where}"  # noqa: S608 - quoted names
    found = catalog.row_text(query, [cells[place] for place in keys])
    if found is None:
        return cells
    filled = list(cells)
    for place, cell in zip(missing, found, strict=True):
        filled[place] = cell
    return filled
