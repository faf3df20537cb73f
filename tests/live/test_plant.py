"""The plant in the real ERP: what the scenario says, and what people can and cannot do there."""

from __future__ import annotations

from collections import defaultdict

import httpx
import psycopg
import pytest
from localstack import PlantRefused, Stack, scenario
from localstack.plant import Plant

BALANCE = """
select l.number, p.code,
       sum(case p.id when m.to_location then m.internal_quantity else -m.internal_quantity end)::int
from stock_lot l
join stock_move m on m.lot = l.id and m.state = 'done' and m.from_location <> m.to_location
join stock_location p on p.id in (m.from_location, m.to_location)
group by l.number, p.code
"""


def balances(stack: Stack) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = defaultdict(dict)
    with psycopg.connect(stack.addresses().erp_owner_dsn) as erp:
        for lot, code, quantity in erp.execute(BALANCE):
            found[lot][code] = quantity
    return found


def test_the_plant_holds_what_the_scenario_says(stack: Stack, plant: Plant) -> None:
    del plant
    found = balances(stack)
    for expected in scenario.EXPECTED:
        if expected.result == "free":
            continue
        there = found[expected.lot]
        assert there.get("STO", 0) == expected.contained, expected.lot
        assert there.get("CUS", 0) == expected.escaped, expected.lot
        assert there.get("OUT", 0) == expected.in_flight, expected.lot


def test_a_failing_inspection_of_a_received_lot_names_its_receipt(
    stack: Stack, plant: Plant
) -> None:
    number = plant.fail_inspection(scenario.FAILING_LOT)
    with psycopg.connect(stack.addresses().erp_dsn) as reader:
        row = reader.execute(
            "select inspection.state, shipment.state, shipment.reference"
            " from quality_inspection inspection join stock_shipment_in shipment"
            " on inspection.origin = 'stock.shipment.in,' || shipment.id"
            " where inspection.number = %s",
            (number,),
        ).fetchone()
    assert row == ("failed", "done", "NOTE-R-001")


@pytest.mark.parametrize("lot", ["H-001", "D-001", "D-004", "R-002"])
def test_any_lot_can_be_failed(stack: Stack, plant: Plant, lot: str) -> None:
    number = plant.fail_inspection(lot)
    with psycopg.connect(stack.addresses().erp_dsn) as reader:
        state = reader.execute("select state from quality_inspection where number = %s", (number,))
        assert state.fetchone() == ("failed",)


def test_an_unknown_lot_is_refused_in_words(plant: Plant) -> None:
    with pytest.raises(PlantRefused, match="no lot X-999"):
        plant.fail_inspection("X-999")


def test_a_number_of_two_products_must_be_made_exact(plant: Plant) -> None:
    plant.receive_lot("R-002")
    plant.session.create("stock.lot", number="R-002", product=_product(plant, scenario.DEVICE))
    with pytest.raises(PlantRefused, match="FG-DEVICE, RM-RESIN"):
        plant.fail_inspection("R-002")
    assert plant.fail_inspection("R-002", scenario.RESIN)


def test_a_lot_that_nothing_brought_in_cannot_be_inspected(plant: Plant) -> None:
    plant.session.create("stock.lot", number="L-1", product=_product(plant, scenario.DEVICE))
    with pytest.raises(PlantRefused, match="neither a supplier receipt nor a production"):
        plant.fail_inspection("L-1")


def test_a_late_lot_is_received_into_storage(stack: Stack, plant: Plant) -> None:
    plant.receive_lot(scenario.LATE_LOT, scenario.RESIN, scenario.LATE_QUANTITY)
    assert balances(stack)[scenario.LATE_LOT]["STO"] == scenario.LATE_QUANTITY


def test_a_fresh_plant_has_no_slot_and_no_trace_of_the_last(stack: Stack, plant: Plant) -> None:
    plant.receive_lot(scenario.LATE_LOT)
    with psycopg.connect(stack.addresses().erp_dsn, autocommit=True) as reader:
        reader.execute("select pg_create_logical_replication_slot('lotgate_erp', 'pgoutput')")
    stack.fresh_plant()
    assert scenario.LATE_LOT not in balances(stack)
    with psycopg.connect(stack.addresses().admin_dsn) as server:
        left = server.execute("select count(*) from pg_replication_slots where database = 'plant'")
        assert left.fetchone() == (0,)


def test_the_reader_sees_published_tables_and_no_passwords(stack: Stack, plant: Plant) -> None:
    del plant
    with psycopg.connect(stack.addresses().erp_dsn, autocommit=True) as reader:
        tables = reader.execute(
            "select tablename from pg_publication_tables where pubname = 'lotgate'"
        ).fetchall()
        for (table,) in tables:
            assert reader.execute(f'select count(*) from "{table}"').fetchone()
        for hidden in ("res_user", "res_user_application", "party_address"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                reader.execute(f"select * from {hidden}")
    assert len(tables) == 20


@pytest.mark.parametrize("key", ["holdbot_key_file", "shipper_key_file"])
def test_the_rest_keys_work(stack: Stack, plant: Plant, key: str) -> None:
    del plant
    where = stack.addresses()
    bearer = getattr(where, key).read_text().strip()
    answer = httpx.get(
        f"{where.erp_url}/{where.erp_database}/rest/model/stock.lot",
        headers={"Authorization": f"Bearer {bearer}"},
        timeout=30,
    )
    assert answer.status_code == 200
    assert len(answer.json()) >= len(scenario.EXPECTED)


def test_keys_and_the_dump_are_private(stack: Stack, plant: Plant) -> None:
    del plant
    folder = stack.layout.parts / "erp"
    private = [*folder.glob("*.key"), *folder.glob("*.pass"), folder / "plant.sql.gz"]
    assert len(private) == 6
    assert {path.stat().st_mode & 0o777 for path in private} == {0o600}


def _product(plant: Plant, code: str) -> int:
    return plant.session.one("product.product", [["code", "=", code]])
