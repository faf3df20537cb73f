"""The register of data flows: which tagged fields go where, and in which form. Generated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from streams.contracts.topics import GROUP

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from streams.contracts.interfaces.document import Flow, Interfaces
    from streams.contracts.zones import TaggedField, Zones


@dataclass(frozen=True, slots=True)
class Entry:
    """One flow as an auditor reads it.

    Attributes:
        flow: Its name.
        source: Where data comes from.
        target: Where it goes.
        zone: The target's zone, empty if it has none.
        mode: How it runs.
        criticality: GxP criticality.
        topics: Topics it reads and writes.
        fields: Tagged fields that it carries to the target: `<type>.<field> [tags] action`.
    """

    flow: str
    source: str
    target: str
    zone: str
    mode: str
    criticality: str
    topics: tuple[str, ...]
    fields: tuple[str, ...]


def register(
    interfaces: Interfaces, zones: Zones, fields_by_topic: Mapping[str, Iterable[TaggedField]]
) -> tuple[Entry, ...]:
    """Every flow with what it carries.

    Args:
        interfaces: The flows.
        zones: The zones.
        fields_by_topic: The fields of each topic's events, by the topic's name without prefix.
    """
    return tuple(
        Entry(
            flow=name,
            source=flow.source,
            target=flow.target,
            zone=zones.sinks.get(flow.target, ""),
            mode=flow.mode + (f" ({flow.cron})" if flow.cron else ""),
            criticality=flow.criticality,
            topics=tuple(dict.fromkeys((*flow.reads, *flow.writes))),
            fields=tuple(dict.fromkeys(_carried(flow, zones, fields_by_topic))),
        )
        for name, flow in interfaces.flows.items()
    )


def named(interfaces: Interfaces, group: str) -> Interfaces:
    """The file with the names that a worker's group has on the broker (without prefix)."""

    def flow_of(flow: Flow) -> Flow:
        def full(names: Iterable[str]) -> tuple[str, ...]:
            return tuple(name.replace(GROUP, group) for name in names)

        update = {
            "group": flow.group.replace(GROUP, group),
            "reads": full(flow.reads),
            "writes": full(flow.writes),
        }
        return flow.model_copy(update=update)

    flows = {name: flow_of(flow) for name, flow in interfaces.flows.items()}
    return interfaces.model_copy(update={"flows": flows})


def _carried(
    flow: Flow, zones: Zones, fields_by_topic: Mapping[str, Iterable[TaggedField]]
) -> Iterator[str]:
    zone = zones.zones.get(zones.sinks.get(flow.target, ""))
    for topic in flow.reads or flow.writes:
        for field in fields_by_topic.get(topic, ()):
            rule = zone.rule_for(field) if zone is not None else None
            if field.tags or rule is not None:
                action = f"{rule.action} by {rule.id}" if rule is not None else "pass"
                yield f"{field.full} [{', '.join(sorted(field.tags))}] {action}"
