"""Schema registries: any that speaks the Confluent interface, or a file where there is no network.

A registry gives every schema a number (its id), and every record starts with that number. How
Apicurio differs from Confluent's own is dealt with here, so that nothing else needs to know.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

import httpx

from streams.errors import LotgateError, Misconfigured, Poison, Transient

if TYPE_CHECKING:
    from streams.contracts.wire.schema_tree import Schema

FULL_TRANSITIVE = "FULL_TRANSITIVE"
"""The level of facts: every version reads every other, whichever was first."""

_MEDIA_TYPE = "application/vnd.schemaregistry.v1+json"
_TIMEOUT_S = 10.0
_NO_SCHEMA = frozenset({httpx.codes.BAD_REQUEST, httpx.codes.UNPROCESSABLE_ENTITY})
"""How a registry answers a text that it does not take for a schema (Apicurio: error code 0)."""


class Registry(Protocol):
    """Where schemas get their ids."""

    def register(self, subject: str, schema: Schema) -> int:
        """Make a schema a version of a subject; the same schema again gives the same id.

        Raises:
            Misconfigured: `incompatible_schema`: the subject's level forbids it;
                `schema_refused`: it is no schema to this registry.
            Transient: `registry_unreachable`.
        """
        ...

    def lookup(self, subject: str, schema: Schema) -> int | None:
        """The id of a schema under a subject, or None if it is not registered there."""
        ...

    def schema_of(self, schema_id: int) -> Schema:
        """The schema of an id.

        Raises:
            Poison: `unknown_schema_id`: the registry answers and does not know it.
            Transient: `registry_unreachable`.
        """
        ...

    def versions(self, subject: str) -> tuple[Schema, ...]:
        """Every schema of a subject, oldest first; none for a subject that does not exist."""
        ...

    def compatible(self, subject: str, schema: Schema) -> bool:
        """Whether the subject's level lets the schema in. True for a subject without versions."""
        ...

    def level(self) -> str:
        """The compatibility level that holds where a subject sets none, e.g. `FULL_TRANSITIVE`."""
        ...

    def subject_level(self, subject: str) -> str | None:
        """The level that a subject itself sets, or None."""
        ...

    def set_subject_level(self, subject: str, level: str) -> None:
        """Set a subject's level; the subject need not exist yet.

        Raises:
            Misconfigured: `registry_refused`: the right is missing.
            Transient: `registry_unreachable`.
        """
        ...


