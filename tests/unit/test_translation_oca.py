"""The QMS's transactions and the nonconformities they are."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from streams.model.facts import Nonconformity
from streams.model.translation import Rejected
from tests.translation_qms import RECORD, STAGE, Qms
from tests.translation_stream import START, Translation

pytestmark = pytest.mark.urs("M4.1")

H1 = "PLANT-1/IM-HOUSING/H-001"


@pytest.fixture
def qms() -> Qms:
    return Qms()


def one(said: list[Any], kind: type[Any] = Nonconformity) -> Any:
    (found,) = [item for item in said if isinstance(item, kind)]
    return found


def test_a_record_with_its_lots_is_one_fact(qms: Qms) -> None:
    key, said = qms.record(("IM-HOUSING", "H-001"), ("FG-DEVICE", "D-001"))
    found = one(said)
    assert (found.nc_id, found.ref, found.state) == (str(key), f"NC-{key}", "open")
    assert (found.severity, found.description) == ("major", "flash on the seal")
    assert found.lots == ("PLANT-1/FG-DEVICE/D-001", H1)
    assert (found.signed, found.signature) == (False, None)
    assert found.envelope.subject_version == 1
    assert found.envelope.actor.user_id == "quality.engineer"
    assert [(step.id, step.version) for step in found.envelope.transform] == [("oca", "1")]


@pytest.mark.parametrize(
    ("stage", "state"),
    [(1, "draft"), (2, "open"), (3, "open"), (4, "open"), (5, "closed"), (6, "cancelled")],
)
def test_stages(qms: Qms, stage: int, state: str) -> None:
    assert one(qms.record(stage_id=stage)[1]).state == state


@pytest.mark.parametrize(
    ("severity", "expected"),
    [
        (1, "critical"),
        (2, "major"),
        (3, "minor"),
        (4, "unfounded"),
        (5, "unknown"),
        (None, "unknown"),
        (99, "unknown"),
    ],
)
def test_severities(qms: Qms, severity: int | None, expected: str) -> None:
    assert one(qms.record(severity_id=severity)[1]).severity == expected


@pytest.mark.parametrize("stage", [7, 99])
def test_an_unknown_stage_rejects_the_record_with_advice(qms: Qms, stage: int) -> None:
    qms.run(qms.change("c", STAGE, 7, name="limbo", state="limbo"))
    key, said = qms.record(("IM-HOUSING", "H-001"), stage_id=stage)
    rejected = one(said, Rejected)
    assert (rejected.table, rejected.key, rejected.column) == (RECORD, str(key), "stage_id")
    assert rejected.code == "unknown_stage"
    assert "save the record again" in rejected.advice
    # A lot that is added meanwhile is not held yet: that is told again.
    said = qms.run(qms.names(key, "FG-DEVICE", "D-001"))
    assert one(said, Rejected).code == "unknown_stage"
    assert one(qms.run(qms.moved(key, 4))).lots == ("PLANT-1/FG-DEVICE/D-001", H1)


def test_a_lot_without_product_has_an_empty_material(qms: Qms) -> None:
    _, said = qms.record(("", "H-001"), (None, "H-002"))  # type: ignore[arg-type]
    assert one(said).lots == ("PLANT-1//H-001", "PLANT-1//H-002")


def test_a_row_without_lot_number_is_rejected_once_and_the_others_are_held(qms: Qms) -> None:
    key, said = qms.record(("IM-HOUSING", "H-001"), ("IM-HOUSING", " "))
    assert one(said).lots == (H1,)
    rejected = one(said, Rejected)
    assert (rejected.table, rejected.column) == ("nc_lot", "lot_number")
    said = qms.run(qms.names(key, "FG-DEVICE", "D-001"))
    assert [type(item) for item in said] == [Nonconformity]


def test_any_relevant_change_raises_the_version(qms: Qms) -> None:
    key, _ = qms.record(("IM-HOUSING", "H-001"))
    said = qms.run(qms.change("u", RECORD, key, severity_id=1))
    assert (one(said).severity, one(said).envelope.subject_version) == ("critical", 2)
    added = qms.names(key, "FG-DEVICE", "D-001")
    said = qms.run(added)
    assert (len(one(said).lots), one(said).envelope.subject_version) == (2, 3)
    said = qms.run(qms.change("d", "nc_lot", added.key["id"]))
    assert (one(said).lots, one(said).envelope.subject_version) == ((H1,), 4)
    assert qms.run(qms.change("u", RECORD, key, write_uid=3)) == []


def test_a_close_without_signature_is_not_signed_until_its_signature_arrives(qms: Qms) -> None:
    key, _ = qms.record(("IM-HOUSING", "H-001"))
    closed = one(qms.run(qms.moved(key, 5, closing_date="2026-03-02 11:00:00")))
    assert (closed.state, closed.signed) == ("closed", False)
    assert closed.envelope.occurred_at == datetime(2026, 3, 2, 11, tzinfo=UTC)
    assert closed.envelope.actor.user_id == "quality.manager"
    row = qms.signature(key)
    signed = one(qms.run(row))
    assert (signed.state, signed.signed) == ("closed", True)
    assert signed.envelope.subject_version == closed.envelope.subject_version + 1
    assert signed.envelope.signature_ids == (str(row.key["id"]),)
    assert signed.signature.signer == "quality.manager"
    assert signed.signature.meaning == "closure approved"
    assert signed.signature.signed_at == datetime(2026, 3, 2, 8, 10, 0, 500_000, tzinfo=UTC)
    assert signed.signature.verification == "present, not verified"
    assert signed.envelope.actor.user_id == "quality.manager"
    assert signed.envelope.source.table == "e_signature"


def test_signing_first_and_moving_the_record_then_signs_it_too(qms: Qms) -> None:
    key, _ = qms.record(("IM-HOUSING", "H-001"))
    assert qms.run(qms.signature(key)) == []
    assert one(qms.run(qms.moved(key, 5))).signed is True


@pytest.mark.parametrize(
    ("meaning", "stage", "signed"),
    [
        ("closure approved", 5, True),
        ("Approval", 5, True),
        ("approved_for-closure ", 5, True),
        ("review", 5, False),
        ("authorship", 5, False),
        ("closure not approved", 5, False),
        ("containment approved", 5, False),
        ("", 5, False),
        ("cancellation approved", 5, False),
        ("cancellation approved", 6, True),
        ("approval", 6, True),
        ("closure approved", 4, False),
    ],
)
def test_what_a_signature_means(qms: Qms, meaning: str, stage: int, *, signed: bool) -> None:
    key, _ = qms.record(("IM-HOUSING", "H-001"))
    qms.run(qms.signature(key, meaning))
    said = qms.run(qms.moved(key, stage, ref="NC-moved"))
    assert one(said).signed is signed


def at(seconds: int) -> str:
    return datetime.fromtimestamp(START.timestamp() + seconds, UTC).isoformat(sep=" ")


def test_a_signature_from_before_a_reopening_does_not_sign_the_next_close(qms: Qms) -> None:
    key, _ = qms.record(("IM-HOUSING", "H-001"))
    qms.run(qms.moved(key, 5), qms.signature(key))
    reopened = one(qms.run(qms.moved(key, 4)))
    assert (reopened.state, reopened.signed) == ("open", False)
    again = one(qms.run(qms.moved(key, 5)))
    assert (again.state, again.signed) == ("closed", False)
    # A copy of the old signature is no new one, although its row is.
    assert qms.run(qms.signature(key)) == []
    signed = one(qms.run(qms.signature(key, signed_at=at(qms.lsn + 100))))
    assert signed.signed is True


def test_a_signature_that_is_taken_away_no_longer_signs(qms: Qms) -> None:
    key, _ = qms.record(("IM-HOUSING", "H-001"))
    row = qms.signature(key)
    assert one(qms.run(qms.moved(key, 5), row)).signed is True
    said = qms.run(qms.change("d", "e_signature", row.key["id"]))
    assert (one(said).state, one(said).signed) == ("closed", False)


@pytest.mark.parametrize(
    "cells", [{"signed_at": "soon"}, {"signed_at": None}, {"signer_login": ""}]
)
def test_an_incomplete_signature_signs_nothing_and_says_so(qms: Qms, cells: dict[str, Any]) -> None:
    key, _ = qms.record(("IM-HOUSING", "H-001"))
    qms.run(qms.moved(key, 5))
    said = qms.run(qms.signature(key, **cells))
    assert one(said, Rejected).table == "e_signature"
    assert not [item for item in said if isinstance(item, Nonconformity)]


def test_an_unreadable_closing_date_stops_nothing(qms: Qms) -> None:
    key, _ = qms.record(("IM-HOUSING", "H-001"))
    assert one(qms.run(qms.moved(key, 5, closing_date="infinity"))).state == "closed"


def test_a_removed_record_counts_as_cancelled_without_signature(qms: Qms) -> None:
    key, _ = qms.record(("IM-HOUSING", "H-001"))
    qms.run(qms.signature(key))
    gone = one(qms.run(qms.change("d", RECORD, key)))
    assert (gone.state, gone.signed, gone.lots) == ("cancelled", False, (H1,))
    assert gone.envelope.source.op == "d"


def test_lots_of_a_record_that_is_not_known_are_rejected(qms: Qms) -> None:
    rejected = one(qms.run(qms.names(999, "IM-HOUSING", "H-001")), Rejected)
    assert (rejected.column, rejected.code) == ("nonconformity_id", "reference_unknown")


def test_a_long_text_is_cut_and_holds_all_the_same(qms: Qms) -> None:
    _, said = qms.record(("IM-HOUSING", "H-001"), description="x" * 100_000)
    assert len(one(said).description) == 4_000


def test_snapshot_of_open_closed_and_signed_records(qms: Qms) -> None:
    first, _ = qms.record(("IM-HOUSING", "H-001"))
    second, _ = qms.record(("IM-HOUSING", "H-002"))
    qms.run(qms.moved(second, 5), qms.signature(second))
    rows = sorted(qms.rows, key=lambda address: (address[0], int(address[1])))
    fresh = Translation()
    said = fresh.feed(qms.snapshot(*(qms.change("u", *address) for address in rows)))
    found = {item.nc_id: item for item in said}
    assert {item.envelope.source.op for item in said} == {"r"}
    assert (found[str(first)].state, found[str(second)].signed) == ("open", True)
    assert len(said) == 2
