"""Events whose fields are read when they are used: a rule looks at few of the fields it is given.

A record's lengths are always checked to its end. The value of a field is checked when the rule
reads it, and only then: which fields were read before, for other records, changes nothing but the
speed. So what a record leads to depends on the record alone.
"""

from __future__ import annotations

from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Any

from streams.contracts.wire.frames import BAD_VALUE, FRAME_BYTES, judged, too_large, wrong_end
from streams.contracts.wire.reading.skipping import Skipping
from streams.contracts.wire.reading.strict import Reader, members
from streams.contracts.wire.reading.twins import twin_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.contracts.wire.plan import Node

OCTETS = "_octets"
_HOOKS = ("__getattr__", "__getattribute__")


class LateReader:
    """Makes events of framed records, and keeps what rules read of them in view.

    Attributes:
        read: Gives the event in a record's bytes. It is replaced when a rule reads a field for
            the first time, by one that reads that field at once.
    """

    def __init__(
        self,
        node: Node,
        subject: str,
        limit: int,
        install: Callable[[Callable[[bytes], Any]], None],
    ) -> None:
        """Make the first reader, which reads no field.

        Args:
            node: The record's plan; `is_late` holds for it.
            subject: The subject, for errors.
            limit: The largest record that is read, in bytes.
            install: Takes each new reader.
        """
        self._node = node
        self._subject = subject
        self._limit = limit
        self._install = install
        self._wanted: set[str] = set()
        self._single: dict[str, Callable[[bytes], Any]] = {}
        self._class = _late_class(node.python, self._late)
        self._twin = _twin(node.python)
        self._walk = self._compiled(frozenset(), self._refused)
        self.read = self._walk

    def _late(self, event: Any, name: str) -> Any:
        """A field that was not read with the event."""
        if name not in self._node.names:
            raise AttributeError(f"{self._node.python.__name__!r} object has no attribute {name!r}")
        octets: bytes = object.__getattribute__(event, OCTETS)
        value = self._one(name)(octets)
        object.__setattr__(event, name, value)
        if name not in self._wanted:
            self._wanted.add(name)
            self.read = self._compiled(frozenset(self._wanted), self._walk)
            self._install(self.read)
        return value

    def _one(self, name: str) -> Callable[[bytes], Any]:
        """Reads one field and says what is wrong with it."""
        found = self._single.get(name)
        if found is None:
            take = self._compiled(frozenset({name}), _again)

            def found(octets: bytes) -> Any:
                try:
                    return object.__getattribute__(take(octets), name)
                except BAD_VALUE as error:
                    raise judged(error, octets, self._subject) from error

            self._single[name] = found
        return found

    def _refused(self, octets: bytes) -> Any:
        """Say what is wrong with a record that cannot be stepped through."""
        if len(octets) > self._limit:
            raise too_large(len(octets), self._limit, self._subject)
        ends: list[int] = []
        try:
            self._compiled(frozenset(), _again, ends)(octets)
        except (IndexError, *BAD_VALUE) as error:
            raise judged(error, octets, self._subject) from error
        raise wrong_end(ends[0], len(octets), self._subject)

    def _compiled(
        self,
        wanted: frozenset[str],
        otherwise: Callable[[bytes], Any],
        ends: list[int] | None = None,
    ) -> Callable[[bytes], Any]:
        """Make a reader.

        Args:
            wanted: The fields that it reads.
            otherwise: Called with a record that it cannot read.
            ends: Takes the place behind the last value instead of having it compared.
        """
        reader = Reader()
        skipping = Skipping(reader.source)
        source, line = reader.source, reader.source.line
        for name, part in members(self._node):
            (reader if name in wanted else skipping).functions(part)
        source.know(
            LIMIT=self._limit, OTHERWISE=otherwise, Twin=self._twin, Class=self._class, ENDS=ends
        )
        values = {name: source.fresh("v") for name in wanted}
        line(0, "def read(d):")
        line(1, "try:")
        line(2, f"p = {FRAME_BYTES}")
        if wanted:
            line(2, "s = d.decode('latin-1')")
        for is_wanted, group in groupby(members(self._node), lambda each: each[0] in wanted):
            if is_wanted:
                reader.fields([(values[name], part) for name, part in group], 2)
            else:
                for _, part in group:
                    skipping.part(part, 2)
        line(2, "e = len(d)" if ends is None else "ENDS.append(p)")
        line(1, "except Exception as error:")
        line(2, "return OTHERWISE(d)")
        if ends is None:
            line(1, "if p != e or e > LIMIT: return OTHERWISE(d)")
        line(1, "o = Twin()")
        line(1, f"o.{OCTETS} = d")
        for name, value in values.items():
            line(1, f"o.{name} = {value}")
        line(1, "o.__class__ = Class")
        line(1, "return o")
        return source.function("read")


def is_late(node: Node) -> bool:
    """Whether events of a plan can be read late: plain records, laid out by their fields."""
    if node.kind != "record" or not node.names or OCTETS in node.names:
        return False
    has_hooks = any(hook in vars(node.python) for hook in _HOOKS)
    return not has_hooks and twin_of(node.python) is not None


def _again(_octets: bytes) -> Any:
    """Let the error at hand go on."""
    raise  # noqa: PLE0704 - called while an error is handled


def _late_class(python: type, late: Callable[[Any, str], Any]) -> type:
    """The class of late events: the event's own to all who ask, with a place for the bytes."""

    def absent(self: Any, name: str) -> Any:
        return late(self, name)

    def reduce(self: Any, _protocol: object) -> tuple[Any, tuple[()]]:
        slots = python.__slots__  # type: ignore[attr-defined]
        return partial(python, **{name: getattr(self, name) for name in slots}), ()

    return type(
        python.__name__,
        (python,),
        {
            "__slots__": (OCTETS,),
            "__module__": python.__module__,
            "__qualname__": python.__qualname__,
            "__doc__": python.__doc__,
            "__getattr__": absent,
            "__reduce_ex__": reduce,
            "__class__": property(lambda _: python),
        },
    )


def _twin(python: type) -> type:
    """A class of the same layout whose objects may be filled, before they become late events."""
    return type(
        "Twin",
        (python,),
        {
            "__slots__": (OCTETS,),
            "__init__": object.__init__,
            "__setattr__": object.__setattr__,
        },
    )
