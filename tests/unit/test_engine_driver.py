"""The driver for tests of rules: what users may rely on, and what it refuses."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from streams.engine import FuseLimits, Lotgate, Stage, Store, Topic, Verdict
from streams.engine.cycle.effects import Undeclared
from streams.engine.poison.fuse import FuseTripped
from streams.engine.poison.ledger import Parking, ParkingFull
from streams.engine.state.table import StateUnreadable
from streams.engine.testing import POINTS, Driver
from streams.errors import Misconfigured, Transient

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Step:
    lot: str
    seq: int
    what: str = ""


@dataclass(frozen=True, slots=True)
class Moved:
    lot: str
    seq: int


@dataclass(frozen=True, slots=True)
class Count:
    n: int = 0


@dataclass(frozen=True, slots=True)
class CountAndLast:
    count: int = 0
    last: str = ""


def record(name: str, /, **columns: str) -> dict[str, Any]:
    fields = [{"name": key, "type": kind} for key, kind in columns.items()]
    return {"type": "record", "name": f"test.driver.{name}", "fields": fields}


STEPS = Topic(
    "steps", Step, record("Step", lot="string", seq="long", what="string"), lambda event: event.lot
)
MOVES = Topic(
    "moves", Moved, record("Moved", lot="string", seq="long"), lambda event: f"all-{event.seq % 2}"
)
COUNTS = Store("counts", Count, record("Count", n="long"))
TOTALS = Store("totals", Count, record("Count", n="long"))


def step(state: Count | None, event: Step) -> Verdict[Count]:
    """Count; some steps cannot be taken, and one kind says what the stage does not declare."""
    if event.what == "boom":
        raise ArithmeticError("the rule cannot take this")
    if event.what == "away":
        raise Transient("the world is down", code="away")
    emitted = Count(1) if event.what == "undeclared" else Moved(event.lot, event.seq)
    return Verdict(Count((state or Count()).n + 1), () if event.what == "silent" else (emitted,))


def total(state: Count | None, _event: Moved) -> Verdict[Count]:
    """Count what the other stage emitted, by its own key."""
    return Verdict(Count((state or Count()).n + 1))


FIRST = Stage("step", STEPS, step, COUNTS, (MOVES,))
SECOND = Stage("total", MOVES, total, TOTALS)


def test_what_one_stage_emits_reaches_the_stage_that_reads_it() -> None:
    with Driver([FIRST, SECOND]) as driver:
        driver.send(*(Step("L", seq) for seq in range(5)))
        assert driver.cycle()
        assert driver.states(TOTALS) == {}, "it arrives in a later cycle, as on a broker"
        driver.settle()
        assert driver.state("L", COUNTS) == Count(5)
        assert driver.states(TOTALS) == {"all-0": Count(3), "all-1": Count(2)}
        assert [each.seq for each in driver.emitted(MOVES)] == [0, 1, 2, 3, 4]
        with pytest.raises(Misconfigured, match="name one of counts, totals"):
            driver.state("L")
        with pytest.raises(Misconfigured, match="2 inputs"):
            driver.send_raw(b"L", b"")


def test_nothing_happens_before_a_cycle_and_a_cycle_has_its_limit() -> None:
    with Driver(FIRST, cycle_records=2) as driver:
        driver.send(*(Step("L", seq) for seq in range(5)))
        assert driver.emitted() == []
        assert driver.state("L") is None
        counts = []
        while driver.cycle():
            counts.append(len(driver.emitted(MOVES)))
        assert counts == [2, 4, 5]


def test_an_event_that_no_input_takes_is_refused() -> None:
    other = replace(SECOND, topic=replace(STEPS, name="other"))
    with Driver([FIRST, other]) as driver:
        with pytest.raises(Misconfigured, match="takes a Moved"):
            driver.send(Moved("L", 1))
        with pytest.raises(Misconfigured, match="say topic="):
            driver.send(Step("L", 1))
        driver.send(Step("L", 1), topic=STEPS)
        assert len(driver.records(STEPS)) == 1


def test_stages_that_a_worker_would_refuse_are_refused() -> None:
    with pytest.raises(Misconfigured, match="has two inputs"):
        Driver([FIRST, replace(SECOND, store=COUNTS)])


def test_an_app_is_driven_with_all_its_stages() -> None:
    app = Lotgate("driver-app")
    app.stage(STEPS, store=COUNTS, emits=(MOVES,))(step)
    with Driver(app) as driver:
        driver.send(Step("L", 1))
        driver.settle()
        assert driver.state("L", COUNTS) == Count(1)


def test_a_mistake_of_the_program_ends_the_process_each_time_and_consumes_nothing() -> None:
    with Driver(FIRST) as driver:
        driver.send(Step("L", 1), Step("L", 2, "undeclared"))
        for _ in range(2):
            with pytest.raises(Undeclared, match="emitted a Count"):
                driver.settle()
        assert driver.states() == {}
        assert driver.dead_letters() == []
        repaired = replace(FIRST, rule=lambda state, _event: Verdict(state or Count(7)))
        driver.restart(repaired)
        driver.settle()
        assert driver.state("L") == Count(7)


def test_trouble_outside_is_told_and_the_record_stays() -> None:
    with Driver(FIRST) as driver:
        driver.send(Step("L", 1, "away"))
        for _ in range(2):
            with pytest.raises(Transient, match="the world is down"):
                driver.cycle()
        assert driver.dead_letters() == []
        assert driver.states() == {}


def test_a_tripped_fuse_stays_tripped_until_somebody_acts() -> None:
    with Driver(FIRST, fuse=FuseLimits(run=3), build="1") as driver:
        driver.send(*(Step("L", seq, "boom") for seq in range(3)), Step("L", 9))
        for _ in range(2):
            with pytest.raises(FuseTripped):
                driver.settle()
            driver.restart()
        assert driver.dead_letters() == []
        driver.restart(replace(FIRST, rule=lambda _state, _event: Verdict(Count(1))), build="2")
        driver.settle()
        assert driver.state("L") == Count(1)


def test_a_dead_letter_tells_its_story_and_is_decided_on() -> None:
    with Driver(replace(FIRST, dedupes_by_position=True), build="7") as driver:
        driver.send(Step("L", 1, "boom"), Step("L", 2), Step("M", 1))
        driver.settle()
        (dead,) = driver.dead_letters()
        assert dead.header("lotgate-dlq-build") == b"7"
        assert dead.header("lotgate-dlq-message") == b"the rule cannot take this"
        assert driver.states() == {"M": Count(1)}, "its key waits behind it"
        driver.replay(dead, event=Step("L", 1), actor="quality", reason="corrected")
        driver.settle()
        assert driver.states() == {"M": Count(1), "L": Count(2)}
        with pytest.raises(Misconfigured, match="actor and a reason"):
            driver.drop(dead, reason=" ")


def test_a_new_release_takes_over_the_state_and_an_old_one_refuses_newer_state() -> None:
    schema = record("CountAndLast", count="long", last="string")
    store = Store(
        "counts",
        CountAndLast,
        schema,
        version=2,
        upcasters={1: lambda old: {"count": old["n"], "last": "?"}},
    )

    def step_and_last(state: CountAndLast | None, event: Step) -> Verdict[CountAndLast]:
        return Verdict(CountAndLast((state or CountAndLast()).count + 1, event.what))

    with Driver(FIRST) as driver:
        driver.send(Step("L", 1), Step("M", 1))
        driver.settle()
        driver.restart(Stage("step", STEPS, step_and_last, store), build="2")
        driver.send(Step("L", 2, "x"))
        driver.settle()
        assert driver.states(store) == {"L": CountAndLast(2, "x"), "M": CountAndLast(1, "?")}
        driver.restart(FIRST, build="1")
        driver.send(Step("L", 3))
        with pytest.raises(StateUnreadable, match="version 2"):
            driver.settle()


def test_a_crash_is_only_at_points_that_exist_and_says_whether_it_hit() -> None:
    with Driver(FIRST) as driver:
        with pytest.raises(Misconfigured, match="name one of after_poll"):
            driver.crash("over_the_rainbow")
        with pytest.raises(Misconfigured, match="name one of after_produce"):
            driver.crash("after_write", torn="outputs")
        driver.settle()
        assert not driver.crash("mid_stage"), "nothing was to be done"
        driver.send(Step("L", 1))
        assert driver.crash("before_commit", torn="outputs")
        driver.settle()
        assert driver.emitted(MOVES) == [Moved("L", 1)] * 2
        assert driver.state("L") == Count(1)
        assert {"before_commit", "after_commit", "after_write"} <= set(POINTS)


def test_a_job_that_feeds_itself_for_ever_is_told() -> None:
    endless = Stage("endless", STEPS, lambda _state, event: Verdict(None, (event,)), None, (STEPS,))
    with Driver(endless) as driver:
        driver.send(Step("L", 1))
        with pytest.raises(Misconfigured, match="after 50 cycles there is still"):
            driver.settle(most_cycles=50)


NO_CLIENT = """
from pathlib import Path
from examples.lot_hold import Inspection, app
from streams.engine.testing import Driver
with Driver(app) as driver:
    driver.send(Inspection("i", "L", 1, "c", "u", 9.0, 0.0, 1.0, "s", "i", 0, ""))
    driver.settle()
    assert driver.state("L").fails == 1
    threads = [task.read_text().strip() for task in Path("/proc/self/task").glob("*/comm")]
    sockets = [fd for fd in Path("/proc/self/fd").iterdir() if "socket" in str(fd.resolve())]
