"""Dead letters: what they tell, and what of it is believed when they are read back."""

from __future__ import annotations

import pytest

from streams.engine.control import origin_of, replaying
from streams.engine.kafka.records import Record
from streams.engine.poison.letters import Origin, dead_letter, fitting
from streams.engine.poison.stored import StoredRecord
from streams.errors import Misconfigured
from streams.runtime.logging import Scrubber

pytestmark = pytest.mark.urs("M3.3")


def test_a_dead_letter_keeps_the_bytes_and_bounds_the_stack() -> None:
    def deep(depth: int) -> None:
        if depth:
            deep(depth - 1)
        raise ValueError("x" * 10_000)

    origin = Origin("dlq.g", "a.topic", 2, "g", "stage", "7")
    bad = StoredRecord(9, b"k", b"\xff\0", (("mine", b"1"), ("lotgate-dlq-code", b"old")), (1, 55))
    with pytest.raises(ValueError, match="x") as failed:
        deep(300)
    topic, key, value, headers = dead_letter(origin, bad, failed.value, attempts=2)
    told = dict(headers or [])
    assert (topic, key, value) == ("dlq.g", b"k", b"\xff\0")
    assert told["mine"] == b"1"
    assert told["lotgate-dlq-code"] == b"rule_failed"
    assert told["lotgate-dlq-cause"] == b"a.topic[2]@9"
    assert told["lotgate-dlq-attempts"] == b"2"
    assert 0 < len(told["lotgate-dlq-stack"]) <= 8 * 1024
    assert len(told["lotgate-dlq-message"]) <= 2_000


def test_a_dead_letter_that_its_topic_cannot_take_is_a_named_stop() -> None:
    origin = Origin("dlq.g", "a.topic", 2, "g", "stage", "7")
    large = StoredRecord(9, b"k", b"x" * 1_000)
    letter_ = dead_letter(origin, large, ValueError("no"))
    assert fitting(letter_, 10_000) == letter_
    with pytest.raises(Misconfigured, match=r"a\.topic/2/9 takes \d+ bytes") as stop:
        fitting(letter_, 1_000)
    assert stop.value.code == "dead_letter_too_large"


STORY = {
    "topic": b"a.topic",
    "partition": b"2",
    "offset": b"9",
    "timestamp": b"55",
}


def letter(**change: bytes | None) -> Record:
    told = {**STORY, **change}
    headers = [(f"lotgate-dlq-{name}", value) for name, value in told.items() if value is not None]
    return Record("dlq.g", 0, 3, 2_000, b"k", b"value", tuple(headers))


def test_a_dead_letter_says_where_it_came_from() -> None:
    assert origin_of(letter()) == ("a.topic", 2, 9)
    decision = replaying(letter(), actor="quality", reason="again")
    assert decision.record == StoredRecord(9, b"k", b"value", (), (1, 55))


@pytest.mark.parametrize(
    "change",
    [
        {"topic": None},
        {"topic": b""},
        {"topic": b"a/b"},
        {"topic": b"\xff\xfe"},
        {"topic": b"x" * 250},
        {"partition": None},
        {"partition": b"two"},
        {"partition": b"-1"},
        {"partition": b"2147483648"},
        {"partition": b" 2"},
        {"offset": b"1_0"},
        {"offset": "\u0663".encode()},
        {"offset": b"9" * 5_000},
        {"offset": b"9223372036854775808"},
        {"timestamp": b"soon"},
        {"timestamp": b"99999999999999999999"},
    ],
    ids=str,
)
def test_headers_of_a_dead_letter_are_not_trusted(change: dict[str, bytes | None]) -> None:
    (name,) = change
    with pytest.raises(Misconfigured, match=f"lotgate-dlq-{name}") as refused:
        replaying(letter(**change), actor="quality", reason="again")
    assert refused.value.code == "no_dead_letter"
    assert len(str(refused.value)) < 500


def test_a_dead_letter_says_which_rule_and_schemas_and_hides_secrets() -> None:
    origin = Origin(
        "dlq.g", "a.topic", 2, "g", "stage", "7", "rules.lot:decide@3", "lots", "test.Lot",
        Scrubber(("hunter22",)),
    )  # fmt: skip

    def connect(dsn: str) -> None:
        raise OSError(f"cannot reach {dsn} with sasl_password='s3cr3t' or hunter22")

    with pytest.raises(OSError, match="cannot reach") as failed:
        connect("postgresql://quality:p@ss/w0rd@db:5432/qms")
    framed = StoredRecord(9, b"k", b"\0\0\0\0\x2aabc")
    _, _, value, headers = dead_letter(origin, framed, failed.value)
    told = {name.removeprefix("lotgate-dlq-"): text.decode() for name, text in headers or ()}
    assert value == framed.value()
    assert (told["rule"], told["store"]) == ("rules.lot:decide@3", "lots")
    assert told["schema"] == "writer=42 reader=test.Lot"
    for name in ("message", "stack"):
        assert "db:5432" in told[name]
        for secret in ("p@ss", "w0rd", "s3cr3t", "hunter22"):
            assert secret not in told[name]
    for unframed in (None, b"", b"\0\1", b"plain text"):
        _, _, _, headers = dead_letter(origin, StoredRecord(9, b"k", unframed), failed.value)
        assert dict(headers or ())["lotgate-dlq-schema"] == b"reader=test.Lot"
