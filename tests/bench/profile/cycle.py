"""Run one worker under the sampler and tell where its time goes."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.bench.measure.watch import Watch, ended
from tests.bench.measure.window import Run
from tests.bench.profile import layers

if TYPE_CHECKING:
    from tests.bench.ours import Ours

LIMIT_S = 600.0


@dataclass(frozen=True)
class Profile:
    """What was found in one run.

    Attributes:
        run: The run's figures; the sampler costs a few per cent of them.
        samples: CPU nanoseconds by thread and stack.
    """

    run: Run
    samples: list[layers.Sample]

    def per_record(self, ns: float) -> float:
        """Microseconds per record."""
        return ns / self.run.total / 1_000

    @property
    def by_layer(self) -> dict[str, float]:
        """Microseconds per record by layer, the dearest first; native threads beside them."""
        found = {k: self.per_record(ns) for k, ns in layers.by_layer(self.samples).items()}
        for name, seconds in self.run.threads.items():
            if name.startswith(("rdk:", "rocksdb")):
                found[f"native threads {name}"] = seconds * 1e6 / self.run.total
        return dict(sorted(found.items(), key=lambda each: -each[1]))


def profiled(ours: Ours) -> Profile:
    """Run one worker over an input that is there, under the sampler, without a supervisor."""
    ours.prepare()
    place = ours.folder / "samples.json"
    watch = Watch(ours.ground, ours.input, ours.full_group)
    began = time.monotonic()
    argv = [ours.python, "-m", "tests.bench.profile.sampled", ours.app, str(place)]
    worker = ours.started(argv, "0", LOTGATE_WATCHDOG_S="0")
    try:
        run = watch.follow([worker], began, LIMIT_S)
    finally:
        ended([worker])
    return Profile(run, layers.read(place))


def told(profile: Profile, most: int) -> str:
    """Layers and functions for a terminal."""
    threads: Counter[str] = Counter()
    for name, _, ns in profile.samples:
        threads[name] += ns
    lines = ["us per record by layer:"]
    lines += [f"  {us:7.2f}  {name}" for name, us in profile.by_layer.items() if us > 0.005]
    lines += ["by Python thread:"]
    lines += [f"  {profile.per_record(ns):7.2f}  {name}" for name, ns in threads.most_common(5)]
    own, whole = layers.by_function(profile.samples)
    for title, found in (("itself", own), ("with what it calls", whole)):
        lines += [f"by function, {title}:"]
        lines += [
            f"  {profile.per_record(ns):7.2f}  {name}" for name, ns in found.most_common(most)
        ]
    return "\n".join(lines)
