"""Give a draft its envelope, version and id, unless it says nothing new."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from streams.model.envelope import Envelope, Source, Transform
from streams.model.ids import derived_id
from streams.model.translation import Draft, Fact, TranslateEntry, Translator

if TYPE_CHECKING:
    from streams.model.rows import SourceTransaction
    from streams.rules.translation.rows import StoredRows


def stamp(
    rows: StoredRows, origin: SourceTransaction, translator: Translator, draft: Draft
) -> Fact | None:
    """Turn a draft into a fact.

    The id is derived from server, commit position, type and subject, so a second run over the same
    log gives the same ids. Versions are counted per subject, because these sources have none.

    Returns:
        The fact, or None if it matters no more than what was last said of its subject.
    """
    address = ("subject", draft.event_type, *draft.identity)
    head = rows.entry(*address) or TranslateEntry()
    digest = derived_id(*draft.matters)
    if head.digest == digest and not draft.always:
        return None
    version = head.count + 1
    parts: tuple[str | int, ...] = (
        origin.system_id,
        origin.commit_lsn,
        draft.event_type,
        *draft.identity,
    )
    if (head.system_id, head.commit_lsn) == (origin.system_id, origin.commit_lsn):
        # A late chunk added to what the same transaction already said.
        parts = (*parts, version)
    rows.put(
        TranslateEntry(
            system_id=origin.system_id, commit_lsn=origin.commit_lsn, count=version, digest=digest
        ),
        *address,
    )
    return replace(draft.fact, envelope=_envelope(origin, translator, draft, version, parts))


def _envelope(
    origin: SourceTransaction,
    translator: Translator,
    draft: Draft,
    version: int,
    parts: tuple[str | int, ...],
) -> Envelope:
    event_id = derived_id(*parts)
    row = draft.completed_by
    return Envelope(
        event_id=event_id,
        event_type=draft.event_type,
        subject_id=draft.subject_id,
        subject_version=version,
        site_id=origin.site,
        occurred_at=draft.occurred_at or origin.committed_at,
        recorded_at=origin.committed_at,
        ingested_at=origin.ingested_at,
        source=Source(
            system=origin.source,
            database=origin.database,
            schema=row.schema,
            table=row.table,
            tx_id=origin.tx_id,
            commit_lsn=origin.commit_lsn,
            ordinal=row.ordinal,
            op=row.op,
            connector_version=origin.connector_version,
        ),
        actor=draft.actor,
        correlation_id=event_id,
        transform=(Transform(translator.name, translator.version),),
        signature_ids=draft.signature_ids,
    )
