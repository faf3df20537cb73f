"""The schemas that this installation promises, found as files and resolved by full name."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any

import fastavro

from streams.contracts.wire.schema_tree import full_name, inline
from streams.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from importlib.resources.abc import Traversable

_FILE_NAME = re.compile(r"(?P<name>[a-z][a-z0-9_]*)\.v(?P<version>[1-9][0-9]*)\.avsc")


@dataclass(frozen=True, slots=True)
class Declaration:
    """One schema file.

    Attributes:
        path: `<domain>/<name>.v<N>.avsc`.
        name: Full name of the type.
        version: The N of the file name.
        text: The file as it lies there.
        schema: Its content, references not resolved.
    """

    path: str
    name: str
    version: int
    text: str
    schema: dict[str, Any]


class Catalog:
    """Schemas by full name; the highest version of a name is the one that is written.

    Args:
        declarations: The files; order does not matter.

    Raises:
        Misconfigured: `duplicate_schema_name` if two files declare the same name and version.
    """

    def __init__(self, declarations: Iterable[Declaration]) -> None:
        self._versions: dict[str, dict[int, Declaration]] = {}
        self._resolved: dict[tuple[str, int], dict[str, Any]] = {}
        for declaration in declarations:
            known = self._versions.setdefault(declaration.name, {})
            if (other := known.get(declaration.version)) is not None:
                raise Misconfigured(
                    f"{declaration.path} and {other.path} both declare version "
                    f"{declaration.version} of {declaration.name}",
                    code="duplicate_schema_name",
                    advice="give one of them another name or the next version",
                )
            known[declaration.version] = declaration

    @classmethod
    def load(cls, root: Traversable | None = None) -> Catalog:
        """Read every `<domain>/<name>.v<N>.avsc`.

        Args:
            root: The directory; by default the `schemas/avro` that came with the product.

        Raises:
            Misconfigured: A file is not what its name promises (`bad_schema_file`), or two files
                declare the same thing (`duplicate_schema_name`).
        """
        return cls(_files(root if root is not None else resources.files("schemas") / "avro"))

    def names(self) -> tuple[str, ...]:
        """Every full name, sorted."""
        return tuple(sorted(self._versions))

    def declarations(self) -> tuple[Declaration, ...]:
        """Every file, by name and version."""
        return tuple(
            versions[number]
            for _, versions in sorted(self._versions.items())
            for number in sorted(versions)
        )

    def version_of(self, name: str) -> int:
        """The highest version of a name."""
        return max(self._known(name))

    def schema(self, name: str, version: int | None = None) -> dict[str, Any]:
        """The self-contained schema of a full name.

        Args:
            name: Full name without version.
            version: Default: the highest.

        Raises:
            Misconfigured: The name is unknown, or the schema refers to an unknown type, contains
                itself, or has items without bytes.
        """
        versions = self._known(name)
        number = max(versions) if version is None else version
        if number not in versions:
            raise Misconfigured(
                f"The catalog has no version {number} of {name}", code="unknown_schema"
            )
        resolved = self._resolved.get((name, number))
        if resolved is None:
            resolved = inline(versions[number].schema, self._latest)
            _refuse_invalid(resolved, versions[number].path)
            self._resolved[name, number] = resolved
        return resolved

    def _known(self, name: str) -> dict[int, Declaration]:
        versions = self._versions.get(name)
        if versions is None:
            raise Misconfigured(
                f"The catalog has no schema {name!r}",
                code="unknown_schema",
                advice="add schemas/avro/<domain>/<name>.v1.avsc or correct the name",
            )
        return versions

    def _latest(self, name: str) -> dict[str, Any] | None:
        versions = self._versions.get(name)
        return versions[max(versions)].schema if versions else None


def _files(root: Traversable) -> Iterator[Declaration]:
    for domain in sorted(root.iterdir(), key=lambda entry: entry.name):
        if not domain.is_dir():
            continue
        for file in sorted(domain.iterdir(), key=lambda entry: entry.name):
            if file.name.endswith(".avsc"):
                yield _declaration(domain.name, file)


def _declaration(domain: str, file: Traversable) -> Declaration:
    path = f"{domain}/{file.name}"
    matched = _FILE_NAME.fullmatch(file.name)
    text = file.read_text(encoding="utf-8")
    try:
        schema = json.loads(text)
    except ValueError as error:
        raise _bad_file(path, f"it is not JSON ({error})") from error
    if matched is None:
        raise _bad_file(path, "its name is not <name>.v<N>.avsc")
    if not isinstance(schema, dict) or "name" not in schema:
        raise _bad_file(path, "it does not declare one named type")
    name = full_name(schema)
    if _snake(name.rpartition(".")[2]) != matched["name"]:
        raise _bad_file(path, f"it declares {name}")
    return Declaration(path, name, int(matched["version"]), text, schema)


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _refuse_invalid(schema: dict[str, Any], path: str) -> None:
    try:
        fastavro.parse_schema(schema)
    except (fastavro.schema.SchemaParseException, KeyError, TypeError, ValueError) as error:
        raise _bad_file(path, f"it is not a valid Avro schema ({error!r})") from error


def _bad_file(path: str, why: str) -> Misconfigured:
    return Misconfigured(
        f"The schema file {path} cannot be used: {why}",
        code="bad_schema_file",
        advice="correct the file; a published one must not change, so add the next version",
    )