print(threads, sockets)
assert not [name for name in threads if name.startswith("rdk")], threads
assert not sockets
"""


def test_no_client_of_a_broker_is_made() -> None:
    answer = subprocess.run(
        [sys.executable, "-c", NO_CLIENT], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_a_state_that_cannot_be_written_costs_only_the_record_that_made_it() -> None:
    def count(state: Count | None, event: Step) -> Verdict[Count]:
        n = (state or Count()).n
        if event.what == "burst":
            return Verdict(Count(2**70), (Moved(event.lot, event.seq),))
        return Verdict(Count(n + 1), (Moved(event.lot, event.seq),))

    with Driver(replace(FIRST, rule=count)) as driver:
        steps = [Step("L", 0), Step("L", 1, "burst"), Step("L", 2), Step("M", 3), Step("L", 4)]
        driver.send(*steps)
        driver.settle()
        assert driver.states(COUNTS) == {"L": Count(3), "M": Count(1)}
        assert [each.seq for each in driver.emitted(MOVES)] == [0, 2, 3, 4]
        (letter,) = driver.dead_letters()
        assert dict(letter.headers)["lotgate-dlq-code"] == b"bad_value"
        assert dict(letter.headers)["lotgate-dlq-offset"] == b"1"
        driver.send(Step("L", 5))
        driver.settle()
        assert driver.state("L", COUNTS) == Count(4)


def test_what_was_done_is_committed_before_a_full_parking_stops_the_worker() -> None:
    parked = replace(FIRST, dedupes_by_position=True)
    with Driver(parked, parking=Parking(records=1)) as driver:
        driver.send(Step("L", 0, "boom"), Step("L", 1))
        driver.settle()
        driver.send(Step("M", 2, "silent"), Step("L", 3))
        assert driver.cycle()
        assert driver.state("M", COUNTS) == Count(1)
        with pytest.raises(ParkingFull):
            driver.cycle()
