"""Checks of the operator's selection against the published tables, and of names and types."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.sources.postgres.checks.finding import Finding, error, warning
from connectors.sources.postgres.checks.publication import required
from connectors.sources.postgres.names import qualified, quoted
from connectors.sources.postgres.selection import mask_of
from connectors.sources.postgres.shape.envelope import field_name, topic_part
from streams.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from connectors.sources.postgres.database.published import Published
    from connectors.sources.postgres.settings import PostgresSettings
    from connectors.sources.postgres.shape.types import TypeFacts


FIRST_OWN = 16_384
"""The first number of a type that is not the server's own."""


def keys(settings: PostgresSettings, tables: Iterable[Published]) -> list[Finding]:
    """Check that a chosen key is known in every change: published, not null, always logged."""
    findings = []
    for each in tables:
        chosen = settings.selection.key(each.relation.schema, each.relation.table)
        name = qualified(each.name)
        gone = [column for column in chosen if column not in each.columns]
        if gone:
            text = f"The chosen key of {each.name} names {', '.join(gone)}, which is not published"
            findings.append(error("key_column", each.name, text))
            continue
        open_to_null = [column for column in chosen if column not in each.not_null]
        if open_to_null:
            text = f"The chosen key of {each.name} may be null in {', '.join(open_to_null)}"
            sql = " ".join(
                f"ALTER TABLE {name} ALTER COLUMN {quoted(column)} SET NOT NULL;"
                for column in open_to_null
            )
            findings.append(error("key_nullable", each.name, text, sql))
        outside = [column for column in chosen if column not in each.identity]
        if outside and each.identity:
            text = (
                f"The chosen key of {each.name} has {', '.join(outside)}, which the log does not "
                "repeat in deletes, so that their key would be made up"
            )
            sql = f"ALTER TABLE {name} REPLICA IDENTITY FULL;"
            findings.append(error("key_identity", each.name, text, sql))
    return findings


def policy(
    settings: PostgresSettings, tables: Iterable[Published], types: Mapping[int, TypeFacts]
) -> list[Finding]:
    """Check that every rule of the field policy protects a column that there is."""
    selection, findings = settings.selection, []
    # A table that lacks as a whole is told as such, and not column by column.
    wanted = tuple(f"{name}." for name in required(settings))
    told = {rule for rule in selection.fields if rule.startswith(wanted)}
    for each in tables:
        relation = each.relation
        told |= {rule for rule in selection.fields if rule.startswith(f"{each.name}.")}
        gone = [
            column
            for column in _key_of(settings, each)
            if selection.treatment(relation.schema, relation.table, column) == "drop"
        ]
        if gone:
            text = (
                f"The field policy drops {', '.join(gone)}, part of the key of {each.name}; hash it"
            )
            findings.append(error("policy_key", each.name, text))
        try:
            mask_of(selection, relation, types, each.unpublished)
        except Misconfigured as refused:
            text = f"{refused.message}; {refused.advice}"
            findings.append(error("field_policy", each.name, text))
    for name in sorted({*selection.fields} - told - {*selection.later}):
        text = (
            f"The field policy names {name}, which is not published: correct it, write it with a "
            "question mark if it comes later, or remove it"
        )
        findings.append(error("policy_unused", name, text))
    return findings


def _carried(settings: PostgresSettings, each: Published) -> list[str]:
    schema, table = each.relation.schema, each.relation.table
    return [
        column
        for column in each.columns
        if settings.selection.treatment(schema, table, column) != "drop"
    ]


def _key_of(settings: PostgresSettings, each: Published) -> Iterable[str]:
    chosen = settings.selection.key(each.relation.schema, each.relation.table)
    if chosen:
        return chosen
    return () if each.relation.identity == "f" else each.identity


def names(settings: PostgresSettings, tables: Iterable[Published]) -> list[Finding]:
    """Check that no two tables share a topic, and no two columns a field."""
    findings, topics = [], dict[str, str]()
    for each in tables:
        parts = topic_part(each.relation.schema), topic_part(each.relation.table)
        topic = f"{settings.name}.{parts[0]}.{parts[1]}"
        other = topics.setdefault(topic, each.name)
        if other != each.name:
            text = f"Tables {other} and {each.name} would both be written to topic {topic}"
            sql = (
                f"ALTER PUBLICATION {quoted(settings.publication)} DROP TABLE "
                f"{qualified(each.name)};"
            )
            findings.append(error("name_collision", each.name, text, sql))
        fields = dict[str, str]()
        for column in _carried(settings, each):
            twin = fields.setdefault(field_name(column), column)
            if twin != column:
                text = (
                    f"Columns {twin!r} and {column!r} of {each.name} would both become the field "
                    f"{field_name(column)!r}; publish one of them, or drop one in the field policy"
                )
                findings.append(error("name_collision", each.name, text))
    return findings


def unknown_types(tables: Iterable[Published], types: Mapping[int, TypeFacts]) -> list[Finding]:
    """Name the columns whose type an extension brought, and that this source does not know.

    Args:
        tables: The published tables.
        types: Types that are not built in and that this source understands.
    """
    findings = []
    for each in tables:
        strange = [
            column.name
            for column in each.relation.columns
            if column.oid >= FIRST_OWN and column.oid not in types
        ]
        if strange:
            text = f"{', '.join(strange)} of {each.name} have a type of an extension: sent as text"
            findings.append(warning("unknown_type", each.name, text))
    return findings
