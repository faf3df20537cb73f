"""Judges what is told about transactions: blocks, the translators' input, BEGIN and END."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tests.storm.cdc.findings import Judgement, Stream
from tests.storm.cdc.oracle import events_of, keys_of
from tests.storm.cdc.tables import SHAPES, Key
from tests.storm.cdc.wal import Committed


def judge_blocks(judgement: Judgement, stream: Stream, log: list[Committed]) -> None:
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


def judge_input(judgement: Judgement, records: list[dict[str, Any]], log: list[Committed]) -> None:
    """The translators' input: whole transactions in commit order, chunk by chunk."""
    found: dict[int, list[Any]] = {}
    chunk = 0
    for each in records:
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


def judge_boundaries(
    judgement: Judgement, records: list[dict[str, Any]], log: list[Committed]
) -> None:
    """Each transaction has one BEGIN, and then one END with its events by table."""
    found: dict[str, list[dict[str, Any]]] = {}
    for each in records:
        found.setdefault(each["id"], []).append(each)
    for transaction in log:
        told = found.pop(f"{transaction.xid}:{transaction.commit_lsn}", [])
        marks = [each["status"] for each in told]
        for mark in ("BEGIN", "END"):
            judgement.count("lost", mark not in marks, f"{mark} of {transaction.commit_lsn:X}")
            more = marks.count(mark) - 1
            judgement.count("doubled", max(0, more), f"{mark} of {transaction.commit_lsn:X}")
        wanted = {f"public.{name}": count for name, count in events_of(transaction).items()}
        if told and (marks[0] != "BEGIN" or _counts(told[-1]) != (sum(wanted.values()), wanted)):
            judgement.count("metadata_errors", 1, f"{told[-1]} for {wanted}")
    judgement.count("phantoms", len(found), f"BEGIN or END of {list(found)[:3]}")


def _counts(end: dict[str, Any]) -> tuple[int, dict[str, int]]:
    tables = end.get("data_collections") or []
    return end.get("event_count") or 0, {
        each["data_collection"]: each["event_count"] for each in tables
    }
