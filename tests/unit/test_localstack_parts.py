"""Pinned files, requirement sentences, and the scenario's own arithmetic."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from localstack import Stack, requirements, scenario
from localstack.errors import StackError
from localstack.host.artifacts import (
    REGISTRY_ARCHIVE,
    Coordinate,
    kafka_coordinates,
    kafka_version,
    missing,
    pinned_checksums,
)
from localstack.layout import LOCAL, secret, write_private


def test_every_java_file_has_a_pinned_checksum_and_no_other_is_pinned() -> None:
    wanted = {str(coordinate) for coordinate in kafka_coordinates()} | {REGISTRY_ARCHIVE}
    assert set(pinned_checksums()) == wanted
    assert all(len(digest) == 64 for digest in pinned_checksums().values())


def test_the_broker_is_the_version_that_we_name() -> None:
    versions = {c.version for c in kafka_coordinates() if c.group == "org.apache.kafka"}
    assert versions == {kafka_version()}
    # 4.3.0 to 4.4.0 can forget to end a transaction when they start (KAFKA-20734).
    assert kafka_version() == "4.2.2"


@pytest.mark.parametrize(
    ("text", "filename"),
    [
        ("org.yaml:snakeyaml:2.5", "snakeyaml-2.5.jar"),
        (REGISTRY_ARCHIVE, "apicurio-registry-app-3.3.3-all.tar.gz"),
    ],
)
def test_a_coordinate_reads_back_and_names_its_file(text: str, filename: str) -> None:
    coordinate = Coordinate.parse(text)
    assert str(coordinate) == text
    assert coordinate.filename == filename


def test_only_absent_files_are_fetched(tmp_path: Path) -> None:
    wanted = kafka_coordinates()[:3]
    (tmp_path / wanted[1].filename).touch()
    assert missing(tmp_path, wanted) == [wanted[0], wanted[2]]


@pytest.mark.parametrize(
    ("version", "fits"),
    [((3, 10), False), ((3, 11), True), ((3, 12), True), ((3, 13), True), ((3, 14), False)],
)
def test_python_versions(version: tuple[int, int], fits: bool) -> None:
    sentence = requirements.python_sentence(version)
    assert (sentence is None) is fits
    assert sentence is None or ".".join(map(str, version)) in sentence


@pytest.mark.parametrize(
    ("found", "fits"),
    [
        (("Linux", "x86_64", "glibc"), True),
        (("Linux", "aarch64", "glibc"), False),
        (("Darwin", "x86_64", ""), False),
        (("Linux", "x86_64", ""), False),
    ],
)
def test_platforms(found: tuple[str, str, str], fits: bool) -> None:
    assert (requirements.platform_sentence(*found) is None) is fits


def test_a_full_disk_is_said_with_the_space_there_is() -> None:
    assert requirements.disk_sentence(Path("/data"), requirements.DISK_BYTES) is None
    sentence = requirements.disk_sentence(Path("/data"), 500_000_000)
    assert sentence is not None
    assert "/data" in sentence
    assert "0.5 GB" in sentence


def test_each_absent_package_is_one_sentence() -> None:
    assert requirements.package_sentences(set(requirements.PACKAGES)) == []
    assert len(requirements.package_sentences({"jgo"})) == len(requirements.PACKAGES) - 1


def test_a_folder_that_the_database_user_cannot_enter_is_named(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    stranger = (2**31 - 2, 2**31 - 2)
    sentence = requirements.entry_sentence(closed / "below", stranger, passes=False)
    assert sentence is not None
    assert "chmod o+x" in sentence
    assert requirements.entry_sentence(closed, None, passes=False) is None
    assert requirements.entry_sentence(closed, stranger, passes=True) is None


def test_a_secret_is_drawn_once_and_private(tmp_path: Path) -> None:
    first = secret(tmp_path, "word")
    assert secret(tmp_path, "word") == first
    assert secret(tmp_path, "other") != first
    assert (tmp_path / "word").stat().st_mode & 0o777 == 0o600
    write_private(tmp_path / "word", "new")
    assert (tmp_path / "word").stat().st_mode & 0o777 == 0o600


def test_addresses_hold_no_secret(tmp_path: Path) -> None:
    stack = Stack(tmp_path / "own")
    stack.layout.make()
    shown = repr(stack.addresses())
    drawn = [path.read_text().strip() for path in stack.layout.secrets.glob("*[!s]")]
    drawn = [word for word in drawn if ":" not in word]
    assert drawn
    assert not any(word in shown for word in drawn)


def test_an_unknown_part_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="mainframe"):
        Stack(tmp_path).up(("mainframe",))


def test_a_worker_may_not_take_the_name_of_a_part(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="broker"):
        Stack(tmp_path).start_process("broker", ["/bin/true"])


def test_nothing_recorded_means_all_stopped(tmp_path: Path) -> None:
    states = {state.name: state.state for state in Stack(tmp_path).status()}
    assert states == dict.fromkeys(("broker", "registry", "database", "erp"), "stopped")


def test_the_scenarios_quantities_balance() -> None:
    made = {entry.lot: entry.quantity for entry in (*scenario.RECEIPTS, *scenario.PRODUCTIONS)}
    used: Counter[str] = Counter()
    for order in scenario.PRODUCTIONS:
        used[order.consumed_lot] += int(order.consumed_quantity)
    for expected in scenario.EXPECTED:
        if expected.result == "free":
            continue
        told = expected.contained + expected.in_flight + expected.escaped + expected.consumed
        assert told == made[expected.lot], expected.lot
        assert expected.consumed == used[expected.lot], expected.lot


def test_the_expected_lots_are_exactly_the_descendants_of_the_failing_one() -> None:
    levels: dict[str, int] = {scenario.FAILING_LOT: 0}
    for order in scenario.PRODUCTIONS:
        if order.consumed_lot in levels:
            levels[order.lot] = levels[order.consumed_lot] + 1
    told = {e.lot: e.level for e in scenario.EXPECTED if e.level is not None}
    assert told == levels
    assert len(told) >= 7
    assert set(told.values()) == {0, 1, 2}


def test_every_outcome_is_in_the_scenario() -> None:
    results = {expected.result for expected in scenario.EXPECTED}
    assert results == {"contained", "in_flight", "escaped", "consumed", "free"}


def test_published_tables_and_readable_tables_are_the_same() -> None:
    for script in (LOCAL / "erp" / "publication.sql", LOCAL / "qms" / "schema.sql"):
        text = " ".join(script.read_text(encoding="utf-8").split())
        readable = text.split("grant select on ")[1].split(" to ")[0]
        published = text.split("for table ")[1].split(";")[0]
        assert _names(readable) == _names(published), script.name


def _names(listed: str) -> set[str]:
    return {name.strip() for name in listed.split(",")}
