"""Every topic, declared once as a value: name, key, schema, partitions, retention, owner.

Provisioning, preflight, access lists, interface documents and the chart read this one place.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from streams.model.facts import (
    CustomerSpec,
    GenealogyEdge,
    InspectionResult,
    Lot,
    Nonconformity,
)
from streams.model.hold import HoldAck, HoldCommand, HoldState
from streams.model.ids import customer_item
from streams.model.messages import CauseMessage, LotMessage
from streams.model.rows import SourceTransaction

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

E = TypeVar("E")

Cleanup = Literal["delete", "compact"]
Provenance = Literal["open", "first", "chain"]

DAY_MS = 24 * 60 * 60 * 1000
FOREVER = -1
RECORD_LIMIT_BYTES = 2 * 1024 * 1024
"""The largest record of an ordinary topic."""
DEAD_LETTER_LIMIT_BYTES = RECORD_LIMIT_BYTES + 64 * 1024
"""A dead letter holds the whole record and its story (engine law: nothing bad is lost)."""
GROUP = "{group}"
"""Stands for the worker's group in the names of internal topics."""


@dataclass(frozen=True, slots=True)
class Evolution:
    """How a state's schema changes over the releases of a job.

    Attributes:
        version: Number of the schema that is written now, from 1; None: the catalog's number of a
            schema that it names, else 1.
        upcasters: By the version they take: makes the next version's value of an earlier one,
            both as plain Python. Where none is declared, Avro's schema resolution applies.
    """

    version: int | None = None
    upcasters: Mapping[int, Callable[[dict[str, Any]], dict[str, Any]]] = field(
        default_factory=dict
    )


@dataclass(frozen=True, slots=True)
class Topic(Generic[E]):
    """A topic as a value.

    Example:
        >>> from dataclasses import dataclass
        >>> @dataclass(frozen=True)
        ... class Weighed:
        ...     lot: str
        ...     grams: int
        >>> schema = {"type": "record", "name": "plant.Weighed", "fields": [
        ...     {"name": "lot", "type": "string"}, {"name": "grams", "type": "long"}]}
        >>> WEIGHINGS = Topic("plant.weighing.events", Weighed, schema, lambda event: event.lot)
        >>> WEIGHINGS.key(Weighed("L1", 20))
        'L1'
        >>> WEIGHINGS.full_name(prefix="site", group="scales")
        'site.plant.weighing.events'

    Attributes:
        name: Name without prefix; `{group}` stands for the worker's group.
        event: The type of its records.
        schema: Full name of the Avro schema in the catalog, without version
            (e.g. `lotgate.quality.Nonconformity`), or the schema itself as parsed JSON.
        key: Gives a record's key.
        partitions: Number of partitions when it is provisioned.
        cleanup: `delete` or `compact`. Audit-relevant topics are never compacted.
        retention_ms: With `delete`: how long records stay; `FOREVER` for no limit.
        owner: Who answers for its meaning.
        zone: `site` or `dmz`.
        criticality: GxP criticality, `high` or `low`.
        doc: What its records mean, one sentence.
        provenance: What a stage asks of its records before it uses them. `open`: nothing. `chain`:
            the header that says what they were made from (`streams.contracts.provenance`).
            `first`: the same, but an event that nothing was transformed into (its
            `envelope.transform` is empty) may begin a chain: any producer can state a fact.
        evolution: With a changelog: the version of its states. Their versions need not read each
            other, so each has a subject of its own.
    """

    name: str
    event: type[E]
    schema: str | dict[str, Any]
    key: Callable[[E], str]
    partitions: int = 4
    cleanup: Cleanup = "delete"
    retention_ms: int = 30 * DAY_MS
    owner: str = "lotgate"
    zone: str = "site"
    criticality: str = "high"
    doc: str = ""
    provenance: Provenance = "open"
    evolution: Evolution | None = field(default=None, repr=False, compare=False)

    def full_name(self, prefix: str, group: str) -> str:
        """The name on the broker.

        Args:
            prefix: `LOTGATE_PREFIX`, empty for none.
            group: The worker's group, used by internal topics.
        """
        return prefixed(prefix, self.name.replace(GROUP, group))


def prefixed(prefix: str, name: str) -> str:
    """Put the installation's prefix before a topic, group or transactional id."""
    return f"{prefix}.{name}" if prefix else name


def dead_letters(group: str) -> str:
    """Name (without prefix) of a group's dead-letter topic."""
    return f"dlq.{group}"


def changelog(group: str, store: str) -> str:
    """Name (without prefix) of a store's changelog."""
    return f"{group}-{store}-changelog"


