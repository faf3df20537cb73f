"""The local stack: real parts as plain processes, started, found again, and ended by name."""

from __future__ import annotations

import shutil
import signal
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from localstack.addresses import Addresses, PartStatus
from localstack.errors import StackError
from localstack.host import leftovers
from localstack.host.ports import PortMemory
from localstack.host.processes import Command, Process
from localstack.host.waiting import until_ready
from localstack.layout import Layout, claimed, default_directory, exclusive
from localstack.parts.broker import Broker
from localstack.parts.database import Database
from localstack.parts.erp import DATABASE, Erp
from localstack.parts.registry import Registry
from localstack.progress import PlainReport
from localstack.requirements import missing_requirements

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from localstack.parts.part import Part
    from localstack.progress import Report, Step

PARTS = ("broker", "registry", "database", "erp")
DEFAULT_STOP_SECONDS = 20.0


class Stack:
    """All parts of one directory.

    Args:
        directory: Holds data, logs, ports and records; `LOTGATE_DIR` or `.lotgate` by default.
        cache: Holds what is fetched or built once; `<directory>/parts` by default.
    """

    def __init__(self, directory: Path | None = None, cache: Path | None = None) -> None:
        root = (directory or default_directory()).resolve()
        self.layout = Layout(root, (cache or root / "parts").resolve())
        self._ports = PortMemory(self.layout.ports)
        self.broker = Broker(self.layout, self._ports)
        self.registry = Registry(self.layout, self._ports)
        self.database = Database(self.layout, self._ports)
        self.erp = Erp(self.layout, self._ports, self.database)
        known: tuple[Part, ...] = (self.broker, self.registry, self.database, self.erp)
        self._parts = {part.name: part for part in known}

    def missing_requirements(self) -> list[str]:
        """Return one sentence for each thing that the machine lacks."""
        return missing_requirements(self.layout)

    def prepare(self, report: Report | None = None, parts: Sequence[str] = PARTS) -> None:
        """Fetch and build what is missing for these parts; safe to repeat and to interrupt."""
        self.layout.make()
        with exclusive(self.layout.parts / "lock"):
            leftovers.clear(self.layout.workshops)
            ordered = self._ordered(parts)
            # The ERP wants the processor while the others want the network.
            rows = [["erp"] if "erp" in ordered else [], [n for n in ordered if n != "erp"]]
            with ThreadPoolExecutor(len(rows)) as pool:
                list(pool.map(lambda row: self._prepare_row(row, report or PlainReport()), rows))

    def up(self, parts: Sequence[str] = PARTS, report: Report | None = None) -> None:
        """Start these parts and what they need; what runs already is left as it is."""
        chains = self._chains(self._ordered(parts))
        silent = [name for chain in chains for name in chain if not self.process(name).running()]
        if not silent:
            for chain in chains:
                self._start_chain(chain)
            return
        with (report or PlainReport()).step(f"starting {', '.join(silent)}") as step:
            step.total(sum(map(len, chains)))
            with ThreadPoolExecutor(len(chains)) as pool:
                list(pool.map(lambda chain: self._start_chain(chain, step), chains))

    def start(self, name: str) -> None:
        """Start one part, unless it runs, and wait until it answers."""
        part = self._parts[name]
        self.layout.make()
        with exclusive(self.layout.root / f"lock.{name}"):
            process = self.process(name)
            if not process.running():
                for port in part.port_names():
                    self._ports.renew_if_taken(port)
                process.start(part.command())
            until_ready(process, part.probe, part.ready_seconds)
            part.complete()

    def stop(self, name: str) -> None:
        """End one part or worker in order; kill it if it does not end."""
        part = self._parts.get(name)
        number = part.stop_signal if part else signal.SIGTERM
        self.process(name).stop(number, part.stop_seconds if part else DEFAULT_STOP_SECONDS)

    def kill(self, name: str, number: int) -> None:
        """Send a signal to one part or worker; after SIGKILL, return when it is gone."""
        process = self.process(name)
        process.signal(number)
        identity = process.identity()
        if number == signal.SIGKILL and identity and not identity.wait_gone(DEFAULT_STOP_SECONDS):
            raise StackError(f"{name} (process {identity.pid}) does not end, even when killed")

    def restart(self, name: str) -> None:
        """End one part in order and start it again on its data."""
        self.stop(name)
        self.start(name)

    def start_process(
        self, name: str, argv: Sequence[str], env: Mapping[str, str] | None = None
    ) -> Process:
        """Start a program of our own under a name, unless it runs; its log is `logs/<name>.log`."""
        if name in PARTS:
            raise StackError(f"{name} is a part of the stack; give the process another name")
        self.layout.make()
        process = self.process(name)
        with exclusive(self.layout.root / f"lock.{name}"):
            if not process.running():
                process.start(Command(argv, env=env, folder=self.layout.root))
        return process

    def process(self, name: str) -> Process:
        """Return the named process, running or not."""
        return Process(name, self.layout.run / f"{name}.json", self.layout.logs / f"{name}.log")

    def fresh_plant(self) -> None:
        """Put the ERP back to the plant as it was built, without any replication slot."""
        self.start("database")
        self.stop("erp")
        self.database.remake(DATABASE)
        self.start("erp")

    def forget(self, report: Report | None = None) -> None:
        """End everything and remove all data, so that the next start is from the built plant.

        Downloads, the built plant, ports, passwords and logs are kept.
        """
        self.down(report)
        with (report or PlainReport()).step("removing the data of earlier runs"):
            shutil.rmtree(self.layout.data, ignore_errors=True)

    def down(self, report: Report | None = None) -> None:
        """End everything that this stack started, workers first, and nothing else."""
        with claimed(self.layout.parts / "lock") as idle:
            if idle:
                leftovers.clear(self.layout.workshops)
        recorded = {path.stem for path in self.layout.run.glob("[!.]*.json")}
        # Clients first, so that they can still say goodbye to the parts.
        for names in (sorted(recorded - set(PARTS)), sorted(recorded & set(PARTS))):
            if names:
                self._stop_together(names, report or PlainReport())

    def purge(self, report: Report | None = None) -> None:
        """End everything and remove the directory with all data and downloads."""
        self.down(report)
        shutil.rmtree(self.layout.root, ignore_errors=True)

    def status(self) -> list[PartStatus]:
        """Return how each part and each worker is."""
        recorded = {path.stem for path in self.layout.run.glob("[!.]*.json")}
        names = [*PARTS, *sorted(recorded - set(PARTS))]
        return [self._status(self.process(name)) for name in names]

    def addresses(self) -> Addresses:
        """Return where the parts answer; needs no running part."""
        database = self.database
        return Addresses(
            bootstrap=self.broker.bootstrap,
            registry_url=self.registry.url,
            evidence_dsn=database.dsn("evidence", "lotgate_evidence"),
            qms_dsn=database.dsn("qms", "qms_cdc"),
            qms_app_dsn=database.dsn("qms", "qms_app"),
            erp_dsn=database.dsn("plant", "erp_cdc"),
            erp_owner_dsn=database.dsn("plant", "tryton"),
            admin_dsn=database.dsn("postgres", "postgres"),
            erp_url=self.erp.url,
            erp_database=DATABASE,
            holdbot_key_file=self.layout.parts / "erp" / "holdbot.key",
            shipper_key_file=self.layout.parts / "erp" / "shipper.key",
        )

    def _status(self, process: Process) -> PartStatus:
        identity = process.identity()
        if identity is None:
            return PartStatus(process.name, None, process.log, "stopped")
        alive = identity.alive()
        state = "running" if alive else "ended"
        return PartStatus(process.name, identity.pid if alive else None, process.log, state)

    def _stop_together(self, names: Sequence[str], report: Report) -> None:
        title = f"stopping {', '.join(names)}"
        with report.step(title), ThreadPoolExecutor(len(names)) as pool:
            list(pool.map(self.stop, names))

    def _prepare_row(self, row: Sequence[str], report: Report) -> None:
        for name in row:
            self._parts[name].prepare(report)

    def _chains(self, ordered: Sequence[str]) -> list[list[str]]:
        """Split parts into rows that need nothing of each other, each in its order of need."""
        chains: list[list[str]] = []
        for name in ordered:
            needed = set(self._parts[name].needs)
            home = next((chain for chain in chains if needed & set(chain)), None)
            if home is None:
                chains.append([name])
            else:
                home.append(name)
        return chains

    def _start_chain(self, chain: Sequence[str], step: Step | None = None) -> None:
        for name in chain:
            self.start(name)
            if step is not None:
                step.advance(1)

    def _ordered(self, names: Sequence[str]) -> list[str]:
        wanted: list[str] = []
        for name in names:
            if name not in self._parts:
                known = ", ".join(self._parts)
                raise StackError(f"There is no part {name!r}; parts are {known}")
            for needed in (*self._parts[name].needs, name):
                if needed not in wanted:
                    wanted.append(needed)
        return wanted
