"""Which versions of a schema may meet on one topic, who reads them, and how old ones are read."""

from streams.contracts.evolution.lock import fingerprint, lock_problems
from streams.contracts.evolution.publishing import publish
from streams.contracts.evolution.reading import problems, transitive_problems

__all__ = ["fingerprint", "lock_problems", "problems", "publish", "transitive_problems"]
