"""Where the parts answer and how they are, as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Addresses:
    """Where the parts answer. Passwords and keys stand in files, never in an address.

    Attributes:
        bootstrap: The broker.
        registry_url: Root of the registry's Confluent-compatible API.
        evidence_dsn: Evidence database, as its owner.
        qms_dsn: QMS database as `qms_cdc`: may replicate and read the published tables.
        qms_app_dsn: QMS database as the QMS itself.
        erp_dsn: ERP database as `erp_cdc`: may replicate and read the published tables.
        erp_owner_dsn: ERP database as the ERP itself: for looking into its tables.
        admin_dsn: The server as administrator, for tests that make databases of their own.
        erp_url: Root of the ERP's web server.
        erp_database: The ERP's database name, the first part of its paths.
        holdbot_key_file: REST key of the user that places holds.
        shipper_key_file: REST key of the colleague who ships.
    """

    bootstrap: str
    registry_url: str
    evidence_dsn: str
    qms_dsn: str
    qms_app_dsn: str
    erp_dsn: str
    erp_owner_dsn: str
    admin_dsn: str
    erp_url: str
    erp_database: str
    holdbot_key_file: Path
    shipper_key_file: Path


@dataclass(frozen=True)
class PartStatus:
    """How one process of the stack is.

    Attributes:
        name: Part or worker.
        pid: Its process number, None if it does not run.
        log: Where its output goes.
        state: `running`, `ended` (it was started and has gone) or `stopped`.
    """

    name: str
    pid: int | None
    log: Path
    state: str
