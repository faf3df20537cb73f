"""How facts of earlier versions become facts of today: pure steps, from each version to the next.

Versions of a fact read each other by Avro's own rules, which fill a new field with its default. A
step is declared where an old record says more than the default would: it takes the plain value of
its version and gives that of the next. Steps are chained, so a fact of any age takes each once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streams.contracts.wire.upcasting import Lineage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from streams.contracts.catalog import Catalog
    from streams.contracts.wire.schema_tree import Schema

    Plain = dict[str, Any]
    Steps = Mapping[int, Callable[[Plain], Plain]]


def lots_as_affected(value: Plain) -> Plain:
    """Version 1 named lots; they were affected as a whole, in a quantity that nobody stated."""
    return {**value, "affected": [{"lot_id": lot} for lot in value["lots"]]}


UPCASTERS: Mapping[str, Steps] = {
    "lotgate.quality.Deviation": {1: lots_as_affected},
    "lotgate.quality.Nonconformity": {1: lots_as_affected},
}
"""By full name and by the version that a step takes."""


def fact_lineage(catalog: Catalog, name: str, subject: str) -> Lineage | None:
    """What reads facts of earlier versions; None for a type that has no step of its own.

    Args:
        catalog: Has every version's schema.
        name: Full name of the type.
        subject: Its subject, for messages.
    """
    steps = UPCASTERS.get(name)
    newest = catalog.version_of(name)
    if not steps or newest == 1:
        return None
    return _FactLineage(
        subject,
        catalog.schema(name),
        newest,
        lambda number: (catalog.schema(name, number),),
        steps,
    )


class _FactLineage(Lineage):
    """Versions that share one subject.

    A type inside a record may have newer versions than the record had when it was written, so a
    writer that is no version to the letter is of the version that has its own fields.
    """

    def version_of(self, writer: Schema) -> int | None:
        """See `Lineage.version_of`."""
        exact = super().version_of(writer)
        if exact is not None:
            return exact
        mine = _field_names(writer)
        for number in range(self._version, 0, -1):
            if any(_field_names(known) == mine for known in self._schemas(number)):
                return number if number < self._version else None
        return None


def _field_names(schema: Schema) -> tuple[str, ...]:
    fields = schema.get("fields", ()) if isinstance(schema, dict) else ()
    return tuple(str(field["name"]) for field in fields)
