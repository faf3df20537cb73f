"""The policy of one zone on one type of event: what a sink gets to see. Pure but for the key."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from streams.errors import Misconfigured, Poison

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.contracts.zones.document import Rule, Zone
    from streams.contracts.zones.tags import TaggedField
    from streams.contracts.zones.tokens import Tokens

E = TypeVar("E")
_UNSAID = (None, "", "unknown")
"""Values that tell nothing, so nothing is denied or hidden."""


class Policy:
    """What one zone does to one type of event.

    Args:
        zone_name: The zone, for dead letters.
        zone: Its rules.
        fields: The event type's fields.
        tokens: Makes tokens; None if there is no key.
        kept: Fields that the sink works by (its key, its ids): a rule on one is refused.

    Raises:
        Misconfigured: `token_key_missing`, or `zone_breaks_sink`: a rule would take away what the
            sink works by.
    """

    def __init__(
        self,
        zone_name: str,
        zone: Zone,
        fields: Iterable[TaggedField],
        tokens: Tokens | None = None,
        kept: frozenset[str] = frozenset(),
    ) -> None:
        self._name = zone_name
        self._tokens = tokens
        found = ((field, zone.rule_for(field)) for field in fields)
        self._decided: list[tuple[TaggedField, Rule]] = [
            (field, rule) for field, rule in found if rule is not None and rule.action != "pass"
        ]
        for field, rule in self._decided:
            self._refuse_broken(field, rule, kept)

    def _refuse_broken(self, field: TaggedField, rule: Rule, kept: frozenset[str]) -> None:
        broken = field.path and field.path[0] in kept
        if broken or (rule.action == "tokenise" and not field.is_text):
            why = "the sink works by it" if broken else "it is no text, so it has no token"
            raise Misconfigured(
                f"rule {rule.id} of zone {self._name} is to {rule.action} {field.full}: {why}",
                code="zone_breaks_sink",
                kept="no record was read",
                advice="let it pass in an earlier rule that names the field, or correct its tags",
            )
        if rule.action == "tokenise" and self._tokens is None:
            raise Misconfigured(
                f"rule {rule.id} of zone {self._name} tokenises {field.full}, and there is no key",
                code="token_key_missing",
                kept="no record was read",
                advice="set LOTGATE_TOKEN_KEY_FILE to a file with 64 bytes in base64",
            )

    @property
    def decided(self) -> tuple[tuple[TaggedField, Rule], ...]:
        """The fields that do not simply pass, with the rule of each."""
        return tuple(self._decided)

    def applied(self, event: E) -> E:
        """The event as the zone may see it.

        Raises:
            Poison: `zone_denied`: the event has a value that the zone must not see; names the rule.
        """
        for field, rule in self._decided:
            event = self._at(event, field.path, field, rule)
        return event

    def _at(self, value: Any, path: tuple[str, ...], field: TaggedField, rule: Rule) -> Any:
        if isinstance(value, tuple | list):
            return type(value)(self._at(each, path, field, rule) for each in value)
        if value is None or (isinstance(value, str) and value in _UNSAID):
            return value
        if path:
            inner = getattr(value, path[0])
            changed = self._at(inner, path[1:], field, rule)
            return value if changed is inner else replace(value, **{path[0]: changed})
        if rule.action == "deny":
            raise Poison(
                f"rule {rule.id} keeps {field.full} out of zone {self._name}: {rule.reason}",
                code="zone_denied",
                kept="the record is here, whole; the target saw nothing of it",
                advice="send it to a target inside, or have the rule changed by its owner",
            )
        assert self._tokens is not None  # noqa: S101 - checked when the policy was made
        return self._tokens.token_of(value, field.full)
