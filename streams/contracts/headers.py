"""CloudEvents 1.0 in Kafka's binary mode: what a record is, readable without its schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streams.model.envelope import Envelope

if TYPE_CHECKING:
    from streams.contracts.topics import Topic

CONTENT_TYPE = "application/avro"
"""Media type of a body in Confluent's frame."""


def headers_of(event: object, topic: Topic[Any]) -> list[tuple[str, bytes]]:
    """The headers of a canonical record.

    Args:
        event: The event; without an `envelope` of ours it gets no headers.
        topic: The topic it goes to.

    Returns:
        `ce_specversion`, `ce_id`, `ce_source` (`/<site>/<system>`), `ce_type`, `ce_subject`,
        `ce_time` (business time), `ce_dataschema` (`urn:avro:` and the schema's full name) and
        `content-type`; `traceparent` too if the event was traced.
    """
    envelope = getattr(event, "envelope", None)
    if not isinstance(envelope, Envelope):
        return []
    schema = topic.schema if isinstance(topic.schema, str) else str(topic.schema.get("name", ""))
    found = [
        ("ce_specversion", b"1.0"),
        ("ce_id", envelope.event_id.encode()),
        ("ce_source", f"/{envelope.site_id}/{envelope.source.system}".encode()),
        ("ce_type", envelope.event_type.encode()),
        ("ce_subject", envelope.subject_id.encode()),
        ("ce_time", envelope.occurred_at.isoformat().replace("+00:00", "Z").encode()),
        ("ce_dataschema", f"urn:avro:{schema}".encode()),
        ("content-type", CONTENT_TYPE.encode()),
    ]
    if envelope.trace_id:
        span = envelope.event_id.replace("-", "")[:16]
        found.append(("traceparent", f"00-{envelope.trace_id}-{span}-01".encode()))
    return found
