"""`lotgate schema check` and `diff` as a person meets them, and the promises of this repository."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from connectors.registry import CONNECTORS
from streams.app import main_job
from streams.cli import cli
from streams.contracts.evolution.contracts import Contracts
from streams.contracts.evolution.lock import fingerprint
from streams.contracts.evolution.places import Places, lines_of
from streams.contracts.topics import HOLD_COMMANDS
from streams.evidence.records import STORED

pytestmark = pytest.mark.urs("M4.5")

ROOT = Path(__file__).parents[2]


def run(*words: str | Path, code: int = 0) -> str:
    result = CliRunner().invoke(cli, ["schema", *map(str, words)])
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture
def contracts(tmp_path: Path) -> Path:
    """A copy of what the product promises, to break."""
    copied = tmp_path / "contracts"
    shutil.copytree(ROOT / "schemas", copied, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    return copied


def next_version(contracts: Path, path: str, **changed: Any) -> Path:
    """Write and lock the next version of a type: fields by name, None to leave one out."""
    domain, _, name = path.partition("/")
    number = len(list((contracts / "avro" / domain).glob(f"{name}.v*.avsc")))
    last = contracts / "avro" / domain / f"{name}.v{number}.avsc"
    schema = json.loads(last.read_text("utf-8"))
    kept = [field for field in schema["fields"] if changed.get(field["name"], field) is not None]
    known = {field["name"] for field in kept}
    schema["fields"] = [{**field, **changed.get(field["name"], {})} for field in kept] + [
        {"name": name, "doc": "New.", **more}
        for name, more in changed.items()
        if more is not None and name not in known
    ]
    file = last.with_name(f"{name}.v{number + 1}.avsc")
    file.write_text(json.dumps(schema, indent=2) + "\n", "utf-8")
    lock = json.loads((contracts / "lock.json").read_text("utf-8"))
    lock[f"{domain}/{file.name}"] = fingerprint(file.read_text("utf-8"))
    (contracts / "lock.json").write_text(json.dumps(lock), "utf-8")
    return file


def line_of(file: Path, text: str) -> int:
    lines = file.read_text("utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


def test_what_the_product_promises_is_kept() -> None:
    assert "kept " in run("check", "--offline")
    assert json.loads(run("check", "--offline", "--json"))["complaints"] == []


def test_every_stage_and_connector_says_what_it_reads() -> None:
    told: dict[str, set[str]] = {}
    for reader in Contracts.load().consumers:
        told.setdefault(reader.name, set()).add(reader.reads)
    for stage in main_job().stages:
        assert told.pop(f"stage {stage.name}") == {stage.topic.schema}
    assert told.pop("connector evidence") == {topic.schema for topic in STORED}
    for name, connector in CONNECTORS.items():
        if connector.kind == "hold":
            assert told.pop(f"connector {name}") == {HOLD_COMMANDS.schema}
    assert told == {}


def test_an_incompatible_version_names_file_line_field_and_who_is_hurt(contracts: Path) -> None:
    file = next_version(contracts, "inventory/lot", disposition={"type": "long", "default": 0})
    shown = run("check", "--offline", "--contracts", contracts, code=4)
    place = f"avro/inventory/{file.name}:{line_of(file, 'disposition')}: "
    assert f"BROKEN   {place}version 2 beside version 1: " in shown
    assert "lotgate.inventory.Lot.disposition: string became long" in shown
    assert "hurts stage route-lot-lot, stage lot, connector evidence [type_changed]" in shown
    found = json.loads(run("check", "--offline", "--contracts", contracts, "--json", code=4))
    assert found["complaints"][0]["field"] == "lotgate.inventory.Lot.disposition"


def test_a_type_inside_others_hurts_the_readers_of_them_all(contracts: Path) -> None:
    file = next_version(contracts, "core/source", database=None)
    shown = run("check", "--offline", "--contracts", contracts, code=4)
    assert f"avro/core/source.v2.avsc:{line_of(file, 'Source')}: " in shown
    assert "lotgate.core.Source.database: has no default" in shown
    every = {reader.name for reader in Contracts.load().consumers} - {"stage translate"}
    assert all(name in shown for name in every)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"quantity": {"default": "0", "type": ["string", "null"]}}, "default_changed"),
        ({"place": None}, "field_removed"),
        ({"place": None, "where": {"type": "string", "default": "", "aliases": ["place"]}},
         "field_renamed"),
        ({"number": {"name": "lot_number", "aliases": ["number"]}}, "no_default"),
    ],
)  # fmt: skip
def test_what_registries_let_in_is_refused(
    contracts: Path, change: dict[str, Any], code: str
) -> None:
    next_version(contracts, "inventory/lot", **change)
    shown = run("check", "--offline", "--contracts", contracts, code=4)
    assert f"[{code}]" in shown
    assert "stage route-lot-lot" in shown


def test_a_reader_is_hurt_by_what_it_uses_and_reads_with(contracts: Path, tmp_path: Path) -> None:
    next_version(contracts, "inventory/lot", arrived=None)
    (contracts / "consumers.json").write_text("{}")
    own = tmp_path / "own.json"
    words = ("check", "--offline", "--contracts", contracts, "--consumers", own)
    reading = "lotgate.inventory.Lot"
    told = {
        "new warehouse": {reading: {"minimum": 2}},
        "label printer": {reading: {"minimum": 1, "fields": ["number"]}},
    }
    own.write_text(json.dumps(told))
    run(*words)
    own.write_text(json.dumps({**told, "old warehouse": {reading: {"minimum": 1}}}))
    shown = run(*words, code=4)
    assert "hurts old warehouse [field_removed]" in shown
    assert "Lot.arrived: is gone" in shown


def test_a_published_file_that_changed_and_a_gap_are_named(contracts: Path) -> None:
    file = contracts / "avro" / "inventory" / "lot.v1.avsc"
    file.write_text(file.read_text("utf-8").replace("Material code.", "A code."), "utf-8")
    source = contracts / "avro" / "core" / "actor.v1.avsc"
    source.rename(source.with_name("actor.v3.avsc"))
    shown = run("check", "--offline", "--contracts", contracts, code=4)
    assert "avro/inventory/lot.v1.avsc: it was published and has changed" in shown
    assert "avro/core/actor.v1.avsc: it was published and is gone" in shown
    assert "avro/core/actor.v3.avsc:3: lotgate.core.Actor has the versions [3]" in shown


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"w": {"lotgate.inventory.Lots": {"minimum": 1}}}', "nearest is lotgate.inventory.Lot"),
        ('{"w": {"lotgate.inventory.Lot": {"minimum": 9}}}', "needs version 9"),
        ('{"w": {"lotgate.inventory.Lot": {"minimum": 1,\n"fields": ["lots_id"]}}}', "is lot_id"),
    ],
)
def test_a_reader_of_what_is_not_there_is_told_the_nearest(
    tmp_path: Path, text: str, said: str
) -> None:
    own = tmp_path / "own.json"
    own.write_text(text)
    shown = run("check", "--offline", "--consumers", own, code=4)
    assert said in shown
    assert f"{own}:1: w " in shown


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"w": \n{"lotgate.inventory.Lot": {"minimun": 1}}}', ":2: w, lotgate.inventory.Lot: un"),
        ('{"w": {"lotgate.inventory.Lot": {"minimun": 1}}}', "nearest is minimum"),
        ('{"w": {"lotgate.inventory.Lot": {"minimum": 0}}}', "0 is no number from 1"),
        ('{"w": {"lotgate.inventory.Lot": {"minimum": 1, "fields": "x"}}}', "no list of names"),
        ('{"w": {"lotgate.inventory.Lot": 1}}', "minimum version"),
        ('{\n"w": {}}', ":2: w names no type"),
        ("[]", ":1: it is not an object"),
        ('{\n"w": ', ":2: it is not JSON"),
    ],
)
def test_a_bad_file_of_readers_is_refused_with_its_line(
    tmp_path: Path, text: str, said: str
) -> None:
    own = tmp_path / "own.json"
    own.write_text(text)
    shown = run("check", "--offline", "--consumers", own, code=2)
    assert "[bad_consumers_file]" in shown
    assert said in shown


def test_a_directory_without_contracts_is_refused(tmp_path: Path) -> None:
    assert "[bad_lock_file]" in run("check", "--offline", "--contracts", tmp_path, code=2)


def test_a_difference_is_told_in_words(tmp_path: Path) -> None:
    amount = {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}
    grade = {"type": "enum", "name": "Grade", "symbols": ["a", "b"], "default": "a"}
    fields = [
        {"name": "amount", "type": amount, "doc": "How much."},
        {"name": "grade", "type": grade},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "place", "type": "string", "default": ""},
        {"name": "who", "type": "string"},
    ]
    old, new = tmp_path / "x.v1.avsc", tmp_path / "x.v2.avsc"
    schema = {"type": "record", "name": "u.X", "fields": fields}
    old.write_text(json.dumps(schema))
    schema["fields"] = [
        {"name": "amount", "type": {**amount, "scale": 3}, "doc": "How much it weighs."},
        {"name": "grade", "type": {**grade, "symbols": ["a", "c"]}},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "whom", "type": "string", "aliases": ["who"]},
        {"name": "notes", "type": {"type": "array", "items": "string"}, "default": [],
         "doc": "Remarks."},
    ]  # fmt: skip
    new.write_text(json.dumps(schema))
    shown = run("diff", old, new, code=4)
    for line in (
        "changed  X.amount: was an exact number of 9 digits, 2 after the point, is now",
        "reworded X.amount: “How much.” became “How much it weighs.”",
        "new      Grade: may now also be c; readers of the earlier version read 'a' instead",
        "gone     Grade: may no longer be b; records that say so are read as 'a'",
        "changed  X.at: was an instant to the millisecond, is now an instant to the microsecond",
        "gone     X.place: readers of the earlier version find empty text in new records",
        "renamed  X.who: is called whom now",
        "new      X.notes: a list, each text. Remarks. Earlier records say nothing of it",
        "REFUSED  u.X.amount: the decimal's scale 2 became 3",
    ):
        assert line in shown, line
    assert "nothing differs\nBoth may be on one topic" in run("diff", old, old).replace("  ", "")


def test_versions_are_named_as_people_do() -> None:
    assert "nothing differs" in run("diff", "lot", "lotgate.inventory.Lot@1")
    assert "the nearest is GenealogyEdge" in run("diff", "genealogyedges", "lot", code=2)
    assert "no version 7" in run("diff", "lot.v7", "lot", code=2)
    assert "[bad_schema_file]" in run("diff", "no/such.avsc", "lot", code=2)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(json_values, st.sampled_from([None, 0, 2]))
def test_every_value_of_a_json_text_has_its_line(value: Any, indent: int | None) -> None:
    text = json.dumps(value, indent=indent)
    lines = lines_of(text)
    shown = text.split("\n")
    for path, line in lines.items():
        found = value
        for step in path:
            found = found[step]
        if path and isinstance(path[-1], str):
            assert f"{json.dumps(path[-1])}:" in shown[line - 1]
        elif indent is not None and not isinstance(found, dict | list):
            assert json.dumps(found) in shown[line - 1]
    assert len(lines) == 1 + sum(map(parts, [value]))


def parts(value: Any) -> int:
    """How many values a value holds, at any depth."""
    inner = list(value.values() if isinstance(value, dict) else value if isinstance(value, list)
                 else [])  # fmt: skip
    return len(inner) + sum(map(parts, inner))


@pytest.mark.parametrize("text", ["", "{", '{"a" 1}', "[1 2]", "[1] x", '{"a": }', "{1: 2}"])
def test_what_is_not_json_has_no_lines(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        lines_of(text)


def test_a_type_declared_inside_another_has_its_own_lines() -> None:
    inner = {"type": "enum", "name": "Grade", "symbols": ["a"]}
    schema = {
        "type": "record", "name": "X", "namespace": "u",
        "fields": [{"name": "grades", "type": ["null", {"type": "array", "items": inner}]}],
    }  # fmt: skip
    text = json.dumps(schema, indent=1)
    places = Places(text, schema)
    shown = text.split("\n")
    for asked, said in ((("u.X",), '"X"'), (("u.X", "grades"), "grades"), (("u.Grade",), "Grade")):
        line = places.line_of(*asked)
        assert line is not None
        assert said in shown[line - 1]
    assert places.line_of("u.X", "missing") == places.line_of("u.X")
    assert places.line_of("u.Other") is None
