"""What must be true of any list of commands, wherever it was read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from streams.model.facts import Nonconformity
from streams.model.hold import HoldAction, HoldCommand
from tests.laws.hold_oracle import Fact


def stories(commands: Iterable[HoldCommand]) -> dict[tuple[str, str], list[HoldCommand]]:
    """Commands by lot and target, in order."""
    found: dict[tuple[str, str], list[HoldCommand]] = defaultdict(list)
    for command in commands:
        found[command.lot_id, command.target].append(command)
    return found


def assert_commands_are_sound(commands: list[HoldCommand], facts: Iterable[Fact]) -> None:
    """A hold, then perhaps its release, and so on; never a release that nobody signed."""
    signed = {
        f"nonconformity:qms:{fact.nc_id}"
        for fact in facts
        if isinstance(fact, Nonconformity) and fact.signed and fact.state in ("closed", "cancelled")
    }
    by_id: dict[str, HoldCommand] = {}
    for command in commands:
        assert by_id.setdefault(command.command_id, command) == command
    for story in stories(commands).values():
        assert [command.hold_version for command in story] == list(range(1, len(story) + 1))
        for place, command in enumerate(story):
            if place % 2 == 0:
                assert command.action == HoldAction.HOLD
                assert command.hold_id == command.command_id
                assert command.open_causes
            else:
                assert command.action == HoldAction.RELEASE
                assert command.hold_id == story[place - 1].command_id
                assert command.prior == story[place - 1].prior
                assert command.open_causes == ()
                assert command.cause.cause_id in signed
                assert command.cause.signature == "present, not verified"
