"""Compares what a consumer finds with what the server's log says."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

import psycopg

from tests.storm.cdc.oracle import (
    Expected,
    State,
    apply,
    events_of,
    expected,
    frozen,
    keys_of,
)
from tests.storm.cdc.reading import Raw, Topics
from tests.storm.cdc.tables import EMPTIED, SHAPES, Key, Row
from tests.storm.cdc.wal import Committed

TOLD = 20


@dataclass
class Judgement:
    """How often each thing went wrong, and some examples."""

    lost: int = 0
    doubled: int = 0
    phantoms: int = 0
    order_violations: int = 0
    metadata_errors: int = 0
    table_mismatch: int = 0
    invariant_violations: int = 0
    dead_letters: int = 0
    transactions: int = 0
    records: int = 0
    told: list[str] = field(default_factory=list)

    def count(self, what: str, number: int, example: object = "") -> None:
        if number:
            setattr(self, what, getattr(self, what) + number)
            if len(self.told) < TOLD:
                self.told.append(f"{what} {number}: {example}")

    def counters(self) -> dict[str, int]:
        return {name: value for name, value in vars(self).items() if isinstance(value, int)}


@dataclass
class Stream:
    """What was found of the stream, and of the snapshot before it."""

    found: dict[str, list[tuple[int, Expected]]] = field(default_factory=dict)
    """By table: partition and record, in the order of each partition."""
    snapshot: dict[str, list[tuple[Key, Row]]] = field(default_factory=dict)
    blocks: dict[tuple[int, str], dict[tuple[int, int], str]] = field(default_factory=dict)
    """By commit and transaction id: each event's place in it, and its table."""


def judge(topics: Topics, log: list[Committed], dsn: str, initial: State) -> Judgement:
    """Compare everything.

    Args:
        topics: What the source wrote.
        log: All transactions since the oracle's slot was made.
        dsn: The database, for its tables as they are now.
        initial: What the tables held when the oracle's slot was made.
    """
    judgement = Judgement()
    stream = _read(judgement, topics)
    first = min(
        (each.commit_lsn for records in stream.found.values() for _, each in records), default=0
    )
    before = [each for each in log if each.commit_lsn < first]
    after = [each for each in log if each.commit_lsn >= first]
    judgement.transactions = len(after)
    state = {name: dict(initial.get(name, {})) for name in SHAPES}
    for transaction in before:
        apply(state, transaction)
    _judge_snapshot(judgement, stream, state)
    _judge_records(judgement, stream, after)
    _judge_order(judgement, stream, after)
    _judge_tables(judgement, stream, dsn)
    _judge_blocks(judgement, stream, after)
    _judge_input(judgement, topics, after)
    judgement.count("dead_letters", topics.dead_letters(), "rows that were refused")
    return judgement


def _read(judgement: Judgement, topics: Topics) -> Stream:
    stream = Stream()
    for table, shape in SHAPES.items():
        found = stream.found[table] = []
        rows = stream.snapshot[table] = []
        for raw in topics.raw(table):
            judgement.records += 1
            key = None if raw.key is None else shape.key_of(raw.key)
            if raw.value is not None and raw.value["op"] == "r":
                assert key is not None
                rows.append((key, raw.value["after"]))
                continue
            commit, ordinal = _place(raw)
            op = "x" if raw.value is None else str(raw.value["op"])
            image = None if raw.value is None else frozen(raw.value["after"])
            found.append((raw.partition, Expected(table, key, op, commit, ordinal, image)))
            if raw.value is not None:
                _check_source(judgement, raw, commit, ordinal)
                _note_block(judgement, stream, table, raw.value, commit)
    return stream


def _place(raw: Raw) -> tuple[int, int]:
    """Commit and ordinal, by the event's id alone."""
    parts = raw.event_id.split(":")
    return int(parts[3], 16), int(parts[4])


def _check_source(judgement: Judgement, raw: Raw, commit: int, ordinal: int) -> None:
    """The record says the same in its own words."""
    assert raw.value is not None
    told = raw.value["source"]["sequence"]
    if told != f'["{commit}","{ordinal}"]':
        judgement.count("metadata_errors", 1, f"{raw.event_id} says {told}")


def _note_block(
    judgement: Judgement, stream: Stream, table: str, value: dict[str, Any], commit: int
) -> None:
    block = value["transaction"]
    places = stream.blocks.setdefault((commit, block["id"]), {})
    place = block["total_order"], block["data_collection_order"]
    if value["op"] == "t" and place in places:
        return  # the other partitions' copies
    if place in places:
        judgement.count("metadata_errors", 1, f"{block} twice")
    places[place] = table


def _judge_snapshot(judgement: Judgement, stream: Stream, state: State) -> None:
    for table, rows in stream.snapshot.items():
        counts = Counter(key for key, _ in rows)
        twice = [key for key, count in counts.items() if count > 1]
        judgement.count("doubled", len(twice), f"snapshot of {table}: {twice[:3]}")
        wrong = {key for key, row in rows if state[table].get(key) != row}
        # A snapshot that is older than a TRUNCATE finds an empty table; the log has the rest.
        wrong |= state[table].keys() - counts.keys() if table != EMPTIED else set()
        judgement.count("table_mismatch", len(wrong), f"snapshot of {table}: {list(wrong)[:3]}")


