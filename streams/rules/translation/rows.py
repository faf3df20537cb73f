"""Row images, indexes and versions of one source, kept in the entries of a partition."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from streams.model.ids import escaped
from streams.model.translation import TranslateEntry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.model.rows import Cell

PAGE = 256
"""Keys in one page of an index: bounds what a write of one row costs, however common its value."""

LATEST = 32
"""Keys that `latest_where` looks at: bounds what a change costs where a value is very common."""


class EntryView(Protocol):
    """The state of one partition, as the engine hands it to the rule."""

    def get(self, key: str, /) -> TranslateEntry | None:
        """The entry of a key."""
        ...

    def put(self, key: str, state: TranslateEntry, /) -> None:
        """Stage an entry."""
        ...

    def delete(self, key: str, /) -> None:
        """Stage a removal."""
        ...


class StoredRows:
    """The `Rows` of one source over an `EntryView`.

    Args:
        view: Entries of the partition.
        source: Source id; the first part of every key, so that sources never meet.
    """

    def __init__(self, view: EntryView, source: str) -> None:
        self._view = view
        self._root = escaped(source)

    def address(self, *parts: str) -> str:
        """The key of an entry of this source."""
        return "/".join((self._root, *(escaped(part) for part in parts)))

    def entry(self, *parts: str) -> TranslateEntry | None:
        """An entry, or None."""
        return self._view.get(self.address(*parts))

    def put(self, entry: TranslateEntry, *parts: str) -> None:
        """Stage an entry."""
        self._view.put(self.address(*parts), entry)

    def delete(self, *parts: str) -> None:
        """Stage a removal; nothing happens if there is no such entry."""
        if self.entry(*parts) is not None:
            self._view.delete(self.address(*parts))

    def image(self, table: str, key: Cell) -> Mapping[str, Cell] | None:
        """See `streams.model.translation.Rows`."""
        if key is None:
            return None
        found = self.entry("row", table, str(key))
        return None if found is None or found.deleted else found.cells

    def keys_where(self, table: str, column: str, value: Cell) -> tuple[str, ...]:
        """See `streams.model.translation.Rows`.

        Pages are only ever appended to, so each key is checked against its image.
        """
        if value is None:
            return ()
        parts = ("index", table, column, str(value))
        head = self.entry(*parts)
        if head is None:
            return ()
        pages = [self.entry(*parts, str(number)) for number in range(head.count)]
        keys = dict.fromkeys(key for page in (*pages, head) if page for key in page.members)
        return tuple(key for key in keys if self._has(table, key, column, value))

    def latest_where(self, table: str, column: str, value: Cell) -> tuple[str, ...]:
        """See `streams.model.translation.Rows`."""
        if value is None:
            return ()
        parts = ("index", table, column, str(value))
        head = self.entry(*parts)
        keys = () if head is None else head.members[-LATEST:]
        if head is not None and len(keys) < LATEST and head.count:
            page = self.entry(*parts, str(head.count - 1))
            keys = (*(page.members if page else ())[len(keys) - LATEST :], *keys)
        return tuple(key for key in keys if self._has(table, key, column, value))

    def _has(self, table: str, key: str, column: str, value: Cell) -> bool:
        image = self.image(table, key)
        return image is not None and str(image.get(column)) == str(value)

    def index(self, table: str, column: str, value: Cell, key: str) -> None:
        """Note that a row's indexed column now has a value."""
        if value is None:
            return
        parts = ("index", table, column, str(value))
        head = self.entry(*parts) or TranslateEntry()
        if key in head.members:
            return
        if len(head.members) >= PAGE:
            self.put(TranslateEntry(members=head.members), *parts, str(head.count))
            head = replace(head, members=(), count=head.count + 1)
        self.put(replace(head, members=(*head.members, key)), *parts)

    def said(self, event_type: str, identity: tuple[str, ...]) -> bool:
        """See `streams.model.translation.Rows`."""
        return self.entry("subject", event_type, *identity) is not None

    def kept(self, name: str) -> Mapping[str, Cell]:
        """See `streams.model.translation.Rows`."""
        found = self.entry("kept", name)
        return {} if found is None else found.cells

    def keep(self, name: str, cells: Mapping[str, Cell]) -> None:
        """See `streams.model.translation.Rows`."""
        if not cells:
            self.delete("kept", name)
        elif cells != self.kept(name):
            self.put(TranslateEntry(cells=dict(cells)), "kept", name)

    def listed(self, name: str) -> tuple[str, ...]:
        """See `streams.model.translation.Rows`."""
        found = self.entry("list", name)
        return () if found is None else found.members

    def keep_list(self, name: str, members: tuple[str, ...]) -> None:
        """See `streams.model.translation.Rows`."""
        if not members:
            self.delete("list", name)
        elif members != self.listed(name):
            self.put(TranslateEntry(members=members), "list", name)
