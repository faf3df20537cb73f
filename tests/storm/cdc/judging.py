"""Compares what a consumer finds with what the server's log says."""

from __future__ import annotations

from collections import Counter, defaultdict

import psycopg

from tests.storm.cdc.findings import Judgement, Seen, Stream, read_stream
from tests.storm.cdc.metadata import judge_blocks, judge_boundaries, judge_input
from tests.storm.cdc.oracle import Expected, Frozen, State, apply, expected, frozen
from tests.storm.cdc.reading import Topics
from tests.storm.cdc.tables import EMPTIED, SHAPES, Key, Row
from tests.storm.cdc.wal import Committed


def judge(topics: Topics, log: list[Committed], dsn: str, initial: State) -> Judgement:
    """Compare everything.

    Args:
        topics: What the source wrote.
        log: All transactions since the oracle's slot was made.
        dsn: The database, for its tables as they are now.
        initial: What the tables held when the oracle's slot was made.
    """
    judgement = Judgement()
    stream = read_stream(judgement, topics)
    first = min(
        (each.commit_lsn for records in stream.found.values() for _, each in records), default=0
    )
    before = [each for each in log if each.commit_lsn < first]
    after = [each for each in log if each.commit_lsn >= first]
    judgement.transactions = len(after)
    state = {name: dict(initial.get(name, {})) for name in SHAPES}
    for transaction in before:
        apply(state, transaction)
    judge_snapshot(judgement, stream, state, after)
    judge_records(judgement, stream, after)
    judge_order(judgement, stream, after)
    judge_tables(judgement, stream, dsn)
    judge_blocks(judgement, stream, after)
    judge_input(judgement, topics.transactions(), after)
    judge_boundaries(judgement, topics.boundaries(), after)
    judgement.count("dead_letters", topics.dead_letters(), "rows that were refused")
    return judgement


def judge_snapshot(
    judgement: Judgement, stream: Stream, state: State, log: list[Committed]
) -> None:
    """Each row once, as it was when the log begins or later; none missing that never changed.

    A snapshot that was gone on with after a death reads rows as they are by then.

    Args:
        judgement: Counts.
        stream: What was found.
        state: The tables when the log begins.
        log: The log from there on.
    """
    versions: dict[tuple[str, Key | None], list[Frozen]] = defaultdict(list)
    for each in expected(log):
        versions[each.table, each.key].append(each.after)
    for table, rows in stream.snapshot.items():
        counts = Counter(key for key, _ in rows)
        twice = [key for key, count in counts.items() if count > 1]
        judgement.count("doubled", len(twice), f"snapshot of {table}: {twice[:3]}")
        wrong = {
            key
            for key, row in rows
            if state[table].get(key) != row and frozen(row) not in versions[table, key]
        }
        # A snapshot that is older than a TRUNCATE finds an empty table; the log has the rest.
        if table != EMPTIED:
            wrong |= {key for key in state[table].keys() - counts if not versions[table, key]}
        judgement.count("table_mismatch", len(wrong), f"snapshot of {table}: {list(wrong)[:3]}")


def judge_records(judgement: Judgement, stream: Stream, log: list[Committed]) -> None:
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


def judge_order(judgement: Judgement, stream: Stream, log: list[Committed]) -> None:
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


def judge_tables(judgement: Judgement, stream: Stream, dsn: str) -> None:
    """The topics folded, as a consumer would, are the server's tables."""
    with psycopg.connect(dsn) as server:
        for table, shape in SHAPES.items():
            folded = _folded(stream.read[table])
            columns = list(shape.columns)
            query = f"select {', '.join(columns)} from {table}"
            rows = (dict(zip(columns, row, strict=True)) for row in server.execute(query.encode()))
            actual = {shape.key_of(row): row for row in rows}
            wrong = {key for key in folded.keys() | actual if folded.get(key) != actual.get(key)}
            judgement.count("table_mismatch", len(wrong), f"{table}: {list(wrong)[:3]}")


def _folded(records: list[Seen]) -> dict[Key, Row]:
    """What a consumer of all partitions has in the end."""
    parts: dict[int, dict[Key, Row]] = defaultdict(dict)
    for each in records:
        if each.key is None:
            parts[each.partition].clear()
        elif each.row is None:
            parts[each.partition].pop(each.key, None)
        else:
            parts[each.partition][each.key] = each.row
    return {key: row for part in parts.values() for key, row in part.items()}
