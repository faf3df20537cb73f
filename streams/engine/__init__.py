"""The exactly-once cycle on Faust: one cycle, one Kafka transaction, one write per store."""

from streams.contracts.topics import Topic
from streams.engine.app import Lotgate
from streams.engine.declare import Encoding, Stage, Store, View
from streams.engine.exit_codes import MEANING, ExitCode
from streams.engine.faults import arm, reach
from streams.engine.kafka.admin import TopicFacts, describe, preflight, provision
from streams.engine.kafka.failures import Aborted, Fenced, OutcomeUnknown, StartPosition
from streams.engine.kafka.reader import Reader
from streams.engine.kafka.reading import high_watermark, read_compacted, read_partition
from streams.engine.kafka.records import Record
from streams.engine.kafka.topics import broker_answers, wait_for_broker
from streams.engine.kafka.transaction import Transaction
from streams.engine.plugin.ending import exit_code_of
from streams.engine.plugin.worker import run_worker
from streams.engine.poison.ledger import Parking
from streams.engine.poison.letters import Origin, dead_letter
from streams.engine.settings import EngineSettings, FuseLimits
from streams.engine.watch.heart import supervised
from streams.model.verdict import Timer, Verdict

__all__ = [
    "MEANING",
    "Aborted",
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
    "arm",
    "broker_answers",
    "dead_letter",
    "describe",
    "exit_code_of",
    "high_watermark",
    "preflight",
    "provision",
    "reach",
    "read_compacted",
    "read_partition",
    "run_worker",
    "supervised",
    "wait_for_broker",
]
