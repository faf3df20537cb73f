"""The exactly-once cycle on Faust: one cycle, one Kafka transaction, one write per store.

Who needs which of the names below:

==================  ==============================================================================
Authors of rules    `Lotgate.stage` binds a rule; `Topic`, `Store`, `Verdict`, `Timer` say what it
                    reads, keeps, gives and sets; `View` is what a rule over a partition sees.
                    `streams.app.application` makes a `Lotgate` that a worker can run, and
                    `streams.engine.testing.Driver` runs its rules without a broker.
Connectors          `Transaction`, `Reader`, `Record`, `read_partition`, `read_compacted`,
                    `high_watermark`, `dead_letter`, `Origin`, `reach`, `topic_partitions`,
                    `undecided`, `unended`, and the failures `Aborted`, `Fenced`,
                    `OutcomeUnknown`, `StartPosition`
Processes           `EngineSettings`, `FuseLimits`, `Parking`, `Encoding`, `run_worker`,
                    `supervised`, `arm`, `ExitCode`, `MEANING`, `exit_code_of`
Operators' tools    `Stage`, `TopicFacts`, `describe`, `preflight`, `provision`,
                    `broker_answers`, `wait_for_broker`, `AccessRule`, `access_rules`,
                    `account_quotas`, `group_topics`
==================  ==============================================================================

A whole job, and a test of it:

>>> from dataclasses import dataclass
>>> from streams.app import application
>>> from streams.engine import Store, Timer, Topic, Verdict
>>> from streams.engine.testing import Driver

>>> @dataclass(frozen=True)
... class Arrived:
...     lot: str
...     at_us: int
>>> @dataclass(frozen=True)
... class Overdue:
...     lot: str
...     late_us: int
>>> @dataclass(frozen=True)
... class Waiting:
...     since_us: int

>>> def record(name, *fields):
...     return {"type": "record", "name": name, "fields": list(fields)}
>>> LOT = {"name": "lot", "type": "string"}
>>> def long(name):
...     return {"name": name, "type": "long"}

>>> ARRIVALS = Topic("lot.arrivals", Arrived, record("Arrived", LOT, long("at_us")),
...                  lambda event: event.lot)
>>> OVERDUE = Topic("lot.overdue", Overdue, record("Overdue", LOT, long("late_us")),
...                 lambda event: event.lot)
>>> LOTS = Store("lots", Waiting, record("Waiting", long("since_us")))
>>> HOUR_US = 3_600_000_000

>>> def late(state, timer, now_us):
...     return Verdict(state, (Overdue(timer.key, now_us - state.since_us),))
>>> app = application("arrivals")
>>> @app.stage(ARRIVALS, store=LOTS, emits=(OVERDUE,), due=late)
... def wait(state, event):
...     return Verdict(Waiting(event.at_us), timers=(Timer("late", event.at_us + HOUR_US),))

>>> with Driver(app) as driver:
...     driver.send(Arrived("L1", at_us=0))
...     driver.advance(minutes=59)
...     print(driver.state("L1"), driver.emitted(OVERDUE))
...     driver.advance(minutes=1)
...     print(driver.emitted(OVERDUE))
Waiting(since_us=0) []
[Overdue(lot='L1', late_us=3600000000)]
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from streams.contracts.topics import Topic
    from streams.engine.app import Lotgate
    from streams.engine.declare import Encoding, Stage, Store, View
    from streams.engine.exit_codes import MEANING, ExitCode
    from streams.engine.faults import arm, reach
    from streams.engine.kafka.access.groups import group_topics
    from streams.engine.kafka.access.quotas import account_quotas
    from streams.engine.kafka.access.rules import AccessRule, access_rules
    from streams.engine.kafka.admin import TopicFacts, describe, preflight, provision
    from streams.engine.kafka.failures import Aborted, Fenced, OutcomeUnknown, StartPosition
    from streams.engine.kafka.reader import Reader
    from streams.engine.kafka.reading import (
        high_watermark,
        read_compacted,
        read_partition,
        undecided,
    )
    from streams.engine.kafka.records import Record
    from streams.engine.kafka.topics import (
        broker_answers,
        topic_partitions,
        unended,
        wait_for_broker,
    )
    from streams.engine.kafka.transaction import Transaction
    from streams.engine.plugin.ending import exit_code_of
    from streams.engine.plugin.worker import run_worker
    from streams.engine.poison.ledger import Parking
    from streams.engine.poison.letters import Origin, dead_letter
    from streams.engine.settings import EngineSettings, FuseLimits
    from streams.engine.watch.heart import supervised
    from streams.model.verdict import Timer, Verdict

# Loaded when they are first asked for: a connector needs neither Faust nor a store in its memory.
_HOMES = {
    "Aborted": "streams.engine.kafka.failures",
    "AccessRule": "streams.engine.kafka.access.rules",
    "Encoding": "streams.engine.declare",
    "EngineSettings": "streams.engine.settings",
    "ExitCode": "streams.engine.exit_codes",
    "Fenced": "streams.engine.kafka.failures",
    "FuseLimits": "streams.engine.settings",
    "Lotgate": "streams.engine.app",
    "MEANING": "streams.engine.exit_codes",
    "Origin": "streams.engine.poison.letters",
    "OutcomeUnknown": "streams.engine.kafka.failures",
    "Parking": "streams.engine.poison.ledger",
    "Reader": "streams.engine.kafka.reader",
    "Record": "streams.engine.kafka.records",
    "Stage": "streams.engine.declare",
    "StartPosition": "streams.engine.kafka.failures",
    "Store": "streams.engine.declare",
    "Timer": "streams.model.verdict",
    "Topic": "streams.contracts.topics",
    "TopicFacts": "streams.engine.kafka.admin",
    "Transaction": "streams.engine.kafka.transaction",
    "Verdict": "streams.model.verdict",
    "View": "streams.engine.declare",
    "access_rules": "streams.engine.kafka.access.rules",
    "account_quotas": "streams.engine.kafka.access.quotas",
    "arm": "streams.engine.faults",
    "broker_answers": "streams.engine.kafka.topics",
    "dead_letter": "streams.engine.poison.letters",
    "describe": "streams.engine.kafka.admin",
    "exit_code_of": "streams.engine.plugin.ending",
    "group_topics": "streams.engine.kafka.access.groups",
    "high_watermark": "streams.engine.kafka.reading",
    "preflight": "streams.engine.kafka.admin",
    "provision": "streams.engine.kafka.admin",
    "reach": "streams.engine.faults",
    "read_compacted": "streams.engine.kafka.reading",
    "read_partition": "streams.engine.kafka.reading",
    "run_worker": "streams.engine.plugin.worker",
    "supervised": "streams.engine.watch.heart",
    "topic_partitions": "streams.engine.kafka.topics",
    "undecided": "streams.engine.kafka.reading",
    "unended": "streams.engine.kafka.topics",
    "wait_for_broker": "streams.engine.kafka.topics",
}

__all__ = [
    "MEANING",
    "Aborted",
    "AccessRule",
    "Encoding",
    "EngineSettings",
    "ExitCode",
    "Fenced",
    "FuseLimits",
    "Lotgate",
    "Origin",
    "OutcomeUnknown",
    "Parking",
    "Reader",
    "Record",
    "Stage",
    "StartPosition",
    "Store",
    "Timer",
    "Topic",
    "TopicFacts",
    "Transaction",
    "Verdict",
    "View",
    "access_rules",
    "account_quotas",
    "arm",
    "broker_answers",
    "dead_letter",
    "describe",
    "exit_code_of",
    "group_topics",
    "high_watermark",
    "preflight",
    "provision",
    "reach",
    "read_compacted",
    "read_partition",
    "run_worker",
    "supervised",
    "topic_partitions",
    "undecided",
    "unended",
    "wait_for_broker",
]


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Load a public name when it is first asked for."""
        home = _HOMES.get(name)
        if home is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = globals()[name] = getattr(import_module(home), name)
        return found
