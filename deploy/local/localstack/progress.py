"""What a person sees while the stack is prepared and started."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager


class Step(Protocol):
    """One running step."""

    def total(self, amount: float) -> None:
        """Say how much there is to do, in any unit."""

    def advance(self, amount: float) -> None:
        """Say that so much of it is done."""

    def note(self, text: str) -> None:
        """Say in a few words what is being done now."""


class Report(Protocol):
    """Where steps are shown."""

    def step(self, title: str) -> AbstractContextManager[Step]:
        """Open a step; it ends, well or badly, with the block."""


class _PlainStep:
    def __init__(self) -> None:
        self.last = ""

    def total(self, amount: float) -> None:
        del amount

    def advance(self, amount: float) -> None:
        del amount

    def note(self, text: str) -> None:
        self.last = text


class PlainReport:
    """One line when a step begins and one when it ends: for logs and pipes."""

    def __init__(self, say: Callable[[str], None] | None = None) -> None:
        self._say = say or _print_line

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Show the step as two lines."""
        began = time.monotonic()
        self._say(f"... {title}")
        step = _PlainStep()
        try:
            yield step
        except BaseException:
            after = f" ({step.last})" if step.last else ""
            self._say(f"FAIL {title}{after} after {time.monotonic() - began:.1f} s")
            raise
        self._say(f"ok  {title} ({time.monotonic() - began:.1f} s)")


class _BarStep:
    def __init__(self, progress: Progress, title: str) -> None:
        self._progress = progress
        self._title = title
        self._task = progress.add_task(title, total=None)

    def total(self, amount: float) -> None:
        self._progress.update(self._task, total=amount)

    def advance(self, amount: float) -> None:
        self._progress.advance(self._task, amount)

    def note(self, text: str) -> None:
        self._progress.update(self._task, description=f"{self._title}: {text}")

    def remove(self) -> None:
        self._progress.remove_task(self._task)


class BarReport:
    """A moving line per open step, for a terminal; steps may be open side by side."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._lock = threading.Lock()
        self._open = 0
        self._progress = self._new()

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Show the step as a bar that becomes one finished line."""
        began = time.monotonic()
        step = self._enter(title)
        sign = "[red]FAIL[/]"
        try:
            yield step
            sign = "[green]ok[/]  "
        finally:
            self._console.print(f"{sign} {title} ({time.monotonic() - began:.1f} s)")
            self._leave(step)

    def _enter(self, title: str) -> _BarStep:
        with self._lock:
            if self._open == 0:
                self._progress = self._new()
                self._progress.start()
            self._open += 1
            return _BarStep(self._progress, title)

    def _leave(self, step: _BarStep) -> None:
        with self._lock:
            step.remove()
            self._open -= 1
            if self._open == 0:
                self._progress.stop()

    def _new(self) -> Progress:
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn())
        return Progress(*columns, TimeElapsedColumn(), console=self._console, transient=True)


def _print_line(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def report_for_terminal() -> Report:
    """Return bars if a person watches, plain lines otherwise."""
    return BarReport() if sys.stderr.isatty() else PlainReport()
