"""Tryton's REST API as four verbs, with the calls counted.

Facts behind it (measured on trytond 8.2): the key goes into `Authorization: Bearer`, the context
as base64url JSON into `X-Tryton-Context`; every POST needs a JSON body; a button answers the record
with the fields asked for by `f`; the server closes each connection after its answer.
"""

from __future__ import annotations

import asyncio
import base64
import json
from typing import TYPE_CHECKING, Any

import httpx

from connectors.sinks.tryton.rest.judge import Call, Denied, failure_of, failure_of_transport
from streams.errors import Misconfigured, Poison

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from connectors.sinks.tryton.rest.config import TrytonConfig

Record = dict[str, Any]


def packed(value: Any) -> str:
    """Encode a domain or context as Tryton's REST API wants it in addresses and headers."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


class Wire:
    """One HTTP client for one database.

    Args:
        config: Where and who.
        transport: Replaces the network, for tests that cut it.
    """

    def __init__(
        self, config: TrytonConfig, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._config = config
        self._key = ""
        self._client = httpx.AsyncClient(
            base_url=f"{config.url.rstrip('/')}/rest/model/",
            timeout=httpx.Timeout(config.timeout_s, connect=config.connect_timeout_s),
            transport=transport,
            # An inactive lot still ships, so it must be found like any other.
            headers={
                "X-Tryton-Context": packed({"company": config.company, "active_test": False}),
                "Accept": "application/json",
                "Accept-Language": "en",
                "Content-Type": "application/json",
            },
        )

    async def send(self, call: Call, fields: Sequence[tuple[str, str]], body: Any) -> Any:
        """Make one call; a refused key is read anew from its file and tried once more.

        Raises:
            Poison: It can never work.
            Transient: It may work later.
            Unknown: It may have worked.
            Misconfigured: The key file cannot be read.
        """
        if not self._key:
            self._key = await asyncio.to_thread(self._read_key)
        try:
            return await self._once(call, fields, body)
        except Denied:
            self._key = await asyncio.to_thread(self._read_key)
            return await self._once(call, fields, body)

    async def close(self) -> None:
        """Close the client."""
        await self._client.aclose()

    def _read_key(self) -> str:
        path, key = self._config.key_file, self._config.key
        if path is not None:
            try:
                key = path.read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                raise _key_problem(f"the ERP's key file {path} cannot be read: {error}") from error
        if not key or not key.isascii() or not key.isprintable():
            raise _key_problem(f"there is no usable ERP key in {path or 'the settings'}")
        return key

    async def _once(self, call: Call, fields: Sequence[tuple[str, str]], body: Any) -> Any:
        try:
            answer = await self._client.request(
                call.method,
                call.path,
                params=list(fields),
                content=None if body is None else json.dumps(body).encode(),
                headers={"Authorization": f"Bearer {self._key}"},
            )
        except httpx.TransportError as error:
            raise failure_of_transport(call, error) from error
        decoded = _json_of(answer)
        failure = failure_of(call, answer.status_code, decoded, answer.text)
        if failure is not None:
            raise failure
        return decoded


class Talk:
    """The calls made for one command, counted.

    Attributes:
        calls: Calls made so far.
    """

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.calls = 0

    async def search(
        self, model: str, domain: list[Any], fields: Sequence[str], *, order: str = "id"
    ) -> list[Record]:
        """Records of a model that fit a domain, with the fields asked for, in ascending order."""
        query = [("d", packed(domain)), ("o", packed([[order, "ASC"]]))]
        answer = await self._send("GET", model, query + _asked(fields), None)
        if not isinstance(answer, list):
            raise _odd(f"GET {model}", answer)
        return answer

    async def create(self, model: str, values: Mapping[str, Any], fields: Sequence[str]) -> Record:
        """Create a record and return it with the fields asked for."""
        return self._record(await self._send("POST", model, _asked(fields), dict(values)), model)

    async def press(self, model: str, record: int, button: str, fields: Sequence[str]) -> Record:
        """Press a button and return the record as it is afterwards."""
        path = f"{model}/{record}/{button}"
        return self._record(await self._send("POST", path, _asked(fields), {}), path)

    async def _send(self, method: str, path: str, query: list[tuple[str, str]], body: Any) -> Any:
        self.calls += 1
        return await self._wire.send(Call(method, path), query, body)

    @staticmethod
    def _record(answer: Any, path: str) -> Record:
        if not isinstance(answer, dict) or "id" not in answer:
            raise _odd(f"POST {path}", answer)
        return answer


def _key_problem(story: str) -> Misconfigured:
    advice = "give the REST key of the connector's ERP user, best in a file that can be renewed"
    return Misconfigured(story, code="erp_key", advice=advice)


def _asked(fields: Sequence[str]) -> list[tuple[str, str]]:
    return [("f", field) for field in fields]


def _json_of(answer: httpx.Response) -> Any:
    if "json" not in answer.headers.get("content-type", ""):
        return None
    try:
        return json.loads(answer.content)
    except ValueError:
        return None


def _odd(call: str, answer: Any) -> Poison:
    return Poison(
        f"the ERP answered {call} with something else than records: {str(answer)[:200]}",
        code="erp_unexpected",
        advice="check that the address belongs to a Tryton server of a supported version",
    )
