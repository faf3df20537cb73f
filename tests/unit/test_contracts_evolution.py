"""Which changes of a schema may meet on one topic."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from streams.contracts.catalog import Catalog, Declaration
from streams.contracts.evolution import fingerprint, lock_problems, problems, transitive_problems
from streams.contracts.evolution.findings import Direction
from streams.contracts.evolution.reading import reading_findings
from streams.contracts.file_registry import FileRegistry
from streams.contracts.registry import FULL_TRANSITIVE
from streams.errors import Misconfigured, Poison

pytestmark = pytest.mark.urs("M4.5")


def record(*fields: Any, name: str = "u.R", **more: Any) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": list(fields), **more}


def field(name: str, kind: Any = "string", **more: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, **more}


def enum(*symbols: str, **more: Any) -> dict[str, Any]:
    return {"type": "enum", "name": "u.E", "symbols": list(symbols), **more}


def fixed(size: int, name: str = "u.F", **more: Any) -> dict[str, Any]:
    return {"type": "fixed", "name": name, "size": size, **more}


def decimal(scale: int | None, precision: int = 9) -> dict[str, Any]:
    more = {} if scale is None else {"scale": scale}
    return {"type": "bytes", "logicalType": "decimal", "precision": precision, **more}


A = field("a")
INNER = record(field("x"), name="u.I")

ALLOWED = {
    "nothing": (record(A), record(A)),
    "a documented field": (record(A), record({**A, "doc": "text"}, doc="text")),
    "a field with a default comes": (record(A), record(A, field("b", default=""))),
    "a field with a default goes": (record(A, field("b", default="")), record(A)),
    "fields change places": (record(A, field("b")), record(field("b"), A)),
    "an optional field comes": (record(A), record(A, field("b", ["null", "long"], default=None))),
    "a scale that was always zero is written": (
        record(field("d", decimal(None))),
        record(field("d", decimal(0))),
    ),
    "string and bytes": (record(field("a", "string")), record(field("a", "bytes"))),
    "union branches change places": (
        record(field("a", ["null", "string"])),
        record(field("a", ["string", "null"])),
    ),
    "a reference for a definition": (
        record(field("a", INNER), field("b", "u.I")),
        record(field("b", INNER), field("a", "u.I")),
    ),
}
REFUSED = {
    "a field without default comes": (record(A), record(A, field("b"))),
    "a field without default goes": (record(A, field("b")), record(A)),
    "a field is renamed": (record(A), record(field("c"))),
    "a number becomes text": (record(field("a", "long")), record(field("a", "string"))),
    "a number grows": (record(field("a", "int")), record(field("a", "long"))),
    "a union grows": (
        record(field("a", ["null", "string"])),
        record(field("a", ["null", "string", "long"])),
    ),
    "a field becomes optional": (record(A), record(field("a", ["null", "string"]))),
    "a symbol without default symbol": (
        record(field("e", enum("x"))),
        record(field("e", enum("x", "y"))),
    ),
    "a decimal's scale": (record(field("d", decimal(2))), record(field("d", decimal(3)))),
    "a decimal's precision": (record(field("d", decimal(2))), record(field("d", decimal(2, 12)))),
    "a decimal's scale inside an optional": (
        record(field("d", ["null", decimal(2)])),
        record(field("d", ["null", decimal(4)])),
    ),
    "a fixed decimal's scale": (
        record(field("d", fixed(8, logicalType="decimal", precision=9, scale=2))),
        record(field("d", fixed(8, logicalType="decimal", precision=9, scale=3))),
    ),
    "a time's unit": (
        record(field("t", {"type": "long", "logicalType": "timestamp-micros"})),
        record(field("t", {"type": "long", "logicalType": "timestamp-millis"})),
    ),
    "a number becomes a time": (
        record(field("t", "long")),
        record(field("t", {"type": "long", "logicalType": "timestamp-millis"})),
    ),
    "a fixed grows": (record(field("f", fixed(4))), record(field("f", fixed(8)))),
    "a fixed is renamed": (record(field("f", fixed(4))), record(field("f", fixed(4, "u.G")))),
    "a record is renamed": (record(A), record(A, name="u.S")),
    "items change": (
        record(field("a", {"type": "array", "items": "string"})),
        record(field("a", {"type": "array", "items": "long"})),
    ),
    "values change": (
        record(field("a", {"type": "map", "values": "string"})),
        record(field("a", {"type": "map", "values": "boolean"})),
    ),
    "an inner record loses a field": (
        record(field("a", INNER)),
        record(field("a", record(name="u.I"))),
    ),
    "a type behind a reference changes": (
        record(field("a", INNER), field("b", "u.I")),
        record(field("a", record(field("x", "long"), name="u.I")), field("b", "u.I")),
    ),
}


@pytest.mark.parametrize("case", ALLOWED)
def test_a_change_that_both_sides_can_read(case: str) -> None:
    old, new = ALLOWED[case]
    assert problems(old, new) == []
    assert problems(new, old) == []


@pytest.mark.parametrize("case", REFUSED)
def test_a_change_that_one_side_cannot_read_is_refused_with_its_place(case: str) -> None:
    old, new = REFUSED[case]
    for found in (problems(old, new), problems(new, old)):
        assert found
        assert all(reason.startswith("u.") and reason.endswith(")") for reason in found)


def test_a_symbol_may_come_with_a_default_symbol_and_never_go() -> None:
    few = record(field("e", enum("x", "y", default="x")))
    more = record(field("e", enum("x", "y", "z", default="x")))
    assert problems(few, more) == []
    (found,) = problems(more, few)
    assert found == (
        "u.R.e: symbols ['z'] are gone and would be read as 'x' "
        "(the new version cannot read old records)"
    )


def test_a_field_with_a_default_that_gets_another_name_is_no_field_that_went() -> None:
    old, new = record(field("a", default="")), record(field("c", default="", aliases=["a"]))
    (found,) = reading_findings(old, new)
    assert (found.code, found.direction) == ("field_renamed", Direction.OLD_READS_NEW)
    assert found.place.field == "a"


def test_an_alias_of_a_type_may_leave_its_namespace_out() -> None:
    old, new = record(A), record(A, name="u.S", aliases=["R"])
    codes = [(found.code, found.direction) for found in reading_findings(old, new)]
    assert codes == [("type_renamed", Direction.OLD_READS_NEW)]


def test_an_alias_covers_a_new_name_only_in_one_direction() -> None:
    old, new = record(A), record(field("c", aliases=["a"]))
    assert len(problems(old, new)) == 1
    assert "old version cannot read" in problems(old, new)[0]


def test_every_pair_of_versions_counts() -> None:
    first = record(A, field("b", "string", default="x"))
    second = record(A)
    third = record(A, field("b", "long", default=1))
    assert problems(first, second) == []
    assert problems(second, third) == []
    assert transitive_problems([first, second, third])


def test_the_lock_names_what_changed_vanished_and_is_new() -> None:
    def file(path: str, text: str) -> Declaration:
        return Declaration(path, path, 1, text, {})

    lock = {"a": fingerprint("1"), "b": fingerprint("2")}
    assert lock_problems([file("a", "1"), file("b", "2")], lock) == []
    found = lock_problems([file("a", "changed"), file("c", "3")], lock)
    assert [reason.split()[0] for reason in found] == ["a", "b", "c"]


def test_a_file_registry_keeps_ids_and_refuses_what_does_not_fit(tmp_path: Path) -> None:
    registry = FileRegistry(tmp_path / "deep" / "bundle.json")
    assert registry.lookup("s", record(A)) is None
    first = registry.register("s", record(A))
    assert registry.register("s", record({**A, "doc": "words"})) == first
    assert registry.register("other", record(A)) == first
    second = registry.register("s", record(A, field("b", default="")))
    assert second != first
    with pytest.raises(Misconfigured, match="incompatible_schema"):
        registry.register("s", record(field("a", "long")))
    assert not registry.compatible("s", record(field("a", "long")))
    assert registry.compatible("s", record(A))
    assert registry.level() == FULL_TRANSITIVE
    again = FileRegistry(tmp_path / "deep" / "bundle.json")
    assert again.schema_of(second) == record(A, field("b", default=""))
    assert again.lookup("s", record(A)) == first
    with pytest.raises(Poison, match="unknown_schema_id"):
        again.schema_of(99)


def test_a_reader_sees_what_another_process_registered(tmp_path: Path) -> None:
    reader, writer = FileRegistry(tmp_path / "r.json"), FileRegistry(tmp_path / "r.json")
    known = writer.register("s", record(A))
    assert reader.schema_of(known) == record(A)
    assert reader.lookup("s", record(A)) == known


@pytest.mark.parametrize("content", ["{", "[]", '{"schemas": []}', '{"schemas": {"x": 1}}'])
def test_a_broken_bundle_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "r.json").write_text(content)
    with pytest.raises(Misconfigured, match="bad_registry_file"):
        FileRegistry(tmp_path / "r.json")


def test_all_contracts_fit_in_a_file_registry(tmp_path: Path) -> None:
    catalog, registry = Catalog.load(), FileRegistry(tmp_path / "r.json")
    ids = [registry.register(f"{name}-value", catalog.schema(name)) for name in catalog.names()]
    assert len(set(ids)) == len(ids)
