"""Versions of states: read step by step, stamped, and never read by an earlier build."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from streams.contracts.catalog import Catalog
from streams.contracts.codec import Codec, Form
from streams.contracts.file_registry import FileRegistry
from streams.engine import ExitCode, Store, exit_code_of
from streams.engine.kafka.positions import is_marked, marked, note_of
from streams.engine.state.stamp import Stamp
from streams.engine.state.table import StateUnreadable
from streams.errors import LotgateError, Misconfigured, Poison

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.urs("M4.5")


@dataclass(frozen=True)
class First:
    n: int
    fails: int


@dataclass(frozen=True)
class Second:
    n: int
    fails: int
    note: str


@dataclass(frozen=True)
class Third:
    total: int
    failures: int
    note: str


def schema(*fields: dict[str, Any]) -> dict[str, Any]:
    return {"type": "record", "name": "test.State", "fields": list(fields)}


def field(name: str, kind: str = "long", **more: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, **more}


V1 = schema(field("n"), field("fails"))
V2 = schema(field("n"), field("fails"), field("note", "string", default="none"))
V3 = schema(field("total"), field("failures"), field("note", "string"))


def third_of(old: dict[str, Any]) -> dict[str, Any]:
    return {"total": old["n"], "failures": old["fails"], "note": old["note"] + "!"}


FIRST = Store("lots", First, V1)
SECOND = Store("lots", Second, V2, version=2)
THIRD = Store("lots", Third, V3, version=3, upcasters={2: third_of})


def codec(folder: Path) -> Codec:
    return Codec(Catalog(()), FileRegistry(folder / "registry.json"))


def written(folder: Path, store: Store[Any], state: Any) -> bytes:
    """A state as the build that has this store writes it."""
    build = codec(folder)
    build.prepare([store.topic], register=True)
    return build.encode(store.topic, state)


def test_each_version_is_read_by_all_later_ones(tmp_path: Path) -> None:
    old = written(tmp_path, FIRST, First(7, 2))
    middle = written(tmp_path, SECOND, Second(8, 3, "x"))
    new = written(tmp_path, THIRD, Third(9, 4, "y"))
    reader = codec(tmp_path)
    # The first has no step of its own to the second: Avro's default fills the note.
    assert reader.decode(THIRD.topic, old) == Third(7, 2, "none!")
    assert reader.decode(THIRD.topic, middle) == Third(8, 3, "x!")
    assert reader.decode(THIRD.topic, new) == Third(9, 4, "y")
    assert codec(tmp_path).decode(SECOND.topic, old) == Second(7, 2, "none")
    subjects = {codec(tmp_path).subject(store.topic) for store in (FIRST, SECOND, THIRD)}
    name = "lotgate-lots-changelog"
    assert subjects == {f"{name}-value", f"{name}-v2-value", f"{name}-v3-value"}


def test_an_upcaster_that_is_missing_or_wrong_is_said(tmp_path: Path) -> None:
    old = written(tmp_path, SECOND, Second(8, 3, "x"))
    for upcasters in ({}, {2: lambda _: {"total": 1}}, {2: lambda old: {"total": old["gone"]}}):
        store = Store("lots", Third, V3, version=3, upcasters=upcasters)
        with pytest.raises(Poison, match="version 2 and cannot be made one of version 3") as told:
            codec(tmp_path).decode(store.topic, old)
        assert told.value.code == "not_upcast"


def test_a_version_between_that_the_registry_lost_is_said(tmp_path: Path) -> None:
    old = written(tmp_path, FIRST, First(7, 2))
    with pytest.raises(Poison, match="no schema of version 2"):
        codec(tmp_path).decode(THIRD.topic, old)


def test_the_catalog_counts_where_the_store_does_not(tmp_path: Path) -> None:
    assert codec(tmp_path).form(FIRST.topic).version == 1
    forms = [codec(tmp_path).form(store.topic) for store in (SECOND, THIRD)]
    assert [form.version for form in forms] == [2, 3]
    assert forms[0].fingerprint != forms[1].fingerprint
    assert forms[0].name == "test.State"


@pytest.mark.parametrize(
    ("version", "upcasters"),
    [(0, {}), (2, {2: dict}), (1, {1: dict}), (None, {0: dict})],
)
def test_a_store_that_counts_wrongly_is_refused(
    version: int | None, upcasters: dict[int, Any]
) -> None:
    with pytest.raises(Misconfigured, match="versions count from 1"):
        Store("lots", First, V1, version=version, upcasters=upcasters)


def stamp(version: int, fingerprint: str, build: str = "7") -> Stamp:
    return Stamp(Form("test.State", version, fingerprint), build, "lots[0]")


def test_a_stamp_goes_up_and_is_refused_going_down() -> None:
    fresh = stamp(1, "a")
    fresh.check(None)
    assert fresh.is_due
    kept = fresh.dump()
    same = stamp(1, "a", "8")
    same.check(kept)
    assert not same.is_due
    higher = stamp(2, "b", "9")
    higher.check(kept)
    assert higher.is_due
    with pytest.raises(StateUnreadable, match="written by build '9' with version 2") as newer:
        same.check(higher.dump())
    with pytest.raises(Misconfigured, match="another schema under the same version") as other:
        stamp(1, "c").check(kept)
    refusals: list[tuple[LotgateError, str, ExitCode]] = [
        (newer.value, "state_newer", ExitCode.STATE_NEWER),
        (other.value, "state_schema_changed", ExitCode.PREFLIGHT),
    ]
    for refusal, code, number in refusals:
        assert (refusal.code, exit_code_of(refusal)) == (code, number)
        assert "nothing was consumed" in str(refusal)


def test_a_position_tells_who_committed_it_and_in_which_form() -> None:
    assert (is_marked(marked("")), note_of(marked(""))) == (True, "")
    assert (is_marked(marked("a b")), note_of(marked("a b"))) == (True, "a b")
    for other in (None, "", "a person's", "lotgateway", "lotgate "):
        assert (is_marked(other), note_of(other)) == (False, ""), other
