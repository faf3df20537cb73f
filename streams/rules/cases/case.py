"""The format of a case file, strict: an unknown key is a case that nobody checked.

A case is a JSON object with `id`, `rule_group`, `title`, `given`, `inputs`, `expected`, `source`,
and optionally `orders` and `notes`. `orders` says in which ways the inputs are delivered, each way
with what is expected: lists of indexes into `inputs` (an index may repeat), or `all permutations`.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_REQUIRED = frozenset({"id", "rule_group", "title", "given", "inputs", "expected", "source"})
_OPTIONAL = frozenset({"orders", "notes"})
_EVERY_ORDER = frozenset({"all permutations", "any order"})
_PERMUTED_INPUTS = 6
"""The most inputs of which all orders are tried: 720 runs."""


class Unsupported(Exception):
    """The case asks for something that the shipped rules or this runner do not have."""


@dataclass(frozen=True, slots=True)
class Case:
    """A case as read; what its parts mean is its group's business.

    Attributes:
        id: Its name.
        group: Names the rules that it is about.
        given: Settings and state before the first input.
        inputs: What happens.
        expected: What must be so at the end.
        orders: Delivery orders, None for the order of `inputs`.
    """

    id: str
    group: str
    given: Any
    inputs: Any
    expected: Any
    orders: Any = None


def parsed(text: str) -> Case:
    """Read a case.

    Raises:
        Unsupported: It is not a case in this format; the text says why.
    """
    try:
        raw = json.loads(text)
    except ValueError as error:
        raise Unsupported(f"the file is not JSON: {error}") from error
    only(mapping(raw, "the file"), _REQUIRED | _OPTIONAL, "the case")
    if missing := sorted(_REQUIRED - raw.keys()):
        raise Unsupported(f"the case lacks {', '.join(missing)}")
    return Case(
        id=str(raw["id"]),
        group=str(raw["rule_group"]),
        given=raw["given"],
        inputs=raw["inputs"],
        expected=raw["expected"],
        orders=raw.get("orders"),
    )


def mapping(raw: Any, where: str) -> Mapping[str, Any]:
    """A JSON object.

    Raises:
        Unsupported: It is something else.
    """
    if not isinstance(raw, dict):
        raise Unsupported(f"{where} is not an object")
    return raw


def events_of(case: Case) -> tuple[Mapping[str, Any], ...]:
    """The inputs of a case that lists events.

    Raises:
        Unsupported: They are no list of objects.
    """
    if not isinstance(case.inputs, list):
        raise Unsupported("inputs is not a list")
    return tuple(mapping(item, "an item of inputs") for item in case.inputs)


def orders_of(case: Case, inputs: int) -> tuple[tuple[int, ...], ...]:
    """The delivery orders to run, as indexes into the inputs.

    Raises:
        Unsupported: They are a sentence that cannot be followed, or no lists of indexes.
    """
    raw = case.orders
    if raw is None:
        return (tuple(range(inputs)),)
    if isinstance(raw, str):
        if raw not in _EVERY_ORDER:
            raise Unsupported(f"the orders {raw!r} are a sentence that this runner cannot follow")
        if inputs > _PERMUTED_INPUTS:
            raise Unsupported(f"all orders of {inputs} inputs are too many: at most 6 inputs")
        return tuple(itertools.permutations(range(inputs)))
    orders = tuple(tuple(order) for order in raw if isinstance(order, list))
    indexes = {index for order in orders for index in order}
    if len(orders) != len(raw) or not orders or not indexes <= set(range(inputs)):
        raise Unsupported("orders must be lists of indexes into inputs")
    return orders


def only(values: Mapping[str, Any], known: frozenset[str], where: str) -> None:
    """Refuse keys that the runner would pass over in silence.

    Raises:
        Unsupported: A key is not known.
    """
    if unknown := sorted(values.keys() - known):
        raise Unsupported(f"{where} has the unknown key {', '.join(unknown)}")


def differences(expected: Mapping[str, Any], seen: Mapping[str, Any], where: str = "") -> list[str]:
    """Compare key by key, into nested objects. Keys that the case does not name do not count."""
    found: list[str] = []
    for key, value in expected.items():
        path = f"{where}.{key}" if where else key
        actual = seen.get(key)
        if isinstance(value, Mapping) and isinstance(actual, Mapping):
            found.extend(differences(value, actual, path))
        elif actual != value:
            found.append(f"{path}: expected {json.dumps(value)}, got {json.dumps(actual)}")
    return found
