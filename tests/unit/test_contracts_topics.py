"""Headers and topic lists, and the laws that every declared topic keeps."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from streams.contracts.headers import headers_of
from streams.contracts.provisioning import (
    cdc_offsets_spec,
    changelog_spec,
    control_spec,
    dead_letter_spec,
    installation,
    topic_spec,
)
from streams.contracts.topics import (
    CDC_HISTORY,
    CDC_OFFSETS,
    CDC_PARKED,
    CDC_SIGNALS,
    CONTROL,
    DEAD_LETTER_LIMIT_BYTES,
    FACTS,
    HOLD_ACKS,
    HOLD_COMMANDS,
    HOLD_STATE,
    INTERNAL,
    LOT_INPUT,
    PUBLIC,
    RECORD_LIMIT_BYTES,
)
from streams.model.messages import LotMessage
from streams.runtime.connection import KafkaConnection
from tests.unit.contract_samples import COMMAND, ENVELOPE

PLACE = KafkaConnection("b:9092", prefix="north", group="g", replication_factor=3, min_insync=2)


def specs() -> dict[str, Any]:
    made = installation(
        PLACE,
        stores={"lot": 4, "cause": 4},
        dead_letter_groups=["g-erp-hold"],
        sources=["erp"],
    )
    return {spec.name: spec for spec in made}


def test_no_two_names_differ_only_by_dot_and_underscore() -> None:
    names = list(specs())
    assert len({name.replace(".", "_") for name in names}) == len(names)


def test_names_are_legal_and_carry_the_prefix() -> None:
    for name in specs():
        assert re.fullmatch(r"north\.[a-zA-Z0-9._-]{1,200}", name), name


def test_public_names_follow_the_house_form() -> None:
    form = re.compile(r"[a-z]+\.[a-z_]+\.(events|state|commands|acks)(\.v[2-9])?")
    assert all(form.fullmatch(topic.name) for topic in PUBLIC)
    assert all(topic.name.startswith("{group}-") for topic in INTERNAL)


def test_what_an_auditor_reads_is_never_compacted() -> None:
    for topic in (*FACTS, HOLD_COMMANDS, HOLD_ACKS):
        spec = topic_spec(topic, PLACE)
        assert spec.config["cleanup.policy"] == "delete"
        assert spec.config["retention.ms"] == "-1"
    for topic in (*PUBLIC, *INTERNAL):
        if topic.cleanup == "compact":
            assert topic.name.endswith(".state"), topic.name
    assert dead_letter_spec("g", PLACE).config["cleanup.policy"] == "delete"
    assert control_spec(PLACE).config["cleanup.policy"] == "delete"


def test_state_is_compacted() -> None:
    compacted = {n for n, spec in specs().items() if spec.config["cleanup.policy"] == "compact"}
    assert compacted == {
        "north.inventory.hold.state",
        "north.g-lot-changelog",
        "north.g-cause-changelog",
        "north.g-cdc-offsets",
        "north.g-cdc-history",
    }
    assert HOLD_STATE.cleanup == "compact"


def test_every_topic_of_an_installation_is_listed_once() -> None:
    found = specs()
    wanted = {topic.full_name("north", "g") for topic in (*PUBLIC, *INTERNAL)}
    wanted |= {
        "north.cdc.erp.schema-changes",
        "north.dlq.g",
        "north.dlq.g-erp-hold",
        "north.g-lot-changelog",
    }
    wanted |= {"north.g-cause-changelog", "north." + CDC_OFFSETS.format(group="g")}
    others = (CONTROL, CDC_HISTORY, CDC_PARKED, CDC_SIGNALS)
    wanted |= {"north." + each.format(group="g") for each in others}
    assert set(found) == wanted
    for spec in found.values():
        assert spec.replication_factor == 3
        assert spec.config["min.insync.replicas"] == "2"


def test_a_changelog_has_the_partitions_of_its_input() -> None:
    assert changelog_spec("lot", 7, PLACE).partitions == 7
    assert control_spec(PLACE).partitions == 1
    assert cdc_offsets_spec(PLACE, partitions=3).partitions == 3


def test_a_dead_letter_holds_a_whole_record_and_its_story() -> None:
    assert int(specs()["north.dlq.g"].config["max.message.bytes"]) == DEAD_LETTER_LIMIT_BYTES
    assert DEAD_LETTER_LIMIT_BYTES > RECORD_LIMIT_BYTES


@pytest.mark.urs("M2.5")
def test_canonical_records_carry_cloudevents_headers() -> None:
    found = dict(headers_of(COMMAND, HOLD_COMMANDS))
    assert found["ce_specversion"] == b"1.0"
    assert found["ce_id"] == ENVELOPE.event_id.encode()
    assert found["ce_source"] == b"/north/erp"
    assert found["ce_type"] == ENVELOPE.event_type.encode()
    assert found["ce_subject"] == b"qms/NC-17"
    assert found["ce_time"] == b"2026-03-14T12:00:00.123456Z"
    assert found["ce_dataschema"] == b"urn:avro:lotgate.inventory.HoldCommand"
    assert found["content-type"] == b"application/avro"
    assert re.fullmatch(rb"00-[0-9a-f]{32}-[0-9a-f]{16}-01", found["traceparent"])


def test_an_untraced_event_has_no_traceparent() -> None:
    event = replace(COMMAND, envelope=replace(ENVELOPE, trace_id=""))
    assert "traceparent" not in dict(headers_of(event, HOLD_COMMANDS))


def test_internal_messages_without_envelope_have_no_headers() -> None:
    assert headers_of(LotMessage("l", "lot"), LOT_INPUT) == []
