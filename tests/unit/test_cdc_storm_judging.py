"""The judge of the source's storm sees each thing that can go wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.storm.cdc.findings import Judgement, Stream
from tests.storm.cdc.judging import judge_order, judge_records, judge_snapshot
from tests.storm.cdc.metadata import judge_blocks, judge_boundaries
from tests.storm.cdc.oracle import Expected, State, apply, events_of, expected, frozen
from tests.storm.cdc.tables import SHAPES
from tests.storm.cdc.wal import Committed, Event

pytestmark = pytest.mark.urs("M4.4")

Records = list[tuple[int, Expected]]
Spoil = Callable[[Records], Any]


def item(number: int, n: int = 0) -> dict[str, Any]:
    return {"id": number, "n": n, "v": "x"}


LOG = [
    Committed(0x100, 0x110, 7, [Event("item", "c", n, None, item(n)) for n in range(4)]),
    Committed(
        0x200,
        0x210,
        8,
        [
            Event("item", "u", 0, None, item(1, 1)),
            Event("item", "u", 1, {"id": 2}, item(12, 1)),
            Event("item", "d", 2, {"id": 3}),
            Event("scratch", "t", 3),
        ],
    ),
    Committed(0x300, 0x310, 9, [Event("item", "u", 0, None, item(1, 2))]),
]


def _stream() -> Stream:
    """What a right source writes, to one partition, and truncates to two."""
    stream = Stream({name: [] for name in SHAPES}, {name: [] for name in SHAPES})
    for each in expected(LOG):
        for partition in (0, 1) if each.op == "t" else (0,):
            stream.found[each.table].append((partition, each))
    for transaction in LOG:
        tables = [
            each.table for each in expected([transaction]) if each.op != "x"
        ]  # a tombstone is no event
        name = transaction.commit_lsn, f"{transaction.xid}:{transaction.commit_lsn}"
        stream.blocks[name] = {
            (place, tables[:place].count(table)): table for place, table in enumerate(tables, 1)
        }
    return stream


def _judged(stream: Stream) -> dict[str, int]:
    judgement = Judgement()
    judge_records(judgement, stream, LOG)
    judge_order(judgement, stream, LOG)
    judge_blocks(judgement, stream, LOG)
    return {name: count for name, count in judgement.counters().items() if count}


def test_a_right_stream_is_right() -> None:
    assert _judged(_stream()) == {}


def test_a_changed_key_is_a_delete_a_tombstone_and_a_create() -> None:
    moved = [each for each in expected(LOG[1:2]) if each.ordinal == 1]
    assert [(each.op, each.key) for each in moved] == [("d", (2,)), ("x", (2,)), ("c", (12,))]
    assert events_of(LOG[1]) == {"item": 4, "scratch": 1}


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (lambda records: records.pop(2), "lost"),
        (lambda records: records.append(records[-1]), "doubled"),
        (lambda records: records.reverse(), "order_violations"),
        (
            lambda records: records.append(
                (0, Expected("item", (9,), "c", 0x400, 0, frozen(item(9))))
            ),
            "phantoms",
        ),
    ],
)
def test_each_fault_is_seen(spoil: Spoil, what: str) -> None:
    stream = _stream()
    spoil(stream.found["item"])
    assert _judged(stream)[what] >= 1


def test_a_truncate_that_one_partition_has_twice_is_seen() -> None:
    stream = _stream()
    stream.found["scratch"].append(stream.found["scratch"][0])
    assert _judged(stream)["doubled"] == 1


def test_a_hole_in_the_count_of_a_transaction_is_seen() -> None:
    stream = _stream()
    places = stream.blocks[0x200, f"8:{0x200}"]
    places[6, 5] = places.pop((2, 2))
    assert _judged(stream)["metadata_errors"] == 1


def test_the_log_carried_out_is_the_table() -> None:
    state: State = {"scratch": {(5,): {"id": 5, "v": "gone"}}}
    for transaction in LOG:
        apply(state, transaction)
    assert state["item"] == {(0,): item(0), (1,): item(1, 2), (12,): item(12, 1)}
    assert state["scratch"] == {}


@pytest.mark.parametrize(
    ("rows", "wrong"),
    [
        ([(21, 0), (22, 0)], {}),
        ([(21, 0)], {"table_mismatch": 1}),
        ([(21, 0), (22, 0), (22, 0)], {"doubled": 1}),
        ([(21, 0), (22, 7)], {"table_mismatch": 1}),
        ([(21, 0), (22, 0), (1, 2)], {}),
        ([(21, 0), (22, 0), (1, 9)], {"table_mismatch": 1}),
    ],
)
def test_a_snapshot_has_each_row_once_and_as_it_was(
    rows: list[tuple[int, int]], wrong: dict[str, int]
) -> None:
    state: State = {name: {} for name in SHAPES}
    state["item"] = {(21,): item(21), (22,): item(22)}
    stream = _stream()
    stream.snapshot["item"] = [((number,), item(number, n)) for number, n in rows]
    judgement = Judgement()
    judge_snapshot(judgement, stream, state, LOG)
    assert {name: count for name, count in judgement.counters().items() if count} == wrong


def test_a_transaction_without_its_end_or_with_wrong_counts_is_seen() -> None:
    records: list[dict[str, Any]] = []
    for each in LOG:
        name, counts = f"{each.xid}:{each.commit_lsn}", events_of(each)
        tables = [
            {"data_collection": f"public.{table}", "event_count": count}
            for table, count in counts.items()
        ]
        end = {"event_count": sum(counts.values()), "data_collections": tables}
        records += [{"status": "BEGIN", "id": name}, {"status": "END", "id": name, **end}]
    assert _boundaries(records) == {}
    assert _boundaries(records[:-1])["lost"] == 1
    assert _boundaries([*records, records[-1]])["doubled"] == 1
    assert _boundaries([*records[:-1], records[-1] | {"event_count": 2}])["metadata_errors"] == 1


def _boundaries(records: list[dict[str, Any]]) -> dict[str, int]:
    judgement = Judgement()
    judge_boundaries(judgement, records, LOG)
    return {name: count for name, count in judgement.counters().items() if count}
