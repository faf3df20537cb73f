"""The recorded stream of a real ERP and a real QMS, and the form in which its facts are kept.

`tests/golden/translate/stream.jsonl` holds one database transaction per line: what the source
sent, cut to the columns that translators read, and the facts that follow from it. It was recorded
while a person's clicks were made through the ERP's API: a failing inspection of a received lot, a
receipt, a production from it and its failing inspection, a shipment picked and cancelled; then in
the QMS a record opened, closed and signed. After a deliberate change of a rule,
`python -m tests.translation_golden` writes the facts anew; a person judges the difference.
"""

from __future__ import annotations

import dataclasses
import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from streams.model.rows import RowChange, SourceTransaction
from streams.model.translation import Rejected
from tests.translation_stream import Translation

STREAM = Path(__file__).parent / "golden" / "translate" / "stream.jsonl"
ERPNEXT = STREAM.with_name("erpnext.jsonl")
"""Documents of an ERPNext site, written by hand after its tables: `tests.translation_erpnext`."""
TIMES = ("committed_at", "ingested_at")


def transaction_of(line: dict[str, Any]) -> SourceTransaction:
    """A recorded transaction."""
    fields = dict(line["transaction"])
    changes = tuple(RowChange(**change) for change in fields.pop("changes"))
    times: dict[str, Any] = {name: datetime.fromisoformat(fields.pop(name)) for name in TIMES}
    return SourceTransaction(**fields, **times, changes=changes)


def told(fact: Any) -> dict[str, Any]:
    """A fact as it is kept: its own fields, and what of the envelope a rule decides."""
    if isinstance(fact, Rejected):
        return {"rejected": fact.table, "key": fact.key, "column": fact.column, "code": fact.code}
    fields = {
        field.name: getattr(fact, field.name)
        for field in dataclasses.fields(fact)
        if field.name != "envelope"
    }
    envelope = fact.envelope
    kept = {
        "type": envelope.event_type,
        "event_id": envelope.event_id,
        "version": envelope.subject_version,
        "occurred_at": envelope.occurred_at,
        "source": f"{envelope.source.op} {envelope.source.table} {envelope.source.ordinal}",
        "actor": f"{envelope.actor.user_id} / {envelope.actor.printed_name}",
        **fields,
    }
    plain: dict[str, Any] = json.loads(json.dumps(kept, default=_plain))
    return plain


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    return dataclasses.asdict(value)  # type: ignore[call-overload]


def lines(file: Path = STREAM) -> list[dict[str, Any]]:
    """The recorded lines."""
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def write_facts(file: Path) -> None:
    """Translate the recorded transactions and keep what follows."""
    translation = Translation()
    found = []
    for line in lines(file):
        line["facts"] = [told(fact) for fact in translation.feed(transaction_of(line))]
        found.append(json.dumps(line, separators=(",", ":"), sort_keys=True))
    file.write_text("\n".join(found) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_facts(STREAM)
    write_facts(ERPNEXT)
