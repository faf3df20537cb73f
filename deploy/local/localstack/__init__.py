"""The local stack of Lotgate: real parts as plain processes, no containers.

`Stack` starts a broker, a schema registry, a database server and an ERP under one directory,
finds them again later, and ends only what it started. `Plant` works in the ERP as its users would.
"""

from __future__ import annotations

from localstack.addresses import Addresses, PartStatus
from localstack.errors import (
    DownloadFailed,
    MissingRequirement,
    PartDidNotStart,
    PlantRefused,
    StackError,
)
from localstack.progress import BarReport, PlainReport, Report, report_for_terminal
from localstack.stack import PARTS, Stack

__all__ = [
    "PARTS",
    "Addresses",
    "BarReport",
    "DownloadFailed",
    "MissingRequirement",
    "PartDidNotStart",
    "PartStatus",
    "PlainReport",
    "PlantRefused",
    "Report",
    "Stack",
    "StackError",
    "report_for_terminal",
]
