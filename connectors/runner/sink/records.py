"""The records a hold sink writes: acks with what was read, dead letters with the whole story."""

from __future__ import annotations

import traceback
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from connectors.runner.sink.result import advice_of
from streams.contracts.headers import headers_of
from streams.contracts.provenance import HEADER, appended, step
from streams.contracts.topics import HOLD_ACKS
from streams.errors import LotgateError
from streams.model.envelope import Transform
from streams.model.hold import Enforcement, HoldAck, HoldAction, Prior
from streams.model.ids import derived_id

if TYPE_CHECKING:
    from datetime import datetime

    from connectors.base import Observation
    from connectors.runner.sink.config import SinkConfig
    from streams.contracts.codec import Codec
    from streams.engine import Record
    from streams.model.hold import AckResult, HoldCommand

LETTER = "lotgate-dlq-"
STACK_LIMIT = 8 * 1024
TEXT_LIMIT = 2 * 1024


@dataclass(frozen=True, slots=True)
class Output:
    """A record to be written.

    Attributes:
        topic: Full name.
        key: Key bytes, None for none.
        value: Value bytes, None for none.
        headers: Header names and values.
    """

    topic: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What an ack says beside the command it answers.

    Attributes:
        result: See `AckResult`.
        observation: What was read, None if nothing could be read.
        detail: For people.
        advice: What to do next; by the result if empty.
        calls: Calls made to the target.
    """

    result: AckResult
    observation: Observation | None = None
    detail: str = ""
    advice: str = ""
    calls: int = 0


def ack_of(
    command: HoldCommand, answer: Answer, mode: Enforcement, at: datetime, config: SinkConfig
) -> HoldAck:
    """The ack of a command.

    Args:
        command: The command.
        answer: What became of it.
        mode: The target's enforcement.
        at: When the target was read.
        config: Names this sink.
    """
    seen = answer.observation
    ack_id = derived_id("ack", command.command_id, command.hold_version, answer.result)
    envelope = replace(
        command.envelope,
        event_id=ack_id,
        event_type="lotgate.inventory.hold_ack",
        subject_id=command.lot_id,
        subject_version=command.hold_version,
        occurred_at=at,
        correlation_id=command.envelope.correlation_id or command.envelope.event_id,
        causation_id=command.envelope.event_id,
        transform=(
            Transform(
                config.component,
                config.build or "unknown",
                input_event_ids=(command.envelope.event_id,),
            ),
        ),
    )
    parts = (answer.detail, seen.detail if seen else "")
    return HoldAck(
        envelope=envelope,
        ack_id=ack_id,
        command_id=command.command_id,
        hold_id=command.hold_id,
        action=command.action,
        lot_id=command.lot_id,
        target=command.target,
        hold_version=command.hold_version,
        result=answer.result,
        mode=mode,
        effective_disposition=seen.effective_disposition if seen else "",
        shares=seen.shares if seen else (),
        prior=seen.prior if seen and seen.found else Prior("", ""),
        observed_at=at,
        detail="; ".join(dict.fromkeys(part for part in parts if part)),
        advice=answer.advice or advice_of(answer.result, mode),
        signature=command.cause.signature if command.action == HoldAction.RELEASE else "",
        calls=answer.calls,
    )


def ack_record(ack: HoldAck, config: SinkConfig, codec: Codec, chain: bytes) -> Output:
    """An ack as a record.

    Args:
        ack: The ack.
        config: Names this sink.
        codec: Encodes it.
        chain: The chain of the command that it answers.
    """
    own = step(config.component, config.build)
    return Output(
        config.acks,
        HOLD_ACKS.key(ack).encode(),
        codec.encode(HOLD_ACKS, ack),
        (*headers_of(ack, HOLD_ACKS), (HEADER, appended(chain, own, ack))),
    )


def letter_of(record: Record, error: BaseException, config: SinkConfig, attempts: int) -> Output:
    """A dead letter: the record's key and bytes unchanged, the story in headers.

    Args:
        record: The record at fault.
        error: What happened.
        config: Names this sink.
        attempts: How often it was tried.
    """
    ours = error if isinstance(error, LotgateError) else None
    stack = "".join(traceback.format_exception(error))
    story = {
        "topic": record.topic,
        "partition": str(record.partition),
        "offset": str(record.offset),
        "timestamp": str(record.timestamp_ms),
        "group": config.component,
        "stage": config.component,
        "error": type(error).__qualname__,
        "code": ours.code if ours else "unforeseen",
        "message": str(error)[:TEXT_LIMIT],
        "advice": (ours.advice if ours else "")[:TEXT_LIMIT],
        "stack": stack[-STACK_LIMIT:],
        "build": config.build,
        "attempts": str(attempts),
        "cause": f"{record.topic}[{record.partition}]@{record.offset}",
    }
    told = tuple((LETTER + name, text.encode()) for name, text in story.items() if text)
    kept = tuple(pair for pair in record.headers if not pair[0].startswith(LETTER))
    return Output(config.dead_letters, record.key, record.value, kept + told)
