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
    "connectors/base.py": "the protocols of sources and sinks, and every value they exchange",
    "connectors/sinks/evidence.py": "one store whose statements share one database transaction",
    "streams/contracts/codec.py": (
        "what writes, reads and versions a topic's records shares one binding"
    ),
    "streams/contracts/registry.py": "one interface and what each of its calls may answer",
    "streams/contracts/topics.py": "every topic is declared in this one place",
    "streams/engine/cycle/membership.py": (
        "what the group's callbacks do to the partitions of a worker"
    ),
    "streams/engine/kafka/admin.py": (
        "each thing that preflight refuses stands beside what provisioning sets"
    ),
    "streams/engine/kafka/transaction.py": (
        "transactions are written once, their failures with them"
    ),
    "streams/engine/takeover/takeovers.py": (
        "the steps that partitions take side by side, in their order"
    ),
    "streams/runtime/settings.py": "every variable of every process in one place, with its meaning",
}
"""Files above 250 lines, each with the reason why it reads better in one piece."""

FULL_FOLDERS: dict[str, str] = {}
"""Folders of code with more than ten modules, each with the reason."""

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


def wrongly_reasoned(over_the_limit: set[str], reasons: dict[str, str]) -> list[str]:
    """What stands over a limit without a reason, and reasons that nothing needs any more."""
    unreasoned = [f"{name}: divide it, or say here why not" for name in over_the_limit - {*reasons}]
    stale = [f"{name}: within the limit or gone; remove it" for name in {*reasons} - over_the_limit]
    empty = [f"{name}: say more" for name, reason in reasons.items() if len(reason.split()) <= 5]
    return sorted(unreasoned + stale + empty)


def test_a_file_above_250_lines_has_a_reason() -> None:
    long = {name_of(f) for f in modules(*PRODUCT) if lines(f) > FILE_LINES_WITHOUT_REASON}
    assert wrongly_reasoned(long, LONG_FILES) == []


def test_a_folder_of_code_holds_ten_modules_at_most() -> None:
    count: dict[str, int] = {}
    for file in modules(*PRODUCT):
        if file.name != "__init__.py":
            count[name_of(file.parent)] = count.get(name_of(file.parent), 0) + 1
    full = {folder for folder, files in count.items() if files > FOLDER_FILES}
    assert wrongly_reasoned(full, FULL_FOLDERS) == []


def test_a_reason_must_be_needed_and_given() -> None:
    told = wrongly_reasoned({"long.py", "new.py"}, {"long.py": "Because.", "gone.py": "x " * 6})
    assert [line.partition(":")[0] for line in told] == ["gone.py", "long.py", "new.py"]


def test_names_say_what_a_thing_is() -> None:
    for file in modules(*PRODUCT):
        for part in (*file.relative_to(ROOT).parts[:-1], file.stem):
            assert not VAGUE.match(part), name_of(file)
        for name in classes(file):
            assert not VAGUE_CLASS.search(name), f"{name_of(file)}: {name}"
