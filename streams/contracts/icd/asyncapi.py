"""AsyncAPI 3.1 of the documented topics: for tools that generate clients, docs and tests."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from streams.contracts.wire.schema_tree import self_contained

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from streams.contracts.catalog import Catalog
    from streams.contracts.icd.document import InterfaceDocument, TopicPromise
    from streams.contracts.icd.loading import Loaded

VERSION: Final = "3.1.0"
BINDING: Final = "0.5.0"
AVRO: Final = "application/vnd.apache.avro+json;version=1.9.0"
_NO_KEY: Final = re.compile(r"[^A-Za-z0-9._-]")


def asyncapi_of(
    documents: Iterable[Loaded],
    catalog: Catalog,
    version: str,
    server: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Make the document.

    Args:
        documents: The interface documents; topics of patterns are left out, they have no one form.
        catalog: The schemas.
        version: Version of the product.
        server: Where the broker is (see `server_of`); None leaves that open.
    """
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    messages: dict[str, Any] = {}
    for document in (loaded.document for loaded in documents):
        for topic in document.topics:
            if topic.is_pattern:
                continue
            name = _key(topic.name)
            messages[name] = _message(topic, catalog)
            channels[name] = _channel(document, topic, name)
            operations.update(_operations(topic, name))
    return {
        "asyncapi": VERSION,
        "info": {
            "title": "Lotgate",
            "version": version,
            "description": "Topics between the quality system and the systems that act on it.",
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/vnd.apache.avro",
        **({} if server is None else {"servers": {"site": server}}),
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages},
    }


def server_of(broker: str, registry: str | None, *, secure: bool) -> dict[str, Any]:
    """A broker and its registry as AsyncAPI has them.

    Args:
        broker: `host:port`.
        registry: Root of the registry's Confluent-compatible interface.
        secure: Whether clients need TLS or a password.
    """
    binding = {"bindingVersion": BINDING}
    if registry is not None:
        binding |= {"schemaRegistryUrl": registry, "schemaRegistryVendor": "confluent"}
    return {
        "host": broker,
        "protocol": "kafka-secure" if secure else "kafka",
        "bindings": {"kafka": binding},
    }


def _key(name: str) -> str:
    return _NO_KEY.sub("", name.replace("{group}", "group"))


def _channel(document: InterfaceDocument, topic: TopicPromise, name: str) -> dict[str, Any]:
    settings: dict[str, Any] = {"cleanup.policy": [topic.cleanup]}
    if topic.retention_ms is not None:
        settings["retention.ms"] = topic.retention_ms
    channel: dict[str, Any] = {
        "address": topic.name,
        "title": document.title,
        "description": topic.meaning,
        "messages": {"record": {"$ref": f"#/components/messages/{name}"}},
        "bindings": {
            "kafka": {
                "partitions": topic.partitions,
                "topicConfiguration": settings,
                "bindingVersion": BINDING,
            }
        },
    }
    if "{group}" in topic.name:
        channel["parameters"] = {
            "group": {"description": "The worker's group.", "default": "lotgate"}
        }
    return channel


def _message(topic: TopicPromise, catalog: Catalog) -> dict[str, Any]:
    binding: dict[str, Any] = {
        "key": {"type": "string", "description": topic.key},
        "bindingVersion": BINDING,
    }
    message: dict[str, Any] = {"name": topic.name, "summary": topic.meaning}
    if topic.schema_ is not None:
        schema = catalog.schema(topic.schema_.name, topic.schema_.version)
        message["payload"] = {"schemaFormat": AVRO, "schema": _spelled(self_contained(schema))}
        binding |= {
            "schemaIdLocation": "payload",
            "schemaIdPayloadEncoding": "confluent",
            "schemaLookupStrategy": "TopicNameStrategy",
        }
    elif topic.content is not None:
        message["description"] = topic.content
        message["contentType"] = "application/octet-stream"
    message["bindings"] = {"kafka": binding}
    return message


def _operations(topic: TopicPromise, name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    access = topic.access
    if access is None:
        return
    for action, verb, accounts in (
        ("send", "write", access.write),
        ("receive", "read", access.read),
    ):
        for account in accounts:
            who = account.removeprefix("User:")
            yield (
                _key(f"{who}.{verb}.{name}"),
                {
                    "action": action,
                    "channel": {"$ref": f"#/channels/{name}"},
                    "summary": f"{who} {verb}s it",
                    "messages": [{"$ref": f"#/channels/{name}/messages/record"}],
                },
            )


def _spelled(schema: Any) -> Any:
    """The schema with namespaces beside names: AsyncAPI's form of Avro wants no dot in a name."""
    if isinstance(schema, list):
        return [_spelled(branch) for branch in schema]
    if not isinstance(schema, dict):
        return schema
    found = dict(schema)
    for part in ("type", "items", "values"):
        if isinstance(found.get(part), dict | list):
            found[part] = _spelled(found[part])
    if "fields" in found:
        found["fields"] = [_spelled(field) for field in found["fields"]]
    if found.get("type") in ("record", "enum", "fixed"):
        namespace, dot, name = str(found["name"]).rpartition(".")
        found["name"] = name
        if dot:
            found["namespace"] = namespace
    return found
