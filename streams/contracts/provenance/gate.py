"""What a stage asks of a record before it uses it: that it says where it comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from streams.contracts.provenance.chain import HEADER, begun, is_well_formed
from streams.errors import Poison
from streams.model.envelope import Envelope

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from streams.contracts.topics import Topic

KEPT: Final = "the record's bytes and headers, as a dead letter"


class Gate:
    """Asks each record of a topic for its chain.

    A record without one was stripped on its way, unless the topic takes first records
    (`Topic.provenance`) and the event itself says that nothing made it from something else: its
    `envelope.transform` is empty. That is how a plain producer's fact begins a chain.

    Args:
        topic: The topic.
        decode: Gives the event of a record's bytes; called only for records without a chain.
    """

    def __init__(self, topic: Topic[Any], decode: Callable[[Topic[Any], bytes], Any]) -> None:
        self._topic = topic
        self._decode = decode

    def chain_of(self, headers: Sequence[tuple[str, bytes | None]] | None, value: Any) -> bytes:
        """The chain of a record.

        Args:
            headers: The record's headers.
            value: The record's bytes.

        Returns:
            The chain; empty for a record without bytes, which its stage refuses itself.

        Raises:
            Poison: `provenance_missing`, `provenance_unreadable`, or what is wrong with the bytes.
            Transient: The registry is not available.
        """
        # Every step writes it last, so it is nearly always found at once.
        for name, text in reversed(headers or ()):
            if name == HEADER:
                if text and is_well_formed(text):
                    return text
                raise self._unreadable(text)
        return b"" if value is None else self._first(value)

    def _first(self, value: bytes) -> bytes:
        event = self._decode(self._topic, value)
        envelope = getattr(event, "envelope", None)
        begins = isinstance(envelope, Envelope) and not envelope.transform
        if self._topic.provenance == "first" and isinstance(envelope, Envelope) and begins:
            source = envelope.source
            return begun(f"first/{source.system}", source.connector_version, envelope.event_id)
        raise self._missing(begins=begins)

    def _missing(self, *, begins: bool) -> Poison:
        if begins:
            why = f"{self._topic.name} takes no records that begin a chain"
            advice = "write facts only, and let the stages make the rest"
        else:
            why = "what it was made from can no longer be told"
            advice = (
                "find what dropped the header on the way and write the record again with it; of a "
                "fact without upstream `envelope.transform` is empty (`lotgate dlq edit` can do it)"
            )
        return Poison(
            f"the record came without the header {HEADER}: {why}",
            code="provenance_missing",
            kept=KEPT,
            advice=advice,
        )

    def _unreadable(self, text: bytes | None) -> Poison:
        return Poison(
            f"the header {HEADER} of a record of {self._topic.name} is no chain of steps: "
            f"it ends in {(text or b'')[-80:]!r}",
            code="provenance_unreadable",
            kept=KEPT,
            advice="look at what wrote or passed on the record; it must copy the header unchanged",
        )
