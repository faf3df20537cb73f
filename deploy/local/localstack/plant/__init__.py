"""The demo plant in the ERP: built and worked in through its API, as its users would."""

from __future__ import annotations

from localstack.plant.plant import Plant

__all__ = ["Plant"]
