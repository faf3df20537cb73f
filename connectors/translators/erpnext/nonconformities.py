"""Nonconformities of ERPNext's quality module.

The standard record names no lot and no severity. A plant that wants its lots held adds the custom
fields `custom_batch_no` (one batch, or several separated by commas or lines) and `custom_severity`.
ERPNext has no signature, so a resolved record ends no hold: it stands as closed without one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from connectors.translators.erpnext.site import Site, optional
from connectors.translators.erpnext.tables import BATCH, NONCONFORMANCE, SEVERITIES, STATES
from connectors.translators.reading import BadRow, Record
from streams.model.facts import Nonconformity, NonconformityState, Severity
from streams.model.ids import UNKNOWN_MATERIAL, lot_id
from streams.model.translation import UNSTAMPED, CoalescedRow, Draft, Rejected

if TYPE_CHECKING:
    from collections.abc import Iterator

NONCONFORMITY = "lotgate.quality.nonconformity"
DESCRIPTION_LIMIT = 4_000
"""Characters of a record's text that travel with it."""
BETWEEN = re.compile(r"[,;\n]")


def nonconformity_drafts(site: Site, key: str, row: CoalescedRow) -> Iterator[Draft | Rejected]:
    """The record at one version; a deleted one counts as cancelled."""
    found = site.keyed(NONCONFORMANCE, key)
    record = Record(NONCONFORMANCE, key, row.image) if found is None else found
    state = NonconformityState.CANCELLED if found is None else _state(record)
    severity = SEVERITIES.get(optional(record, "custom_severity").casefold(), Severity.UNKNOWN)
    details = optional(record, "details")
    subject = optional(record, "subject")
    text = "\n".join(part for part in (subject, details) if part)[:DESCRIPTION_LIMIT]
    fact = Nonconformity(
        UNSTAMPED,
        nc_id=record.text("name"),
        ref=record.text("name"),
        severity=severity,
        state=state,
        lots=tuple(sorted(_lots(site, record))),
        description=text,
    )
    yield Draft(
        fact,
        event_type=NONCONFORMITY,
        subject_id=fact.nc_id,
        identity=(key,),
        completed_by=row,
        matters=(fact.severity, fact.state, fact.description, *fact.lots),
        actor=site.actor(record.cells),
    )


def _lots(site: Site, record: Record) -> set[str]:
    """Lots that a record names. A batch that is not known yet is named by its number alone."""
    lots: set[str] = set()
    for part in BETWEEN.split(optional(record, "custom_batch_no")):
        number = part.strip()
        if not number:
            continue
        batch = site.named(BATCH, number)
        named = batch is not None and bool(batch.text("item"))
        lots.add(
            site.name_of(batch).lot
            if batch is not None and named
            else lot_id(site.origin.site, UNKNOWN_MATERIAL, number)
        )
    return lots


def _state(record: Record) -> NonconformityState:
    status = record.text("status")
    if status not in STATES:
        raise BadRow(
            record,
            "status",
            f"{status!r} is no state of a nonconformity that is known here; known are "
            f"{', '.join(STATES)}",
            code="unknown_state",
            advice="map the state in a newer translator, then save the record again",
        )
    return STATES[status]
