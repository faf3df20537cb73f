"""Small files, short functions, few files in a folder, plain names."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PRODUCT = ("streams", "connectors", "schemas", "examples", "deploy/local")
FILE_LINES = 400
FILE_LINES_WITHOUT_REASON = 250
FUNCTION_LINES = 50
FOLDER_FILES = 10

LONG_FILES: dict[str, str] = {
    "connectors/runner/sink.py": "one loop whose order of steps is its promise; read it as one",
    "connectors/sinks/evidence.py": "one store whose statements share one database transaction",
    "connectors/sources/postgres/log/link.py": (
        "one thread owns one connection; its states belong together"
    ),
    "streams/engine/cycle/engine.py": (
        "the cycle in order, with what follows a failure at each step"
    ),
    "streams/engine/cycle/membership.py": (
        "what the group's callbacks do to the partitions of a worker"
    ),
    "streams/engine/cycle/partition.py": (
        "what one partition stages must be dropped or kept as a whole"
    ),
    "streams/engine/kafka/admin.py": (
        "each thing that preflight refuses stands beside what provisioning sets"
    ),
    "streams/engine/kafka/transaction.py": (
        "transactions are written once, their failures with them"
    ),
    "streams/model/translation.py": "the nouns of translation and the two protocols made of them",
    "streams/operator/answers/dead_letters.py": (
        "every decision on a dead letter obeys the same few rules"
    ),
    "streams/runtime/settings.py": "every variable of every process in one place, with its meaning",
}
"""Files above 250 lines, each with the reason why it reads better in one piece."""

FULL_FOLDERS: dict[str, str] = {
    "connectors/runner": (
        "two loops and a database writer; their files carry the loop's name in front"
    ),
}
"""Folders with more than ten modules, each with the reason."""

VAGUE = re.compile(r"^(utils?|common|helpers?|managers?|misc|base_.*|.*_utils?|.*_helpers?)$")
VAGUE_CLASS = re.compile(r"(Manager|Helper|Utils?)$")


def modules(*folders: str) -> list[Path]:
    return sorted(
        file
        for folder in folders
        for file in (ROOT / folder).rglob("*.py")
        if not any(part.startswith(".") for part in file.relative_to(ROOT).parts)
    )


def name_of(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def lines(file: Path) -> int:
    return len(file.read_text(encoding="utf-8").splitlines())


def functions(file: Path) -> Iterator[tuple[str, int]]:
    """Name and length of every function; its documentation does not count."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0]
            documented = ast.get_docstring(node, clean=False) is not None
            text = (first.end_lineno or 0) - first.lineno + 1 if documented else 0
            yield node.name, (node.end_lineno or 0) - node.lineno + 1 - text


def classes(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef):
            yield node.name


@pytest.mark.parametrize("file", modules(*PRODUCT, "tests"), ids=name_of)
def test_no_file_and_no_function_is_long(file: Path) -> None:
    assert lines(file) <= FILE_LINES, "divide it; 400 lines are a design question"
    long = [(name, length) for name, length in functions(file) if length > FUNCTION_LINES]
    assert not long, "divide these functions"


def test_a_file_above_250_lines_has_a_reason() -> None:
    long = {name_of(f) for f in modules(*PRODUCT) if lines(f) > FILE_LINES_WITHOUT_REASON}
    assert long <= set(LONG_FILES), "divide it, or say here why it stays in one piece"
    assert all(len(reason.split()) > 5 for reason in LONG_FILES.values())


def test_a_folder_holds_ten_modules_at_most() -> None:
    count: dict[str, int] = {}
    for file in modules(*PRODUCT):
        if file.name != "__init__.py":
            count[name_of(file.parent)] = count.get(name_of(file.parent), 0) + 1
    full = {folder for folder, files in count.items() if files > FOLDER_FILES}
    assert full <= set(FULL_FOLDERS), "make a room of its own, or say here why not"
    assert all(len(reason.split()) > 5 for reason in FULL_FOLDERS.values())


def test_names_say_what_a_thing_is() -> None:
    for file in modules(*PRODUCT):
        for part in (*file.relative_to(ROOT).parts[:-1], file.stem):
            assert not VAGUE.match(part), name_of(file)
        for name in classes(file):
            assert not VAGUE_CLASS.search(name), f"{name_of(file)}: {name}"
