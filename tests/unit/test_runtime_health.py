"""Probes over HTTP: status, reasons, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from streams.errors import Misconfigured
from streams.runtime.health import HealthServer

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.urs("M4.4")

TOLD: dict[str, Any] = {
    "live": True,
    "ready": False,
    "started": True,
    "reasons": {"live": [], "ready": ["not restored yet: orders[0]"], "started": []},
    "version": "1.2.3",
    "lag": {"orders[0]": 7},
}


@pytest.fixture
def server() -> Iterator[HealthServer]:
    server = HealthServer("127.0.0.1", 0, lambda: TOLD)
    server.start()
    yield server
    server.stop()


def get(server: HealthServer, path: str) -> httpx.Response:
    return httpx.get(f"http://127.0.0.1:{server.port}{path}", timeout=5)


def test_each_probe_has_its_own_answer(server: HealthServer) -> None:
    live, ready, started = (get(server, path) for path in ("/livez", "/readyz", "/startupz"))
    assert (live.status_code, live.json()) == (200, {"status": "live", "reasons": []})
    assert ready.status_code == 503
    assert ready.json() == {"status": "not ready", "reasons": ["not restored yet: orders[0]"]}
    assert started.status_code == 200
    assert ready.headers["content-type"] == "application/json"


def test_verbose_tells_everything(server: HealthServer) -> None:
    body = get(server, "/readyz?verbose").json()
    assert body["lag"] == {"orders[0]": 7}
    assert body["status"] == "not ready"
    assert body["reasons"] == TOLD["reasons"]


def test_the_version_and_unknown_paths(server: HealthServer) -> None:
    assert get(server, "/version").json() == {"version": "1.2.3"}
    unknown = get(server, "/table")
    assert unknown.status_code == 404
    assert "/livez" in unknown.json()["paths"]
    assert "python" not in unknown.headers.get("server", "").lower()


def test_nothing_can_be_written(server: HealthServer) -> None:
    assert httpx.post(f"http://127.0.0.1:{server.port}/livez", timeout=5).status_code == 501


def test_a_taken_port_is_refused_with_advice(server: HealthServer) -> None:
    with pytest.raises(Misconfigured, match="LOTGATE_HEALTH_PORT") as refused:
        HealthServer("127.0.0.1", server.port, lambda: TOLD)
    assert refused.value.code == "health_port"
