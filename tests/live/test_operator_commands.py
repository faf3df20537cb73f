"""What a person types: tail, trace and dlq against real parts."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from streams.cli import cli
from streams.contracts.provisioning import dead_letter_spec
from streams.contracts.topics import HOLD_ACKS, HOLD_COMMANDS, LOTS, dead_letters, prefixed
from streams.engine import control, provision, read_partition
from streams.operator.answers.deciding import REDRIVEN
from streams.operator.tail import new_records
from tests.evidence_history import DONE, RAW, history
from tests.live.evidence_lab import Lab, lab_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from localstack import Addresses


@pytest.fixture
def lab(
    broker: str,
    registry: str,
    database: Addresses,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> Iterator[Lab]:
    with lab_of(broker, registry, database, request.node.nodeid, tmp_path) as made:
        yield made


def run(lab: Lab, *words: str, **changed: Any) -> Result:
    defaults = {
        "bootstrap": lab.connection.bootstrap,
        "registry_url": lab.registry,
        "evidence_dsn": lab.dsn,
        "prefix": lab.connection.prefix,
        **changed,
    }
    return CliRunner().invoke(cli, list(words), obj=lambda: defaults)


def lines(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.mark.urs("M3.1")
def test_tail_decodes_any_topic_and_filters_by_key_time_and_number(lab: Lab) -> None:
    lab.produce(history())
    found = lines(run(lab, "tail", "inventory.hold.acks", "--json"))
    assert [record["value"]["result"] for record in found].count("contained") == 2
    assert {record["schema"] for record in found} == {"lotgate.inventory.HoldAck"}
    assert all(record["headers"]["ce_type"] == "lotgate.inventory.hold_ack" for record in found)
    one = lines(run(lab, "tail", "inventory.hold.acks", "--key", "D-001", "--json"))
    assert [record["key"] for record in one] == [DONE]
    assert len(lines(run(lab, "tail", "inventory.hold.state", "--limit", "2", "--json"))) == 2
    assert len(lines(run(lab, "tail", "inventory.hold.acks", "--since", "10m", "--json"))) == 3
    later = run(lab, "tail", "inventory.hold.acks", "--since", "2099-01-01", "--json")
    assert lines(later) == []
    text = run(lab, "tail", "inventory.hold.acks").stdout
    assert f"key={RAW}  lotgate.inventory.HoldAck" in text
    assert "envelope" not in text


@pytest.mark.urs("M3.1")
def test_tail_shows_bytes_that_nobody_can_decode_and_names_a_missing_topic(lab: Lab) -> None:
    lab.produce_raw(lab.name(LOTS), b"\x01\xffbad")
    (record,) = lines(run(lab, "tail", "inventory.lot.events", "--json"))
    assert record["raw"] == b"\x01\xffbad".hex()
    assert record["error"].startswith("[not_framed]")
    missing = run(lab, "tail", "inventory.hold.ackz")
    assert missing.exit_code == 3
    assert "use one of" in missing.stderr
    assert run(lab, "tail", "x", "--since", "yesterday").exit_code == 2


@pytest.mark.urs("M3.1")
def test_tail_follows_what_is_committed_later(lab: Lab) -> None:
    arrived: list[str] = []
    topic = lab.name(HOLD_ACKS)

    def follow() -> None:
        arrived.extend(
            str(record.key) for record in new_records(lab.connection, topic, 4, lambda _: True)
        )

    threading.Thread(target=follow, daemon=True).start()
    end = time.monotonic() + 30
    while not arrived:
        assert time.monotonic() < end, "nothing was followed"
        lab.produce([pair for pair in history() if pair[0] is HOLD_ACKS])
        time.sleep(0.5)
    assert any("D-001" in key or "R-001" in key or "H-001" in key for key in arrived)


@pytest.mark.urs("M6.2", "M7.1", "M7.6")
def test_trace_tells_the_story_in_text_and_json(lab: Lab) -> None:
    empty = run(lab, "trace", "lot", "R-001")
    assert empty.exit_code == 3
    assert "lotgate connect evidence" in empty.stderr
    events = history()
    lab.produce(events)
    with lab.writer():
        lab.wait_for(lambda: lab.count("events") == len(events), "all events")
    told = run(lab, "trace", "lot", "D-001")
    assert told.exit_code == 0, told.output
    for part in (
        "Lot D-001 (DONE, PLANT1)",
        "held, Restricted",
        f"{RAW} -> PLANT1/HALF/H-001 (consumed WO-7) -> {DONE} (consumed WO-8)",
        "erp row plant.public.quality_inspection, LSN 1/ABCD, transaction 705, by inspector",
        "nonconformity NC-2026-017 (major) closed without signature",
        "present, not verified",
        "hold commanded at erp (version 1)",
        "escaped: 4 kg to A customer (stock.shipment.out 2)",
        "+3.500 s",
    ):
        assert part in told.stdout, told.stdout
    found = json.loads(run(lab, "trace", "lot", DONE, "--json").stdout)
    assert [lot["lot_id"] for lot in found["lots"]] == [DONE]
    unknown = run(lab, "trace", "lot", "NOPE")
    assert unknown.exit_code == 3
    assert "no event" in unknown.stderr


@pytest.mark.urs("M6.2")
def test_what_cannot_be_reached_is_said_with_exit_code_5(lab: Lab) -> None:
    closed = run(lab, "trace", "lot", "R-001", evidence_dsn="postgresql://x@127.0.0.1:1/evidence")
    assert closed.exit_code == 5, closed.output
    assert "cannot be used now" in closed.stderr


def letter(lab: Lab, component: str, origin: str, value: bytes, offset: str = "41") -> str:
    """Write a dead letter as a component of the group does; return its place."""
    spec = dead_letter_spec(component, lab.connection)
    provision(lab.connection, [spec])
    story = {
        "topic": origin,
        "partition": "1",
        "offset": offset,
        "timestamp": "1700000000000",
        "stage": component,
        "code": "truncated_body",
        "message": "the body ends early",
    }
    headers = [(f"lotgate-dlq-{name}", text.encode()) for name, text in story.items()]
    lab.produce_raw(spec.name, value, headers=[("ce_id", b"1"), *headers])
    return f"{spec.name}/0/0"


@pytest.mark.urs("M3.3")
def test_a_workers_dead_letter_is_listed_shown_and_decided_on(lab: Lab) -> None:
    place = letter(lab, "lotgate", lab.name(LOTS), b"\x00bad")
    (listed,) = json.loads(run(lab, "dlq", "list", "--json").stdout)
    assert listed["place"] == place
    assert listed["origin"] == [lab.name(LOTS), 1, 41]
    assert "the body ends early" in run(lab, "dlq", "list").stdout
    assert b"\x00bad".hex() in run(lab, "dlq", "show", place).stdout
    refused = run(lab, "dlq", "replay", place)
    assert refused.exit_code == 2
    assert "--reason" in refused.stderr
    dry = run(lab, "dlq", "replay", place, "--reason", "x", "--dry-run")
    assert "dry run" in dry.stdout
    done = run(lab, "dlq", "replay", place, "--reason", "schema published", "--actor", "qa")
    assert done.exit_code == 0, done.output
    topic = prefixed(lab.connection.prefix, "lotgate-control")
    (made,) = [
        control.decode(record.value or b"", record.offset)
        for record in read_partition(lab.connection, topic, 0)
        if record is not None
    ]
    assert (made.kind, made.topic, made.partition, made.offset) == ("replay", lab.name(LOTS), 1, 41)
    assert (made.actor, made.reason) == ("qa", "schema published")
    (listed,) = json.loads(run(lab, "dlq", "list", "--json").stdout)
    assert listed["decided"] == "replay by qa: schema published"
    given_up = run(lab, "dlq", "drop", place, "--reason", "obsolete", "--actor", "qa")
    assert given_up.exit_code == 0, given_up.output
    assert "decided: drop by qa: obsolete" in run(lab, "dlq", "list").stdout


@pytest.mark.urs("M3.3")
def test_a_dead_letter_is_corrected_by_its_topics_schema(lab: Lab) -> None:
    lab.produce(history())
    lots = lab.name(LOTS)
    original = next(r for n in range(4) for r in read_partition(lab.connection, lots, n) if r)
    assert original.value is not None
    place = letter(lab, "lotgate", lots, original.value)
    words = ("dlq", "edit", place, "--reason", "typo", "--actor", "qa", "--set")
    dry = run(lab, *words, "place=COLD-3", "--dry-run")
    assert '+  "place": "COLD-3",' in dry.stdout
    for change, sentence in (("nowhere=1", "names no field"), ("lot_id=7", "is no lotgate")):
        refused = run(lab, *words, change)
        assert (refused.exit_code, sentence in refused.stderr) == (2, True), refused.output
    assert "decided:" not in run(lab, "dlq", "list").stdout
    done = json.loads(run(lab, *words, "place=COLD-3", "--json").stdout)
    assert '+  "place": "COLD-3",' in done["difference"]
    topic = prefixed(lab.connection.prefix, "lotgate-control")
    (made,) = [
        control.decode(record.value or b"", record.offset)
        for record in read_partition(lab.connection, topic, 0)
        if record is not None
    ]
    assert made.record is not None
    assert (made.actor, made.reason, made.record.octets) == (
        "qa", "typo", bytes.fromhex(done["value"]),
    )  # fmt: skip
    # The dead letter keeps the bytes as they came.
    name = prefixed(lab.connection.prefix, dead_letters("lotgate"))
    kept = [r for r in read_partition(lab.connection, name, 0) if r is not None]
    assert [record.value for record in kept] == [original.value]
    assert "decided: replay by qa: typo" in run(lab, "dlq", "list", "--waiting").stdout


@pytest.mark.urs("M3.3")
def test_a_sinks_dead_letter_is_produced_again_to_its_partition_and_marked(lab: Lab) -> None:
    commands = lab.name(HOLD_COMMANDS)
    place = letter(lab, "lotgate-erp-hold", commands, b"original bytes")
    done = run(lab, "dlq", "replay", place, "--reason", "rights granted", "--actor", "qa")
    assert done.exit_code == 0, done.output
    (again,) = [r for r in read_partition(lab.connection, commands, 1) if r is not None]
    assert (again.key, again.value) == (b"key", b"original bytes")
    mark = json.loads(again.header(REDRIVEN) or b"")
    assert mark == {"from": place, "actor": "qa", "reason": "rights granted", "corrected": False}
    assert again.header("ce_id") == b"1"
    assert not [name for name, _ in again.headers if name.startswith("lotgate-dlq-")]


@pytest.mark.urs("M3.3")
def test_a_row_of_a_source_cannot_be_replayed_and_says_what_to_do(lab: Lab) -> None:
    place = letter(lab, "lotgate-erp", "erp:public.stock_lot", b"row", offset="0/1A2B3C")
    assert "from erp:public.stock_lot at 0/1A2B3C" in run(lab, "dlq", "list").stdout
    for command in ("replay", "drop"):
        refused = run(lab, "dlq", command, place, "--reason", "try")
        assert refused.exit_code == 2
        assert "correct the row in its system" in refused.stderr


@pytest.mark.urs("M3.3")
def test_a_fuse_is_reset_and_what_is_not_there_is_exit_code_3(lab: Lab) -> None:
    done = run(lab, "dlq", "fuse", "reset", "inventory.lot.events", "2", "--reason", "new build")
    assert done.exit_code == 0, done.output
    assert run(lab, "dlq", "fuse", "reset", "nope", "0", "--reason", "x").exit_code == 3
    name = prefixed(lab.connection.prefix, dead_letters("lotgate"))
    assert run(lab, "dlq", "show", f"{name}/0/7").exit_code == 3
    assert run(lab, "dlq", "show", f"{lab.name(LOTS)}/0/0").exit_code == 3
    assert run(lab, "dlq", "show", "what").exit_code == 2
