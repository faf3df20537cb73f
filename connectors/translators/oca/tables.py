"""What is read of the QMS's tables: OCA's management system, with lots and signatures beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.model.facts import NonconformityState, Severity
from streams.model.translation import Table

if TYPE_CHECKING:
    from collections.abc import Mapping

RECORD = "mgmtsystem_nonconformity"
STAGE = "mgmtsystem_nonconformity_stage"
SEVERITY = "mgmtsystem_nonconformity_severity"
LOT = "nc_lot"
SIGNATURE = "e_signature"

TABLES: Mapping[str, Table] = {
    RECORD: Table(
        (
            "id",
            "ref",
            "description",
            "stage_id",
            "severity_id",
            "closing_date",
            "create_uid",
            "write_uid",
        )
    ),
    STAGE: Table(("id", "name", "state")),
    SEVERITY: Table(("id", "name")),
    LOT: Table(("id", "nonconformity_id", "product_code", "lot_number"), ("nonconformity_id",)),
    SIGNATURE: Table(
        ("id", "nonconformity_id", "signer_login", "signer_name", "meaning", "signed_at"),
        ("nonconformity_id",),
    ),
    "res_users": Table(("id", "login", "name")),
}
"""Tables and columns to publish."""

STATES = {
    "draft": NonconformityState.DRAFT,
    "analysis": NonconformityState.OPEN,
    "pending": NonconformityState.OPEN,
    "open": NonconformityState.OPEN,
    "done": NonconformityState.CLOSED,
    "cancel": NonconformityState.CANCELLED,
}

SEVERITIES = {item.value: item for item in Severity}

ENDED = frozenset({NonconformityState.CLOSED, NonconformityState.CANCELLED})

APPROVING = frozenset(
    {
        "approval",
        "approved",
        "closure approved",
        "closure approval",
        "approval of closure",
        "approved for closure",
    }
)
"""Meanings by which a signature approves the end of a record (compared in lower case, with `_` and
`-` as blanks). Authorship, review, or the approval of something else do not."""

APPROVING_CANCELLATION = frozenset(
    {"cancellation approved", "cancellation approval", "approval of cancellation"}
)
"""The same for a cancelled record, besides `APPROVING`."""
