"""What every part of the stack can be asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from localstack.host.processes import Command
    from localstack.progress import Report


class NotReady(Exception):
    """The part does not answer yet; the text says what it answered instead."""


class Part(Protocol):
    """One real program that the stack runs.

    Attributes:
        name: What it is called in `lotgate up` and in the log folder.
        needs: Parts that must run before it.
        ready_seconds: How long it may take from start to first answer on a busy machine.
        stop_signal: What asks it to end in order.
        stop_seconds: How long it may take to end before it is killed.
    """

    name: str
    needs: tuple[str, ...]
    ready_seconds: float
    stop_signal: int
    stop_seconds: float

    def prepare(self, report: Report) -> None:
        """Fetch and build what is missing; does nothing when nothing is."""

    def port_names(self) -> tuple[str, ...]:
        """Name the ports that it listens on."""

    def command(self) -> Command:
        """Write its configuration for the present ports and return how to start it."""

    def probe(self) -> None:
        """Return if it answers as it should.

        Raises:
            NotReady: It does not, yet.
        """

    def complete(self) -> None:
        """Do what must be done once per start, after it answers; safe to repeat."""
