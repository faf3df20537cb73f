"""The rows of the bench: who reads the same log, the same table, or a paced writer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from tests.bench.cdc.contenders.ours import Ours
from tests.bench.cdc.debezium.connect import (
    DEFAULTS,
    FAST_AVRO,
    FAST_JSON,
    QUICK,
    Debezium,
    Tuning,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.bench.cdc.debezium.setup import Installed
    from tests.bench.cdc.server import Server
    from tests.bench.ground import Ground


@dataclass(frozen=True)
class Row:
    """One line of a table.

    Attributes:
        key: Its name in the results.
        title: Its name for people.
        tuning: Debezium's; None for ours.
        settings: Ours: fields of the source's configuration beside its defaults.
        rounds: In how many rounds it runs at most.
    """

    key: str
    title: str
    tuning: Tuning | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    rounds: int = 100


@dataclass(frozen=True)
class Field:
    """Where runs take place."""

    ground: Ground
    server: Server
    installed: Installed

    def run(self, row: Row, dsn: str, name: str, *, snapshot: bool = False) -> Ours | Debezium:
        """A row as something to start."""
        if row.tuning is None:
            return Ours(self.ground, self.server, dsn, name, row.settings, snapshot)
        return Debezium(self.ground, self.server, self.installed, dsn, name, row.tuning, snapshot)

    def forget(self, run: Ours | Debezium) -> None:
        """Remove what a run left, so that the next one pays nothing for it."""
        self.server.drop(run.slot)
        self.ground.forget(run.name, run.folder)


STREAM: Final = (
    Row("ours", "Lotgate"),
    Row("dbz_avro", "Debezium, Avro, its defaults", DEFAULTS),
    Row("dbz_avro_tuned", "Debezium, Avro, tuned", FAST_AVRO),
    Row("dbz_json_tuned", "Debezium, JSON without schemas, tuned", FAST_JSON),
    Row(
        "ours_translated",
        "Lotgate, with the transaction records of a translator",
        settings={"translator": "tryton"},
        rounds=1,
    ),
    Row(
        "ours_metadata",
        "Lotgate, with transaction metadata",
        settings={"form": {"transaction_metadata": True}},
        rounds=1,
    ),
)
SNAPSHOT: Final = (
    Row("ours", "Lotgate"),
    Row("dbz_avro", "Debezium, Avro, its defaults", DEFAULTS),
)
PACED: Final = (
    Row("ours", "Lotgate"),
    Row("ours_at_once", "Lotgate, no commit floor", settings={"commit_floor_ms": 0.0}, rounds=1),
    Row("dbz_quick", "Debezium, Avro, tuned for short waits (poll 10 ms)", QUICK),
)
LIMIT: Final = "limit"
