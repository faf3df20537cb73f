"""`lotgate dlq edit` as a person has it: a real terminal, and a program of the person's own."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from streams.contracts.catalog import Catalog
from streams.contracts.codec import Codec
from streams.contracts.provisioning import control_spec, dead_letter_spec, topic_spec
from streams.contracts.registry import ConfluentRegistry
from streams.contracts.topics import LOTS, dead_letters, prefixed
from streams.engine import Transaction, control, provision, read_partition
from streams.runtime.connection import KafkaConnection
from tests.evidence_history import history

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.urs("M3.3")

LOTGATE = Path(sys.executable).with_name("lotgate")
EDITORS = {
    "corrects": 'sed -i \'s/"place": "[^"]*"/"place": "COLD-3"/\' "$1"',
    "saves_as_it_is": 'touch "$1"',
    "does_not_save": 'test -s "$1"',
    "empties": ': > "$1"',
    # At the second time it finds what it left, and repairs it.
    "breaks_then_repairs": (
        "if grep -q BROKEN \"$1\"; then sed -i -e 's/BROKEN//' -e"
        ' \'s/"place": "[^"]*"/"place": "COLD-3"/\' "$1";'
        ' else printf BROKEN >> "$1"; fi'
    ),
    "fails": "exit 3",
}


class Terminal:
    """A command in a terminal of its own."""

    def __init__(self, argv: list[str], env: dict[str, str]) -> None:
        self._here, there = pty.openpty()
        self.process = subprocess.Popen(
            argv, stdin=there, stdout=there, stderr=there, env=env, start_new_session=True
        )
        os.close(there)
        self.shown = ""

    def read_until(self, text: str, seconds: float = 30) -> None:
        """Wait until the terminal shows something."""
        deadline = time.monotonic() + seconds
        while text not in self.shown:
            assert time.monotonic() < deadline, f"{text!r} was not shown in:\n{self.shown}"
            assert self._read(), f"it ended without {text!r}:\n{self.shown}"

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._here, text.encode())

    def ended(self, seconds: float = 30) -> int:
        """Wait for the end, and give the exit code."""
        deadline = time.monotonic() + seconds
        while self._read():
            assert time.monotonic() < deadline, f"it does not end:\n{self.shown}"
        return self.process.wait(seconds)

    def close(self) -> None:
        """End what still runs."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._here)

    def _read(self) -> bool:
        if not select.select([self._here], [], [], 1.0)[0]:
            return True
        try:
            octets = os.read(self._here, 4096)
        except OSError:
            # The other side has no holder any more.
            return False
        self.shown += octets.decode(errors="replace").replace("\r\n", "\n")
        return bool(octets)


class Desk:
    """A dead letter, and a terminal to correct it in."""

    def __init__(self, connection: KafkaConnection, registry: str, folder: Path, place: str):
        self._connection, self._registry = connection, registry
        self._folder, self._place = folder, place

    @contextmanager
    def editing(self, editor: str, *options: str) -> Iterator[Terminal]:
        """Edit the dead letter with one of `EDITORS`, or with one that is not there."""
        program = self._folder / editor
        if editor in EDITORS:
            program.write_text(f"#!/bin/sh\n{EDITORS[editor]}\n", encoding="utf-8")
            program.chmod(0o755)
        env = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("LOTGATE_", "VISUAL"))},
            "EDITOR": str(program),
            "LOTGATE_BOOTSTRAP": self._connection.bootstrap,
            "LOTGATE_REGISTRY_URL": self._registry,
            "LOTGATE_PREFIX": self._connection.prefix,
            "COLUMNS": "100",
        }
        words = ["dlq", "edit", self._place, "--reason", "typo", "--actor", "qa", *options]
        terminal = Terminal([str(LOTGATE), *words], env)
        try:
            yield terminal
        finally:
            terminal.close()

    def decisions(self) -> list[control.Decision]:
        """What was decided so far."""
        topic = prefixed(self._connection.prefix, "lotgate-control")
        return [
            control.decode(record.value or b"", record.offset)
            for record in read_partition(self._connection, topic, 0)
            if record is not None
        ]


def first_lot() -> Any:
    return next(event for topic, event in history() if topic is LOTS)


