"""Interface documents from files: read and checked against the catalog."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from streams.contracts.documents import Complaint, Document, nearest, read, refuse
from streams.contracts.icd.document import InterfaceDocument
from streams.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from streams.contracts.catalog import Catalog

CODE = "bad_interface_document"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A document and where its values stand.

    Attributes:
        source: The file as it was read.
    """

    source: Document[InterfaceDocument]

    @property
    def document(self) -> InterfaceDocument:
        """What it says."""
        return self.source.value

    @property
    def content_hash(self) -> str:
        """SHA-256 of the document's content; order of fields and comments do not matter."""
        content = self.document.model_dump(mode="json", by_alias=True)
        return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()


def read_file(file: Path) -> Loaded:
    """Read one document.

    Raises:
        Misconfigured: `bad_document`, with file, line, reason and nearest valid name.
    """
    return Loaded(read(file, InterfaceDocument))


def read_folder(folder: Path, catalog: Catalog) -> list[Loaded]:
    """Read every document of a folder, by file name.

    Args:
        folder: It holds `*.yaml`.
        catalog: The schemas that documents may name.

    Raises:
        Misconfigured: `no_interface_documents`, `bad_document` or `bad_interface_document`.
    """
    files = sorted(folder.glob("*.yaml")) if folder.is_dir() else []
    if not files:
        raise Misconfigured(
            f"{folder} holds no interface document (*.yaml)",
            code="no_interface_documents",
            advice="give the folder with --dir",
        )
    found = [read_file(file) for file in files]
    refuse([*_unknown(found, catalog), *_twice(found)], code=CODE)
    return found


def _unknown(documents: Sequence[Loaded], catalog: Catalog) -> Iterator[Complaint]:
    """Schemas and versions that the catalog does not have."""
    for source in (loaded.source for loaded in documents):
        for number, topic in enumerate(source.value.topics):
            schema = topic.schema_
            if schema is None:
                continue
            where = ("topics", number, "schema")
            if schema.name not in catalog.names():
                near = nearest(schema.name, catalog.names())
                yield source.complaint(f"no schema is called {schema.name!r}{near}", *where, "name")
            elif schema.version > (newest := catalog.version_of(schema.name)):
                text = f"{schema.name} has no version {schema.version}; the newest is {newest}"
                yield source.complaint(text, *where, "version")


def _twice(documents: Sequence[Loaded]) -> Iterator[Complaint]:
    """Ids and topics that two documents claim."""
    seen: dict[str, str] = {}
    for source in (loaded.source for loaded in documents):
        ways: list[tuple[str, tuple[str | int, ...]]] = [(f"id {source.value.id}", ("id",))]
        ways += [
            (f"topic {topic.name}", ("topics", number, "name"))
            for number, topic in enumerate(source.value.topics)
        ]
        for what, way in ways:
            place = f"{source.file}:{source.line(*way)}"
            first = seen.setdefault(what, place)
            if first != place:
                yield source.complaint(f"{what} is already at {first}", *way)
