"""Whether the routes are as the scope wants them: through the hub, used, wanted, known. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from streams.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date

    from streams.contracts.documents import Document
    from streams.contracts.interfaces.document import Interfaces


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that should not be.

    Attributes:
        kind: `direct_route`, `orphan_topic`, `excluded_system`, `unknown_group`, `unknown_topic`,
            `idle_group`, `expired_waiver` or `needless_waiver`.
        subject: The flow, topic, group or system.
        text: For people, with file and line where the file says it.
    """

    kind: str
    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class Live:
    """What the broker shows, names without prefix.

    Attributes:
        topics: Topics.
        groups: The topics that each consumer group has positions in or reads.
    """

    topics: frozenset[str]
    groups: Mapping[str, frozenset[str]]


def route_findings(
    document: Document[Interfaces],
    declared: Iterable[str],
    today: date,
    live: Live | None = None,
    internal: Iterable[str] = (),
) -> tuple[Finding, ...]:
    """Judge the routes, less what is waived.

    Args:
        document: The interfaces file.
        declared: Public topics of the installation, without prefix.
        today: Waivers that end before it excuse nothing.
        live: What the broker shows; None judges the file alone.
        internal: Further topics that belong to the installation.
    """
    declared = tuple(declared)
    found = [*_direct(document), *_excluded(document), *_orphans(document, declared)]
    if live is not None:
        found += _live(document, live, {*declared, *internal})
    return _less_waived(document, found, today)


def refuse_excluded(document: Document[Interfaces], connector: str, system: str) -> None:
    """Refuse a connector whose system was excluded, or that no flow declares.

    Raises:
        Misconfigured: `excluded_system` or `undeclared_flow`.
    """
    scope = document.value.systems.get(system)
    if scope is not None and scope.scope == "excluded":
        line = document.line("systems", system, "scope")
        raise Misconfigured(
            f"{document.file}:{line}: system {system} is excluded ({scope.criterion}), so its "
            f"connector {connector} does not start",
            code="excluded_system",
            kept="nothing was read or written",
            advice=f"whoever approved it ({scope.approver}) changes its scope",
        )
    if connector not in document.value.flows:
        raise Misconfigured(
            f"{document.file}: no flow {connector} is declared",
            code="undeclared_flow",
            kept="nothing was read or written",
            advice="declare the flow under its connector's name, with mode, latency and approver",
        )


def refuse_undeclared(
    document: Document[Interfaces], connector: str, tables: Iterable[str]
) -> tuple[str, ...]:
    """The tables that a source's flow declares; refuses others.

    Args:
        document: The interfaces file.
        connector: The source's name, which is its flow's.
        tables: `schema.table` that the operator selected.

    Raises:
        Misconfigured: `undeclared_table`.
    """
    allowed = document.value.flows[connector].tables
    strange = sorted(set(tables).difference(allowed)) if allowed else []
    if strange:
        line = document.line("flows", connector, "tables")
        raise Misconfigured(
            f"{document.file}:{line}: flow {connector} does not declare {', '.join(strange)}",
            code="undeclared_table",
            kept="nothing was read",
            advice="add the tables to the flow after its approver agreed, or select fewer",
        )
    return allowed


def _direct(document: Document[Interfaces]) -> Iterable[Finding]:
    for name, flow in document.value.flows.items():
        if flow.is_direct:
            where = f"{document.file}:{document.line('flows', name)}"
            text = f"{where}: flow {name} goes from {flow.source} straight to {flow.target}"
            yield Finding("direct_route", name, text)


def _excluded(document: Document[Interfaces]) -> Iterable[Finding]:
    systems = document.value.systems
    for name, flow in document.value.flows.items():
        for system in (flow.source, flow.target):
            if system in systems and systems[system].scope == "excluded":
                where = f"{document.file}:{document.line('flows', name)}"
                text = f"{where}: flow {name} uses {system}, which is excluded"
                yield Finding("excluded_system", name, text)


def _orphans(document: Document[Interfaces], declared: Iterable[str]) -> Iterable[Finding]:
    flows = document.value.flows.values()
    read = {topic for flow in flows for topic in flow.reads}
    for topic in sorted({*declared, *document.value.topics}):
        use = document.value.topics.get(topic)
        where = f"{document.file}:{document.line('topics', topic)}"
        lacks = [] if topic in read else ["no flow reads it"]
        if use is None or not use.requirements:
            lacks.append("no requirement names it")
        if lacks:
            yield Finding("orphan_topic", topic, f"{where}: {topic}: {' and '.join(lacks)}")


def _live(document: Document[Interfaces], live: Live, declared: set[str]) -> Iterable[Finding]:
    flows = document.value.flows.values()
    by_group: dict[str, set[str]] = {}
    for flow in flows:
        by_group.setdefault(flow.group, set()).update(flow.reads)
        declared.update(flow.reads, flow.writes)
    yield from _unknown_topics(document, live, declared)
    for group, topics in sorted(live.groups.items()):
        yield from _group(group, topics, by_group.get(group))
    for group in sorted(set(by_group) - {""} - set(live.groups)):
        yield Finding("idle_group", group, f"group {group} is declared and not on the broker")


def _unknown_topics(
    document: Document[Interfaces], live: Live, declared: set[str]
) -> Iterable[Finding]:
    sources = {flow.source for flow in document.value.flows.values()}
    for topic in sorted(live.topics - declared):
        is_raw = topic.startswith("cdc.") and topic.split(".")[1] in sources
        if not is_raw and not topic.startswith("_"):
            text = f"{topic} is on the broker, and nothing in {document.file} writes it"
            yield Finding("unknown_topic", topic, text)


def _group(group: str, topics: frozenset[str], declared: set[str] | None) -> Iterable[Finding]:
    strange = sorted(topics.difference(declared or ()))
    told = ", ".join(strange)
    if not strange:
        return
    if any(topic.startswith("cdc.") for topic in strange):
        text = f"group {group} reads {told} past the hub: a point-to-point route"
        yield Finding("direct_route", group, text)
    elif declared is None:
        yield Finding("unknown_group", group, f"group {group} reads {told}; no flow declares it")
    else:
        text = f"group {group} also reads {told}, which its flow does not declare"
        yield Finding("unknown_group", group, text)


def _less_waived(
    document: Document[Interfaces], found: list[Finding], today: date
) -> tuple[Finding, ...]:
    waived, told = set(), []
    present = {(finding.kind, finding.subject) for finding in found}
    for number, waiver in enumerate(document.value.waivers):
        where = f"{document.file}:{document.line('waivers', number)}"
        place = (waiver.kind, waiver.subject)
        if waiver.expires < today:
            text = f"{where}: the waiver of {waiver.subject} ended on {waiver.expires}"
            told.append(Finding("expired_waiver", waiver.subject, f"{text}; ask {waiver.owner}"))
        elif place in present:
            waived.add(place)
        else:
            text = f"{where}: the waiver of {waiver.subject} excuses nothing"
            told.append(Finding("needless_waiver", waiver.subject, text))
    kept = [each for each in found if (each.kind, each.subject) not in waived]
    return (*kept, *told)
