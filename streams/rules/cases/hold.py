"""Cases of the group `hold`: causes, genealogy, commands; and read-backs against the clock."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from streams.model.facts import Disposition
from streams.model.hold import HoldAction
from streams.rules.cases.case import Case, differences, events_of, mapping, only, orders_of
from streams.rules.cases.facts import SITE, fact_of, instant, known_lot, lot_of, lots_named
from streams.rules.cases.plant import Plant
from streams.rules.hold.cause import deciding_version
from streams.rules.hold.read_back import Judgement, ReadBack, ReadBackClock, judged
from streams.rules.hold.route_cause import NONCONFORMITY
from streams.rules.hold.spread import open_causes
from streams.rules.hold.view import needs_review

if TYPE_CHECKING:
    from collections.abc import Mapping

_TARGET = "target"
_LOT = frozenset({"disposition", "place", "open_causes", "held_since_event"})
_COUNTS = frozenset({"release_commands", "hold_commands", "review_tasks", "depth_guard_case"})
_EXPECTED = _COUNTS | {"lots", "applied_version"}
_LOT_GIVEN = frozenset({"disposition", "place", "known"})
_READ_BACK = frozenset({"at_s", "target_http", "read_back"})
_CLOCK = frozenset({"ack_retry_after_s", "breach_after_s", "source_commit_at"})
_STATE_AT = re.compile(r"state_at_s_(\d+)")


def run(case: Case) -> list[str]:
    """Run a case in each of its orders.

    Returns:
        What differs; empty if nothing does.

    Raises:
        Unsupported: The case asks for what the shipped rules or this runner do not have.
    """
    inputs = events_of(case)
    if any("read_back" in raw for raw in inputs):
        return _read_backs(case, inputs)
    for raw in inputs:
        fact_of(raw)
    only(mapping(case.given, "given"), frozenset({"lots"}), "given")
    only(mapping(case.expected, "expected"), _EXPECTED | {"then"}, "expected")
    orders = orders_of(case, len(inputs))
    found: list[str] = []
    for order in orders:
        where = f" (order {list(order)})" if len(orders) > 1 else ""
        delivered = tuple(inputs[index] for index in order)
        found.extend(difference + where for difference in _one_order(case, delivered))
    return found


@dataclass(slots=True)
class _Run:
    """A plant, and what the case may ask about it."""

    plant: Plant = field(default_factory=lambda: Plant((_TARGET,)))
    restless: int = 0
    held_since: dict[str, str] = field(default_factory=dict)

    def deliver(self, raw: Mapping[str, Any]) -> None:
        sent = len(self.plant.commands)
        self.restless += not self.plant.run([fact_of(raw)])
        for command in self.plant.commands[sent:]:
            if command.action == HoldAction.HOLD:
                self.held_since.setdefault(command.lot_id, str(raw["type"]))
            else:
                self.held_since.pop(command.lot_id, None)


def _one_order(case: Case, inputs: tuple[Mapping[str, Any], ...]) -> list[str]:
    run_ = _Run()
    then = case.expected.get("then")
    _make_known(run_.plant, case, (*inputs, *([then["event"]] if then else ())))
    for raw in inputs:
        run_.deliver(raw)
    expected = {key: value for key, value in case.expected.items() if key != "then"}
    found = differences(expected, _seen(run_, expected, since=0))
    if then:
        only(then, _EXPECTED | {"event"}, "then")
        sent = len(run_.plant.commands)
        run_.deliver(then["event"])
        after = {key: value for key, value in then.items() if key != "event"}
        found.extend(differences(after, _seen(run_, after, since=sent), "then"))
    return found


def _make_known(plant: Plant, case: Case, inputs: tuple[Mapping[str, Any], ...]) -> None:
    """Lots are known before the case begins, unless it says otherwise."""
    given = case.given.get("lots", {})
    for name in sorted({*given, *(lot for raw in inputs for lot in lots_named(raw))}):
        lot = given.get(name, {})
        only(lot, _LOT_GIVEN, f"given.lots.{name}")
        if lot.get("known", True):
            plant.run([known_lot(name, lot)])


def _seen(run_: _Run, expected: Mapping[str, Any], since: int) -> dict[str, Any]:
    sent = [command.action for command in run_.plant.commands[since:]]
    return {
        "lots": {name: _lot(run_, name, wanted) for name, wanted in expected["lots"].items()}
        if "lots" in expected
        else {},
        "applied_version": {
            _short(cause_id): deciding_version(state.told)
            for cause_id, state in run_.plant.causes.items()
        },
        "release_commands": sent.count(HoldAction.RELEASE),
        "hold_commands": sent.count(HoldAction.HOLD),
        "review_tasks": sum(
            needs_review(state, cause.ref)
            for state in run_.plant.lots.values()
            for cause in state.causes
        ),
        "depth_guard_case": run_.restless,
    }


def _lot(run_: _Run, name: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
    only(wanted, _LOT, f"expected.lots.{name}")
    state = run_.plant.lots.get(lot_of(name))
    if state is None:
        return {}
    standing = open_causes(state)
    return {
        "disposition": Disposition.RESTRICTED if standing else state.disposition,
        "place": state.place,
        "open_causes": sorted(_short(cause.ref.cause_id) for cause in standing),
        "held_since_event": run_.held_since.get(state.lot_id),
    }


def _short(cause_id: str) -> str:
    """A nonconformity's id as the case writes it; other causes keep their type."""
    return cause_id.removeprefix(f"{NONCONFORMITY}:{SITE}:")


def _read_backs(case: Case, inputs: tuple[Mapping[str, Any], ...]) -> list[str]:
    only(mapping(case.given, "given"), _CLOCK, "given")
    for raw in inputs:
        only(raw, _READ_BACK, "a read-back")
    expected = mapping(case.expected, "expected")
    moments = {key: int(found[1]) for key in expected if (found := _STATE_AT.fullmatch(key))}
    only(expected, frozenset({*moments, "breach_at", "ever_applied"}), "expected")
    end = max(*moments.values(), *(raw["at_s"] for raw in inputs))
    differing: list[str] = []
    for order in orders_of(case, len(inputs)):
        delivered = [inputs[index] for index in order]
        at_end = _judged(case.given, delivered, end)
        seen: dict[str, Any] = {
            key: _judged(case.given, delivered, second).standing for key, second in moments.items()
        }
        seen["ever_applied"] = at_end.applied_at is not None
        breach = at_end.breach_at
        seen["breach_at"] = breach.isoformat().replace("+00:00", "Z") if breach else None
        differing.extend(differences(expected, seen))
    return differing


def _judged(given: Mapping[str, Any], inputs: list[Mapping[str, Any]], second: int) -> Judgement:
    begin = instant(given["source_commit_at"])
    clock = ReadBackClock(
        timedelta(seconds=given["ack_retry_after_s"]),
        timedelta(seconds=given["breach_after_s"]),
    )
    backs = [ReadBack(begin + timedelta(seconds=raw["at_s"]), raw["read_back"]) for raw in inputs]
    return judged(begin, Disposition.RESTRICTED, backs, begin + timedelta(seconds=second), clock)
