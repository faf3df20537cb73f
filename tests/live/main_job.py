"""What the main job must have left behind, asked of the ERP's own tables and of the topics."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
from localstack import scenario

if TYPE_CHECKING:
    from demo.run import Demo

HOLD_DOCUMENTS = """
select lot.number, document.reference, document.state, sum(move.internal_quantity)
from stock_shipment_internal document
join stock_move move on move.shipment = 'stock.shipment.internal,' || document.id
join stock_lot lot on lot.id = move.lot
where document.reference like 'HOLD:%' or document.reference like 'RELEASE:%'
group by lot.number, document.id, document.reference, document.state
"""

IN_QUARANTINE = """
select lot.number, sum(case when place.id = move.to_location then move.internal_quantity
                            else -move.internal_quantity end)
from stock_location place
join stock_move move on place.id in (move.to_location, move.from_location)
join stock_lot lot on lot.id = move.lot
where place.code = 'QUA' and move.state = 'done'
group by lot.number
"""

COMMANDS = "select body from evidence.events where kind = 'command' order by record_offset"


@dataclass(frozen=True)
class HoldDocument:
    """A transfer into or out of quarantine, as the ERP's tables show it."""

    lot: str
    reference: str
    state: str
    quantity: float


def hold_documents(demo: Demo) -> list[HoldDocument]:
    """Every transfer that carries a hold's or a release's reference."""
    with psycopg.connect(demo.stack.addresses().erp_owner_dsn) as connection:
        rows = connection.execute(HOLD_DOCUMENTS).fetchall()
    return [HoldDocument(row[0], row[1], row[2], float(row[3])) for row in rows]


def quarantined(demo: Demo) -> dict[str, float]:
    """Quantity of each lot in quarantine, by the ERP's own ledger; lots without are left out."""
    with psycopg.connect(demo.stack.addresses().erp_owner_dsn) as connection:
        rows = connection.execute(IN_QUARANTINE).fetchall()
    return {row[0]: float(row[1]) for row in rows if row[1]}


def commands(demo: Demo) -> list[dict[str, Any]]:
    """Every command that reached its topic."""
    with psycopg.connect(demo.stack.addresses().evidence_dsn) as connection:
        rows = connection.execute(COMMANDS).fetchall()
    return [row[0] for row in rows]


def assert_inspection_ended(demo: Demo) -> None:
    """The end state of the failed inspection: the same whatever was killed on the way."""
    expected = {wanted.lot: wanted for wanted in scenario.EXPECTED}
    held = {number: wanted for number, wanted in expected.items() if wanted.level is not None}

    in_quarantine = quarantined(demo)
    assert in_quarantine == {
        number: wanted.contained for number, wanted in held.items() if wanted.contained
    }

    documents = hold_documents(demo)
    assert all(document.state == "done" for document in documents), documents
    once = Counter((document.lot, document.reference) for document in documents)
    assert set(once.values()) == {1}, once
    assert {document.lot for document in documents} == set(in_quarantine)

    given = commands(demo)
    assert Counter(command["number"] for command in given) == Counter(dict.fromkeys(held, 1))
    assert {command["action"] for command in given} == {"hold"}

    acks = demo.watch.acks()
    assert {number: seen.result for number, seen in acks.items()} == {
        number: wanted.result for number, wanted in held.items()
    }
