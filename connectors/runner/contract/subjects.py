"""Subjects of raw topics: their compatibility level, and whether a schema may go under one."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from streams.contracts.evolution import problems
from streams.contracts.registry import FULL_TRANSITIVE
from streams.errors import Misconfigured

if TYPE_CHECKING:
    from streams.contracts.registry import Registry

REFUSALS = frozenset({"incompatible_schema", "schema_refused"})
"""Codes of a registry that answers, and does not take this one schema."""
PERMITTED = "NONE"
"""The level by which a person lets a subject take what its readers could not follow."""
TOLD = 2
"""Reasons that a message spells out."""
_NUMBERS = frozenset({"int", "long", "float", "double", "bytes"})
_log = logging.getLogger(__name__)


def frame(schema_id: int) -> bytes:
    """What stands before an Avro body: a zero byte and the schema's id."""
    return b"\0" + schema_id.to_bytes(4, "big")


class Subjects:
    """Gives the schemas of raw topics their ids.

    A new version passes two judges: our own, which knows that another scale of a decimal or
    another unit of a time reads old values as other values, and the registry at the subject's
    level. A level that a person set at the subject is left as it is; `NONE` there waives both.

    Args:
        registry: The registry.
        guard: Set levels and judge; False leaves all of it to the registry as it stands.
    """

    def __init__(self, registry: Registry, *, guard: bool) -> None:
        self._registry = registry
        self._guard = guard
        self._told = False

    def id_of(self, subject: str, schema: dict[str, Any]) -> int:
        """The id of a schema under a subject, registered if it is new.

        Raises:
            Misconfigured: With a code of `REFUSALS` if this schema is refused.
            Transient: The registry is not available.
        """
        if self._guard:
            known = self._registry.lookup(subject, schema)
            if known is not None:
                return known
            if self._level(subject) != PERMITTED:
                self._judge(subject, schema)
        return self._registry.register(subject, schema)

    def _level(self, subject: str) -> str:
        """The subject's own level; set if there is none."""
        found = self._registry.subject_level(subject)
        if found is not None:
            return found
        try:
            self._registry.set_subject_level(subject, FULL_TRANSITIVE)
        except Misconfigured as error:
            self._tell(subject, error)
        return FULL_TRANSITIVE

    def _tell(self, subject: str, error: Misconfigured) -> None:
        if self._told:
            return
        self._told = True
        _log.warning(
            "the registry does not let this source set the level of %s and of its other subjects "
            "(%s); its level is %s. Schemas are still judged here before they are registered; "
            "set %s at the registry, so that other writers are judged too",
            subject,
            error.message,
            self._registry.level(),
            FULL_TRANSITIVE,
        )

    def _judge(self, subject: str, schema: dict[str, Any]) -> None:
        new = _meant(schema)
        for number, earlier in enumerate(self._registry.versions(subject), 1):
            found = problems(_meant(earlier), new)
            if found:
                more = f" and {len(found) - TOLD} more" if len(found) > TOLD else ""
                raise Misconfigured(
                    f"The schema for {subject} cannot live beside its version {number}: "
                    + "; ".join(found[:TOLD])
                    + more,
                    code="incompatible_schema",
                )


def _meant(schema: Any) -> Any:
    """A schema in which what a number means is always said by its logical type.

    A larger precision reads every value as before, so it is left out of the comparison.
    """
    if isinstance(schema, list):
        return [_meant(branch) for branch in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: _meant(value) if name in _NESTED else value for name, value in schema.items()}
    if isinstance(schema.get("type"), str) and schema["type"] in _NUMBERS:
        found.pop("precision", None)
        meaning = schema.get("logicalType") or schema.get("connect.name")
        if meaning is not None:
            found["logicalType"] = meaning
    return found


_NESTED = frozenset({"type", "fields", "items", "values"})
