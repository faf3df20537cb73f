"""YAML into a pydantic model: no unknown field, no duplicate key, no alias, every error placed."""

from __future__ import annotations

import inspect
import re
import typing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from streams.contracts.documents.complaints import Complaint, nearest, refuse

if TYPE_CHECKING:
    from collections.abc import Mapping
    from importlib.resources.abc import Traversable
    from pathlib import Path as FilePath

Path = tuple[str | int, ...]
"""Keys and indexes from the outermost value down."""

BAD_DOCUMENT = "bad_document"


class Strict(BaseModel):
    """The base of everything that a document may hold."""

    model_config = ConfigDict(extra="forbid", frozen=True)


M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Document(Generic[M]):
    """A document that was read.

    Attributes:
        file: Its name, for messages.
        value: What it says.
        lines: The line of each value, by its path; of a member: its key's line.
    """

    file: str
    value: M
    lines: Mapping[Path, int]

    def line(self, *path: str | int) -> int:
        """The line of a value, else of the nearest one around it."""
        return _line(self.lines, path)

    def complaint(self, text: str, *path: str | int) -> Complaint:
        """A complaint about the value at a path."""
        return Complaint(self.file, self.line(*path), text)


def read(file: FilePath | Traversable, model: type[M], name: str = "") -> Document[M]:
    """Read a document from a file.

    Args:
        file: The file, UTF-8.
        model: What it must be; derive it and its parts from `Strict`.
        name: What messages call it; the file's path if empty.

    Raises:
        Misconfigured: `bad_document`, with file, line, reason and nearest valid name.
    """
    name = name or str(file)
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        refuse([Complaint(name, 1, f"it cannot be read ({error})")], code=BAD_DOCUMENT)
        raise
    return parsed(text, name, model)


def parsed(text: str, file: str, model: type[M]) -> Document[M]:
    """Read a document from its text; see `read`."""
    content, lines = _content(text, file)
    try:
        value = model.model_validate(content)
    except ValidationError as error:
        told = [
            _told(file, lines, model, dict(found))
            for found in error.errors(include_url=False, include_input=True)
        ]
        refuse(told, code=BAD_DOCUMENT)
        raise
    return Document(file, value, lines)


class _NoAlias(yaml.SafeLoader):
    """A document says each thing where it stands: aliases could also make it endless."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem="an alias (*) is not allowed", problem_mark=mark)
        return super().compose_node(parent, index)


def _content(text: str, file: str) -> tuple[Any, dict[Path, int]]:
    lines: dict[Path, int] = {(): 1}
    wrong: list[Complaint] = []
    try:
        loader = _NoAlias(text)
        node = loader.get_single_node()
        content = None if node is None else _plain(loader, node, (), lines, wrong, file)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error)
        line = mark.line + 1 if mark else 1
        refuse([Complaint(file, line, f"it is not YAML ({problem})")], code=BAD_DOCUMENT)
        raise
    except (RecursionError, ValueError) as error:
        refuse([Complaint(file, 1, f"it cannot be read ({error})")], code=BAD_DOCUMENT)
        raise
    refuse(wrong, code=BAD_DOCUMENT)
    return content, lines


def _plain(
    loader: yaml.SafeLoader,
    node: yaml.Node,
    path: Path,
    lines: dict[Path, int],
    wrong: list[Complaint],
    file: str,
) -> Any:
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.SequenceNode):
        return [
            _plain(loader, item, (*path, number), lines, wrong, file)
            for number, item in enumerate(node.value)
        ]
    if not isinstance(node, yaml.MappingNode):
        return loader.construct_object(node, deep=True)
    found: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        key = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
        if key is None or key in found:
            why = "a key is not a word" if key is None else f"{key!r} stands here twice"
            wrong.append(Complaint(file, line, why))
            continue
        lines[*path, key] = line
        found[key] = _plain(loader, value_node, (*path, key), lines, wrong, file)
    return found


def _told(
    file: str, lines: Mapping[Path, int], model: type[BaseModel], error: Mapping[str, Any]
) -> Complaint:
    path: Path = error["loc"]
    where = ".".join(str(part) for part in path)
    last = str(path[-1]) if path else ""
    match error["type"]:
        case "extra_forbidden":
            text = f"unknown field {where!r}{nearest(last, _fields(model, path[:-1]))}"
        case "missing":
            text = f"{where!r} is missing"
        case "literal_error" | "enum":
            expected = error["ctx"]["expected"]
            near = nearest(str(error["input"]), re.findall(r"'([^']+)'", expected))
            text = f"{where!r} is {error['input']!r}, not one of {expected}{near}"
        case _:
            text = f"{where!r}: {str(error['msg']).removeprefix('Value error, ')}"
            if not isinstance(error["input"], dict | list):
                text += f" (it says {error['input']!r})"
    return Complaint(file, _line(lines, path), text)


def _line(lines: Mapping[Path, int], path: Path) -> int:
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


def _fields(model: type[BaseModel], path: Path) -> tuple[str, ...]:
    """Names of the fields that are valid at a path; empty where there is no model."""
    models: list[type[BaseModel]] = [model]
    for part in path:
        below: list[type[BaseModel]] = []
        for one in models:
            known = one.model_fields.get(str(part))
            below += [one] if known is None else _models(known.annotation)
        models = below
    return tuple(known.alias or name for one in models for name, known in one.model_fields.items())


def _models(annotation: Any) -> list[type[BaseModel]]:
    """The models that an annotation lets in, through containers, unions and `Annotated`."""
    if inspect.isclass(annotation) and not typing.get_args(annotation):
        return [annotation] if issubclass(annotation, BaseModel) else []
    return [found for inner in typing.get_args(annotation) for found in _models(inner)]
