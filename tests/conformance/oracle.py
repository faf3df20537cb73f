"""What another connector wrote for a list of changes, as a directory holds it.

The directory: one `*.sql` (tables and first rows), `cases.json` (changes in order, each one
transaction), `cases/*.json` (what was written for some of them, by form), `schemas/<id>.avsc`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from connectors.sources.postgres.form import RecordForm

HERE = Path(__file__).parent
DEBEZIUM = HERE / "debezium"
SNAPSHOT, HEARTBEAT = "snapshot", "heartbeat"
"""Cases that no statement starts."""


@dataclass(frozen=True)
class Form:
    """A form in which the oracle wrote the same changes.

    Attributes:
        name: Its name in the files.
        settings: The source's settings that lead to it.
    """

    name: str
    settings: dict[str, Any] = field(default_factory=dict)

    def source(self) -> RecordForm:
        return RecordForm(**{**ALL, **self.settings})

    @property
    def json(self) -> bool:
        return self.settings.get("value_format") == "json"


ALL = {"transaction_metadata": True, "messages": True, "heartbeat_s": 1.0}
AVRO = Form("avro")
JSON = Form("json", {"value_format": "json"})
STRINGS = Form(
    "json_string_modes",
    {
        "value_format": "json",
        "json_schemas": False,
        "decimal_mode": "string",
        "time_mode": "isostring",
        "interval_mode": "string",
        "binary_mode": "base64",
        "unknown_types": True,
    },
)
DOUBLES = Form(
    "json_double_connect_hex",
    {
        "value_format": "json",
        "json_schemas": False,
        "decimal_mode": "double",
        "time_mode": "connect",
        "binary_mode": "hex",
        "placeholder": "__gone",
        "tombstones": False,
        "transaction_metadata": False,
    },
)
DEFAULT = Form("default")
"""Our own form, which no oracle wrote: it is compared with what the server selects."""
FORMS = {form.name: form for form in (AVRO, JSON, STRINGS, DOUBLES)}


@dataclass(frozen=True)
class Case:
    """One change.

    Attributes:
        name: Its name.
        sql: Statements, or `COPY:table:rows`; empty where nothing is run.
        expected: Records by form; None where nothing was recorded.
    """

    name: str
    sql: str
    expected: dict[str, list[dict[str, Any]]] | None


@dataclass(frozen=True)
class Oracle:
    """A directory, read.

    Attributes:
        schema: SQL that makes tables and first rows.
        cases: In order; those that no statement starts have no SQL.
        schemas: Registered Avro schemas by id.
    """

    schema: str
    cases: tuple[Case, ...]
    schemas: dict[int, Any]

    @property
    def forms(self) -> tuple[Form, ...]:
        """The forms that the files hold; Avro where there are none."""
        named = {name for case in self.cases for name in case.expected or ()}
        return tuple(form for name, form in FORMS.items() if name in named) or (AVRO,)


def load(folder: Path) -> Oracle:
    """Read a directory.

    Raises:
        FileNotFoundError: It is not of this form.
    """
    scripts = sorted(folder.glob("*.sql"))
    if not scripts or not (folder / "cases.json").is_file():
        raise FileNotFoundError(f"{folder} needs a *.sql file and a cases.json")
    order = json.loads((folder / "cases.json").read_text())
    cases, seen = [], set()
    for entry in order:
        path = folder / "cases" / str(entry.get("file", ""))
        cases.append(Case(entry["case"], entry["sql"], _expected(path)))
        seen.add(path)
    cases += [
        Case(json.loads(path.read_text())["case"], "", _expected(path))
        for path in sorted((folder / "cases").glob("*.json"))
        if path not in seen
    ]
    schemas = {
        int(path.stem): json.loads(path.read_text()) for path in folder.glob("schemas/*.avsc")
    }
    return Oracle("\n".join(path.read_text() for path in scripts), tuple(cases), schemas)


def _expected(path: Path) -> dict[str, list[dict[str, Any]]] | None:
    if not path.is_file():
        return None
    found = json.loads(path.read_text())
    return {name: found[name] for name in FORMS if isinstance(found.get(name), list)}
