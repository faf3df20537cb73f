"""What an error of a transactional call means, in three kinds that callers can act on."""

from __future__ import annotations

from typing import Final

from confluent_kafka import KafkaError, KafkaException

from streams.errors import LotgateError, Misconfigured, Transient, Unknown

FENCING: Final = frozenset(
    {
        KafkaError._FENCED,  # noqa: SLF001 - the library's public constant
        KafkaError.INVALID_PRODUCER_EPOCH,
        KafkaError.PRODUCER_FENCED,
        KafkaError.FENCED_INSTANCE_ID,
    }
)
FORMER_MEMBER: Final = frozenset(
    {
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.STALE_MEMBER_EPOCH,
        KafkaError.FENCED_INSTANCE_ID,
        KafkaError.REBALANCE_IN_PROGRESS,
    }
)
"""How a group refuses the positions of one who is no longer a member, or not as it was."""
RECORD_FAULTS: Final = frozenset(
    {
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.INVALID_MSG,
        KafkaError.INVALID_RECORD,
        KafkaError.RECORD_LIST_TOO_LARGE,
    }
)
DENIED: Final = frozenset(
    {
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
        KafkaError.SASL_AUTHENTICATION_FAILED,
    }
)

RIGHTS: Final = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED: (
        "grant this user DESCRIBE, DESCRIBE_CONFIGS and READ or WRITE on the topic"
    ),
    KafkaError.GROUP_AUTHORIZATION_FAILED: "grant this user READ on the group",
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED: (
        "grant this user WRITE and DESCRIBE on the transactional id"
    ),
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: "grant this user the right on the cluster",
}
"""What to grant, by the broker's error."""


class Fenced(LotgateError):
    """The broker gave this identity to a newer request; this process must end and write no more.

    Most often that is another process. A broker that stood still may also have taken an earlier
    request of this very process for a newer member or writer when it went on: nothing in its answer
    tells the two apart.
    """

    code = "fenced"


class StartPosition(LotgateError):
    """The group's position and what the broker retains, or the state, do not fit together."""

    code = "start_position"


class Repartitioned(Misconfigured):
    """An input has another number of partitions than the state: keys would miss their state."""

    code = "repartitioned"


class Unreleased(Transient):
    """The group keeps this instance's place for its former process; it opens by time."""

    code = "instance_unreleased"


class Aborted(Transient):
    """The transaction is definitely aborted: nothing of it is or will be visible.

    Attributes:
        record_fault: The broker refused a record, so the same batch would fail again.
    """

    code = "transaction_aborted"
    record_fault: bool = False


class OutcomeUnknown(Unknown):
    """A commit ended without an answer; the producer was replaced. Re-read before going on."""

    code = "commit_outcome_unknown"


def error_of(failure: KafkaException) -> KafkaError:
    """The broker's or library's error inside an exception."""
    error: KafkaError = failure.args[0]
    return error


def fenced(error: KafkaError, who: str) -> Fenced:
    """Say that this identity is another's now, and how to find out whose."""
    return Fenced(
        f"{who} was fenced: {error.str()}",
        kept="the open transaction was refused by the broker, nothing of it is visible",
        advice="two things look like this. Another process runs with the same instance id or name:"
        " then one of the two is fenced again after each start; give each its own. Or the broker"
        " stood still or was cut off, and an earlier request of this very process reached it late:"
        " then there is no other process, the log tells of broken connections just before, and one"
        " restart is all that is needed",
    )


def judged(failure: KafkaException, what: str) -> LotgateError:
    """Name an error of a call that is no part of a transaction.

    Args:
        failure: What the library raised.
        what: What was being done, for the message.
    """
    error = error_of(failure)
    if error.code() in FENCING:
        return fenced(error, what)
    if error.code() in DENIED:
        return Misconfigured(
            f"{what} was denied: {error.str()}",
            code="denied",
            kept="nothing was read or written",
            advice=RIGHTS.get(error.code(), "look at the user's name and password"),
        )
    if error.code() == KafkaError.INVALID_TRANSACTION_TIMEOUT:
        return Misconfigured(
            f"{what} was refused: the broker does not allow so long a transaction time-out",
            code="transaction_timeout",
            kept="nothing was written",
            advice="raise transaction.max.timeout.ms of the brokers, or lower the time-out here",
        )
    return Transient(f"{what} failed: {error.str()}", code="broker_unavailable")
