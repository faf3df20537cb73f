"""What counts as a difference between an interface document and what is running."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.contracts.documents import parsed
from streams.contracts.evolution.contracts import Contracts
from streams.contracts.icd.access import access_drift
from streams.contracts.icd.document import Access, InterfaceDocument
from streams.contracts.icd.drift import Expected, drifts
from streams.contracts.icd.findings import Drift, Place, lasting
from streams.contracts.icd.live import Grant, Live, LiveSubject, LiveTopic, connector_told
from streams.contracts.icd.loading import Loaded
from streams.contracts.wire.schema_tree import shape

pytestmark = pytest.mark.urs("M1.6", "X2")

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "deploy/contracts/icd/erp-hold.yaml").read_text(encoding="utf-8")
CONTRACTS = Contracts.load()
EXPECTED = Expected(CONTRACTS.catalog, CONTRACTS.lock, "p", "g", date(2026, 12, 1))
KEPT = {"cleanup.policy": "delete", "retention.ms": "-1", "min.insync.replicas": "1"}
LETTERS = {**KEPT, "retention.ms": str(365 * 86_400_000)}
COMMANDS = "p.inventory.hold.commands"


def loaded(text: str = TEXT) -> Loaded:
    return Loaded(parsed(text, "icd/erp-hold.yaml", InterfaceDocument))


def subject(name: str) -> LiveSubject:
    return LiveSubject(7, shape(CONTRACTS.catalog.schema(name)), "FULL_TRANSITIVE")


LIVE = Live(
    topics={
        COMMANDS: LiveTopic(4, 1, KEPT),
        "p.inventory.hold.acks": LiveTopic(4, 1, KEPT),
        "p.dlq.g-erp-hold": LiveTopic(1, 1, LETTERS),
    },
    subjects={
        f"{COMMANDS}-value": subject("lotgate.inventory.HoldCommand"),
        "p.inventory.hold.acks-value": subject("lotgate.inventory.HoldAck"),
    },
)


def found(live: Live, text: str = TEXT) -> list[Drift]:
    return drifts([loaded(text)], live, EXPECTED)


def changed(**settings: Any) -> Live:
    topic = LIVE.topics[COMMANDS]
    config = {**topic.config, **settings.pop("config", {})}
    return replace(
        LIVE, topics={**LIVE.topics, COMMANDS: replace(topic, config=config, **settings)}
    )


def test_what_runs_as_documented_gives_no_line() -> None:
    assert found(LIVE) == []


@pytest.mark.parametrize(
    ("live", "code", "field"),
    [
        (changed(partitions=5), "partitions_drift", "partitions: 4"),
        (changed(config={"retention.ms": "1000"}), "retention_drift", "retention: forever"),
        (changed(config={"retention.bytes": "9"}), "retention_bytes", "retention: forever"),
        (changed(config={"cleanup.policy": "compact"}), "audit_compacted", "cleanup: delete"),
        (
            changed(config={"cleanup.policy": "delete,compact"}),
            "audit_compacted",
            "cleanup: delete",
        ),
        (replace(LIVE, min_insync=2), "min_insync_drift", "- name: inventory.hold.commands"),
        (replace(LIVE, replication_factor=3), "replicas_drift", "- name: inventory.hold.commands"),
        (replace(LIVE, subjects={}), "schema_missing", "name: lotgate.inventory.HoldCommand"),
    ],
)
def test_a_difference_is_one_line_that_points_at_what_the_document_says(
    live: Live, code: str, field: str
) -> None:
    first = found(live)[0]
    assert (first.subject, first.code) == (COMMANDS, code)
    line = TEXT[: TEXT.index(field)].count("\n") + 1
    assert str(first).startswith(f"icd/erp-hold.yaml:{line}: {COMMANDS}: ")
    assert "\n" not in str(first)
    assert {each.code for each in found(live)} == {code}


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("fingerprint: 2c", "fingerprint: 00", "fingerprint_drift"),
        ("version: 1\n      fingerprint", "version: 1\n      id: 9\n      fingerprint", "id_drift"),
        ("cleanup: delete\n    retention: forever", "cleanup: compact", "audit_compacted"),
    ],
)
def test_a_document_that_went_stale_is_named(old: str, new: str, code: str) -> None:
    assert old in TEXT
    assert code in {each.code for each in found(LIVE, TEXT.replace(old, new, 1))}


def test_a_level_that_demands_less_is_a_difference_and_one_that_demands_more_is_none() -> None:
    weak = TEXT.replace("level: FULL_TRANSITIVE", "level: BACKWARD")
    assert found(LIVE, weak) == []
    registered = subject("lotgate.inventory.HoldCommand")
    for level in ("BACKWARD", "NONE", "SOMETHING"):
        subjects = {**(LIVE.subjects or {}), f"{COMMANDS}-value": replace(registered, level=level)}
        live = replace(LIVE, subjects=subjects)
        assert [each.code for each in found(live)] == ["level_drift"]


def test_a_denial_goes_before_every_permission_and_everybody_is_an_account() -> None:
    place = Place(loaded(), ("topics", 0), COMMANDS)
    access = Access(read=["User:a"], write=[])
    allow = Grant("User:a", "p.", True, "ALL")
    told = [each.text for each in access_drift(access, [allow], place)]
    assert told == ["User:a may WRITE it on the broker, the document does not know that"]
    deny = Grant("User:a", COMMANDS, False, "READ", allows=False)
    told = [each.text for each in access_drift(access, [allow, deny], place)]
    assert told[0] == "User:a may not READ it on the broker, the document lets it"
    everybody = Grant("User:*", "*", False, "READ")
    told = [each.text for each in access_drift(access, [everybody], place)]
    assert told == ["User:* may READ it on the broker, the document does not know that"]
    elsewhere = Grant("User:a", "p.other", False, "READ")
    assert len(list(access_drift(access, [elsewhere], place))) == 1


@given(
    st.sets(st.sampled_from(["User:a", "User:b", "User:c"])),
    st.sets(st.sampled_from(["User:a", "User:b", "User:c"])),
)
def test_accounts_agree_exactly_when_the_same_ones_are_let_in(
    documented: set[str], allowed: set[str]
) -> None:
    place = Place(loaded(), ("topics", 0), COMMANDS)
    grants = [Grant(account, COMMANDS, False, "WRITE") for account in allowed]
    told = list(access_drift(Access(write=sorted(documented)), grants, place))
    assert len(told) == len(documented ^ allowed)


@given(st.integers(min_value=0, max_value=10**12))
def test_a_length_is_told_without_loss(milliseconds: int) -> None:
    told = lasting(milliseconds)
    units = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
    number = told.rstrip("smhd ")
    assert int(number) * units[told[len(number) :].strip()] == milliseconds


def test_a_contact_is_good_for_ninety_days() -> None:
    for day, stale in ((date(2027, 2, 18), 0), (date(2027, 2, 19), 2), (date(2026, 11, 19), 2)):
        told = drifts([loaded()], LIVE, replace(EXPECTED, today=day))
        assert [each.code for each in told] == ["contact_untested"] * stale


def test_a_process_without_a_contract_is_no_connector() -> None:
    assert connector_told({"interface": "x"}) is None
    told = connector_told({"contract": {"dead_letters": "dlq.x", "retry": {"reads": 3}}})
    assert told is not None
    assert (told.dead_letters, told.retry) == ("dlq.x", {"reads": 3})
