"""Events that are read when they are used: the same as those that are read at once."""

from __future__ import annotations

import copy
import pickle
from dataclasses import dataclass, fields, make_dataclass, replace
from typing import TYPE_CHECKING, Any, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.contracts.topics import HOLD_COMMANDS
from streams.contracts.wire.plan import plan
from streams.contracts.wire.reading.late import LateReader
from streams.engine import Stage, Store, Topic, Verdict
from streams.engine.testing import Driver
from streams.errors import Poison
from tests.unit.contract_samples import SAMPLES
from tests.unit.contract_user_type import EVERYTHING, TOPICS, Everything, prepared
from tests.unit.test_contracts_codec import EVENTS

if TYPE_CHECKING:
    from streams.contracts.codec import Codec

pytestmark = pytest.mark.urs("M3.1")

NAMES = [field.name for field in fields(Everything)]
Whole: Any = make_dataclass(
    "Whole", list(get_type_hints(Everything).items()), frozen=True, slots=True
)
"""`Everything` as the model's events are laid out: by slots."""
WHOLE = Topic("late.whole.events", Whole, EVERYTHING, lambda event: event.text)
WHOLES = EVENTS.map(lambda event: Whole(**{name: getattr(event, name) for name in NAMES}))
USES = st.lists(st.sampled_from(NAMES), max_size=6)


@pytest.fixture(scope="module")
def codec(tmp_path_factory: pytest.TempPathFactory) -> Codec:
    return made(tmp_path_factory)


def made(folders: pytest.TempPathFactory) -> Codec:
    codec = prepared(folders.mktemp("registry") / "r.json")
    codec.prepare([WHOLE], register=True)
    return codec


def late(codec: Codec, topic: Topic[Any], payload: bytes) -> Any:
    return codec.readers(topic)[payload[:5]](payload)


def found(read: Any) -> Any:
    """What comes of reading: the value, or the code of the refusal."""
    try:
        return read()
    except Poison as refused:
        return ("refused", refused.code)


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_every_event_of_the_model_can_be_read_late(codec: Codec, topic: Topic[Any]) -> None:
    event = SAMPLES[topic.schema] if isinstance(topic.schema, str) else None
    payload = codec.encode(topic, event)
    for _ in range(3):
        assert late(codec, topic, payload) == event
        assert event == late(codec, topic, payload)


@settings(max_examples=60, deadline=None)
@given(seen=st.lists(st.tuples(WHOLES, USES), min_size=1, max_size=4))
def test_whatever_is_used_in_whatever_order_is_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, seen: list[tuple[Any, list[str]]]
) -> None:
    codec = made(tmp_path_factory)
    for event, used in seen:
        read = late(codec, WHOLE, codec.encode(WHOLE, event))
        for name in used:
            assert getattr(read, name) == getattr(event, name)
        assert read == event


@settings(max_examples=120, deadline=None)
@given(event=WHOLES, data=st.data(), name=st.sampled_from(NAMES))
def test_spoilt_bytes_are_refused_at_once_or_by_the_use_of_the_field(
    codec: Codec, event: Any, data: st.DataObject, name: str
) -> None:
    payload = bytearray(codec.encode(WHOLE, event))
    at = data.draw(st.integers(5, len(payload) - 1))
    if data.draw(st.booleans()):
        payload[at] = data.draw(st.integers(0, 255))
    else:
        del payload[at : at + data.draw(st.integers(1, 9))]
    spoilt = bytes(payload)
    at_once = found(lambda: codec.decode(WHOLE, spoilt))
    read = found(lambda: late(codec, WHOLE, spoilt))
    if not isinstance(read, Whole):
        assert not isinstance(at_once, Whole)
        return
    each = {name: found(lambda name=name: getattr(read, name)) for name in NAMES}
    if isinstance(at_once, Whole):
        assert each == {name: getattr(at_once, name) for name in NAMES}
    else:
        assert at_once in each.values()
    # What was used of other records changes nothing for this one.
    fresh = LateReader(plan(EVERYTHING, Whole), "unused", 2**21, lambda _: None)
    assert found(lambda: getattr(fresh.read(spoilt), name)) == each[name]


def test_a_late_event_is_of_its_class_to_all_who_ask(codec: Codec) -> None:
    event = SAMPLES["lotgate.inventory.HoldCommand"]
    payload = codec.encode(HOLD_COMMANDS, event)
    read = late(codec, HOLD_COMMANDS, payload)
    assert isinstance(read, type(event))
    assert read.__class__ is type(event)
    assert repr(read) == repr(codec.decode(HOLD_COMMANDS, payload))
    assert hash(read) == hash(event)
    assert replace(late(codec, HOLD_COMMANDS, payload), lot_id="L") == replace(event, lot_id="L")
    for taken in (copy.copy(read), copy.deepcopy(read), pickle.loads(pickle.dumps(read))):  # noqa: S301 - our own bytes
        assert type(taken) is type(event)
        assert taken == event
    assert not hasattr(read, "nothing_of_the_kind")
    with pytest.raises(AttributeError):
        read.lot_id = "another"
    assert codec.encode(HOLD_COMMANDS, read) == payload


@dataclass(frozen=True, slots=True)
class Note:
    lot: str
    text: str


@dataclass(frozen=True, slots=True)
class Lot:
    notes: int = 0
    last: str = ""


def test_a_field_that_is_no_text_costs_the_records_whose_rule_reads_it() -> None:
    text = {"type": "record", "name": "test.late.Note"} | {
        "fields": [{"name": "lot", "type": "string"}, {"name": "text", "type": "string"}]
    }
    kept = {"type": "record", "name": "test.late.Lot"} | {
        "fields": [{"name": "notes", "type": "long"}, {"name": "last", "type": "string"}]
    }
    notes = Topic("notes", Note, text, lambda note: note.lot)

    def count(lot: Lot | None, note: Note) -> Verdict[Lot]:
        lot = lot or Lot()
        return Verdict(Lot(lot.notes + 1, note.text if note.lot == "read" else lot.last))

    with Driver(Stage("count", notes, count, Store("lots", Lot, kept))) as driver:
        for lot in ("unread", "read", "unread", "read"):
            driver.send(Note(lot, "well"))
            good = driver.codec.encode(notes, Note(lot, "no text"))
            driver.send_raw(lot.encode(), good[:-2] + b"\xff\xfe")
            driver.send_raw(lot.encode(), good[:-1])
        driver.settle()
        assert driver.state("unread") == Lot(4)
        assert driver.state("read") == Lot(2, "well")
        codes = [dict(letter.headers)["lotgate-dlq-code"] for letter in driver.dead_letters()]
        assert codes.count(b"bad_value") == 2
        assert codes.count(b"truncated_body") == 4
