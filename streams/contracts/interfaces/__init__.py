"""The interfaces file: every flow, how it runs, who wants it; and what is judged by it."""

from streams.contracts.interfaces.document import FILE, Flow, Interfaces, checked, load
from streams.contracts.interfaces.release import Release

__all__ = ["FILE", "Flow", "Interfaces", "Release", "checked", "load"]
