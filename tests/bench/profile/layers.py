"""Samples by layer and by function."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Final

from tests.bench import ROOT

if TYPE_CHECKING:
    from pathlib import Path

Sample = tuple[str, tuple[str, ...], int]

LAYERS: Final = (
    ("<generated", "codec: generated readers and writers"),
    ("streams/contracts", "codec: frames and limits"),
    ("examples/", "rule"),
    ("tests/bench/envelope_job", "rule"),
    ("streams/model", "model"),
    ("streams/engine/cycle/membership", "poll and group by partition"),
    ("streams/engine/kafka/transaction", "produce, flush, offsets, commit"),
    ("streams/engine/kafka", "other calls of the client"),
    ("streams/engine/state", "store"),
    ("streams/engine/timers", "timers"),
    ("streams/engine/poison", "dead letters and fuse"),
    ("streams/engine/cycle", "cycle: staging, effects, changelog"),
    ("streams/engine/plugin", "Faust plug-in"),
    ("streams/engine", "engine, other"),
    ("streams/", "product, other"),
    ("/faust/", "Faust"),
    ("/mode/", "Faust"),
    ("/asyncio/", "event loop"),
)
"""The innermost frame that one of these marks is found in names the layer; the first mark wins."""
OTHER: Final = "interpreter and libraries"


def read(place: Path) -> list[Sample]:
    """What `sampled` wrote."""
    told = json.loads(place.read_text(encoding="utf-8"))
    return [(name, tuple(stack), ns) for name, stack, ns in told]


def layer_of(stack: tuple[str, ...]) -> str:
    """The layer that a stack's time belongs to."""
    for frame in stack:
        for mark, layer in LAYERS:
            if mark in frame:
                return layer
    return OTHER


def by_layer(samples: list[Sample]) -> Counter[str]:
    """Nanoseconds by layer."""
    found: Counter[str] = Counter()
    for _, stack, ns in samples:
        found[layer_of(stack)] += ns
    return found


def by_function(samples: list[Sample]) -> tuple[Counter[str], Counter[str]]:
    """Nanoseconds by function: its own, and with what it called."""
    own: Counter[str] = Counter()
    whole: Counter[str] = Counter()
    for _, stack, ns in samples:
        if stack:
            own[short(stack[0])] += ns
        for frame in {*map(short, stack)}:
            whole[frame] += ns
    return own, whole


def short(frame: str) -> str:
    """A frame without the path to the checkout or to the library."""
    for mark in (f"{ROOT}/", "site-packages/", "lib/python"):
        head, found, tail = frame.partition(mark)
        if found:
            return tail
        frame = head
    return frame
