"""The agent: which translator is taken, and what becomes of rejected rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from connectors.translators.oca import OcaTranslator
from connectors.translators.tryton import TrytonTranslator
from streams.agents import translate
from streams.contracts.topics import TRANSLATE_INPUT
from streams.engine import Lotgate, Stage
from streams.errors import Misconfigured, Outcome, Poison, outcome_of
from streams.model.facts import Lot
from streams.model.translation import Rejected
from tests.translation_plant import UNCODED, Plant
from tests.translation_stream import Entries

pytestmark = pytest.mark.urs("M8.6")


@pytest.fixture
def stage() -> Stage:
    app = Lotgate("translation-test")
    translate.register(app)
    (found,) = app.stages
    return found


def test_the_stage_declares_its_topics_and_its_store(stage: Stage) -> None:
    assert stage.topic is TRANSLATE_INPUT
    assert stage.scope == "partition"
    assert stage.store is translate.ENTRIES
    assert not stage.dedupes_by_position
    assert {topic.name for topic in stage.emits} == {
        "inventory.lot.events",
        "inventory.genealogy_edge.events",
        "quality.inspection_result.events",
        "quality.nonconformity.events",
        "quality.customer_spec.events",
        "{group}-translate-input",
    }


def test_translators_are_found_by_entry_point() -> None:
    lookup = translate.installed()
    assert isinstance(lookup("tryton"), TrytonTranslator)
    assert isinstance(lookup("oca"), OcaTranslator)
    assert lookup("oca") is lookup("oca")


def test_an_unknown_translator_stops_the_worker_and_names_what_to_install(stage: Stage) -> None:
    plant = Plant()
    _, new = plant.lot("R-001")
    with pytest.raises(Misconfigured) as caught:
        stage.rule(Entries(), replace(plant.transaction(new), translator="sap"))
    assert outcome_of(caught.value) is Outcome.REFUSE
    assert caught.value.code == "unknown_translator"
    assert "lotgate.translators" in caught.value.advice
    assert "tryton" in caught.value.message


def test_facts_flow_and_the_rejected_rows_of_a_record_are_one_dead_letter(stage: Stage) -> None:
    plant = Plant()
    _, first = plant.lot("U-001", UNCODED)
    _, good = plant.lot("R-001")
    _, second = plant.lot("U-002", UNCODED)
    said = stage.rule(plant.translation.entries, plant.transaction(first, good, second))
    assert [item.number for item in said if isinstance(item, Lot)] == ["R-001"]
    (poison,) = [item for item in said if isinstance(item, Poison)]
    assert poison.code == "product_without_code"
    assert "2 rows" in poison.message
    assert "U-001" in poison.message
    assert "U-002" in poison.message
    assert poison.kept


def rejected(number: int) -> Rejected:
    return Rejected(
        source="erp",
        table="stock_lot",
        key=str(number),
        column="product",
        commit_lsn=1,
        code="product_without_code",
        message=f"stock_lot {number}, column product: no code",
        kept="all",
        advice="give it a code",
    )


def test_one_rejected_row_is_told_as_it_is() -> None:
    poison = translate.as_poison([rejected(1)])
    assert (poison.message, poison.advice) == (rejected(1).message, "give it a code")


def test_a_long_list_of_rejected_rows_is_cut() -> None:
    text = str(translate.as_poison([rejected(number) for number in range(50)]))
    assert "50 rows" in text
    assert "and 30 more rows" in text


def test_a_dead_letter_names_row_and_column(stage: Stage) -> None:
    plant = Plant()
    key, bad = plant.lot("U-001", UNCODED)
    said: Any = stage.rule(plant.translation.entries, plant.transaction(bad))
    assert f"stock_lot {key}, column product" in str(said[0])
