"""A user's session with the ERP over its JSON-RPC interface."""

from __future__ import annotations

import datetime
from base64 import b64encode
from decimal import Decimal
from typing import Any

import httpx

from localstack.errors import PlantRefused, StackError

CALL_SECONDS = 120.0

Record = dict[str, Any]


class Session:
    """One logged-in user.

    Args:
        url: Root of the ERP's web server.
        database: The ERP's database name.
        user: Login name.
        password: The user's password.
    """

    def __init__(self, url: str, database: str, user: str, password: str) -> None:
        self.context: Record = {}
        self._address = f"{url}/{database}/rpc/"
        self._http = httpx.Client(timeout=CALL_SECONDS)
        answer = self._post("common.db.login", [user, {"password": password}, "en"])
        if not answer:
            raise StackError(f"The ERP at {url} does not let user {user} in; nothing was changed")
        self.user_id, token = answer[0], answer[1]
        pair = f"{user}:{self.user_id}:{token}".encode()
        self._http.headers["Authorization"] = f"Session {b64encode(pair).decode()}"

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def call(self, model: str, method: str, /, *arguments: Any, **context: Any) -> Any:
        """Call a method of a model.

        Raises:
            PlantRefused: The ERP answered with an error; the text is the ERP's own.
        """
        parameters = [*arguments, self.context | context]
        return self._post(f"model.{model}.{method}", [_encode(value) for value in parameters])

    def create(self, model: str, /, **values: Any) -> int:
        """Create one record and return its id."""
        return int(self.call(model, "create", [values])[0])

    def write(self, model: str, record: int, /, **values: Any) -> None:
        """Change one record."""
        self.call(model, "write", [record], values)

    def read(self, model: str, record: int, *fields: str, **context: Any) -> Record:
        """Return one record's fields."""
        found: Record = self.call(model, "read", [record], list(fields), **context)[0]
        return found

    def search(self, model: str, domain: list[Any], *fields: str) -> list[Record]:
        """Return the records that match, oldest first."""
        order = [["id", "ASC"]]
        found: list[Record] = self.call(
            model, "search_read", domain, 0, None, order, ["id", *fields]
        )
        return found

    def one(self, model: str, domain: list[Any]) -> int:
        """Return the id of the only record that matches."""
        found = self.search(model, domain)
        if len(found) != 1:
            raise PlantRefused(f"{len(found)} records of {model} match {domain}; one was expected")
        return int(found[0]["id"])

    def press(self, model: str, button: str, record: int, state: str) -> None:
        """Press a button and see that the record is then in the state it should be in.

        A button that wants something first answers with an action to open instead of working,
        and some refuse without an error: only the state tells.
        """
        answer = self.call(model, button, [record])
        now = self.read(model, record, "state")["state"]
        if now != state:
            raise PlantRefused(
                f"{button} on {model} {record} left it {now}, not {state}; the ERP answered "
                f"{answer!r}. Nothing else was changed"
            )

    def _post(self, method: str, parameters: list[Any]) -> Any:
        body = {"id": 1, "method": method, "params": parameters}
        response = self._http.post(self._address, json=body)
        if response.status_code != 200:
            raise PlantRefused(f"{method}: the ERP answered status {response.status_code}")
        answer = response.json()
        if answer.get("error"):
            raise PlantRefused(f"{method}: {_sentence(answer['error'])}")
        return answer.get("result")


def _encode(value: Any) -> Any:
    match value:
        case Decimal():
            return {"__class__": "Decimal", "decimal": str(value)}
        case datetime.date():
            parts = {"year": value.year, "month": value.month, "day": value.day}
            return {"__class__": "date", **parts}
        case dict():
            return {key: _encode(item) for key, item in value.items()}
        case list() | tuple():
            return [_encode(item) for item in value]
        case _:
            return value


def _sentence(error: list[Any]) -> str:
    kind, detail, *_ = [*error, ""]
    text = detail[0] if isinstance(detail, list) and detail else detail
    return f"{kind}: {text}".strip(": ")
