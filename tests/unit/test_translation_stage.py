"""The part of the translation that is the same for every system: chunks, replays, images."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from streams.contracts.catalog import Catalog
from streams.contracts.codec import Codec
from streams.contracts.file_registry import FileRegistry
from streams.contracts.topics import Topic
from streams.model.facts import InspectionResult, Lot
from streams.model.rows import SourceTransaction
from streams.model.translation import Rejected, TranslateEntry
from streams.rules.translation.rows import LATEST, PAGE, StoredRows
from tests.translation_plant import HOUSING, INPUT, SUPPLIER, UNCODED, Plant
from tests.translation_stream import Entries, Translation, chunked, ids_of, row

pytestmark = pytest.mark.urs("M4.4")


@pytest.fixture
def plant() -> Plant:
    return Plant()


def receipt(plant: Plant, *numbers: str) -> SourceTransaction:
    """Several lots received in one transaction."""
    changes: list[Any] = []
    for number in numbers:
        lot, new = plant.lot(number)
        move, moved = plant.move(lot, SUPPLIER, INPUT, shipment="stock.shipment.in,1")
        changes += [new, moved, *plant.done(move)]
    return plant.transaction(*changes)


def test_nothing_is_said_before_the_last_chunk(plant: Plant) -> None:
    parts = chunked(receipt(plant, "R-001", "R-002"), 1, 3, 2)
    for part in parts[:-1]:
        assert plant.translation.feed(part) == []
    said = plant.translation.feed(parts[-1])
    assert [(lot.number, lot.arrived) for lot in said] == [("R-001", True), ("R-002", True)]


def test_a_transaction_delivered_twice_says_nothing_twice(plant: Plant) -> None:
    whole = receipt(plant, "R-001")
    assert plant.translation.feed(whole)
    assert plant.translation.feed(whole) == []
    late = receipt(plant, "R-002")
    assert plant.translation.feed(late)
    assert plant.translation.feed(whole, late) == []


def test_chunks_delivered_twice_say_nothing_twice(plant: Plant) -> None:
    parts = chunked(receipt(plant, "R-001", "R-002"), 2, 2)
    said = plant.translation.feed(parts[0], parts[0], parts[1], parts[0], parts[2])
    assert len(said) == 2
    assert plant.translation.feed(*parts) == []


def test_a_chunk_that_comes_after_the_last_is_handled_by_itself(plant: Plant) -> None:
    whole = receipt(plant, "R-001", "R-002", "R-003")
    first, lost, last = chunked(whole, 5, 5)
    said = plant.translation.feed(first, last)
    assert [lot.number for lot in said] == ["R-001", "R-003"]
    late = plant.translation.feed(lost)
    assert [(lot.number, lot.arrived) for lot in late] == [("R-002", True)]
    assert len(set(ids_of([*said, *late]))) == 3


def test_an_older_transaction_that_comes_late_does_not_bring_old_rows_back(plant: Plant) -> None:
    lot, new = plant.lot("R-001")
    plant.run(new)
    older = plant.transaction(plant.change("u", "stock_lot", lot, active=False))
    newer = plant.transaction(plant.change("u", "stock_lot", lot, active=True))
    assert plant.translation.feed(newer) == []
    assert plant.translation.feed(older) == []
    removed = plant.transaction(plant.change("d", "stock_lot", lot))
    assert [lot.disposition for lot in plant.translation.feed(removed)] == ["Closed"]
    assert plant.translation.feed(newer) == []


def test_another_server_begins_anew(plant: Plant) -> None:
    lot, new = plant.lot("R-001")
    plant.run(new)
    change = plant.transaction(plant.change("u", "stock_lot", lot, active=False))
    moved = replace(change, system_id="9999", commit_lsn=5)
    assert [lot.disposition for lot in plant.translation.feed(moved)] == ["Closed"]


def test_sources_of_one_partition_never_meet(plant: Plant) -> None:
    other = Plant()
    other.source = "erp/2"
    other.translation = plant.translation
    other.run(*other.master())
    _, first, _ = plant.receive("R-001")
    said = other.receive("R-001")
    assert len(plant.translation.said) == 4
    assert first == said[1]


def test_a_replay_of_a_rejected_row_finds_it_again(plant: Plant) -> None:
    _, document, _ = plant.receive("R-001")
    key, _ = plant.inspection(document)
    bad = plant.transaction(plant.change("u", "quality_inspection", key, state="on_fire"))
    (rejected,) = plant.translation.feed(bad)
    assert isinstance(rejected, Rejected)
    assert rejected.commit_lsn == bad.commit_lsn
    assert plant.translation.feed(bad) == [rejected]
    plant.run(plant.change("u", "quality_inspection", key, state="failed"))
    assert plant.translation.feed(bad) == []


def test_rejected_rows_of_another_chunk_are_found_by_a_replay_of_the_last(plant: Plant) -> None:
    _, bad = plant.lot("U-001", UNCODED)
    _, good = plant.lot("R-001")
    parts = chunked(plant.transaction(bad, good), 1)
    said = plant.translation.feed(*parts)
    assert {type(item) for item in said} == {Lot, Rejected}
    (again,) = plant.translation.feed(parts[-1])
    assert isinstance(again, Rejected)


@pytest.mark.parametrize(
    "change",
    [
        row("u", "stock_lot", 1),
        replace(row("c", "stock_lot", 1), after=None),
        replace(row("c", "stock_lot", 1, number="X"), key={}),
    ],
)
def test_a_malformed_change_is_rejected_alone(plant: Plant, change: Any) -> None:
    _, good = plant.lot("R-001")
    said = plant.run(change, good)
    assert [item.number for item in said if isinstance(item, Lot)] == ["R-001"]
    (rejected,) = [item for item in said if isinstance(item, Rejected)]
    assert rejected.table == "stock_lot"
    assert rejected.advice


def test_rows_of_tables_that_nobody_reads_leave_nothing(plant: Plant) -> None:
    before = dict(plant.translation.entries.held)
    assert plant.run(row("c", "ir_note", 1, message="x"), row("u", "sale_sale", 2)) == []
    assert plant.translation.entries.held == before


def snapshot_of(plant: Plant) -> SourceTransaction:
    tables = sorted(plant.rows, key=lambda address: (address[0], int(address[1])))
    return plant.snapshot(*(plant.change("u", *address) for address in tables))


def grown(plant: Plant) -> None:
    for number in ("R-001", "R-002", "R-003"):
        resin, document, _ = plant.receive(number)
        plant.make([resin], number.replace("R", "H"), HOUSING)
        key, _ = plant.inspection(document)
        plant.fail(key)


@pytest.mark.parametrize("page", [1, 3, 10, 2_000])
def test_a_big_snapshot_is_translated_in_pages(plant: Plant, page: int) -> None:
    grown(plant)
    whole = snapshot_of(plant)
    expected = Translation().feed(whole)
    fresh = Translation(page_rows=page)
    parts = chunked(whole, *([4] * (len(whole.changes) // 4)))
    assert fresh.feed(*parts[:-1]) == []
    said = fresh.feed(parts[-1])
    assert sorted(ids_of(said)) == sorted(ids_of(expected))
    assert {fact.envelope.subject_version for fact in said} == {1}
    left = [key for key in fresh.entries.held if "/snapshot/" in key]
    assert len(left) == 1
    assert fresh.feed(*parts) == []


def test_a_page_that_is_asked_for_twice_is_translated_once(plant: Plant) -> None:
    grown(plant)
    parts = chunked(snapshot_of(plant), 10, 10, 10)
    fresh = Translation(page_rows=1)
    said = fresh.feed(*parts)
    asked = replace(parts[-1], chunk=-1, changes=())
    assert fresh.feed(asked, asked) == []
    assert len(set(ids_of(said))) == len(said)


def test_a_snapshot_that_broke_off_leaves_nothing_behind(plant: Plant) -> None:
    grown(plant)
    broken = chunked(snapshot_of(plant), 5, 5, 5)[:-1]
    whole = chunked(snapshot_of(plant), 5, 5, 5)
    fresh = Translation()
    fresh.feed(*broken)
    said = fresh.feed(*whole)
    assert {fact.envelope.source.commit_lsn for fact in said} == {whole[0].commit_lsn}
    assert not [key for key in fresh.entries.held if f"/snapshot/{broken[0].commit_lsn}" in key]


def test_a_live_change_between_two_pages_is_not_lost(plant: Plant) -> None:
    _, document, _ = plant.receive("R-001")
    key, _ = plant.inspection(document)
    parts = chunked(snapshot_of(plant), 5, 5, 5)
    live = plant.judged(key)
    fresh = Translation(page_rows=1)
    said = fresh.feed(*parts, live)
    (result,) = [item for item in said if isinstance(item, InspectionResult)]
    assert (result.verdict, result.envelope.source.op) == ("rejected", "u")


def test_an_index_of_many_rows_grows_by_pages() -> None:
    entries = Entries()
    rows = StoredRows(entries, "erp")
    keys = [str(number) for number in range(3 * PAGE + 5)]
    for key in keys:
        rows.put(TranslateEntry(cells={"lot": 7}), "row", "stock_move", key)
        rows.index("stock_move", "lot", 7, key)
    assert rows.keys_where("stock_move", "lot", 7) == tuple(keys)
    assert rows.latest_where("stock_move", "lot", 7) == tuple(keys[-LATEST:])
    assert max(len(entry.members) for entry in entries.held.values()) == PAGE
    rows.put(TranslateEntry(cells={"lot": 8}), "row", "stock_move", "3")
    assert "3" not in rows.keys_where("stock_move", "lot", 7)
    assert rows.keys_where("stock_move", "lot", None) == ()


def test_every_entry_survives_its_wire_form(plant: Plant, tmp_path: Any) -> None:
    grown(plant)
    parts = chunked(receipt(plant, "R-007", "R-008"), 2)
    plant.translation.feed(parts[0])
    topic = Topic("translate-changelog", TranslateEntry, "lotgate.cdc.TranslateEntry", lambda _: "")
    codec = Codec(Catalog.load(), FileRegistry(tmp_path / "registry"))
    codec.prepare([topic], register=True)
    for entry in plant.translation.entries.held.values():
        assert codec.decode(topic, codec.encode(topic, entry)) == entry
