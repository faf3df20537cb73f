"""What the engine changes about Faust, and why it must."""

from __future__ import annotations

from typing import Any

import pytest

from streams.engine import Lotgate

pytestmark = pytest.mark.urs("M4.4")


async def test_a_batch_that_waits_for_its_stage_outlives_a_new_assignment() -> None:
    """Faust opens its flow some moments after an assignment; the next cycle may be under way."""
    app = Lotgate("plugin-test")
    channel = app.channel()
    stream = channel.stream()
    queue: Any = channel.queue
    outbox: Any = stream.outbox
    flow = app.flow_control
    flow.resume()
    queue.put_nowait("a batch")
    outbox.put_nowait("what a stage gave")
    flow.resume()
    assert queue.get_nowait() == "a batch"
    assert outbox.get_nowait() == "what a stage gave"
