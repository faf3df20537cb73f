"""What people decide on a driven job's dead letters and fuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streams.engine import control
from streams.engine.testing.feeding import Fed

if TYPE_CHECKING:
    from streams.contracts.topics import Topic
    from streams.engine.kafka.records import Record


class Decided(Fed):
    """Writes decisions; the next cycle applies them."""

    def replay(
        self,
        dead_letter: Record,
        *,
        event: object | None = None,
        value: bytes | None = None,
        actor: str = "driver",
        reason: str = "driver",
    ) -> None:
        """Decide that a dead letter is tried again, in its key's order, in the next cycle.

        Args:
            dead_letter: One of `dead_letters`.
            event: The corrected event, if it is corrected.
            value: Corrected bytes, if it is corrected in another way.
            actor: Who decides.
            reason: Why.
        """
        if event is not None:
            value = self.codec.encode(self._input_of(type(event)), event)
        self._decide(control.replaying(dead_letter, actor=actor, reason=reason, value=value))

    def drop(self, dead_letter: Record, *, actor: str = "driver", reason: str = "driver") -> None:
        """Decide that a dead letter is given up, in the next cycle.

        Args:
            dead_letter: One of `dead_letters`.
            actor: Who decides.
            reason: Why.
        """
        self._decide(control.dropping(dead_letter, actor=actor, reason=reason))

    def reset_fuse(
        self,
        topic: Topic[Any] | None = None,
        *,
        actor: str = "driver",
        reason: str = "driver",
    ) -> None:
        """Decide that a partition whose fuse tripped goes on.

        Args:
            topic: The input; not needed when the job has one.
            actor: Who decides.
            reason: Why.
        """
        name = self._full(topic or self._only_input())
        self._decide(control.Decision("fuse_reset", name, 0, -1, actor, reason))

    def _decide(self, decision: control.Decision) -> None:
        # Through bytes, as it would travel over the control topic; there each decision is a
        # transaction of its own, whose end takes an offset too.
        control.refuse_unreasoned(decision.actor, decision.reason)
        octets, at = control.encode(decision), 2 * len(self._decisions)
        self._decisions.append(control.decode(octets, at))
