"""The reference job on stock Faust, with its defaults: at least once, a RocksDB table.

Settings come as JSON in a file that `BENCH_SETTINGS` names; the arguments are Faust's own.
"""

from __future__ import annotations

import json
import os
from io import BytesIO
from pathlib import Path
from typing import Any

import fastavro
import faust

FRAME = 5
NEW = {"seq": 0, "n": 0, "fails": 0, "held": False}
GIVEN = json.loads(Path(os.environ["BENCH_SETTINGS"]).read_text(encoding="utf-8"))
EVENT = fastavro.parse_schema(GIVEN["schema"])
HOLD = fastavro.parse_schema(GIVEN["hold_schema"])
HOLD_FRAME = b"\0" + GIVEN["hold_id"].to_bytes(4, "big")

app = faust.App(
    GIVEN["group"],
    broker=f"kafka://{GIVEN['bootstrap']}",
    store="rocksdb://",
    datadir=GIVEN["folder"],
    topic_partitions=GIVEN["partitions"],
    topic_disable_leader=True,
    web_enabled=False,
)
inspections = app.topic(GIVEN["input"], key_serializer="raw", value_serializer="raw")
holds = app.topic(GIVEN["output"], key_serializer="raw", value_serializer="raw")
lots: Any = app.Table("lots", partitions=GIVEN["partitions"])


def encoded(hold: dict[str, Any]) -> bytes:
    """A hold in Confluent's frame."""
    buffer = BytesIO()
    buffer.write(HOLD_FRAME)
    fastavro.schemaless_writer(buffer, HOLD, hold)
    return buffer.getvalue()


@app.agent(inspections)
async def hold(stream: Any) -> None:
    """Count failures; the second of a lot gives a hold."""
    async for value in stream:
        event: Any = fastavro.schemaless_reader(BytesIO(value[FRAME:]), EVENT, None)
        lot, seq = event["lot"], event["source_seq"]
        known = lots.get(lot) or NEW
        if seq <= known["seq"]:
            continue
        fails = known["fails"] + (not event["lower"] <= event["value"] <= event["upper"])
        held = known["held"]
        if fails >= 2 and not held:
            held = True
            body = encoded({"lot": lot, "fails": fails, "source_seq": seq})
            await holds.send(key=lot.encode(), value=body)
        lots[lot] = {"seq": seq, "n": known["n"] + 1, "fails": fails, "held": held}


if __name__ == "__main__":
    app.main()
