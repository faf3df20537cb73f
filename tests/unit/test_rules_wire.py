"""States and messages of the hold stages survive their bytes, and stages are bound as declared."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.agents import cause as cause_agent
from streams.agents import lot as lot_agent
from streams.agents import register_all
from streams.contracts.catalog import Catalog
from streams.contracts.codec import Codec
from streams.contracts.file_registry import FileRegistry
from streams.contracts.topics import (
    CAUSE_INPUT,
    GENEALOGY,
    HOLD_ACKS,
    HOLD_COMMANDS,
    HOLD_STATE,
    INSPECTIONS,
    LOT_INPUT,
    LOTS,
    NONCONFORMITIES,
    Topic,
)
from streams.engine import Lotgate
from streams.rules.cases.plant import Plant
from tests.laws.hold_facts import ack
from tests.laws.hold_histories import TARGETS, histories
from tests.laws.hold_oracle import Fact

pytestmark = pytest.mark.urs("M4.4")

TOPICS: tuple[Topic[Any], ...] = (
    *(NONCONFORMITIES, INSPECTIONS, LOTS, GENEALOGY, HOLD_ACKS, CAUSE_INPUT, LOT_INPUT),
    *(HOLD_COMMANDS, HOLD_STATE, cause_agent.CAUSES.topic, lot_agent.LOT_STATES.topic),
)
BY_TYPE: dict[type[Any], Topic[Any]] = {topic.event: topic for topic in TOPICS}


class PlantOverBytes(Plant):
    """A plant in which every event and every state goes through its bytes."""

    def __init__(self, codec: Codec) -> None:
        super().__init__(TARGETS)
        self._codec = codec

    def handle(self, event: object) -> tuple[object, ...]:
        emits = super().handle(self.copied(event))
        self.lots = {key: self.copied(state) for key, state in self.lots.items()}
        self.causes = {key: self.copied(state) for key, state in self.causes.items()}
        return emits

    def copied(self, value: Any) -> Any:
        topic = BY_TYPE[type(value)]
        copy = self._codec.decode(topic, self._codec.encode(topic, value))
        assert copy == value
        return copy


@pytest.fixture(scope="module")
def codec(tmp_path_factory: pytest.TempPathFactory) -> Codec:
    folder: Path = tmp_path_factory.mktemp("registry")
    made = Codec(Catalog.load(), FileRegistry(folder / "registry.json"))
    made.prepare(TOPICS, register=True)
    return made


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(histories(reversals=True), st.integers(0, 2**32))
def test_a_history_over_bytes_ends_like_one_in_memory(
    codec: Codec, facts: list[Fact], seed: int
) -> None:
    in_memory, over_bytes = Plant(TARGETS), PlantOverBytes(codec)
    for fact in facts:
        in_memory.run([fact])
        over_bytes.run([fact])
    read_back = [ack(command, "contained") for command in in_memory.commands]
    random.Random(seed).shuffle(read_back)
    in_memory.run(read_back)
    over_bytes.run(read_back)
    assert over_bytes.lots == in_memory.lots
    assert over_bytes.causes == in_memory.causes
    assert over_bytes.states == [over_bytes.copied(state) for state in in_memory.states]
    assert over_bytes.commands == [over_bytes.copied(sent) for sent in in_memory.commands]


def test_the_stages_are_bound_as_the_main_job_says() -> None:
    app = Lotgate("lotgate-test")
    register_all(app, targets=("erp",))
    bound = {
        (stage.name, stage.topic.name): (stage.store_name, {topic.name for topic in stage.emits})
        for stage in app.stages
    }
    lot_input, cause_input = {LOT_INPUT.name}, {CAUSE_INPUT.name}
    assert (
        bound.items()
        >= {
            ("route-cause-nonconformity", NONCONFORMITIES.name): (
                "route-cause-nonconformity",
                cause_input,
            ),
            ("route-cause-inspection", INSPECTIONS.name): ("route-cause-inspection", cause_input),
            ("cause", CAUSE_INPUT.name): ("cause", lot_input),
            ("route-lot-lot", LOTS.name): ("route-lot-lot", lot_input),
            ("route-lot-genealogy", GENEALOGY.name): ("route-lot-genealogy", lot_input),
            ("route-lot-ack", HOLD_ACKS.name): ("route-lot-ack", lot_input),
            ("lot", LOT_INPUT.name): ("lot", {*lot_input, HOLD_COMMANDS.name, HOLD_STATE.name}),
        }.items()
    )
    assert not any(stage.dedupes_by_position for stage in app.stages if stage.scope == "key")
