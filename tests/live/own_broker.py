"""A broker of one test's own, with settings that the shared one must not have."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from localstack.host.waiting import until_ready

from tests.parts import temporary_stack

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from localstack import Stack

SECURED = "SECURED"
USERS = ("complete", "no-topic", "no-write", "no-group", "no-transactions")
PASSWORD = "not-a-secret"

QUICK_SESSIONS = {
    # The session of a member under the new protocol is the broker's; its least is 45 s by default.
    "group.consumer.min.session.timeout.ms": "3000",
    "group.consumer.session.timeout.ms": "6000",
    "group.consumer.min.heartbeat.interval.ms": "500",
    "group.consumer.heartbeat.interval.ms": "500",
}
ACCESS_CONTROL = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    # Who comes over the plain listeners: the broker itself, and a test that grants rights.
    "super.users": "User:ANONYMOUS",
    "allow.everyone.if.no.acl.found": "false",
    "sasl.enabled.mechanisms": "PLAIN",
    f"listener.name.{SECURED.lower()}.plain.sasl.jaas.config": (
        "org.apache.kafka.common.security.plain.PlainLoginModule required "
        + " ".join(f'user_{name}="{PASSWORD}"' for name in USERS)
        + ";"
    ),
}


@contextmanager
def own_broker(cache: Path, settings: Mapping[str, str], secured: int = 0) -> Iterator[Stack]:
    """Lend a stack whose broker runs with further settings.

    Args:
        cache: Where downloads are kept.
        settings: Broker settings by Kafka's names.
        secured: A free port for a listener that asks for a password; 0 for none.
    """
    with temporary_stack(cache) as stack:
        stack.prepare(parts=("broker",))
        command = stack.broker.command()
        file = Path(command.argv[-1])
        lines = [file.read_text(encoding="utf-8")]
        told = dict(settings)
        if secured:
            told |= _with_secured_listener(lines[0], secured)
        lines += [f"{name}={value}\n" for name, value in told.items()]
        # Of two lines for one setting the broker takes the last.
        file.write_text("".join(lines), encoding="utf-8")
        process = stack.process("broker")
        process.start(command)
        until_ready(process, stack.broker.probe, stack.broker.ready_seconds)
        yield stack


def _with_secured_listener(written: str, port: int) -> dict[str, str]:
    values = dict(line.split("=", 1) for line in written.splitlines() if "=" in line)
    own = f"{SECURED}://127.0.0.1:{port}"
    return {
        "listeners": f"{values['listeners']},{own}",
        "advertised.listeners": f"{values['advertised.listeners']},{own}",
        "listener.security.protocol.map": (
            f"{values['listener.security.protocol.map']},{SECURED}:SASL_PLAINTEXT"
        ),
    }


def security(user: str) -> dict[str, str]:
    """What a client needs to come in through the secured listener."""
    return {
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "PLAIN",
        "sasl.username": user,
        "sasl.password": PASSWORD,
    }
