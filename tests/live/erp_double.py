"""A server that stands before a real ERP and misbehaves as that ERP was measured to misbehave.

It forwards every call; rules name the calls that go wrong and how. Run as a process of its own:

    python -m tests.live.erp_double PORT UPSTREAM RULES_FILE

The rules file is read again at every call, so a test changes it while the server runs.
"""

from __future__ import annotations

import base64
import http.client
import json
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

HTML, JSON = "text/html; charset=utf-8", "application/json"


@dataclass(frozen=True)
class Rule:
    """How a call goes wrong.

    Attributes:
        match: Texts that must all stand in method, path, decoded query or body.
        status: What to answer; 0 answers nothing and cuts the connection, -1 answers nothing and
            keeps it.
        kind: Content type of the answer.
        body: Its body.
        forward: Let the real ERP do it first.
        times: How often; -1 for always.
    """

    match: tuple[str, ...]
    status: int
    kind: str = HTML
    body: str = ""
    forward: bool = False
    times: int = -1


def page(status: int, title: str, text: str) -> str:
    """An error page as the ERP's server writes it."""
    return (
        f"<!doctype html>\n<html lang=en>\n<title>{status} {title}</title>\n"
        f"<h1>{title}</h1>\n<p>{text}</p>\n"
    )


def refusal(message: str) -> str:
    """A UserError or UserWarning as the ERP's REST interface tells it."""
    return json.dumps({"status": 400, "message": message, "description": ""})


WRONG_KEY = (401, HTML, page(401, "Unauthorized", "The server could not verify your access."))
NO_RIGHT = (403, HTML, page(403, "Forbidden", "You don&#39;t have the permission."))
BROKEN = (500, HTML, page(500, "Internal Server Error", "&#39;stock.lot&#39;"))
BUSY = (503, HTML, page(503, "Service Unavailable", "canceling statement due to lock timeout"))
USER_ERROR = (400, JSON, refusal('The value "x" for field "Lot" is not valid.'))
USER_WARNING = (400, JSON, refusal("This shipment is late. Continue?"))
DIALOGUE = (400, HTML, page(400, "Bad Request", ""))
WIZARD = (200, JSON, json.dumps({"type": "ir.action.wizard", "wiz_name": "quality.inspect"}))


class Double:
    """The running server as a test holds it."""

    def __init__(self, url: str, rules: Path) -> None:
        self.url = url
        self._rules = rules

    def obey(self, *rules: Rule) -> None:
        """Replace the rules, and forget how often the old ones fired."""
        staged = self._rules.with_suffix(".new")
        staged.write_text(json.dumps({"at": time.time_ns(), "rules": [asdict(r) for r in rules]}))
        staged.replace(self._rules)


@contextmanager
def running(upstream: str, folder: Path) -> Iterator[Double]:
    """Run the server in a process of its own before an ERP."""
    rules = folder / "rules.json"
    where = urllib.parse.urlsplit(upstream)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    double = Double(f"http://127.0.0.1:{port}{where.path}", rules)
    double.obey()
    root = Path(__file__).resolve().parents[2]
    call = [sys.executable, "-m", "tests.live.erp_double", str(port), where.netloc, str(rules)]
    with subprocess.Popen(call, cwd=root) as process:
        try:
            _await_port(port)
            yield double
        finally:
            process.terminate()


def _await_port(port: int) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert time.monotonic() < deadline, "the double did not start"
            time.sleep(0.02)
        else:
            return


class _Handler(BaseHTTPRequestHandler):
    upstream = ""
    rules = Path()
    lock = threading.Lock()
    fired: dict[tuple[int, int], int] = {}  # noqa: RUF012 - one table for all connections

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing: the tests say what matters."""

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        rule = self._rule(body)
        if rule is None:
            return self._send(*self._forwarded(body))
        if rule.forward:
            self._forwarded(body)
        if rule.status > 0:
            return self._send(rule.status, rule.kind, rule.body.encode())
        if rule.status < 0:
            self.connection.recv(1)  # returns when the caller has given up
        self.close_connection = True
        return None

    def _rule(self, body: bytes) -> Rule | None:
        url = urllib.parse.urlsplit(self.path)
        domains = urllib.parse.parse_qs(url.query).get("d", [])
        decoded = " ".join(base64.urlsafe_b64decode(domain).decode() for domain in domains)
        text = f"{self.command} {url.path} {decoded} {body.decode()}"
        with self.lock:
            told = json.loads(self.rules.read_text())
            for number, values in enumerate(told["rules"]):
                rule = Rule(**{**values, "match": tuple(values["match"])})
                key = (told["at"], number)
                spent = self.fired.get(key, 0)
                if all(each in text for each in rule.match) and spent != rule.times:
                    self.fired[key] = spent + 1
                    return rule
        return None

    def _forwarded(self, body: bytes) -> tuple[int, str, bytes]:
        connection = http.client.HTTPConnection(self.upstream, timeout=60)
        headers = {
            name: value
            for name, value in self.headers.items()
            if name.lower() not in {"host", "connection", "accept-encoding"}
        }
        connection.request(self.command, self.path, body or None, headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, answer.getheader("Content-Type", HTML), content

    def _send(self, status: int, kind: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)


def main(port: str, upstream: str, rules: str) -> None:
    """Serve until ended."""
    _Handler.upstream, _Handler.rules = upstream, Path(rules)
    ThreadingHTTPServer(("127.0.0.1", int(port)), _Handler).serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