class ConfluentRegistry:
    """A registry behind the Confluent interface (Apicurio 3: `http://host:port/apis/ccompat/v7`).

    Args:
        url: Base URL, without trailing path of the interface's own.
        auth: User and password for basic authentication, or None.
        verify: Path of the certificate authority's file, or True for the system's.
    """

    def __init__(
        self, url: str, *, auth: tuple[str, str] | None = None, verify: str | bool = True
    ) -> None:
        self.url = url.rstrip("/")
        self._client = httpx.Client(
            base_url=self.url,
            auth=auth,
            verify=verify,
            timeout=_TIMEOUT_S,
            trust_env=False,
            headers={"Content-Type": _MEDIA_TYPE, "Accept": f"{_MEDIA_TYPE}, application/json"},
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def register(self, subject: str, schema: Schema) -> int:
        """See `Registry.register`."""
        answer = self._call("POST", f"/subjects/{quote(subject, safe='')}/versions", schema)
        if answer.status_code == httpx.codes.CONFLICT:
            raise Misconfigured(
                f"The registry refuses the schema for {subject}: {_reason(answer)}",
                code="incompatible_schema",
                kept="nothing was registered or produced",
                advice="make the change compatible, or publish a new topic beside the old one",
            )
        if answer.status_code in _NO_SCHEMA or _error_code(answer) == 0:
            raise Misconfigured(
                f"The registry takes no such schema for {subject}: {_reason(answer)}",
                code="schema_refused",
                kept="nothing was registered or produced",
                advice="correct what it names",
            )
        return int(self._good(answer, f"registering {subject}")["id"])

    def lookup(self, subject: str, schema: Schema) -> int | None:
        """See `Registry.lookup`."""
        answer = self._call("POST", f"/subjects/{quote(subject, safe='')}", schema)
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        return int(self._good(answer, f"looking up {subject}")["id"])

    def schema_of(self, schema_id: int) -> Schema:
        """See `Registry.schema_of`."""
        answer = self._call("GET", f"/schemas/ids/{schema_id}")
        if answer.status_code == httpx.codes.NOT_FOUND:
            raise unknown_id(schema_id, self.url)
        found = self._good(answer, f"reading schema {schema_id}")
        if found.get("schemaType", "AVRO") != "AVRO":
            raise Poison(
                f"Schema {schema_id} of {self.url} is {found['schemaType']}, not Avro",
                code="unknown_schema_id",
                advice="find the producer that writes another format to this topic",
            )
        return _parsed(found["schema"])

    def versions(self, subject: str) -> tuple[Schema, ...]:
        """See `Registry.versions`."""
        path = f"/subjects/{quote(subject, safe='')}/versions"
        answer = self._call("GET", path)
        if answer.status_code == httpx.codes.NOT_FOUND:
            return ()
        numbers = self._good_list(answer, f"listing versions of {subject}")
        found = [
            self._good(self._call("GET", f"{path}/{number}"), f"reading {subject} {number}")
            for number in sorted(numbers)
        ]
        return tuple(_parsed(version["schema"]) for version in found)

    def newest(self, subject: str) -> tuple[int, Schema] | None:
        """Id and content of a subject's newest schema in one call; None without versions."""
        path = f"/subjects/{quote(subject, safe='')}/versions/latest"
        answer = self._call("GET", path)
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        found = self._good(answer, f"reading the newest schema of {subject}")
        return int(found["id"]), _parsed(found["schema"])

    def compatible(self, subject: str, schema: Schema) -> bool:
        """See `Registry.compatible`."""
        path = f"/compatibility/subjects/{quote(subject, safe='')}/versions"
        answer = self._call("POST", path, schema)
        if answer.status_code == httpx.codes.NOT_FOUND:
            return True
        return bool(self._good(answer, f"checking {subject}")["is_compatible"])

    def level(self) -> str:
        """See `Registry.level`."""
        answer = self._good(self._call("GET", "/config"), "reading the level")
        return str(answer.get("compatibilityLevel") or answer["compatibility"])

    def subject_level(self, subject: str) -> str | None:
        """See `Registry.subject_level`."""
        answer = self._call("GET", f"/config/{quote(subject, safe='')}")
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        found = self._good(answer, f"reading the level of {subject}")
        return str(found.get("compatibilityLevel") or found["compatibility"])

    def set_subject_level(self, subject: str, level: str) -> None:
        """See `Registry.set_subject_level`."""
        path = f"/config/{quote(subject, safe='')}"
        answer = self._request("PUT", path, {"compatibility": level})
        self._good(answer, f"setting the level {level} of {subject}")

    def set_level(self, level: str) -> None:
        """Set the level that holds where a subject sets none. Apicurio starts with NONE."""
        answer = self._request("PUT", "/config", {"compatibility": level})
        self._good(answer, f"setting the level {level}")

    def subjects(self) -> tuple[str, ...]:
        """Every subject, as far as one answer holds them (Apicurio: 1,000)."""
        return tuple(self._good_list(self._call("GET", "/subjects"), "listing subjects"))

    def _call(self, method: str, path: str, schema: Schema | None = None) -> httpx.Response:
        body = None if schema is None else {"schema": json.dumps(schema), "schemaType": "AVRO"}
        return self._request(method, path, body)

    def _request(self, method: str, path: str, body: dict[str, Any] | None) -> httpx.Response:
        try:
            return self._client.request(method, path, json=body)
        except httpx.HTTPError as error:
            raise Transient(
                f"The schema registry at {self.url} does not answer ({type(error).__name__})",
                code="registry_unreachable",
                kept="no record was skipped",
                advice="start the registry or correct LOTGATE_REGISTRY_URL",
            ) from error

    def _good(self, answer: httpx.Response, doing: str) -> dict[str, Any]:
        found = self._content(answer, doing)
        if not isinstance(found, dict):
            raise self._no_registry(doing)
        return found

    def _good_list(self, answer: httpx.Response, doing: str) -> list[Any]:
        found = self._content(answer, doing)
        if not isinstance(found, list):
            raise self._no_registry(doing)
        return found

    def _content(self, answer: httpx.Response, doing: str) -> Any:
        if answer.status_code != httpx.codes.OK:
            raise self._refused(answer, doing)
        try:
            return answer.json()
        except ValueError:
            return None

    def _no_registry(self, doing: str) -> Misconfigured:
        return Misconfigured(
            f"{self.url} answered no registry's answer when {doing}",
            code="not_a_registry",
            advice="correct LOTGATE_REGISTRY_URL (Apicurio: …/apis/ccompat/v7)",
        )

    def _refused(self, answer: httpx.Response, doing: str) -> LotgateError:
        """Judge an answer that is neither good nor expected.

        Apicurio answers 500 with error code 0 where Confluent answers 422: that is permanent.
        """
        status, reason = answer.status_code, _reason(answer)
        text = f"The schema registry at {self.url} answered {status} when {doing}: {reason}"
        permanent = status < 500 or _error_code(answer) == 0
        if status in {408, 425, 429} or not permanent:
            return Transient(text, code="registry_unreachable", advice="wait or ask its operator")
        return Misconfigured(
            text,
            code="registry_refused",
            advice="check the URL, the credentials and the schema named above",
        )


def unknown_id(schema_id: int, where: str) -> Poison:
    """The error for a record whose schema id a registry does not know."""
    return Poison(
        f"The record names schema id {schema_id}, which {where} does not know",
        code="unknown_schema_id",
        advice="find the producer; it uses another registry, or wrote no Avro at all",
    )


def _reason(answer: httpx.Response) -> str:
    try:
        found = answer.json()
    except ValueError:
        return answer.text[:200]
    return str(found.get("message", found) if isinstance(found, dict) else found)[:500]


def _error_code(answer: httpx.Response) -> int | None:
    try:
        found = answer.json()
    except ValueError:
        return None
    return found.get("error_code") if isinstance(found, dict) else None


def _parsed(text: str) -> Schema:
    """The registry's schema text as JSON; a bare primitive may come without quotes."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
