"""The disk and the table of one store partition, and what a job may declare."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.contracts.codec import Form
from streams.engine import Store, Topic, Verdict, faults
from streams.engine.cycle.demands import refuse_shared_inputs
from streams.engine.cycle.effects import Effects, Undeclared
from streams.engine.declare import Stage
from streams.engine.exit_codes import MEANING, ExitCode
from streams.engine.poison.stored import StoredRecord
from streams.engine.state.disk import Checkpoint, Disk
from streams.engine.state.keys import user_key
from streams.engine.state.table import StateUnreadable, Table
from streams.errors import Misconfigured, Poison

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

pytestmark = pytest.mark.urs("M4.4")

AT = Checkpoint(5, "id", 1)


@dataclass(frozen=True)
class Number:
    value: int


class Decimals:
    """Numbers as text: an encoding small enough to see through."""

    def prepare(self, topics: Iterable[Topic[Any]]) -> None: ...

    def form(self, topic: Topic[Any]) -> Form:
        return Form(topic.name, 1, "0")

    def encode(self, topic: Topic[Any], event: Number) -> bytes:  # noqa: ARG002 - the protocol's
        if event.value < 0:
            raise Poison("negative", code="bad_value")
        return str(event.value).encode()

    def encoder(self, topic: Topic[Any]) -> Callable[[Number], bytes]:
        return partial(self.encode, topic)

    def readers(self, topic: Topic[Any]) -> dict[bytes, Callable[[bytes], Number]]:  # noqa: ARG002
        return {}

    def decode(self, topic: Topic[Any], payload: bytes) -> Number:  # noqa: ARG002 - the protocol's
        return Number(int(payload))


NUMBERS = Topic("numbers", Number, {}, lambda event: str(event.value))
STORE = Store("numbers", Number, {}, cache=8)


def test_a_disk_keeps_batch_and_checkpoint_together(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "d")
    assert disk.checkpoint is None
    assert disk.is_empty()
    disk.write({b"a": b"1", b"\0\1open1": b"x", user_key(b"\0\1open1"): b"mine"}, AT)
    disk.write({b"a": None, b"b": b"2"}, Checkpoint(9, "id", 2))
    disk.close()
    again = Disk(tmp_path / "d")
    assert again.checkpoint == Checkpoint(9, "id", 2)
    assert (again.get(b"a"), again.get(b"b")) == (None, b"2")
    assert list(again.engine_records()) == [(b"\0\1open1", b"x")]
    again.wipe()
    assert again.is_empty()
    again.close()
    assert Disk(tmp_path / "d").checkpoint is None


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from("abcdefghijkl"), st.none() | st.integers(0, 9), st.booleans()),
        max_size=60,
    )
)
def test_a_table_reads_what_was_written_whatever_the_cache_dropped(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int | None, bool]]
) -> None:
    disk = Disk(tmp_path_factory.mktemp("table") / "d")
    table: Table[Number] = Table(STORE, Decimals(), disk)
    expected: dict[str, int | None] = {}
    staged: dict[bytes, bytes | None] = {}
    for key, value, commits in steps:
        state = None if value is None else Number(value)
        table.stage(key.encode(), state)
        staged[key.encode()] = None if state is None else table.encode(state)
        expected[key] = value
        if commits:
            disk.write(staged, AT)
            staged = {}
            table.committed()
        for known, number in expected.items():
            found = table.load(known.encode())
            assert (found.value if found else None) == number
    disk.close()


def test_a_rule_sees_its_own_writes_and_a_failed_one_leaves_none(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "d")
    table: Table[Number] = Table(STORE, Decimals(), disk)
    table.put("a", Number(1))
    assert table.get("a") == Number(1)
    assert table.written() == {b"a": b"1"}
    table.discard()
    assert table.get("a") is None
    table.put("a", Number(2))
    table.keep()
    table.delete("a")
    assert table.get("a") is None
    table.discard()
    assert table.get("a") == Number(2)
    disk.close()


def test_state_that_this_build_cannot_read_is_no_fault_of_the_record(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "d")
    disk.write({b"a": b"newer"}, AT)
    table: Table[Number] = Table(STORE, Decimals(), disk)
    with pytest.raises(StateUnreadable, match="cannot be read by this build"):
        table.load(b"a")
    disk.close()


def stage(name: str, topic: Topic[Any], store: Store[Any] | None = None) -> Stage:
    return Stage(name, topic, lambda state, _event: Verdict(state), store, (NUMBERS,))


def test_a_store_with_two_inputs_is_refused() -> None:
    other = Topic("others", Number, {}, lambda event: str(event.value))
    with pytest.raises(Misconfigured, match="has two inputs") as refused:
        refuse_shared_inputs([stage("a", NUMBERS, STORE), stage("b", other, STORE)])
    assert refused.value.code == "store_with_two_inputs"
    with pytest.raises(Misconfigured, match="both read numbers"):
        refuse_shared_inputs([stage("a", NUMBERS), stage("b", NUMBERS)])
    refuse_shared_inputs([stage("a", NUMBERS, STORE), stage("b", other)])


def test_outputs_go_by_type_and_an_undeclared_one_stops_the_process() -> None:
    effects = Effects(stage("a", NUMBERS), Decimals(), {"numbers": "x.numbers"}, 200, "1")
    source = StoredRecord(1, b"k", b"v", (("traceparent", b"00-1"), ("other", b"2")))
    outputs, rejected = effects.outputs((Number(7), Poison("part", code="bad_row")), source)
    assert outputs == [("x.numbers", b"7", b"7", [("traceparent", b"00-1")])]
    assert [each.code for each in rejected] == ["bad_row"]
    with pytest.raises(Undeclared, match="emitted a str"):
        effects.outputs(("text",), source)
    with pytest.raises(Poison, match="the limit is 200") as large:
        effects.outputs((Number(10**100),), source)
    assert large.value.code == "record_too_large"


def test_every_exit_code_says_what_it_means() -> None:
    assert set(MEANING) == set(ExitCode)
    assert all(10 <= code <= 19 for code in ExitCode)


@pytest.mark.parametrize("setting", ["after_poll:0", "after_poll:x"])
def test_a_fault_point_that_is_no_number_is_refused(setting: str) -> None:
    with pytest.raises(Misconfigured, match="number from 1"):
        faults.arm(setting)


def test_points_that_are_not_armed_are_free() -> None:
    faults.arm("elsewhere")
    for point in faults.ENGINE_POINTS:
        faults.reach(point)
    faults.arm("")
    faults.reach("")
