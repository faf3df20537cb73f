"""Compatibility levels, and publishing that judges before it writes."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pytest

from streams.contracts.evolution.findings import Direction
from streams.contracts.evolution.levels import Level, findings_at, level_named
from streams.contracts.evolution.publishing import publish_all
from streams.contracts.file_registry import FileRegistry
from streams.errors import Misconfigured

pytestmark = pytest.mark.urs("M4.5")


def record(*fields: Any) -> dict[str, Any]:
    return {"type": "record", "name": "u.R", "fields": list(fields)}


def field(name: str, kind: Any = "string", **more: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, **more}


def decimal(precision: int, scale: int = 2) -> dict[str, Any]:
    return {"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale}


A = field("a")
PLAIN = record(A)
NEEDS_MORE = record(A, field("b"))
"""Reads nothing that PLAIN wrote; PLAIN reads all that it writes."""
BACK, FORTH = {"BACKWARD", "FULL"}, {"FORWARD", "FULL"}
CASES: dict[str, tuple[dict[str, Any], dict[str, Any], set[str]]] = {
    "a field that must be there comes": (PLAIN, NEEDS_MORE, BACK),
    "a field that must be there goes": (NEEDS_MORE, PLAIN, FORTH),
    "a decimal grows": (record(field("d", decimal(9))), record(field("d", decimal(12))), FORTH),
    "a decimal shrinks": (record(field("d", decimal(12))), record(field("d", decimal(9))), BACK),
    "a scale changes": (
        record(field("d", decimal(9))),
        record(field("d", decimal(9, 3))),
        BACK | FORTH,
    ),
    "a default changes": (
        record(field("a", default="x")),
        record(field("a", default="y")),
        BACK | FORTH,
    ),
    "a default symbol changes": (
        record(field("e", {"type": "enum", "name": "E", "symbols": ["x", "y"], "default": "x"})),
        record(field("e", {"type": "enum", "name": "E", "symbols": ["x", "y"], "default": "y"})),
        BACK | FORTH,
    ),
    "a symbol goes": (
        record(field("e", {"type": "enum", "name": "E", "symbols": ["x", "y"], "default": "x"})),
        record(field("e", {"type": "enum", "name": "E", "symbols": ["x"], "default": "x"})),
        BACK,
    ),
    "an alias carries a value over": (PLAIN, record(field("c", aliases=["a"])), FORTH),
    "a default comes": (PLAIN, record(field("a", default="x")), set()),
}


@pytest.mark.parametrize(("case", "level"), list(product(CASES, Level)))
def test_each_level_refuses_what_it_names_and_no_more(case: str, level: Level) -> None:
    old, new, refusing = CASES[case]
    side = level.removesuffix("_TRANSITIVE")
    assert bool(findings_at(level, [old], new)) == (side in refusing)


@pytest.mark.parametrize("level", Level)
def test_only_transitive_levels_look_past_the_last_version(level: Level) -> None:
    first = record(A, field("b", default="x"))
    third = record(A, field("b", "long", default=1))
    assert bool(findings_at(level, [first, PLAIN], third)) == level.transitive


def test_what_a_level_demands_is_an_order() -> None:
    for one, other in product(Level, Level):
        assert (
            one.demands(other)
            == (other.directions <= one.directions and one.transitive >= other.transitive)
            or other is Level.NONE
        )
        if one.demands(other) and other.demands(one):
            assert one is other
        for third in Level:
            assert not (one.demands(other) and other.demands(third)) or one.demands(third)
    assert all(Level.FULL_TRANSITIVE.demands(each) for each in Level)
    assert all(each.demands(Level.NONE) for each in Level)
    assert not Level.FORWARD_TRANSITIVE.demands(Level.BACKWARD)


def test_an_unknown_level_is_told_with_the_known_ones() -> None:
    assert level_named("full", "it") is Level.FULL
    with pytest.raises(Misconfigured, match=r"the subject s .*FORWARD_TRANSITIVE") as caught:
        level_named("WILD", "the subject s")
    assert caught.value.code == "unknown_level"


def test_a_changed_meaning_hurts_in_no_one_direction() -> None:
    old, new, _ = CASES["a default changes"]
    ((number, found),) = findings_at(Level.FULL, [old], new)
    assert (number, found.direction, found.place.path) == (1, Direction.MEANING, "u.R.a")
    assert str(found).startswith("u.R.a: the default 'x' became 'y'")


class Levelled(FileRegistry):
    """A registry in a file that keeps a level for each subject, as the live ones do."""

    def __init__(self, path: Path, level: str = "NONE") -> None:
        super().__init__(path)
        self.levels: dict[str, str] = {}
        self.whole = level

    def level(self) -> str:
        return self.whole

    def subject_level(self, subject: str) -> str | None:
        return self.levels.get(subject)

    def set_subject_level(self, subject: str, level: str) -> None:
        self.levels[subject] = level


def test_publishing_sets_the_level_and_can_be_repeated(tmp_path: Path) -> None:
    registry = Levelled(tmp_path / "r.json")
    wanted = {"s": PLAIN, "t": NEEDS_MORE}
    first = publish_all(registry, wanted)
    assert [(each.registered, each.level_set) for each in first] == [(True, True)] * 2
    assert registry.levels == {"s": "FULL_TRANSITIVE", "t": "FULL_TRANSITIVE"}
    again = publish_all(registry, wanted)
    assert [(each.registered, each.level_set) for each in again] == [(False, False)] * 2
    assert [each.id for each in again] == [each.id for each in first]


@pytest.mark.parametrize("own", [True, False])
def test_a_level_is_never_weakened(tmp_path: Path, own: bool) -> None:
    registry = Levelled(tmp_path / "r.json", "BACKWARD" if own else "FULL_TRANSITIVE")
    if own:
        registry.levels["s"] = "FULL_TRANSITIVE"
    with pytest.raises(Misconfigured, match="FULL_TRANSITIVE") as caught:
        publish_all(registry, {"s": PLAIN}, Level.BACKWARD)
    assert caught.value.code == "level_weakened"
    assert ("whole registry" in str(caught.value)) != own
    assert registry.versions("s") == ()
    assert registry.levels == ({"s": "FULL_TRANSITIVE"} if own else {})


def test_one_refused_schema_keeps_all_others_out(tmp_path: Path) -> None:
    registry = Levelled(tmp_path / "r.json")
    registry.register("t", PLAIN)
    with pytest.raises(Misconfigured, match=r"version 1: u\.R\.b: has no default") as caught:
        publish_all(registry, {"s": PLAIN, "t": NEEDS_MORE})
    assert caught.value.code == "incompatible_schema"
    assert registry.versions("s") == ()
    assert registry.levels == {}
