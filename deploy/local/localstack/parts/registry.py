"""Apicurio Registry with file storage, through its Confluent-compatible API."""

from __future__ import annotations

import os
import shutil
import signal
import tarfile
from typing import TYPE_CHECKING

import httpx

from localstack.host import artifacts
from localstack.host.artifacts import Coordinate
from localstack.host.ports import HOST
from localstack.host.processes import Command
from localstack.parts import java
from localstack.parts.part import NotReady

if TYPE_CHECKING:
    from localstack.host.ports import PortMemory
    from localstack.layout import Layout
    from localstack.progress import Report

HEAP_MEGABYTES = 256
DOWNLOAD_BYTES = 158_577_952
LEVEL = "FULL_TRANSITIVE"
"""The registry's own default is to check nothing at all."""


class Registry:
    """The schema registry of the stack."""

    name = "registry"
    needs: tuple[str, ...] = ()
    ready_seconds = 120.0
    stop_signal: int = signal.SIGTERM
    stop_seconds = 20.0

    def __init__(self, layout: Layout, ports: PortMemory) -> None:
        self._layout = layout
        self._ports = ports
        self._home = layout.parts / "apicurio" / "app"
        self._download = layout.parts / "apicurio" / "download"
        self._data = layout.data / "registry"

    @property
    def url(self) -> str:
        """The root of the Confluent-compatible API."""
        return f"http://{HOST}:{self._ports.port('registry')}/apis/ccompat/v7"

    def prepare(self, report: Report) -> None:
        """Fetch and unpack the registry; the archive is removed afterwards."""
        if self._home.exists():
            return
        archive = Coordinate.parse(artifacts.REGISTRY_ARCHIVE)
        with report.step("Apicurio Registry 3.3.3: 159 MB") as step:
            step.total(DOWNLOAD_BYTES)
            if artifacts.missing(self._download, [archive]):
                artifacts.fetch(
                    self._download, self._layout.workshops / "apicurio", [archive], step
                )
            step.note("unpacking")
            staging = self._layout.workshops / "registry"
            with tarfile.open(self._download / archive.filename) as packed:
                # Python before 3.11.4 has no filter; what is unpacked is the pinned file anyway.
                packed.extraction_filter = getattr(tarfile, "data_filter", None)
                packed.extractall(staging)  # noqa: S202 - filtered by the line above
            staging.replace(self._home)
            shutil.rmtree(self._download, ignore_errors=True)

    def port_names(self) -> tuple[str, ...]:
        """Name the API's and the management port."""
        return ("registry", "registry-management")

    def command(self) -> Command:
        """Return the start with file storage in the stack's data folder."""
        self._data.mkdir(parents=True, exist_ok=True)
        settings = {
            "quarkus.http.host": HOST,
            "quarkus.http.port": self._ports.port("registry"),
            "quarkus.management.host": HOST,
            "quarkus.management.port": self._ports.port("registry-management"),
            "apicurio.storage.sql.kind": "h2",
            "apicurio.datasource.url": f"jdbc:h2:file:{self._data / 'registry'}",
            "apicurio.datasource.jdbc.initial-size": 2,
            "apicurio.datasource.jdbc.min-size": 2,
            "apicurio.ccompat.max-subjects": 10_000,
        }
        flags = [f"-D{key}={value}" for key, value in settings.items()]
        argv = [*java.flags(HEAP_MEGABYTES), "-Xms64m", *flags, "-jar"]
        return Command(
            [*argv, str(self._home / "quarkus-run.jar")],
            env={"PATH": os.environ.get("PATH", ""), "LANG": "C.UTF-8"},
            folder=self._data,
        )

    def probe(self) -> None:
        """Ask the API for its subjects."""
        try:
            answer = httpx.get(f"{self.url}/subjects", timeout=5.0)
        except httpx.TransportError as error:
            raise NotReady(str(error)) from error
        if answer.status_code != 200:
            raise NotReady(f"status {answer.status_code}")

    def complete(self) -> None:
        """Set the global compatibility level, and see that it is set."""
        httpx.put(
            f"{self.url}/config", json={"compatibility": LEVEL}, timeout=10.0
        ).raise_for_status()
        answer = httpx.get(f"{self.url}/config", timeout=10.0).raise_for_status().json()
        if answer.get("compatibilityLevel") != LEVEL:
            raise NotReady(f"the global compatibility level reads back as {answer}")
