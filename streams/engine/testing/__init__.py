"""Test rules without a broker: the engine's own cycle over topics in memory.

`Driver` is what a test uses. What it shows is what production does, because it runs the same
code: a test of the engine's own holds both equal on random histories.
"""

from streams.engine.testing.driver import POINTS, Crashed, Driver

__all__ = ["POINTS", "Crashed", "Driver"]
