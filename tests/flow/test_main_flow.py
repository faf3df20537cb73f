"""From recorded row changes of a real ERP and QMS to commands, in one process with real codecs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from streams.contracts.topics import HOLD_COMMANDS, HOLD_STATE, TRANSLATE_INPUT
from tests.flow.in_memory import Flow
from tests.translation_golden import STREAM, transaction_of

if TYPE_CHECKING:
    from streams.model.rows import SourceTransaction


def recorded() -> list[SourceTransaction]:
    """Every recorded transaction, in log order per source."""
    lines = STREAM.read_text(encoding="utf-8").splitlines()
    return [transaction_of(json.loads(line)) for line in lines]


def ended(flow: Flow) -> dict[str, tuple[str, str]]:
    """Status and disposition of each lot at the end."""
    states = flow.records[HOLD_STATE.name]
    return {state.lot_id: (state.status, state.disposition) for state in states}


@pytest.mark.urs("M4.1", "M2.5")
def test_recorded_changes_become_commands_that_name_their_database_row() -> None:
    with Flow() as flow:
        for transaction in recorded():
            flow.feed(TRANSLATE_INPUT, transaction)
        commands, states = flow.records[HOLD_COMMANDS.name], ended(flow)
    assert commands
    live = {t.commit_lsn for t in recorded() if not t.snapshot}
    assert {command.envelope.source.commit_lsn for command in commands} <= live
    assert all(command.envelope.source.op in {"c", "u"} for command in commands)
    held = {c.lot_id for c in commands if c.action == "hold"}
    released = {c.lot_id for c in commands if c.action == "release"}
    now = {lot for lot, (status, _) in states.items() if status == "held"}
    assert now == held - released


@pytest.mark.urs("M4.4")
def test_every_transaction_delivered_twice_changes_nothing() -> None:
    with Flow() as once, Flow() as twice:
        for transaction in recorded():
            once.feed(TRANSLATE_INPUT, transaction)
            twice.feed(TRANSLATE_INPUT, transaction)
            twice.feed(TRANSLATE_INPUT, transaction)
        ids = [command.command_id for command in once.records[HOLD_COMMANDS.name]]
        assert [command.command_id for command in twice.records[HOLD_COMMANDS.name]] == ids
        assert ended(twice) == ended(once)
        assert ids
