"""Faust's tables, of which there are none here."""

from __future__ import annotations

from faust.tables.manager import TableManager


class NoTables(TableManager):
    """Starts at once: Faust waits a second for tables, and the first record with it."""

    async def on_start(self) -> None:
        """Say that all tables are known, and let the (empty) recovery run."""
        if not self.should_stop:
            await self._update_channels()
            await self.recovery.start()
