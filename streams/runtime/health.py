"""Probes and metrics over HTTP: a tiny server in a thread of its own, so that a hang is seen.

Paths: `/livez`, `/readyz`, `/startupz` (200 or 503) and `/version`. Each answers one JSON object;
`?verbose` adds all there is to tell. `/metrics` answers in Prometheus' text form, where a process
measures something. Nothing can be changed through it.
"""

from __future__ import annotations

import json
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import urlsplit

from streams.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PROBES: Final = {"/livez": "live", "/readyz": "ready", "/startupz": "started"}
METRICS: Final = "/metrics"
METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
TIMEOUT_S: Final = 5.0
"""A client that says nothing for so long is let go."""


class HealthServer:
    """Answers probes from what a function tells.

    Example::

        server = HealthServer("127.0.0.1", 8080, app.health)
        server.start()
    """

    def __init__(
        self,
        host: str,
        port: int,
        health: Callable[[], Mapping[str, Any]],
        metrics: Callable[[], bytes] | None = None,
    ) -> None:
        """Take the port.

        Args:
            host: Address to listen on.
            port: TCP port; 0 takes a free one, see `port`.
            health: Gives `live`, `ready` and `started` (booleans), `reasons` (by these names: what
                is missing), `version`, and whatever else `?verbose` shows. It is called in threads
                of this server and must not wait.
            metrics: Gives what `/metrics` answers, likewise; None for no such path.

        Raises:
            Misconfigured: The port cannot be taken.
        """
        told: dict[str, Any] = {"health": staticmethod(health), "metrics": None}
        if metrics is not None:
            told["metrics"] = staticmethod(metrics)
        handler = type("Handler", (_Handler,), told)
        try:
            self._server = ThreadingHTTPServer((host, port), handler)
        except OSError as taken:
            raise Misconfigured(
                f"the health port {host}:{port} cannot be taken: {taken.strerror}",
                code="health_port",
                advice="set LOTGATE_HEALTH_PORT to a free port, or to 0 for none",
            ) from taken
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="lotgate-health", daemon=True
        )

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    """One request."""

    health: ClassVar[Callable[[], Mapping[str, Any]]]
    metrics: ClassVar[Callable[[], bytes] | None]
    timeout = TIMEOUT_S
    server_version = "lotgate"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer a probe."""
        where = urlsplit(self.path)
        metrics = type(self).metrics
        if where.path == METRICS and metrics is not None:
            self._send(HTTPStatus.OK, metrics(), METRICS_TYPE)
            return
        if where.path == "/version":
            self._answer(HTTPStatus.OK, {"version": type(self).health().get("version", "")})
            return
        if where.path not in PROBES:
            paths = [*PROBES, "/version", *([METRICS] if metrics is not None else [])]
            self._answer(HTTPStatus.NOT_FOUND, {"status": "no such path", "paths": paths})
            return
        name, told = PROBES[where.path], type(self).health()
        is_well = bool(told[name])
        body: dict[str, Any] = {
            "status": name if is_well else f"not {name}",
            "reasons": told["reasons"].get(name, []),
        }
        if "verbose" in where.query.split("&"):
            body |= told
        self._answer(HTTPStatus.OK if is_well else HTTPStatus.SERVICE_UNAVAILABLE, body)

    def _answer(self, status: HTTPStatus, body: Mapping[str, Any]) -> None:
        self._send(status, json.dumps(body).encode() + b"\n", "application/json")

    def _send(self, status: HTTPStatus, octets: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(octets)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(octets)

    def log_message(self, *_: object) -> None:
        """Say nothing: a probe every few seconds is no news."""
