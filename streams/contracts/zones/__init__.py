"""Field policy: which tagged fields a zone may see, and in which form."""

from streams.contracts.zones.document import FILE, Zones, load
from streams.contracts.zones.policy import Policy
from streams.contracts.zones.tags import TaggedField, tagged_fields
from streams.contracts.zones.tokens import Tokens

__all__ = ["FILE", "Policy", "TaggedField", "Tokens", "Zones", "load", "tagged_fields"]
