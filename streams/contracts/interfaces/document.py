"""`interfaces.yaml`: which data flows there are, between which systems, and how each runs."""

from __future__ import annotations

import re
from datetime import date  # noqa: TC003 - pydantic reads it
from typing import TYPE_CHECKING, Annotated, Literal

from croniter import croniter
from pydantic import Field, model_validator

from streams.contracts.documents import Document, Strict, nearest, read, refuse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from streams.contracts.documents import Complaint

FILE = "interfaces.yaml"
HUB = "hub"
"""Stands for the canonical topics and the stages: every route begins or ends there."""

Text = Annotated[str, Field(min_length=1)]
_REQUIREMENT = re.compile(r"^[A-Z][A-Za-z]*[0-9][A-Za-z0-9.\-]*$")


class Flow(Strict):
    """One flow of data, carried by one connector, stage group or outside program.

    Attributes:
        source: The system that data comes from, or `hub`.
        target: The system that it goes to, or `hub`.
        mode: `stream` (at once), `batch` (at the times of `cron`) or `manual` (when a person
            releases it).
        cron: With `batch`: five fields, in UTC.
        max_latency_s: Longest time from a change to its effect that the process can bear, seconds.
        criticality: GxP criticality.
        rationale: Why it runs like this.
        approver: The role that approved it.
        group: Its consumer group on the broker, without prefix; empty if it reads no topic.
        reads: Topics that it reads, without prefix.
        writes: Topics that it writes, without prefix.
        tables: For a database: the tables that may be carried; empty: whatever is published.
    """

    source: Text
    target: Text
    mode: Literal["stream", "batch", "manual"]
    cron: str = ""
    max_latency_s: float = Field(gt=0)
    criticality: Literal["high", "low"]
    rationale: Text
    approver: Text
    group: str = ""
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _fits(self) -> Flow:
        if (self.mode == "batch") != bool(self.cron):
            raise ValueError("a batch needs a cron, and only a batch has one")
        if self.cron and (len(self.cron.split()) != 5 or not croniter.is_valid(self.cron)):
            raise ValueError(f"the cron {self.cron!r} is not five valid fields")
        if self.reads and not self.group:
            raise ValueError("a flow that reads topics names its group")
        return self

    @property
    def is_direct(self) -> bool:
        """Whether it goes from system to system, past the hub."""
        return HUB not in {self.source, self.target}


class System(Strict):
    """A system, and whether it belongs to the scope.

    Attributes:
        scope: `in` or `excluded`: its connector does not start.
        criterion: The value criterion by which this was decided.
        approver: The role that approved it.
    """

    scope: Literal["in", "excluded"]
    criterion: Text
    approver: Text


class TopicUse(Strict):
    """Why a topic exists.

    Attributes:
        requirements: Ids of the requirements that it serves.
    """

    requirements: tuple[str, ...] = ()


class Waiver(Strict):
    """An exception for a while.

    Attributes:
        kind: The finding that it excuses.
        subject: The flow, topic or group of that finding.
        reason: Why it is borne.
        owner: The role that answers for it.
        expires: The last day on which it holds.
    """

    kind: Literal["direct_route", "orphan_topic", "unknown_group", "unknown_topic"]
    subject: Text
    reason: Text
    owner: Text
    expires: date


class Interfaces(Strict):
    """The whole file.

    Attributes:
        flows: Flows by name; a connector's flow has the connector's name.
        systems: Systems by name.
        topics: Topics by name without prefix.
        waivers: Exceptions.
    """

    flows: dict[str, Flow]
    systems: dict[str, System]
    topics: dict[str, TopicUse] = Field(default_factory=dict)
    waivers: tuple[Waiver, ...] = ()


def load(directory: Path, known: Iterable[str] | None = None) -> Document[Interfaces]:
    """Read and check the interfaces file of a directory.

    Args:
        directory: Where it lies.
        known: Topics that may be named, without prefix; None: any.

    Raises:
        Misconfigured: `bad_document` or `bad_interfaces`, with file, line and nearest name.
    """
    document = read(directory / FILE, Interfaces)
    refuse(checked(document, known), code="bad_interfaces")
    return document


def checked(document: Document[Interfaces], known: Iterable[str] | None = None) -> list[Complaint]:
    """What the file names that it does not have.

    Args:
        document: The file.
        known: Topics that may be named, without prefix; None: any.
    """
    topics = None if known is None else set(known)
    return [*_strange_systems(document), *_strange_topics(document, topics), *_bad_ids(document)]


def _strange_systems(document: Document[Interfaces]) -> Iterator[Complaint]:
    systems = {HUB, *document.value.systems}
    for name, flow in document.value.flows.items():
        for end, system in (("source", flow.source), ("target", flow.target)):
            if system not in systems:
                text = f"flow {name}: there is no system {system!r}{nearest(system, systems)}"
                yield document.complaint(text, "flows", name, end)


def _strange_topics(document: Document[Interfaces], known: set[str] | None) -> Iterator[Complaint]:
    named: list[tuple[str, tuple[str | int, ...]]] = []
    for name, flow in document.value.flows.items():
        for part, topics in (("reads", flow.reads), ("writes", flow.writes)):
            named += [(topic, ("flows", name, part, i)) for i, topic in enumerate(topics)]
    named += [(topic, ("topics", topic)) for topic in document.value.topics]
    for topic, path in named:
        if known is not None and not _is_known(topic, known):
            text = f"there is no topic {topic!r}{nearest(topic, known)}"
            yield document.complaint(text, *path)


def _bad_ids(document: Document[Interfaces]) -> Iterator[Complaint]:
    for name, use in document.value.topics.items():
        for number, requirement in enumerate(use.requirements):
            if not _REQUIREMENT.match(requirement):
                text = f"{requirement!r} is no id of a requirement, such as M4.1"
                yield document.complaint(text, "topics", name, "requirements", number)


def _is_known(topic: str, known: set[str]) -> bool:
    """Raw change topics and dead letters come into being with their tables and groups."""
    return topic in known or topic.startswith(("cdc.", "dlq."))
