"""The recorded stream of real systems gives the facts that were once judged to be right."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.translators.oca import TABLES as QMS_TABLES
from connectors.translators.tryton import TABLES as ERP_TABLES
from tests.translation_golden import lines, told, transaction_of
from tests.translation_stream import Translation, chunked, ids_of

pytestmark = pytest.mark.urs("M2.1", "M2.5", "M4.4", "M7.6")


def test_the_recorded_stream_gives_the_recorded_facts() -> None:
    translation = Translation()
    for line in lines():
        said = [told(fact) for fact in translation.feed(transaction_of(line))]
        # Later versions of a fact say more; what was recorded is said as it was.
        found = [
            {name: fact[name] for name in recorded}
            for fact, recorded in zip(said, line["facts"], strict=True)
        ]
        assert found == line["facts"], line["step"]
        for fact in said:
            if fact["type"] == "lotgate.quality.nonconformity":
                assert [lot["lot_id"] for lot in fact["affected"]] == fact["lots"]


@pytest.mark.parametrize("size", [1, 2, 7])
def test_in_small_chunks_and_each_delivered_twice_it_says_the_same(size: int) -> None:
    recorded = [transaction_of(line) for line in lines()]
    whole, cut = Translation(), Translation()
    whole.feed(*recorded)
    for transaction in recorded:
        parts = chunked(transaction, *([size] * (len(transaction.changes) // size)))
        for part in parts:
            cut.feed(part, part)
    assert sorted(ids_of(cut.said)) == sorted(ids_of(whole.said))


def steps(kind: str, **fields: Any) -> list[str]:
    return [
        line["step"]
        for line in lines()
        for fact in line["facts"]
        if fact["type"].endswith(kind) and all(fact[name] == fields[name] for name in fields)
    ]


def test_what_the_clicks_meant() -> None:
    assert steps("inspection_result", verdict="rejected") == ["fail R-001", "fail H-004"]
    assert set(steps(".lot", arrived=True)) == {"receive R-003", "make H-004", "cancel pick D-005"}
    assert steps("genealogy_edge", child_lot_id="PLANT1/IM-HOUSING/H-004") == ["make H-004"]
    assert steps("nonconformity", signed=True) == ["nc signed"]
    assert steps("nonconformity", state="closed", signed=False) == ["nc closed"]


def test_the_recording_holds_every_table_that_is_read() -> None:
    seen = {change.table for line in lines() for change in transaction_of(line).changes}
    quiet = {"stock_shipment_internal", "res_user"}
    assert seen >= (set(ERP_TABLES) | set(QMS_TABLES)) - quiet
