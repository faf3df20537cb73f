"""How much accounts may use of the broker.

confluent-kafka does not ask for quotas, so this is the client that comes with Faust.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from aiokafka.client import AIOKafkaClient  # type: ignore[import-untyped]
from aiokafka.errors import KafkaError as ClientError  # type: ignore[import-untyped]
from aiokafka.helpers import create_ssl_context  # type: ignore[import-untyped]
from aiokafka.protocol.admin import DescribeClientQuotasRequest  # type: ignore[import-untyped]

from streams.errors import Misconfigured, Transient

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.runtime.connection import KafkaConnection

WAIT_S: Final = 15.0
_ANY_NAME: Final = 2
"""The protocol's number for "every entity of this kind that has a quota"."""


def account_quotas(connection: KafkaConnection) -> dict[str, dict[str, float]]:
    """Quotas of accounts by the account's name (without `User:`) and the broker's quota name.

    Raises:
        Misconfigured: `denied`: this user may not describe them, or the security settings are
            such that only the other library knows them.
        Transient: `broker_unavailable`.
    """
    try:
        return asyncio.run(_quotas(connection))
    except (ClientError, OSError, TimeoutError) as failure:
        raise Transient(
            f"asking for quotas failed: {failure!r}", code="broker_unavailable"
        ) from failure


async def _quotas(connection: KafkaConnection) -> dict[str, dict[str, float]]:
    client = AIOKafkaClient(
        bootstrap_servers=connection.bootstrap,
        request_timeout_ms=int(WAIT_S * 1000),
        **_security(connection.security),
    )
    try:
        await client.bootstrap()
        node = client.get_random_node()
        request = DescribeClientQuotasRequest([("user", _ANY_NAME, None)], strict=True)
        answer = await client.send(node, request)
    finally:
        await client.close()
    if answer.error_code:
        raise Misconfigured(
            f"asking for quotas was refused: {answer.error_message or answer.error_code}",
            code="denied",
            kept="nothing was read or written",
            advice="grant this user DESCRIBE_CONFIGS on the cluster",
        )
    return {entity[0][1]: dict(values) for entity, values in answer.entries if entity[0][1]}


def _security(settings: Mapping[str, str]) -> dict[str, Any]:
    """The other library's form of what a connection says of TLS and passwords."""
    protocol = settings.get("security.protocol", "PLAINTEXT").upper()
    mechanism = settings.get("sasl.mechanism", settings.get("sasl.mechanisms", "PLAIN"))
    if protocol.startswith("SASL") and mechanism not in {
        "PLAIN",
        "SCRAM-SHA-256",
        "SCRAM-SHA-512",
    }:
        raise Misconfigured(
            f"quotas cannot be asked for with {mechanism}",
            code="denied",
            kept="nothing was read or written",
            advice="ask with an account that has a password",
        )
    context = None
    if protocol.endswith("SSL"):
        context = create_ssl_context(
            cafile=settings.get("ssl.ca.location"),
            certfile=settings.get("ssl.certificate.location"),
            keyfile=settings.get("ssl.key.location"),
            password=settings.get("ssl.key.password"),
        )
    return {
        "security_protocol": protocol,
        "ssl_context": context,
        "sasl_mechanism": mechanism,
        "sasl_plain_username": settings.get("sasl.username"),
        "sasl_plain_password": settings.get("sasl.password"),
    }
