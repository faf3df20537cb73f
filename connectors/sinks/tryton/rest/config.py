"""What the sink must know of one Tryton installation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class TrytonConfig:
    """One Tryton database and how far the sink may go in it.

    Attributes:
        url: Address of the server with the database, e.g. `https://erp.example.org/plant`.
        key_file: File with the REST key (a user application of kind `rest`); it is read again
            when the server refuses it, so that a key can be changed while the sink runs.
        key: The key itself, where there is no file.
        company: Id of the company whose stock is meant.
        target: The name commands use for this system.
        quarantine: Code of the quarantine location. It must lie outside every warehouse.
        cancel_shipments: Cancel customer shipments that are picked or packed. Off by default:
            stopping a delivery is a person's decision, so it is reported as in flight instead.
        rounds: How often the goods are looked at and moved again before the read-back says what
            is left; more than one only matters while people work on the same lot.
        timeout_s: Seconds to wait for an answer. Tryton waits for row locks without limit
            unless the database has a `lock_timeout`, so keep this above that.
        connect_timeout_s: Seconds to wait for a connection.
    """

    url: str
    key_file: Path | None = None
    key: str = field(default="", repr=False)
    company: int = 1
    target: str = "erp"
    quarantine: str = "QUA"
    cancel_shipments: bool = False
    rounds: int = 3
    timeout_s: float = 30.0
    connect_timeout_s: float = 5.0
