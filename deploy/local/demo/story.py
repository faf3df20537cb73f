"""The second scenario, step by step: what was entered, what must follow, what was seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from demo.summary import Outcome, columns, keyed, shares_told

if TYPE_CHECKING:
    from collections.abc import Callable

    from demo.watch import Watch

HOLD_SECONDS = 90.0


class LotStory:
    """One lot followed through steps; a step that does not come in time ends the scenario.

    Args:
        watch: What Lotgate has seen.
        alive: Raises when a process that is needed has ended.
        lot: Number of the lot.
        note: Shows what is being entered.
    """

    def __init__(
        self, watch: Watch, alive: Callable[[], None], lot: str, note: Callable[[str], None]
    ) -> None:
        self._watch = watch
        self._alive = alive
        self._lot = lot
        self._note = note
        self._rows = [["Entered", "Lotgate", "Seen"]]

    def state(self, entered: str, follows: str, *, status: str, causes: int, why: str = "") -> None:
        """Wait for a published hold state.

        Args:
            entered: What a person did.
            follows: What must follow.
            status: Expected status.
            causes: Expected number of open causes.
            why: Text that an open cause must carry, if any.
        """

        def there() -> bool:
            state = self._watch.states().get(self._lot)
            if state is None or state["status"] != status:
                return False
            stands = [cause for cause in state["causes"] if cause["open"]]
            return len(stands) == causes and (not why or any(why in c["note"] for c in stands))

        self._wait(entered, follows, there)
        self._rows.append([entered, follows, f"{status}, open causes: {causes}"])

    def ack(self, entered: str, follows: str, action: str, result: str) -> None:
        """Wait for a read-back."""

        def there() -> bool:
            seen = self._watch.acks().get(self._lot)
            return seen is not None and (seen.action, seen.result) == (action, result)

        self._wait(entered, follows, there)
        seen = self._watch.acks()[self._lot]
        told = f"{seen.result}: {shares_told(seen.ack['shares'])}, {seen.total_seconds:.1f} s"
        if seen.ack["signature"]:
            told += f"; signature: {seen.ack['signature']}"
        self._rows.append([entered, follows, told])

    def _wait(self, entered: str, follows: str, there: Callable[[], bool]) -> None:
        self._note(entered)
        what = f"lot {self._lot}: {follows}, after {entered}"
        self._watch.until(what, there, HOLD_SECONDS, self._alive)

    def outcome(self) -> Outcome:
        """The table of the steps; every step that is in it was seen."""
        table = f"\nLot {self._lot}\n" + columns(self._rows)
        return Outcome(table, right=True, rows=keyed(self._rows))
