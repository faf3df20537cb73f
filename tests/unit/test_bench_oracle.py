"""The bench's arithmetic, its generator and its oracle: what its figures rest on."""

from __future__ import annotations

import os
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.bench import job
from tests.bench.measure import procfs
from tests.bench.measure.figures import middle, percentile, ratio
from tests.bench.measure.latency import event_at, is_probe
from tests.bench.profile.layers import OTHER, layer_of


@settings(deadline=None, max_examples=30)
@given(records=st.integers(0, 3_000), lots=st.integers(1, 200), seed=st.integers(0, 10**6))
def test_the_generator_knows_what_a_replay_of_its_records_gives(
    records: int, lots: int, seed: int
) -> None:
    known = job.Expected()
    wire = job.Wire(job.INSPECTION, 7)
    values = [wire.encode(event) for event in job.inspections(records, lots, known, seed)]
    found = job.replayed(wire.decode(value) for value in values)
    assert found == known


def test_the_input_is_the_reference_jobs() -> None:
    known = job.Expected()
    events = list(job.inspections(40_000, 800, known))
    assert known.records == len(events) == 40_000
    assert known.applied == 40_000 - 40_000 // job.DUPLICATE_EVERY
    assert 0.018 < known.fails / known.applied < 0.022
    assert set(known.holds.values()) == {1}
    assert len({event["lot"] for event in events}) == 800
    assert all(len(event) == 12 for event in events)


def test_a_record_has_confluents_frame() -> None:
    value = job.Wire(job.HOLD, 258).encode({"lot": "L", "fails": 2, "source_seq": 9})
    assert value == b"\x00\x00\x00\x01\x02" + b"\x02L\x04\x12"


def test_each_probe_of_the_paced_stream_is_the_second_failure_of_its_lot() -> None:
    known = job.replayed(event_at(seq) for seq in range(1, 9_001))
    assert {seq for _, _, seq in known.holds} == {s for s in range(1, 9_001) if is_probe(s)}
    assert len(known.holds) > 600


def test_percentiles_are_nearest_ranks() -> None:
    sample = [float(n) for n in range(100, 0, -1)]
    assert [percentile(sample, share) for share in (0.5, 0.95, 0.99, 1.0)] == [50, 95, 99, 100]
    assert percentile([3.0], 0.01) == 3.0
    assert percentile([1.0, 2.0, 3.0], 0.5) == 2.0
    with pytest.raises(ValueError, match="no percentile"):
        percentile([], 0.5)
    with pytest.raises(ValueError, match="no percentile"):
        percentile([1.0], 0.0)


def test_medians_and_ratios_of_what_is_there() -> None:
    assert middle([3.0, None, 1.0, 2.0]) == 2.0
    assert middle([]) is None
    assert ratio(12.0, 16.0) == 0.75
    assert ratio(1.0, 3.0) == 0.333
    assert ratio(None, 3.0) is None
    assert ratio(3.0, None) is None
    assert ratio(3.0, 0.0) is None


def test_cpu_and_memory_of_a_process_are_what_the_system_says() -> None:
    began, own = procfs.cpu_s(os.getpid()), time.process_time()
    while time.process_time() < own + 0.2:
        sum(range(1_000))
    used = procfs.cpu_s(os.getpid()) - began
    assert used >= 0.2 - 4 * procfs.TICK_S
    assert os.getpid() in procfs.tree(os.getppid())
    assert procfs.peak_mb(os.getpid()) > 10
    assert sum(procfs.threads(os.getpid()).values()) > 0.1
    assert procfs.stat(procfs.PROC / "0" / "stat") is None


def test_a_stack_belongs_to_the_innermost_layer_that_is_known() -> None:
    engine = "x/streams/engine/cycle/partition.py:Partition.run"
    assert (
        layer_of(("<generated read>:read_record1", engine))
        == "codec: generated readers and writers"
    )
    assert layer_of(("<string>:__init__", "x/examples/lot_hold.py:hold", engine)) == "rule"
    assert layer_of((engine, "x/faust/agents.py:run")) == "cycle: staging, effects, changelog"
    assert layer_of(("x/json/decoder.py:decode",)) == OTHER
