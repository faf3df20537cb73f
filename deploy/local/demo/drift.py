"""The demo's last step: a setting of the live broker is changed, and its document tells of it."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from confluent_kafka.admin import (  # type: ignore[attr-defined]  # not declared as exported
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from demo.pipeline import tool_defaults
from demo.summary import Outcome, columns, keyed
from streams.contracts.catalog import Catalog
from streams.contracts.icd.drift import CONTACT_UNTESTED
from streams.contracts.icd.loading import read_folder
from streams.contracts.topics import DAY_MS, HOLD_COMMANDS
from streams.operator.icd.verify import compared
from streams.runtime import clock
from streams.runtime.settings import ToolSettings, load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localstack import Report, Stack

    from streams.contracts.icd.findings import Drift

DOCUMENTS = Path(__file__).parents[2] / "contracts" / "icd"
WEEK_MS = 7 * DAY_MS
WAIT_S = 15.0


def drift_named(stack: Stack, report: Report) -> Outcome:
    """Shorten a topic's retention on the broker, verify the documents, and set it back.

    Right if nothing but the age of contact tests differed before, just that became a difference, in
    one line, and it is gone afterwards.
    """
    topic, before = HOLD_COMMANDS.name, HOLD_COMMANDS.retention_ms
    with report.step("a topic's retention is changed on the broker; its document says") as step:
        step.note("as it is")
        first = _differences(stack)
        with _retention(stack.addresses().bootstrap, topic, WEEK_MS, before):
            step.note(f"retention of {topic}: 7 days")
            changed = [each for each in _differences(stack) if each not in first]
        step.note("set back")
        after = _differences(stack)
    named = [str(each) for each in changed]
    is_right = (
        all(each.code == CONTACT_UNTESTED for each in first)
        and [each.subject for each in changed] == [topic]
        and after == first
    )
    rows = [["Broker", "lotgate icd verify"]]
    rows.append(["as documented", f"{len(first)} differences"])
    rows += [[f"{topic}: retention 7 days", _short(each)] for each in changed]
    rows.append(["set back", f"{len(after)} differences"])
    told = "\n".join(named) or "nothing was named"
    return Outcome(f"\nInterface documents\n{columns(rows)}\n{told}", is_right, keyed(rows))


def _short(drift: Drift) -> str:
    return f"{Path(drift.file).name}:{drift.line}: {drift.text}"


def _differences(stack: Stack) -> list[Drift]:
    settings = load(ToolSettings, tool_defaults(stack), {})
    documents = read_folder(DOCUMENTS, Catalog.load())
    return compared(documents, settings, {}, clock.now().date())[2]


@contextmanager
def _retention(bootstrap: str, topic: str, value: int, before: int) -> Iterator[None]:
    """Change a topic's retention for the length of a block, however the block ends."""
    _set(bootstrap, topic, value)
    try:
        yield
    finally:
        _set(bootstrap, topic, before)


def _set(bootstrap: str, topic: str, value: int) -> None:
    entry = ConfigEntry("retention.ms", str(value), incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for answer in admin.incremental_alter_configs([resource]).values():
        answer.result(timeout=WAIT_S)
