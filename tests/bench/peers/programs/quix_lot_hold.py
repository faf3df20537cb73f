"""The reference job on Quix Streams, exactly once. Settings come as JSON in the one argument."""

from __future__ import annotations

import json
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import fastavro
from quixstreams import Application, State  # type: ignore[import-not-found]
from quixstreams.models import Deserializer, Serializer  # type: ignore[import-not-found]

FRAME = 5
NEW = {"seq": 0, "n": 0, "fails": 0, "held": False}


class Events(Deserializer):  # type: ignore[misc]
    """The whole event, by fastavro."""

    def __init__(self, schema: Any) -> None:
        super().__init__()
        self._schema = fastavro.parse_schema(schema)

    def __call__(self, value: bytes, ctx: Any) -> Any:  # noqa: ARG002 - its name is Quix's
        return fastavro.schemaless_reader(BytesIO(value[FRAME:]), self._schema, None)


class Holds(Serializer):  # type: ignore[misc]
    """A hold in Confluent's frame."""

    def __init__(self, schema: Any, schema_id: int) -> None:
        super().__init__()
        self._schema = fastavro.parse_schema(schema)
        self._frame = b"\0" + schema_id.to_bytes(4, "big")

    def __call__(self, value: Any, ctx: Any) -> bytes:  # noqa: ARG002 - its name is Quix's
        buffer = BytesIO()
        buffer.write(self._frame)
        fastavro.schemaless_writer(buffer, self._schema, value)
        return buffer.getvalue()


def decide(event: dict[str, Any], state: State) -> dict[str, Any] | None:
    """Count failures; the second of a lot gives a hold."""
    known = state.get("lot") or NEW
    seq = event["source_seq"]
    if seq <= known["seq"]:
        return None
    fails = known["fails"] + (not event["lower"] <= event["value"] <= event["upper"])
    holds = fails >= 2 and not known["held"]
    state.set(
        "lot", {"seq": seq, "n": known["n"] + 1, "fails": fails, "held": known["held"] or holds}
    )
    if not holds:
        return None
    return {"lot": event["lot"], "fails": fails, "source_seq": seq}


def main(given: dict[str, Any]) -> None:
    """Run until ended."""
    app = Application(
        broker_address=given["bootstrap"],
        consumer_group=given["group"],
        state_dir=given["folder"],
        auto_offset_reset="earliest",
        processing_guarantee="exactly-once",
        loglevel="WARNING",
        **given.get("settings", {}),
    )
    events = Events(given["schema"])
    holds = Holds(given["hold_schema"], given["hold_id"])
    source = app.topic(given["input"], key_deserializer="str", value_deserializer=events)
    target = app.topic(given["output"], key_serializer="str", value_serializer=holds)
    frame = app.dataframe(source).apply(decide, stateful=True)
    frame.filter(lambda hold: hold is not None).to_topic(target)
    app.run()


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
