"""The tables of a source as they stand in the log: plans, topics and frames, kept per relation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from connectors.base import ShapeColumn, TableShape
from connectors.sources.postgres.binary.texts import renderers
from connectors.sources.postgres.database.refill import refilled
from connectors.sources.postgres.generated.encoder import encoder_of
from connectors.sources.postgres.selection import mask_of
from connectors.sources.postgres.shape.dialect import lossy
from connectors.sources.postgres.shape.envelope import topic_part
from connectors.sources.postgres.shape.plan import TablePlan
from streams.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from connectors.base import TableTopics
    from connectors.sources.postgres.binary.scalars import Render
    from connectors.sources.postgres.database.catalog import Catalog
    from connectors.sources.postgres.generated.encoder import Encoder
    from connectors.sources.postgres.log.pgoutput import Cells, Relation
    from connectors.sources.postgres.selection import Mask
    from connectors.sources.postgres.settings import PostgresSettings
    from connectors.sources.postgres.shape.types import TypeFacts

_TYPE_NAMES = """
select format_type(each.oid, each.typmod) as name
from unnest(%s::oid[], %s::int4[]) with ordinality as each(oid, typmod, place) order by place
"""


@dataclass(frozen=True, slots=True)
class Table:
    """A table, ready to be written.

    Attributes:
        plan: How its rows are encoded.
        name: `schema.table`.
        key_frame: What stands before each key.
        value_frame: What stands before each value.
        mask: What the field policy does to its rows; None if all of it passes.
        shape: Its shape behind the field policy; None where nobody asks for it.
        renders: Per column of the log: from a value's binary form to the server's text.
        encoder: Encodes rows in binary form; None if they must go over their text.
    """

    plan: TablePlan
    name: str
    key_frame: bytes
    value_frame: bytes
    mask: Mask | None = None
    shape: TableShape | None = None
    renders: Sequence[Render] = ()
    encoder: Encoder | None = None

    @property
    def relation(self) -> Relation:
        """The table as the log describes it."""
        return self.plan.relation if self.mask is None else self.mask.source


class Tables:
    """Makes and keeps the tables of a session.

    Args:
        settings: The source's settings.
        catalog: The source's catalogue.
        topics: Makes topics and schemas ready.
    """

    def __init__(self, settings: PostgresSettings, catalog: Catalog, topics: TableTopics) -> None:
        self._settings = settings
        self._catalog = catalog
        self.topics = topics
        self._by_oid: dict[int, Table] = {}
        self._frozen = lossy.ArrayLabels()
        self._owner: dict[str, str] = {}

    def announce(self, relations: Iterable[Relation]) -> None:
        """Make the topics of several tables ready at once.

        Raises:
            Misconfigured: Two tables share a topic, or a topic is missing.
            Transient: The broker is not available.
        """
        self.topics.announce([self._topic(relation) for relation in relations])

    def learn(self, relation: Relation, *, refresh: bool = False) -> Table:
        """Take note of a table's shape; its schema is registered before any row is written.

        Args:
            relation: The table.
            refresh: Ask the catalogue also for a table that is known: the log describes a table
                again when something about it changed, which may be an enum's labels.

        Raises:
            Misconfigured: Two tables share a topic, or the registry refuses the schema.
            Transient: Catalogue, broker or registry are not available.
        """
        known = self._by_oid.get(relation.oid)
        same = known if known is not None and known.relation == relation else None
        if same is not None and not refresh:
            return same
        name = f"{relation.schema}.{relation.table}"
        topic = self._topic(relation)
        selection, types = self._settings.selection, self._types()
        facts = self._catalog.facts(relation.schema, relation.table)
        mask = mask_of(selection, relation, types, facts.columns)
        plan = TablePlan(
            relation if mask is None else mask.relation,
            replace(facts, override=selection.key(relation.schema, relation.table)),
            types,
            topic,
            mirror=self._settings.compat == "debezium",
            form=self._settings.form,
        )
        if same is not None and same.plan.schemas == plan.schemas:
            return same
        shape = self._shape(plan.relation)
        frames = self.topics.bind(topic, plan.key_schema, plan.value_schema, shape)
        renders = renderers(relation, types, self._catalog.text_of)
        table = Table(plan, name, *frames, mask, shape, renders)
        encoder = encoder_of(
            table,
            types,
            tombstones=self._settings.form.tombstones,
            counted=self._settings.names_transactions,
        )
        table = replace(table, encoder=encoder)
        self._by_oid[relation.oid] = table
        return table

    def _types(self) -> Mapping[int, TypeFacts]:
        types = self._catalog.types()
        return self._frozen.of(types) if self._settings.compat else types

    def renewed(self, table: Table) -> Table:
        """The table as the catalogue has it now; the same if that makes no difference.

        Raises:
            Transient: Catalogue, broker or registry are not available.
        """
        return self.learn(table.relation, refresh=True)

    def refilled(self, table: Table, cells: Cells) -> Cells:
        """A row under a new key, with the large values that it took along unchanged.

        Raises:
            Transient: The connection broke.
        """
        return refilled(self._catalog, table.relation, cells)

    def _shape(self, relation: Relation) -> TableShape:
        oids = [column.oid for column in relation.columns]
        typmods = [column.typmod for column in relation.columns]
        types = [row["name"] for row in self._catalog.rows(_TYPE_NAMES, oids, typmods)]
        columns = tuple(
            ShapeColumn(column.name, name, column.oid, column.typmod, column.flagged)
            for column, name in zip(relation.columns, types, strict=True)
        )
        return TableShape(f"{relation.schema}.{relation.table}", relation.identity, columns)

    def table(self, oid: int) -> Table:
        """The table of a relation that the log has described.

        Raises:
            Misconfigured: The log names a relation that it never described.
        """
        try:
            return self._by_oid[oid]
        except KeyError:
            raise Misconfigured(
                f"Source {self._settings.source}: the log names relation {oid} without describing "
                "it first",
                code="unknown_relation",
                kept="nothing behind the stored position was confirmed",
                advice="restart the source; if it repeats, report the server's version",
            ) from None

    def _topic(self, relation: Relation) -> str:
        name = f"{relation.schema}.{relation.table}"
        topic = f"{self._settings.name}.{topic_part(relation.schema)}.{topic_part(relation.table)}"
        owner = self._owner.setdefault(topic, name)
        if owner != name:
            raise Misconfigured(
                f"Tables {owner} and {name} would both be written to topic {topic}",
                code="name_collision",
                advice="publish only one of them, or rename one",
            )
        return topic