def cdc_topic(system: str, schema: str, table: str) -> str:
    """Name (without prefix) of a table's raw change topic."""
    return f"cdc.{system}.{schema}.{table}"


def schema_changes(source: str) -> str:
    """Name (without prefix) of the topic that tells of changed tables of a source."""
    return f"cdc.{source}.schema-changes"


LOTS = Topic(
    "inventory.lot.events",
    Lot,
    "lotgate.inventory.Lot",
    lambda lot: lot.lot_id,
    retention_ms=FOREVER,
    doc="A lot exists, changed, or stock of it arrived.",
    provenance="first",
)
GENEALOGY = Topic(
    "inventory.genealogy_edge.events",
    GenealogyEdge,
    "lotgate.inventory.GenealogyEdge",
    lambda edge: edge.child_lot_id,
    retention_ms=FOREVER,
    doc="A lot was made from another lot.",
    provenance="first",
)
INSPECTIONS = Topic(
    "quality.inspection_result.events",
    InspectionResult,
    "lotgate.quality.InspectionResult",
    lambda result: result.inspection_id,
    retention_ms=FOREVER,
    doc="An inspection ended.",
    provenance="first",
)
NONCONFORMITIES = Topic(
    "quality.nonconformity.events",
    Nonconformity,
    "lotgate.quality.Nonconformity",
    lambda nonconformity: nonconformity.nc_id,
    retention_ms=FOREVER,
    doc="A nonconformity record at one version.",
    provenance="first",
)
CUSTOMER_SPECS = Topic(
    "quality.customer_spec.events",
    CustomerSpec,
    "lotgate.quality.CustomerSpec",
    lambda spec: customer_item(spec.customer, spec.item),
    retention_ms=FOREVER,
    doc="A customer's specification of an item at one version, with when it takes effect.",
    provenance="first",
)
HOLD_COMMANDS = Topic(
    "inventory.hold.commands",
    HoldCommand,
    "lotgate.inventory.HoldCommand",
    lambda command: command.lot_id,
    retention_ms=FOREVER,
    doc="Hold a lot at a target, or give it back.",
    provenance="chain",
)
HOLD_ACKS = Topic(
    "inventory.hold.acks",
    HoldAck,
    "lotgate.inventory.HoldAck",
    lambda ack: ack.lot_id,
    retention_ms=FOREVER,
    doc="What the target was seen to be after a command.",
    provenance="chain",
)
HOLD_STATE = Topic(
    "inventory.hold.state",
    HoldState,
    "lotgate.inventory.HoldState",
    lambda state: state.lot_id,
    cleanup="compact",
    doc="Whether a lot is held now, and why.",
    provenance="chain",
)
TRANSLATE_INPUT = Topic(
    "{group}-translate-input",
    SourceTransaction,
    "lotgate.cdc.SourceTransaction",
    lambda transaction: transaction.source,
    doc="One database transaction of a source, in log order.",
    provenance="chain",
)
CAUSE_INPUT = Topic(
    "{group}-cause-input",
    CauseMessage,
    "lotgate.quality.CauseMessage",
    lambda message: message.cause_id,
    doc="A cause of holds at one version.",
    provenance="chain",
)
LOT_INPUT = Topic(
    "{group}-lot-input",
    LotMessage,
    "lotgate.inventory.LotMessage",
    lambda message: message.lot_id,
    doc="Everything that can reach a lot's state.",
    provenance="chain",
)

FACTS: tuple[Topic[Any], ...] = (
    LOTS,
    GENEALOGY,
    INSPECTIONS,
    NONCONFORMITIES,
    CUSTOMER_SPECS,
)
PUBLIC: tuple[Topic[Any], ...] = (*FACTS, HOLD_COMMANDS, HOLD_ACKS, HOLD_STATE)
INTERNAL: tuple[Topic[Any], ...] = (TRANSLATE_INPUT, CAUSE_INPUT, LOT_INPUT)

CDC_OFFSETS = "{group}-cdc-offsets"
"""Source positions: one partition per source, compacted (see `connectors.runner`)."""
CDC_HISTORY = "{group}-cdc-history"
"""Shapes of the sources' tables, and which of them wait: one partition per source, compacted."""
CDC_PARKED = "{group}-cdc-parked"
"""Records of tables whose schemas the registry refuses: one partition per source."""
CDC_SIGNALS = "{group}-cdc-signals"
"""Operators' orders to running sources: one partition per source."""
CONTROL = "{group}-control"
"""Decisions on dead letters and fuses: one partition, read by every worker of the group."""
RELEASES = "{group}-releases"
"""Up to which time a person released the records of a manual flow: one partition, compacted."""
AUDIT = "{group}-audit"
"""What was refused to start, or ordered by a person: one partition, kept for ever."""
