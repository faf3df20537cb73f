"""`lotgate flows` and `lotgate interfaces`: the flows of data, as written and as found live."""

from streams.operator.flows.interfaces import interfaces
from streams.operator.flows.register import flows

__all__ = ["flows", "interfaces"]