def _judge_records(judgement: Judgement, stream: Stream, log: list[Committed]) -> None:
    wanted = Counter(expected(log))
    found: Counter[Expected] = Counter()
    for records in stream.found.values():
        truncates = {(at, each) for at, each in records if each.op == "t"}
        copies = [each for at, each in records if each.op == "t"]
        judgement.count("doubled", len(copies) - len(truncates), "a truncate")
        # One copy for each partition counts as one.
        found.update({each for _, each in truncates})
        found.update(each for _, each in records if each.op != "t")
    lost = wanted - found
    judgement.count("lost", lost.total(), list(lost)[:2])
    more = found - wanted
    doubled = Counter({each: count for each, count in more.items() if each in wanted})
    judgement.count("doubled", doubled.total(), list(doubled)[:2])
    phantoms = more - doubled
    judgement.count("phantoms", phantoms.total(), list(phantoms)[:2])


def _judge_order(judgement: Judgement, stream: Stream, log: list[Committed]) -> None:
    """Each key's records come in the log's order, and so does each partition."""
    wanted: dict[tuple[str, Key | None], list[Expected]] = defaultdict(list)
    for each in expected(log):
        wanted[each.table, each.key].append(each)
    for table, records in stream.found.items():
        by_key: dict[Key | None, list[Expected]] = defaultdict(list)
        last: dict[int, tuple[int, int]] = {}
        for partition, each in records:
            if each.place < last.get(partition, (0, 0)):
                judgement.count("order_violations", 1, f"{each} in partition {partition}")
            last[partition] = each.place
            by_key[each.key].append(each)
        for key, found in by_key.items():
            if key is not None and found != wanted[table, key]:
                judgement.count("order_violations", 1, f"{table} {key}")


def _judge_tables(judgement: Judgement, stream: Stream, dsn: str) -> None:
    """The topics folded, as a consumer would, are the server's tables."""
    with psycopg.connect(dsn) as server:
        for table, shape in SHAPES.items():
            folded = dict(stream.snapshot[table])
            merged = sorted(stream.found[table], key=lambda pair: pair[1].place)
            for _, each in merged:
                if each.op == "t":
                    folded.clear()
                elif each.key is not None and each.after is None:
                    folded.pop(each.key, None)
                elif each.key is not None:
                    folded[each.key] = dict(each.after or ())
            columns = list(shape.columns)
            query = f"select {', '.join(columns)} from {table}"
            rows = (dict(zip(columns, row, strict=True)) for row in server.execute(query.encode()))
            actual = {shape.key_of(row): row for row in rows}
            wrong = {key for key in folded.keys() | actual if folded.get(key) != actual.get(key)}
            judgement.count("table_mismatch", len(wrong), f"{table}: {list(wrong)[:3]}")


def _judge_blocks(judgement: Judgement, stream: Stream, log: list[Committed]) -> None:
    """Each transaction's block counts its events from 1 on, as a whole and by table."""
    wanted = {(each.commit_lsn, f"{each.xid}:{each.commit_lsn}"): each for each in log}
    for name, places in stream.blocks.items():
        if name not in wanted:
            judgement.count("metadata_errors", 1, f"no transaction is {name}")
            continue
        totals: list[tuple[int, int]] = []
        by_table: Counter[str] = Counter()
        for place in sorted(places):
            by_table[places[place]] += 1
            totals.append((len(totals) + 1, by_table[places[place]]))
        if totals != sorted(places) or dict(by_table) != events_of(wanted[name]):
            judgement.count("metadata_errors", 1, f"the blocks of {name}")


def _judge_input(judgement: Judgement, topics: Topics, log: list[Committed]) -> None:
    """The translators' input: whole transactions in commit order, chunk by chunk."""
    found: dict[int, list[Any]] = {}
    chunk = 0
    for each in topics.transactions():
        if each["snapshot"]:
            continue
        commit = each["commit_lsn"]
        if chunk == 0 and (commit in found or commit < max(found, default=0)):
            judgement.count("order_violations", 1, f"transaction record {commit:X}")
        if each["chunk"] != chunk or (chunk and commit != max(found)):
            judgement.count("metadata_errors", 1, f"chunk {each['chunk']} of {commit:X}")
        found.setdefault(commit, []).extend(each["changes"])
        chunk = 0 if each["last"] else chunk + 1
    for transaction in log:
        changes = found.pop(transaction.commit_lsn, [])
        told = [(each["ordinal"], each["table"], each["op"], _key(each)) for each in changes]
        wanted = [
            (each.ordinal, each.table, each.op, _input_key(each)) for each in transaction.events
        ]
        missing = Counter(wanted) - Counter(told)
        judgement.count("lost", missing.total(), f"in transaction record: {list(missing)[:2]}")
        more = Counter(told) - Counter(wanted)
        judgement.count("doubled", more.total(), f"in transaction record: {list(more)[:2]}")
        if not missing and not more and told != wanted:
            judgement.count("order_violations", 1, f"in record of {transaction.commit_lsn:X}")
    judgement.count("phantoms", len(found), f"transaction records {list(found)[:3]}")


def _key(change: dict[str, Any]) -> Key | None:
    if not change["key"]:
        return None
    return SHAPES[change["table"]].key_of(change["key"])


def _input_key(event: Any) -> Key | None:
    old, new = keys_of(event)
    return new if new is not None else old
