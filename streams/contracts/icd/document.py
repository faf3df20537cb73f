"""The form of an interface document; an unknown field is refused."""

from __future__ import annotations

import re
from datetime import date  # noqa: TC003 - the form resolves its annotations
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field, StringConstraints, field_validator

from streams.contracts.documents import Strict
from streams.contracts.evolution.levels import Level

_UNIT_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_LASTING = re.compile(r"([1-9][0-9]*) ?([smhd])")
FOREVER_MS = -1

Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*$")]
TopicName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._{}-]+(\.\*)?$")]
Principal = Annotated[str, StringConstraints(pattern=r"^User:.+$")]
RequirementId = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Za-z0-9]*([.-][0-9]+)*$")]


class _Strict(Strict):
    """A number is a number here, a text a text: nothing is turned into the other."""

    model_config: ClassVar[ConfigDict] = ConfigDict(strict=True)


class SchemaPromise(_Strict):
    """What a topic's records are, by the catalog and by the registry.

    Attributes:
        name: Full name of the type, e.g. `lotgate.inventory.Lot`.
        version: Version in the catalog that is written.
        fingerprint: SHA-256 of that version's file, as in the lock of published schemas.
        level: The compatibility level that the subject must have at least.
        id: Its id in the registry, where the installation fixes one.
    """

    name: Text
    version: int = Field(ge=1)
    fingerprint: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    level: Level = Field(Level.FULL_TRANSITIVE, strict=False)
    id: int | None = Field(None, ge=1)


class Access(_Strict):
    """Which accounts may do what with a topic.

    Attributes:
        read: Accounts that read it, as `User:name`.
        write: Accounts that write to it.
    """

    read: list[Principal] = Field(default_factory=list)
    write: list[Principal] = Field(default_factory=list)


class TopicPromise(_Strict):
    """One topic.

    Attributes:
        name: Without prefix; `{group}` stands for the worker's group. `….*` means every topic that
            begins so, of which there may be none yet.
        meaning: What its records say, one sentence.
        key: What its records are keyed by.
        content: What its records are where no schema of the catalog says it.
        partitions: Number of partitions.
        cleanup: `delete` or `compact`.
        retention: `forever` or a length such as `30d`; with `compact` it is not said.
        audit: Whether an auditor relies on every one of its records: it is never compacted.
        min_insync: Copies that must have a record; without it the installation's own setting.
        schema_: Its schema (`schema` in the file), None for contents that make their own.
        access: Accounts, None where it is not settled.
    """

    name: TopicName
    meaning: Text
    key: Text
    content: Text | None = None
    partitions: int = Field(ge=1)
    cleanup: Literal["delete", "compact"] = "delete"
    retention: str | None = None
    audit: bool = False
    min_insync: int | None = Field(None, ge=1)
    schema_: SchemaPromise | None = Field(None, alias="schema")
    access: Access | None = None

    @field_validator("retention")
    @classmethod
    def _lasting(cls, given: str | None) -> str | None:
        if given is not None and given != "forever" and _LASTING.fullmatch(given) is None:
            raise ValueError("write forever, or a length with its unit: 30d, 12h, 45m, 90s")
        return given

    @property
    def retention_ms(self) -> int | None:
        """Milliseconds that records are kept, -1 for ever, None where it is not said."""
        if self.retention is None:
            return None
        found = _LASTING.fullmatch(self.retention)
        return FOREVER_MS if found is None else int(found[1]) * _UNIT_MS[found[2]]

    @property
    def is_pattern(self) -> bool:
        """Whether the name stands for every topic that begins so."""
        return self.name.endswith(".*")

    def full_name(self, prefix: str, group: str) -> str:
        """The name on the broker (of a pattern: its beginning, with the last dot)."""
        name = self.name.replace("{group}", group)
        name = name.removesuffix("*") if self.is_pattern else name
        return f"{prefix}.{name}" if prefix else name


class RetryBudget(_Strict):
    """How long and how often a connector tries; what is not said is not compared.

    Attributes:
        first_s: Longest first pause after a passing failure, seconds.
        longest_s: The longest pause, seconds.
        unknown_s: Pause before a call without an answer is looked into, seconds.
        reads: How often a command is carried out again while the read-back shows work left.
        read_pause_s: Pause between these, seconds.
        denied: Refusals in a row for want of rights before it stops.
    """

    first_s: float | None = Field(None, ge=0)
    longest_s: float | None = Field(None, ge=0)
    unknown_s: float | None = Field(None, ge=0)
    reads: int | None = Field(None, ge=0)
    read_pause_s: float | None = Field(None, ge=0)
    denied: int | None = Field(None, ge=0)


class ErrorPolicy(_Strict):
    """What happens to what cannot be carried over.

    Attributes:
        bad_record: What becomes of a record that can never work.
        unavailable: What happens while the other side is away.
        dead_letters: Topic of dead letters, without prefix.
        retry: The budget of the connector.
    """

    bad_record: Text
    unavailable: Text
    dead_letters: TopicName
    retry: RetryBudget = RetryBudget()


class Sla(_Strict):
    """What is promised about time.

    Attributes:
        latency_s: From the change in the source until the record can be read, seconds.
        share: Part of the records for which that holds, 0 to 1.
        outage_h: Longest stop that loses nothing, hours.
    """

    latency_s: float = Field(gt=0)
    share: float = Field(gt=0, le=1)
    outage_h: float = Field(gt=0)


class Contact(_Strict):
    """Who answers for one side: a role, never a person's name.

    Attributes:
        role: The role.
        reached: How it is reached.
    """

    role: Text
    reached: Text


class Escalation(Contact):
    """Who is called next.

    Attributes:
        within_minutes: When this step follows.
        tested_at: When somebody last tried the contact and was answered.
    """

    within_minutes: int = Field(ge=0)
    tested_at: date = Field(strict=False)


class Quota(_Strict):
    """What an account may use of the broker; what is not said is not compared.

    Attributes:
        account: As `User:name`.
        producer_bytes_per_s: Bytes written per second and broker.
        consumer_bytes_per_s: Bytes read per second and broker.
        request_percent: Share of the broker's request threads, per cent of one.
    """

    account: Principal
    producer_bytes_per_s: float | None = Field(None, gt=0)
    consumer_bytes_per_s: float | None = Field(None, gt=0)
    request_percent: float | None = Field(None, gt=0)


class InterfaceDocument(_Strict):
    """One interface.

    Attributes:
        id: Its id, of one document in a folder; rendered files are called so.
        title: One line for people.
        version: Number of this document, from 1.
        effective: Since when it holds.
        provider: The system that the data comes from.
        consumers: The systems that use it.
        connector: The connector that serves it, as `lotgate connect` knows it, or None.
        requirements: Ids of the requirements that need it.
        criticality: GxP criticality.
        sla: What is promised about time.
        errors: What happens to what cannot be carried over.
        contacts: Who answers.
        escalation: Who is called, in order.
        quotas: What accounts may use of the broker.
        topics: Its topics.
    """

    id: Name
    title: Text
    version: int = Field(ge=1)
    effective: date = Field(strict=False)
    provider: Text
    consumers: list[Text] = Field(min_length=1)
    connector: Name | None = None
    requirements: list[RequirementId] = Field(min_length=1)
    criticality: Literal["high", "low"]
    sla: Sla
    errors: ErrorPolicy
    contacts: list[Contact] = Field(min_length=1)
    escalation: list[Escalation] = Field(min_length=1)
    quotas: list[Quota] = Field(default_factory=list)
    topics: list[TopicPromise] = Field(min_length=1)
