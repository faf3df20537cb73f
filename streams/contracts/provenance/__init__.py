"""Where a record comes from: the chain of steps in its headers, and the gate that asks for it."""

from __future__ import annotations

from streams.contracts.provenance.chain import HEADER, Hop, appended, begun, read, step
from streams.contracts.provenance.gate import Gate

__all__ = ["HEADER", "Gate", "Hop", "appended", "begun", "read", "step"]
