"""What a hold sink's loop is told."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from streams.contracts.interfaces.release import Release
from streams.contracts.topics import HOLD_ACKS, HOLD_COMMANDS, dead_letters, prefixed
from streams.model.hold import Enforcement

if TYPE_CHECKING:
    from streams.contracts.zones import Policy


@dataclass(frozen=True, slots=True)
class Retrying:
    """The sink's own clock: how often and how long it tries.

    Attributes:
        first_s: Longest first pause after a passing failure; it doubles, drawn at random below.
        longest_s: The longest pause.
        unknown_s: Pause before the target is read again after a call without an answer: the call
            may still be running there.
        reads: How often a command is carried out again while the read-back shows work left.
        read_pause_s: Pause between these.
        denied: Commands in a row that the target may refuse for want of rights before the loop
            stops. A wrong key must not empty the topic into the dead letters.
    """

    first_s: float = 0.5
    longest_s: float = 30.0
    unknown_s: float = 2.0
    reads: int = 3
    read_pause_s: float = 1.0
    denied: int = 5


@dataclass(frozen=True, slots=True)
class SinkConfig:
    """One target's loop.

    Attributes:
        target: Name of the target, as commands carry it.
        group: The installation's group without prefix.
        prefix: Installation prefix, empty for none.
        enforcement: How far the target may go.
        place_open: With `enforce`: also place the holds that were only reported so far.
        instance_id: Stable name of this process; a restart keeps its partitions with it.
        session_timeout_s: How long the group waits for a silent process.
        build: Version of the running code, for dead letters and the acks' chain.
        backlog: Records read ahead per partition.
        retrying: The loop's own clock.
        flow: Name of its flow, by which a person releases records of a manual one.
        release: When records may be carried: at once, at the times of a cron, or when released.
        policy: What of a command the target's zone may see; None for everything.
    """

    target: str = "erp"
    group: str = "lotgate"
    prefix: str = ""
    enforcement: Enforcement = Enforcement.OBSERVE
    place_open: bool = False
    instance_id: str = "0"
    session_timeout_s: float = 30.0
    build: str = ""
    backlog: int = 100
    retrying: Retrying = field(default_factory=Retrying)
    flow: str = ""
    release: Release = field(default_factory=Release)
    policy: Policy | None = field(default=None, repr=False)

    @property
    def component(self) -> str:
        """Name of this sink's group, without prefix."""
        return f"{self.group}-{self.target}-hold"

    @property
    def commands(self) -> str:
        """Full name of the topic read."""
        return HOLD_COMMANDS.full_name(self.prefix, self.group)

    @property
    def acks(self) -> str:
        """Full name of the topic of acks."""
        return HOLD_ACKS.full_name(self.prefix, self.group)

    @property
    def dead_letters(self) -> str:
        """Full name of the dead-letter topic."""
        return prefixed(self.prefix, dead_letters(self.component))

    @property
    def contract(self) -> dict[str, Any]:
        """What it does with what fails, as its probes tell it and interface documents state it."""
        return {"dead_letters": self.dead_letters, "retry": asdict(self.retrying)}
