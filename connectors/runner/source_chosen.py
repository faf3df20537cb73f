"""A source's configuration, from what the operator set."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from connectors.runner.source_config import BatchLimits, SourceConfig
from connectors.sources.postgres.form import RecordForm
from connectors.sources.postgres.selection import read_selection
from streams.runtime.connection_string import parts_of
from streams.runtime.settings import secret

if TYPE_CHECKING:
    from connectors.sources.postgres.selection import Selection
    from streams.runtime.settings import SourceSettings


def chosen(settings: SourceSettings, system: str, translator: str, partition: int) -> SourceConfig:
    """What a source is told.

    Args:
        settings: What the operator set.
        system: The foreign system, as it appears in topics and ids.
        translator: The translator of its rows, unless the operator names another.
        partition: Its partition of the positions topic, likewise.

    Raises:
        Misconfigured: The connection string is missing or is none, or the selection is wrong.
    """
    dsn = secret("LOTGATE_SOURCE_DSN", settings.source_dsn, settings.source_dsn_file)
    parts_of(dsn)
    selection = _selection(settings)
    return SourceConfig(
        source=system,
        translator=settings.source_translator or translator,
        site=settings.source_site,
        dsn=dsn,
        slot=settings.source_slot or f"lotgate_{system}",
        publication=settings.source_publication,
        partition=given if (given := settings.source_partition) >= 0 else partition,
        tables=selection.tables,
        selection=selection,
        snapshot=settings.source_snapshot,
        snapshot_workers=settings.source_snapshot_workers,
        provision=settings.provision,
        raw_partitions=settings.source_raw_partitions,
        compat=settings.source_compat,
        form=_form(settings),
        version=version("lotgate"),
        commit_floor_ms=settings.source_commit_floor_ms,
        idle_store_s=settings.source_idle_store_s,
        slot_failover=settings.source_slot_failover,
        slot_wait_s=settings.source_slot_wait_s,
        parked_records=settings.source_parked_records,
        parked_bytes=settings.source_parked_bytes,
        limits=BatchLimits(rows=settings.source_batch_rows, seconds=settings.source_batch_s),
    )


def _form(settings: SourceSettings) -> RecordForm:
    return RecordForm(
        value_format=settings.source_value_format,
        json_schemas=settings.source_json_schemas,
        transaction_metadata=settings.source_transaction_metadata,
        messages=settings.source_messages,
        heartbeat_s=settings.source_heartbeat_s,
        tombstones=settings.source_tombstones,
        decimal_mode=settings.source_decimal_mode,
        time_mode=settings.source_time_mode,
        interval_mode=settings.source_interval_mode,
        binary_mode=settings.source_binary_mode,
    )


def _selection(settings: SourceSettings) -> Selection:
    """Tables, keys and field policy, with the key of the hash."""
    given, file = settings.source_selection, settings.source_selection_file
    text = given if file is None else secret("LOTGATE_SOURCE_SELECTION", None, file)
    key, key_file = settings.source_hash_key, settings.source_hash_key_file
    has_key = key is not None or key_file is not None
    hidden = secret("LOTGATE_SOURCE_HASH_KEY", key, key_file) if has_key else ""
    where = f"LOTGATE_SOURCE_SELECTION{'' if file is None else f'_FILE ({file})'}"
    return read_selection(text, hidden.encode(), where)
