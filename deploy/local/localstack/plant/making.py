"""Making the plant once: install the ERP, initialise it, work in it, keep the result as a dump."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from localstack import scenario
from localstack.errors import StackError
from localstack.host import bound
from localstack.host.ports import PortMemory
from localstack.host.processes import Process
from localstack.host.waiting import until_ready
from localstack.layout import LOCAL, Layout, write_private
from localstack.parts.database import Database
from localstack.parts.erp import DATABASE, Erp
from localstack.plant import company, goods
from localstack.plant.client import Session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localstack.parts.part import Part
    from localstack.progress import Report, Step

REQUIREMENTS = LOCAL / "erp" / "requirements.txt"
MODULES = ("quality", "stock_lot", "production", "purchase", "stock_lot_sled")


def make_plant(layout: Layout, report: Report) -> None:
    """Do what is missing of: environment, initialised ERP, built plant. Each is kept when whole."""
    folder = layout.parts / "erp"
    folder.mkdir(parents=True, exist_ok=True)
    _install(folder / "venv", report)
    empty, plant = folder / "empty.sql.gz", folder / "plant.sql.gz"
    if not empty.exists():
        with report.step("Tryton: initialising 17 modules (once)"), _workshop(layout) as erp:
            _initialise(erp, folder)
            erp.dump(empty)
    if not plant.exists():
        with report.step("plant: built through the ERP's API (once)") as step:
            _build(layout, empty, plant, step)


def _install(venv: Path, report: Report) -> None:
    done = venv / "complete"
    wanted = REQUIREMENTS.read_text(encoding="utf-8")
    if done.exists() and done.read_text(encoding="utf-8") == wanted:
        return
    with report.step("Tryton 8.2: Python environment, 38 packages, 16 MB"):
        shutil.rmtree(venv, ignore_errors=True)
        _run([sys.executable, "-m", "venv", str(venv)])
        pip = [str(venv / "bin" / "python"), "-m", "pip", "install", "--quiet"]
        _run([*pip, "--disable-pip-version-check", "-r", str(REQUIREMENTS)])
        done.write_text(wanted, encoding="utf-8")


def _initialise(erp: Erp, folder: Path) -> None:
    password = folder / "admin.pass"
    write_private(password, secrets.token_urlsafe(18) + "\n")
    argv = [str(erp.venv / "bin" / "python"), str(erp.venv / "bin" / "trytond-admin")]
    argv += ["-c", str(erp.settings()), "-d", DATABASE, "-u", *MODULES]
    argv += ["--email", "admin@example.org", "--activate-dependencies"]
    _run(argv, erp.environment() | {"TRYTONPASSFILE": str(password)})


def _build(layout: Layout, empty: Path, plant: Path, step: Step) -> None:
    with _workshop(layout, empty) as erp:
        password = (plant.parent / "admin.pass").read_text(encoding="utf-8").strip()
        session = Session(erp.url, DATABASE, "admin", password)
        try:
            for key, text in _work(session, step).items():
                write_private(plant.parent / key, text + "\n")
        finally:
            session.close()
        erp.dump(plant)


def _work(session: Session, step: Step) -> dict[str, str]:
    ground = (
        company.build_places,
        company.build_parties,
        company.build_products,
        company.build_controls,
    )
    booked: tuple[scenario.Receipt | scenario.Production | scenario.Delivery, ...] = (
        *scenario.RECEIPTS,
        *scenario.PRODUCTIONS,
        *scenario.DELIVERIES,
    )
    step.total(2 + len(ground) + len(booked))
    company.build_company(session)
    step.advance(1)
    people = company.build_people(session)
    step.advance(1)
    for build in ground:
        build(session)
        step.advance(1)
    for entry in booked:
        step.note(entry.lot)
        _book(session, entry)
        step.advance(1)
    passwords = {f"{login}.pass": made[0] for login, made in people.items()}
    return passwords | {f"{login}.key": made[1] for login, made in people.items()}


def _book(
    session: Session, entry: scenario.Receipt | scenario.Production | scenario.Delivery
) -> None:
    match entry:
        case scenario.Receipt():
            goods.receive(session, entry)
        case scenario.Production():
            goods.produce(session, entry)
        case scenario.Delivery():
            goods.deliver(session, entry)


@contextmanager
def _workshop(layout: Layout, dump: Path | None = None) -> Iterator[Erp]:
    """Lend a database server of its own, with the ERP running on it if there is a dump."""
    layout.workshops.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="plant-", dir=layout.workshops) as folder:
        own = Layout(Path(folder), layout.parts)
        own.make()
        ports = PortMemory(own.ports)
        database = Database(own, ports, throw_away=True)
        erp = Erp(own, ports, database, dump)
        parts: list[Part] = [database] if dump is None else [database, erp]
        started: list[tuple[Process, Part]] = []
        try:
            for part in parts:
                process = Process(
                    part.name, own.run / f"{part.name}.json", own.logs / f"{part.name}.log"
                )
                process.start(part.command())
                started.insert(0, (process, part))
                until_ready(process, part.probe, part.ready_seconds)
                part.complete()
            yield erp
        finally:
            for process, part in started:
                process.stop(part.stop_signal, part.stop_seconds)


def _run(argv: list[str], environment: dict[str, str] | None = None) -> None:
    inherited = {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"}
    ended = subprocess.run(
        [sys.executable, "-I", "-S", bound.__file__, *argv],
        env=inherited | (environment or {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode:
        raise StackError(
            f"{' '.join(argv[:3])} … ended with {ended.returncode}; what was finished before is "
            f"kept. It says: {(ended.stderr or ended.stdout).strip()[-1200:]}"
        )
