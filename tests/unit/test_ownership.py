"""Ownership: a system changes what it owns; what it does not own reaches nobody else."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.agents import own
from streams.app import application
from streams.contracts.catalog import Catalog
from streams.contracts.documents import parsed
from streams.contracts.ownership import Entity, Kept, Ownership, ruling
from streams.contracts.ownership.document import Owner, checked
from streams.contracts.topics import Topic
from streams.engine.testing import Driver
from streams.errors import Misconfigured
from streams.model.canonical.conflict import MasterdataConflict
from streams.model.envelope import Envelope
from tests.unit.contract_samples import ENVELOPE

pytestmark = pytest.mark.urs("M1.2")

CATALOG = Catalog.load()
LOT = "lotgate.inventory.Lot"


@dataclass(frozen=True)
class Vendor:
    """Someone who delivers."""

    envelope: Envelope
    vendor_id: str
    name: str
    rating: int = 0


VENDOR: dict[str, Any] = {
    "type": "record",
    "name": "Vendor",
    "fields": [
        {"name": "envelope", "type": CATALOG.schema("lotgate.core.Envelope")},
        {"name": "vendor_id", "type": "string"},
        {"name": "name", "type": "string"},
        {"name": "rating", "type": "long"},
    ],
}
PROPOSED = Topic("vendor.proposals", Vendor, VENDOR, lambda event: event.vendor_id)
ACCEPTED = Topic("vendor.events", Vendor, VENDOR, lambda event: event.vendor_id)
OWNERS = """entities:
  Vendor:
    owner: erp
    attributes:
      rating: {owner: qms, fallback: erp}
"""
OWNERSHIP = parsed(OWNERS, "ownership.yaml", Ownership).value


def vendor(system: str, name: str, rating: int, number: int = 1) -> Vendor:
    source = replace(ENVELOPE.source, system=system)
    return Vendor(replace(ENVELOPE, event_id=f"e-{number}", source=source), "V-7", name, rating)


def told(driver: Driver) -> list[tuple[str, int]]:
    driver.settle()
    return [(event.name, event.rating) for event in driver.emitted(ACCEPTED)]


def conflicts(driver: Driver) -> list[tuple[str, str, str, str, str]]:
    return [
        (each.system, each.attribute, each.owner, each.tried, each.kept)
        for each in driver.emitted(own.CONFLICTS)
    ]


def test_a_rename_by_the_owner_goes_on_and_by_another_becomes_a_conflict() -> None:
    app = application("ownership")
    own.register(app, OWNERSHIP, PROPOSED, ACCEPTED, ["vendor_id"])
    with Driver(app) as driver:
        driver.send(vendor("erp", "Alpha", 3, 1))
        driver.send(vendor("qms", "Alfa", 5, 2))
        driver.send(vendor("erp", "Beta", 3, 3))
        driver.send(vendor("crm", "Gamma", 5, 4))
        assert told(driver) == [("Alpha", 3), ("Alpha", 5), ("Beta", 5)]
        assert conflicts(driver) == [
            ("qms", "name", "erp", '"Alfa"', '"Alpha"'),
            ("erp", "rating", "qms", "3", "5"),
            ("crm", "name", "erp", '"Gamma"', '"Beta"'),
        ]
        first = driver.emitted(own.CONFLICTS)[0]
    assert isinstance(first, MasterdataConflict)
    assert (first.entity, first.entity_id) == ("Vendor", "V-7")
    assert first.envelope.causation_id == "e-2"
    assert first.envelope.event_id not in {"", "e-2"}


def test_what_nobody_with_a_right_has_said_is_not_passed_on() -> None:
    app = application("ownership")
    own.register(app, OWNERSHIP, PROPOSED, ACCEPTED, ["vendor_id"])
    with Driver(app) as driver:
        driver.send(vendor("qms", "Alpha", 5))
        assert told(driver) == []
        assert [each[:2] for each in conflicts(driver)] == [("qms", "name")]
        driver.send(vendor("erp", "Alpha", 3, 2))
        assert told(driver) == [("Alpha", 5)]


def test_an_entity_without_an_owner_is_refused() -> None:
    with pytest.raises(Misconfigured) as refused:
        own.register(application("o"), Ownership(entities={}), PROPOSED, ACCEPTED, ["vendor_id"])
    assert refused.value.code == "unowned_entity"


SYSTEMS = st.sampled_from(["erp", "qms", "crm"])
SAID = st.dictionaries(st.sampled_from(["name", "rating"]), st.sampled_from(["1", "2"]))
ENTITY = Entity(owner="erp", attributes={"rating": Owner(owner="qms", fallback="erp")})


@given(st.lists(st.tuples(SYSTEMS, SAID), max_size=12))
def test_no_history_lets_a_system_change_what_it_does_not_own(
    history: list[tuple[str, dict[str, str]]],
) -> None:
    stands: dict[str, Kept] = {}
    for system, said in history:
        judged = ruling(ENTITY, system, said, stands)
        for attribute, kept in judged.kept.items():
            owner = ENTITY.owner_of(attribute)
            assert kept.system in {owner.owner, owner.fallback}
            if attribute in stands and kept != stands[attribute]:
                assert kept.system == system
                assert not (stands[attribute].system == owner.owner != system)
        for tried in judged.attempted:
            assert judged.kept.get(tried.attribute) == stands.get(tried.attribute)
            assert tried.tried != tried.kept
        again = ruling(ENTITY, system, said, judged.kept)
        assert again.kept == judged.kept
        stands = dict(judged.kept)


def test_a_file_names_what_exists() -> None:
    text = """entities:
  lotgate.inventory.Lott:
    owner: erp
  lotgate.inventory.Lot:
    owner: epr
    attributes:
      unitt: {owner: erp, fallback: qns}
"""
    document = parsed(text, "ownership.yaml", Ownership)
    assert {str(each) for each in checked(document, CATALOG, ["erp", "qms"])} == {
        f"ownership.yaml:2: there is no type '{LOT}t'; the nearest is {LOT}",
        "ownership.yaml:7: lotgate.inventory.Lot has no attribute 'unitt'; the nearest is unit",
        "ownership.yaml:5: there is no system 'epr'; the nearest is erp",
        "ownership.yaml:7: there is no system 'qns'; the nearest is qms",
    }
