"""The pending timers of one partition: set, replaced, cancelled, and found when they are due."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from streams.engine.timers.places import (
    DUE,
    FAILED,
    NEVER,
    SLOT,
    Place,
    aside,
    aside_of,
    by_due,
    by_key,
    ordered,
    read,
    read_aside,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Protocol

    class Stored(Protocol):
        """What is asked of a partition's disk."""

        @property
        def get(self) -> Any:
            """Gives the value of a key, None if there is none."""
            ...

        def between(self, begin: bytes, end: bytes) -> Iterator[tuple[bytes, bytes]]:
            """Stored records of a range, in key order."""
            ...


IS_THERE: Final = b"\1"
IS_ASIDE: Final = b"\1"
_ABSENT: Any = object()


class Pending:
    """Timers as records of the partition's store; changes are staged with the cycle's others.

    Nothing of them is kept in memory but how far the order of due times is done with, so a
    million of them cost a cycle nothing, and neither do those that fired before.
    """

    def __init__(self, disk: Stored, changes: dict[bytes, bytes | None]) -> None:
        """Stand on a store; `reset` before the first use.

        Args:
            disk: The partition's store, as it was committed.
            changes: The partition's staged changes; timers are added to them.
        """
        self._disk = disk
        self._changes = changes
        self.next_us = 0
        self._floor = DUE
        self._ahead: bytes | None = None
        self._lowest: bytes | None = None
        self._held: set[bytes] = set()

    def reset(self) -> None:
        """Forget what was staged: the store may be another one than before."""
        self.next_us = 0
        self._floor = DUE
        self._ahead = self._lowest = None
        self._held.clear()

    def is_due(self, now_us: int) -> bool:
        """Whether a committed timer is due; `next_us` is exact afterwards if it is not."""
        if now_us < self.next_us:
            return False
        first = next(iter(self._disk.between(self._floor, SLOT)), None)
        self._go_on(SLOT if first is None else first[0])
        return self.next_us <= now_us

    def put(self, key: bytes, name: str, due_us: int | None) -> None:
        """Set or replace a timer, or cancel it with no due time."""
        slot = by_key(key, name)
        known = self._changes.get(slot, _ABSENT)
        if known is _ABSENT:
            known = self._disk.get(slot)
        if known is not None:
            before = Place(int.from_bytes(known[:8]), key, name)
            is_aside = known[8:] == IS_ASIDE
            if before.due_us == due_us and not is_aside:
                return
            self._changes[aside(before) if is_aside else by_due(before)] = None
            self._changes[slot] = None
        if due_us is not None:
            self._changes[slot] = due_us.to_bytes(8)
            self._add(Place(due_us, key, name))

    def due(self, now_us: int) -> Iterator[Place]:
        """The timers that were due when the cycle began, in order of due time, key and name.

        Those that the cycle changed meanwhile, and those of keys that it freed, are left out:
        they are the next cycle's. Whoever stops early finds the rest there too.
        """
        kept: bytes | None = None
        for octets, _ in self._disk.between(self._floor, DUE + (now_us + 1).to_bytes(8)):
            self._ahead = kept or octets
            if self._changes.get(octets, IS_THERE) is None:
                continue
            place = read(octets[len(DUE) :])
            if place.key in self._held:
                kept = kept or octets
            else:
                yield place
        self._ahead = kept or DUE + (now_us + 1).to_bytes(8)

    def consume(self, place: Place) -> None:
        """Take a timer away, because it fires."""
        self._changes[by_due(place)] = None
        self._changes[by_key(place.key, place.name)] = None

    def set_aside(self, place: Place) -> None:
        """Let a due timer wait for its key."""
        self._changes[by_due(place)] = None
        self._changes[by_key(place.key, place.name)] = place.due_us.to_bytes(8) + IS_ASIDE
        self._changes[aside(place)] = IS_THERE

    def free(self, key: bytes) -> None:
        """Bring back what waited for a key that is free now.

        All of its timers fire in the next cycle at the earliest, so that those that waited are
        not overtaken.
        """
        begin, end = aside_of(key)
        waiting = {octets for octets, _ in self._disk.between(begin, end)}
        waiting |= {octets for octets in self._changes if begin <= octets < end}
        for octets in waiting:
            if self._changes.get(octets, IS_THERE) is None:
                continue
            place = read_aside(octets, key)
            self._changes[octets] = None
            self._changes[by_key(key, place.name)] = place.due_us.to_bytes(8)
            self._add(place)
        self._held.add(key)

    def fail(self, place: Place, attempts: int) -> None:
        """Note that a firing became a dead letter, so that a replay of it is done once."""
        self._changes[FAILED + ordered(place)] = str(attempts).encode()

    def failed(self, place: Place) -> int:
        """How often a firing failed that nobody decided on; 0 if there is none."""
        name = FAILED + ordered(place)
        known = self._changes.get(name, _ABSENT)
        found = self._disk.get(name) if known is _ABSENT else known
        return 0 if found is None else int(found)

    def decided(self, place: Place) -> None:
        """Forget that a firing failed."""
        self._changes[FAILED + ordered(place)] = None

    def committed(self) -> None:
        """What was staged is stored now."""
        self._held.clear()
        if self._ahead is None and self._lowest is None:
            return
        bounds = [each for each in (self._ahead or self._floor, self._lowest) if each is not None]
        self._go_on(min(bounds))
        self._ahead = self._lowest = None

    def _add(self, place: Place) -> None:
        octets = by_due(place)
        self._changes[octets] = IS_THERE
        if self._lowest is None or octets < self._lowest:
            self._lowest = octets

    def _go_on(self, floor: bytes) -> None:
        """Nothing that is stored in the order of due times stands before here."""
        self._floor = floor
        if floor >= SLOT:
            self.next_us = NEVER
        else:
            self.next_us = int.from_bytes(floor[len(DUE) : len(DUE) + 8])
