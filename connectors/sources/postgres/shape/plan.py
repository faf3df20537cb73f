"""A table's plan: how its rows become bytes, worked out once per relation."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from connectors.sources.encoding import primitives as avro
from connectors.sources.postgres.log.pgoutput import UNCHANGED
from connectors.sources.postgres.shape import envelope
from connectors.sources.postgres.shape.columns import Column, Row, member, named_once, planned
from connectors.sources.postgres.shape.dialect.defaults import schema_default
from connectors.sources.postgres.shape.identity import key_columns
from connectors.sources.postgres.shape.temporal import NoWireForm
from connectors.sources.postgres.shape.types import DEFAULT_FORM, TypeFacts, wire_type
from streams.errors import Misconfigured, Poison

if TYPE_CHECKING:
    from collections.abc import Mapping

    from connectors.sources.postgres.form import RecordForm
    from connectors.sources.postgres.log.pgoutput import Cells, Relation, RelationColumn

_DATA_FAULTS = (ValueError, OverflowError, IndexError, KeyError, struct.error)


@dataclass(frozen=True, slots=True)
class TableFacts:
    """What the catalogue says about a published table beyond what the log says.

    Attributes:
        primary_key: Columns of the primary key.
        key_order: Place of each of them in the key.
        not_null: Columns that are declared not null.
        defaults: Defaults of columns as SQL.
        columns: Columns of the table, published or not.
        override: Columns of the key that the operator chose instead; empty for the table's own.
    """

    primary_key: frozenset[str] = frozenset()
    key_order: Mapping[str, int] = field(default_factory=dict)
    not_null: frozenset[str] = frozenset()
    defaults: Mapping[str, str] = field(default_factory=dict)
    columns: frozenset[str] = frozenset()
    override: tuple[str, ...] = ()


class TablePlan:
    """How one table's rows are encoded.

    Args:
        relation: The table as the log describes it.
        facts: What the catalogue adds.
        types: Types that are not built in.
        topic: The raw topic.
        mirror: Do exactly as Debezium (nullability, placeholders, defaults, no fields of ours).
        form: The modes of the source.

    Raises:
        Misconfigured: Two columns have one Avro name.
    """

    def __init__(
        self,
        relation: Relation,
        facts: TableFacts,
        types: Mapping[int, TypeFacts],
        topic: str,
        *,
        mirror: bool = False,
        form: RecordForm = DEFAULT_FORM,
    ) -> None:
        self.relation = relation
        self.topic = topic
        self.mirror = mirror
        self._named = form.value_format == "json"
        keys = key_columns(relation, facts, mirror=mirror)
        # Outside mirror mode all but the key may be null, so that adding or dropping a column
        # is always a compatible change of the schema.
        required = keys | facts.not_null if mirror else keys
        self._columns = tuple(
            self._planned(column, facts, types, form, nullable=column.name not in required)
            for column in relation.columns
        )
        self._labels = tuple(label for column in self._columns for label in column.labels)
        self._refuse_collisions()
        self._key = tuple(
            index
            for index, column in enumerate(self._columns)
            if column.name in keys and not column.left_out
        )
        if mirror:
            order = facts.key_order
            self._key = tuple(
                sorted(self._key, key=lambda index: order.get(self._columns[index].name, index))
            )
        self.table_bytes = avro.string(relation.schema) + avro.string(relation.table)

    def _planned(
        self,
        column: RelationColumn,
        facts: TableFacts,
        types: Mapping[int, TypeFacts],
        form: RecordForm,
        *,
        nullable: bool,
    ) -> Column:
        wire = wire_type(column.oid, column.typmod, types, mirror=self.mirror, form=form)
        if not self.mirror:
            return planned(column.name, wire, nullable=nullable, mirror=None)
        made = types.get(column.oid)
        kind = "" if made is None else made.kind
        default = schema_default(facts.defaults.get(column.name), column.oid, kind, wire)
        return planned(column.name, wire, nullable=nullable, mirror=form, default=default)

    @property
    def key_schema(self) -> dict[str, Any] | None:
        """Schema of the raw topic's keys; None for a table without a key."""
        if not self._key:
            return None
        columns = [replace(self._columns[index], nullable=False) for index in self._key]
        fields = [member(column, named=self._named) for column in columns]
        return envelope.key_schema(self.topic, named_once(fields))

    @property
    def value_schema(self) -> dict[str, Any]:
        """Schema of the raw topic's values."""
        columns = [column for column in self._columns if not column.left_out]
        fields = [member(column, named=self._named) for column in columns]
        return envelope.value_schema(self.topic, named_once(fields), mirror=self.mirror)

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns' plans, in the relation's order."""
        return self._columns

    def outdated(self) -> bool:
        """Whether a row since the last call held an enum's label that the schema does not list."""
        missed = [label for label in self._labels if label.missed]
        for label in missed:
            label.missed = False
        return bool(missed)

    @property
    def schemas(self) -> tuple[dict[str, Any] | None, dict[str, Any]]:
        """Schemas of keys and values."""
        return self.key_schema, self.value_schema

    @property
    def key_indexes(self) -> tuple[int, ...]:
        """Places of the key's columns."""
        return self._key

    def key(self, cells: Cells) -> tuple[bytes | None, bytes]:
        """Encode a row's key.

        Returns:
            The Avro body (None without a key) and the map of the transaction record.

        Raises:
            Poison: A key value cannot be encoded.
        """
        if not self._key:
            return None, avro.NULL
        bodies, entries = [], []
        for index in self._key:
            column, raw = self._columns[index], cells[index]
            if raw is None:
                bodies.append(column.zero)
                entries.append(column.cell_nothing)
                continue
            body = self._encode(column, raw)
            bodies.append(body)
            entries.append(column.cell_some + (body if column.cell_body else avro.raw(raw)))
        return b"".join(bodies), avro.array(entries)

    def row(self, cells: Cells) -> Row:
        """Encode a row.

        Raises:
            Poison: A value cannot be encoded; names the column.
        """
        values: list[bytes] = []
        entries: list[bytes] = []
        row = Row(b"", entries, [], {})
        if len(cells) != len(self._columns):
            raise self._poison("?", f"{len(cells)} values for {len(self._columns)} columns")
        for column, raw in zip(self._columns, cells, strict=True):
            if raw is None:
                values.append(column.nothing)
                entries.append(column.cell_nothing)
            elif raw is UNCHANGED:
                values.append(column.unchanged)
                row.absent.append(column.name)
            else:
                try:
                    body = column.encode(raw)
                except NoWireForm:
                    values.append(self._formless(column, raw, row))
                    continue
                except _DATA_FAULTS as error:
                    raise self._poison(column.name, str(error)) from error
                values.append(column.some + body)
                entries.append(column.cell_some + (body if column.cell_body else avro.raw(raw)))
        row.value = b"".join(values)
        return row

    def _formless(self, column: Column, raw: bytes, row: Row) -> bytes:
        """Send null on the raw topic, and the text beside the row."""
        if not column.nullable and not self.mirror:
            raise self._poison(column.name, f"{raw[:80]!r} has no form in a key")
        row.cells.append(column.cell_some + avro.raw(raw))
        row.texts[column.name] = raw
        return column.nothing

    def _encode(self, column: Column, raw: bytes) -> bytes:
        try:
            return column.encode(raw)
        except _DATA_FAULTS as error:
            raise self._poison(column.name, str(error)) from error

    def _poison(self, column: str, cause: str) -> Poison:
        return Poison(
            f"Column {column} of {self.relation.schema}.{self.relation.table} "
            f"cannot be encoded: {cause}",
            code="undecodable_row",
            kept="the row's bytes and position are in the dead letter; other rows flow on",
            advice="correct the value in the source, or report the type with these bytes",
        )

    def _refuse_collisions(self) -> None:
        seen: dict[str, str] = {}
        for column in self._columns:
            if column.left_out:
                continue
            other = seen.setdefault(column.field, column.name)
            if other != column.name:
                raise Misconfigured(
                    f"Columns {other!r} and {column.name!r} of {self.relation.schema}."
                    f"{self.relation.table} both become the field {column.field!r}",
                    code="name_collision",
                    advice="publish only one of them: ALTER PUBLICATION … SET TABLE … (columns)",
                )
