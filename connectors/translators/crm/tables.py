"""What is read of a CRM's or ERP's tables: specifications by customer and item, with limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.model.facts import SpecState
from streams.model.translation import Table

if TYPE_CHECKING:
    from collections.abc import Mapping

SPEC = "customer_spec"
LIMIT = "customer_spec_limit"

TABLES: Mapping[str, Table] = {
    SPEC: Table(
        (
            "id",
            "customer_code",
            "product_code",
            "revision",
            "state",
            "sampling_plan",
            "effective_from",
            "effective_to",
        )
    ),
    LIMIT: Table(
        ("id", "spec_id", "characteristic", "lower_limit", "upper_limit", "unit"), ("spec_id",)
    ),
}
"""Tables and columns to publish."""

STATES = {
    "draft": SpecState.DRAFT,
    "proposed": SpecState.DRAFT,
    "approved": SpecState.APPROVED,
    "released": SpecState.APPROVED,
    "active": SpecState.APPROVED,
    "withdrawn": SpecState.WITHDRAWN,
    "cancelled": SpecState.WITHDRAWN,
    "obsolete": SpecState.WITHDRAWN,
}
"""States of the record, in lower case. One that was superseded says so by its end of effect."""
