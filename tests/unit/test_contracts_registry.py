"""How answers of a registry are judged, over real HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from streams.contracts.registry import ConfluentRegistry
from streams.errors import LotgateError, Misconfigured, Poison, Transient

pytestmark = pytest.mark.urs("M4.5")


class Answers(ThreadingHTTPServer):
    """Answers every request with what the test says, and remembers the requests."""

    status: int = 200
    body: bytes = b"{}"
    seen: list[tuple[str, str, Any]]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/apis/ccompat/v7/"

    def say(self, status: int, body: Any) -> None:
        self.status = status
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()


class Handler(BaseHTTPRequestHandler):
    server: Answers

    def answer(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(size)) if size else None
        self.server.seen.append((self.command, self.path, body))
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    do_GET = do_POST = do_PUT = answer  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Tests are silent."""


@pytest.fixture
def server() -> Iterator[Answers]:
    made = Answers(("127.0.0.1", 0), Handler)
    made.seen = []
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.fixture
def client(server: Answers) -> Iterator[ConfluentRegistry]:
    made = ConfluentRegistry(server.url)
    yield made
    made.close()


def test_requests_are_the_interfaces_own(server: Answers, client: ConfluentRegistry) -> None:
    server.say(200, {"id": 7, "is_compatible": True})
    assert client.register("p.a/b-value", "string") == 7
    assert client.lookup("s", {"type": "long"}) == 7
    assert client.compatible("s", "string")
    base = "/apis/ccompat/v7"
    schema = {"schema": '"string"', "schemaType": "AVRO"}
    assert server.seen == [
        ("POST", f"{base}/subjects/p.a%2Fb-value/versions", schema),
        ("POST", f"{base}/subjects/s", {"schema": '{"type": "long"}', "schemaType": "AVRO"}),
        ("POST", f"{base}/compatibility/subjects/s/versions", schema),
    ]


def test_levels_and_subjects(server: Answers, client: ConfluentRegistry) -> None:
    server.say(200, {"compatibilityLevel": "NONE"})
    assert client.level() == "NONE"
    server.say(200, {"compatibility": "FULL_TRANSITIVE"})
    client.set_level("FULL_TRANSITIVE")
    assert server.seen[-1] == (
        "PUT", "/apis/ccompat/v7/config", {"compatibility": "FULL_TRANSITIVE"}
    )  # fmt: skip
    server.say(200, ["a-value"])
    assert client.subjects() == ("a-value",)


def test_versions_are_read_one_by_one(server: Answers, client: ConfluentRegistry) -> None:
    server.say(404, {"error_code": 40401})
    assert client.versions("s") == ()
    server.say(200, [])
    assert client.versions("s") == ()
    server.say(200, {"not": "a list"})
    with pytest.raises(Misconfigured, match="not_a_registry"):
        client.versions("s")


def test_what_is_not_there_is_said_as_such(server: Answers, client: ConfluentRegistry) -> None:
    server.say(404, {"error_code": 40401, "message": "not found"})
    assert client.lookup("s", "string") is None
    assert client.compatible("s", "string")
    with pytest.raises(Poison, match="unknown_schema_id"):
        client.schema_of(5)


@pytest.mark.parametrize(
    ("answer", "schema"),
    [
        ({"schema": '{"type": "long"}'}, {"type": "long"}),
        ({"schema": '"string"'}, "string"),
        ({"schema": "string", "schemaType": "AVRO"}, "string"),
    ],
)
def test_schemas_are_parsed(
    server: Answers, client: ConfluentRegistry, answer: Any, schema: Any
) -> None:
    server.say(200, answer)
    assert client.schema_of(1) == schema


def test_a_schema_that_is_not_avro_is_poison(server: Answers, client: ConfluentRegistry) -> None:
    server.say(200, {"schema": "{}", "schemaType": "JSON"})
    with pytest.raises(Poison, match="JSON"):
        client.schema_of(1)


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        (409, {"error_code": 409, "message": "field b"}, Misconfigured, "incompatible_schema"),
        (422, {"error_code": 42201, "message": "bad"}, Misconfigured, "schema_refused"),
        (401, b"no", Misconfigured, "registry_refused"),
        (403, {"message": "no"}, Misconfigured, "registry_refused"),
        (500, {"error_code": 0, "message": "NPE"}, Misconfigured, "schema_refused"),
        (500, {"error_code": 50001, "message": "store"}, Transient, "registry_unreachable"),
        (503, b"starting", Transient, "registry_unreachable"),
        (429, b"slow down", Transient, "registry_unreachable"),
        (200, b"<html>", Misconfigured, "not_a_registry"),
        (200, b"[]", Misconfigured, "not_a_registry"),
    ],
)
def test_other_answers_are_judged(
    server: Answers,
    client: ConfluentRegistry,
    status: int,
    body: Any,
    kind: type[LotgateError],
    code: str,
) -> None:
    server.say(status, body)
    with pytest.raises(kind) as caught:
        client.register("s", "string")
    assert caught.value.code == code
    if status == 409:
        assert "field b" in str(caught.value)


def test_a_registry_that_is_not_there_is_transient() -> None:
    registry = ConfluentRegistry("http://127.0.0.1:9")
    with pytest.raises(Transient) as caught:
        registry.level()
    assert caught.value.code == "registry_unreachable"
    assert "127.0.0.1:9" in str(caught.value)
    registry.close()
