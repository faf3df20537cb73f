"""Python source as it is put together, and the names that it may use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class Source:
    """Lines of generated functions.

    Only names made here and field names of dataclasses (which are identifiers) get into the text;
    nothing of a schema's own text does.
    """

    def __init__(self, **names: Any) -> None:
        self._lines: list[str] = []
        self._names: dict[str, Any] = names
        self._count = 0

    def line(self, indent: int, text: str) -> None:
        """Add a line, `indent` levels in."""
        self._lines.append("    " * indent + text)

    def know(self, **names: Any) -> None:
        """Make values known under names of their own."""
        self._names.update(names)

    def fresh(self, stem: str) -> str:
        """A name that is not in use."""
        self._count += 1
        return f"{stem}{self._count}"

    def constant(self, stem: str, value: Any) -> str:
        """Make a value known under a fresh name."""
        name = self.fresh(stem)
        self._names[name] = value
        return name

    def function(self, name: str) -> Callable[..., Any]:
        """Compile the lines and give the function of that name."""
        code = compile("\n".join(self._lines), f"<generated {name}>", "exec")
        exec(code, self._names)  # noqa: S102 - the text is our own, see the class's docstring
        made: Callable[..., Any] = self._names[name]
        return made