@pytest.fixture(scope="module")
def codec_and_connection(
    broker: str, registry: str, request: pytest.FixtureRequest
) -> Iterator[tuple[Codec, KafkaConnection]]:
    name = f"editor-{sha256(f'{request.node.nodeid}{os.getpid()}'.encode()).hexdigest()[:10]}"
    connection = KafkaConnection(broker, prefix=name)
    client = ConfluentRegistry(registry)
    codec = Codec(Catalog.load(), client, name)
    codec.prepare([LOTS], register=True)
    specs = [topic_spec(LOTS, connection), control_spec(connection)]
    provision(connection, [*specs, dead_letter_spec("lotgate", connection)])
    yield codec, connection
    client.close()


@pytest.fixture
def desk(
    codec_and_connection: tuple[Codec, KafkaConnection], registry: str, tmp_path: Path
) -> Desk:
    codec, connection = codec_and_connection
    topic = prefixed(connection.prefix, dead_letters("lotgate"))
    story = {
        "topic": LOTS.full_name(connection.prefix, connection.group),
        "partition": "1", "offset": "41", "timestamp": "1700000000000",
        "stage": "lotgate", "code": "rule_failed", "message": "no such place",
    }  # fmt: skip
    headers = [(f"lotgate-dlq-{name}", text.encode()) for name, text in story.items()]
    with Transaction(connection, "test-editor") as transaction:
        transaction.begin()
        transaction.produce(topic, b"key", codec.encode(LOTS, first_lot()), headers, partition=0)
        transaction.commit()
    *_, last = (r for r in read_partition(connection, topic, 0) if r is not None)
    return Desk(connection, registry, tmp_path, f"{topic}/0/{last.offset}")


def test_what_an_editor_corrects_is_shown_asked_about_and_tried_again(desk: Desk) -> None:
    before = len(desk.decisions())
    with desk.editing("corrects") as terminal:
        terminal.read_until("Try it again with this value? [y/N]:")
        assert '+  "place": "COLD-3",' in terminal.shown
        terminal.type("n\n")
        assert terminal.ended() == 1
    assert len(desk.decisions()) == before, "a person said no"
    with desk.editing("corrects") as terminal:
        terminal.read_until("[y/N]:")
        terminal.type("y\n")
        assert terminal.ended() == 0, terminal.shown
    *_, made = desk.decisions()
    assert (made.kind, made.actor, made.reason) == ("replay", "qa", "typo")
    assert made.record is not None
    assert b"COLD-3" in (made.record.octets or b"")


@pytest.mark.parametrize("editor", ["saves_as_it_is", "does_not_save", "empties"])
def test_an_editor_that_changes_nothing_decides_nothing(desk: Desk, editor: str) -> None:
    before = len(desk.decisions())
    with desk.editing(editor) as terminal:
        assert terminal.ended() == 2
        assert "nothing was changed" in terminal.shown
    assert len(desk.decisions()) == before


def test_what_is_no_value_of_the_schema_can_be_edited_again_or_given_up(desk: Desk) -> None:
    before = len(desk.decisions())
    with desk.editing("breaks_then_repairs") as terminal:
        terminal.read_until("Edit it again? [Y/n]:")
        assert "the corrected value is no lotgate.inventory.Lot" in terminal.shown
        terminal.type("n\n")
        assert terminal.ended() == 2
    assert len(desk.decisions()) == before
    with desk.editing("breaks_then_repairs", "--yes") as terminal:
        terminal.read_until("Edit it again? [Y/n]:")
        terminal.type("\n")
        assert terminal.ended() == 0, terminal.shown
        assert '+  "place": "COLD-3",' in terminal.shown
    assert len(desk.decisions()) == before + 1


@pytest.mark.parametrize("editor", ["fails", "is_not_there"])
def test_an_editor_that_does_not_end_well_decides_nothing(desk: Desk, editor: str) -> None:
    before = len(desk.decisions())
    with desk.editing(editor) as terminal:
        assert terminal.ended() == 2
        assert "the editor did not end well" in terminal.shown
        assert "--value-json" in terminal.shown
    assert len(desk.decisions()) == before
