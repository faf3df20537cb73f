"""The statements that fill the tables, each safe to repeat. Parameters are named as the columns."""

from __future__ import annotations

from typing import Final

_EVENT = (
    "event_id, topic, kind, event_type, subject_id, subject_version, record_key, lots, partition,"
    " record_offset, kafka_timestamp, site_id, source_system, source_database, source_schema,"
    " source_table, source_tx_id, source_lsn, source_ordinal, source_op, occurred_at, recorded_at,"
    " ingested_at, correlation_id, causation_id, trace_id, actor, actor_name, actor_role,"
    " synthetic, schema_id, raw_sha256, body"
)
_DEAD_LETTER = (
    "topic, partition, record_offset, origin, original_topic, original_partition, original_offset,"
    " consumer_group, stage, error_class, code, message, record_key, record_value, raw_sha256,"
    " headers, kafka_timestamp"
)


def _values(columns: str) -> str:
    return ", ".join(f"%({name})s" for name in columns.split(", "))


STORE_EVENT: Final = f"""
with stored as (
    insert into evidence.events ({_EVENT}) values ({_values(_EVENT)})
    on conflict (event_id, topic) do nothing returning 1
)
insert into evidence.duplicates
    (topic, partition, record_offset, event_id, kafka_timestamp, raw_sha256)
select %(topic)s, %(partition)s, %(record_offset)s, %(event_id)s, %(kafka_timestamp)s::timestamptz,
    %(raw_sha256)s
where not exists (select from stored) and not exists (
    select from evidence.events where event_id = %(event_id)s and topic = %(topic)s
        and partition = %(partition)s and record_offset = %(record_offset)s)
on conflict do nothing
"""  # noqa: S608 - the columns are the constants above
"""A second delivery of an event is written down; a second reading of one record is not one."""

STORE_LOT: Final = """
insert into evidence.lots (lot_id, site, material, number)
values (%(lot_id)s, %(site)s, %(material)s, %(number)s)
on conflict do nothing
"""

STORE_DEAD_LETTER: Final = f"""
insert into evidence.dead_letters ({_DEAD_LETTER})
values ({_values(_DEAD_LETTER)})
on conflict do nothing
"""  # noqa: S608 - the columns are the constants above

ADVANCE: Final = """
insert into evidence.offsets as known (consumer_group, topic, partition, next_offset)
values (%(group)s, %(topic)s, %(partition)s, %(next)s)
on conflict (consumer_group, topic, partition)
do update set next_offset = excluded.next_offset, updated_at = clock_timestamp()
where known.next_offset = %(expected)s
"""
"""Changes one row, or none when another writer has moved the position since."""
