"""`lotgate doctor`: which part of the local stack is not well, why, and what to do."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg
from localstack.parts.part import NotReady

from demo.pipeline import PROCESSES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localstack import Stack
    from localstack.parts.part import Part

LEAST_FREE_GB = 1.0
SLOTS = (("erp", "lotgate_erp"), ("qms", "lotgate_qms"))


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: The part.
        well: Whether it is well.
        told: What was seen.
        advice: What to do, empty if it is well.
    """

    name: str
    well: bool
    told: str
    advice: str = ""


def examine(stack: Stack) -> Iterator[Finding]:
    """Look at the machine, each part, each of our processes, and the replication slots."""
    for sentence in stack.missing_requirements():
        yield Finding("machine", well=False, told=sentence, advice="see the README's requirements")
    yield _disk(stack)
    parts: tuple[Part, ...] = (stack.broker, stack.registry, stack.database, stack.erp)
    answers = [_part(stack, part) for part in parts]
    yield from answers
    for name in PROCESSES:
        yield _process(stack, name)
    if answers[2].well:
        yield from _slots(stack)
        yield from _dead_letters(stack)


def _disk(stack: Stack) -> Finding:
    root = stack.layout.root if stack.layout.root.exists() else stack.layout.root.parent
    free = shutil.disk_usage(root).free / 1e9
    well = free >= LEAST_FREE_GB
    return Finding("disk", well, f"{free:.1f} GB free at {root}", "" if well else "free some space")


def _part(stack: Stack, part: Part) -> Finding:
    process = stack.process(part.name)
    if not process.running():
        return Finding(part.name, well=False, told="does not run", advice="lotgate up")
    try:
        part.probe()
    except NotReady as answer:
        return Finding(
            part.name,
            well=False,
            told=f"runs but does not answer: {answer}",
            advice=f"read {process.log}, then `lotgate down` and `lotgate up`",
        )
    return Finding(part.name, well=True, told="answers")


def _process(stack: Stack, name: str) -> Finding:
    process = stack.process(name)
    if process.running():
        return Finding(name, well=True, told="runs")
    lines = process.tail().strip().splitlines() if process.log.exists() else []
    last = f"; its last line: {lines[-1].strip()[:200]}" if lines else ""
    return Finding(
        name, well=False, told=f"does not run{last}", advice=f"read {process.log}, then lotgate up"
    )


def _slots(stack: Stack) -> Iterator[Finding]:
    statement = (
        "select slot_name, active, wal_status,"
        " pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn)::bigint"
        " from pg_replication_slots"
    )
    with psycopg.connect(stack.addresses().admin_dsn) as connection:
        found = {row[0]: row[1:] for row in connection.execute(statement).fetchall()}
    for system, slot in SLOTS:
        if slot not in found:
            yield Finding(
                f"slot {slot}",
                well=False,
                told="is not there",
                advice=f"start `lotgate connect {system}-cdc`, which makes it",
            )
            continue
        active, status, behind = found[slot]
        well = bool(active) and status in {"reserved", "extended"}
        told = f"{'active' if active else 'not read'}, {status}, {behind / 1e6:.1f} MB behind"
        yield Finding(
            f"slot {slot}", well, told, "" if well else f"look at the log of {system}-cdc"
        )


def _dead_letters(stack: Stack) -> Iterator[Finding]:
    with psycopg.connect(stack.addresses().evidence_dsn) as connection:
        made = connection.execute("select to_regclass('evidence.dead_letters')").fetchone()
        if made is None or made[0] is None:
            return
        row = connection.execute("select count(*) from evidence.dead_letters").fetchone()
    count = int(row[0]) if row else 0
    yield Finding(
        "dead letters",
        well=count == 0,
        told=f"{count} stored",
        advice="" if count == 0 else "lotgate dlq list",
    )
