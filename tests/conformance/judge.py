"""Found records against the oracle's, case by case, in words that a person can act on."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.conformance.normal import Names, sorting
from tests.conformance.oracle import AVRO, JSON, SNAPSHOT, Case, Form, Oracle
from tests.conformance.wire import Event

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

SHOWN = 300
"""Characters of a value that a message shows."""


@dataclass
class Verdict:
    """What comparing one case in one form led to."""

    name: str
    form: str
    problems: list[str] = field(default_factory=list)


@dataclass
class Judge:
    """Compares one form's records.

    Args:
        oracle: What is wanted.
        form: In which form.
        server: Our prefix of topics.
        clocks: Topic and column of values that a clock gives.
    """

    oracle: Oracle
    form: Form
    server: str
    clocks: Collection[tuple[str, str]] = ()
    schemas: dict[str, Verdict] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._ours = Names(self.server)
        self._theirs = Names(_server(self.oracle, self.form))

    def case(self, case: Case, found: list[Event]) -> Verdict:
        """Compare one case that has an expectation in this form."""
        verdict = Verdict(case.name, self.form.name)
        recorded = (case.expected or {})[self.form.name]
        wanted = [self._wanted(each) for each in recorded]
        unread = _unread(recorded)
        for topic in sorted({*unread, *(each.topic for each in (*wanted, *found))}):
            theirs = [each for each in wanted if each.topic == topic]
            ours = [each for each in found if each.topic == topic]
            if topic in unread:
                events = sum(each.value is not None for each in ours)
                if events != unread[topic]:
                    _add(verdict, topic, "events", unread[topic], events)
            elif topic == "heartbeat":
                self._pair(verdict, topic, "heartbeat", theirs[:1], ours[:1])
            else:
                self._pair(verdict, topic, case.name, theirs, ours)
        return verdict

    def _pair(
        self, verdict: Verdict, topic: str, case: str, theirs: list[Event], ours: list[Event]
    ) -> None:
        left = [(self._theirs.event(topic, e.key, e.value), e) for e in theirs]
        right = [(self._ours.event(topic, e.key, e.value), e) for e in ours]
        if case == SNAPSHOT:
            left.sort(key=lambda pair: sorting(pair[0]))
            right.sort(key=lambda pair: sorting(pair[0]))
        if len(left) != len(right):
            what = [[each[0]["key"] for each in side] for side in (left, right)]
            _add(verdict, topic, f"{len(left)} records wanted, {len(right)} found: keys", *what)
        for number, ((want, their), (have, our)) in enumerate(zip(left, right, strict=False)):
            for path, *values in differences(self._unclocked(want), self._unclocked(have)):
                _add(verdict, topic, f"[{number}]{path}", *values)
            self._schemas(topic, their, our)

    def _schemas(self, topic: str, their: Event, our: Event) -> None:
        for part, wanted, found in zip(("key", "value"), their.schemas, our.schemas, strict=True):
            if wanted is None:
                continue
            left, right = self._theirs.schema(wanted), self._ours.schema(found)
            name = f"{topic}-{part}"
            known = self.schemas.setdefault(name, Verdict(f"schema {name}", self.form.name))
            for path, *values in differences(left, right):
                _add(known, topic, f"{part} schema{path}", *values)

    def _unclocked(self, event: dict[str, Any]) -> dict[str, Any]:
        value = event["value"]
        if not isinstance(value, dict):
            return event
        kept = dict(value)
        for image in ("before", "after"):
            if isinstance(kept.get(image), dict):
                kept[image] = {
                    name: _masked(each) if (event["topic"], name) in self.clocks else each
                    for name, each in kept[image].items()
                }
        return {**event, "value": kept}

    def _wanted(self, record: dict[str, Any]) -> Event:
        key, value = record["key"], record["value"]
        topic = record["topic"]
        if self.form is JSON:
            schemas = (key and key["schema"], value and value["schema"])
            key, value = key and key["payload"], value and value["payload"]
        elif self.form is AVRO:
            ids = record["key_schema_id"], record["value_schema_id"]
            schemas = tuple(self.oracle.schemas.get(each) for each in ids)  # type: ignore[assignment]
        else:
            schemas = (None, None)
        if isinstance(key, dict) and set(key) == {"serverName"}:
            topic = "heartbeat"
        return Event(topic, key, value, schemas)


def _add(verdict: Verdict, topic: str, path: str, wanted: Any, found: Any) -> None:
    line = f"{topic} {path}: wanted {_short(wanted)}, found {_short(found)}"
    if line not in verdict.problems:
        verdict.problems.append(line)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}… ({len(text)} characters)"


def _masked(value: Any) -> Any:
    return re.sub(r"\d", "0", value) if isinstance(value, str) else type(value).__name__


def _server(oracle: Oracle, form: Form) -> str:
    for case in oracle.cases:
        for record in (case.expected or {}).get(form.name, ()):
            value = record["value"] or {}
            value = value.get("payload", value)
            if isinstance(value.get("source"), dict):
                return str(value["source"]["name"])
    return ""


def _unread(records: list[dict[str, Any]]) -> dict[str, int]:
    """Topics of which the oracle counted events but could not read any: its count."""
    topics = {each["topic"] for each in records}
    missing: dict[str, int] = {}
    for record in records:
        value = record["value"] or {}
        value = value.get("payload", value)
        for each in value.get("data_collections") or () if record["topic"] == "transaction" else ():
            topic = re.sub(r"[^A-Za-z0-9._-]", "_", each["data_collection"])
            if topic not in topics and "$" not in each["data_collection"]:
                missing[topic] = each["event_count"]
    return missing


def differences(wanted: Any, found: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Where two values differ: path, wanted, found."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        for name in [*wanted, *(each for each in found if each not in wanted)]:
            if name not in found:
                yield f"{path}.{name}", wanted[name], "nothing"
            elif name not in wanted:
                yield f"{path}.{name}", "nothing", found[name]
            else:
                yield from differences(wanted[name], found[name], f"{path}.{name}")
    elif isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        for number, (left, right) in enumerate(zip(wanted, found, strict=True)):
            yield from differences(left, right, f"{path}[{_label(left, number)}]")
    elif wanted != found or isinstance(wanted, bool) != isinstance(found, bool):
        yield path, wanted, found


def _label(member: Any, number: int) -> str:
    if isinstance(member, dict):
        return str(member.get("name") or member.get("field") or number)
    return str(number)
