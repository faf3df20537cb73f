"""Ownership: what a system says of an entity goes on as far as the system owns it.

A stage of your own binds it to the topic on which systems propose, and to the canonical topic that
everyone else reads. What another system says of an attribute that it does not own never reaches the
canonical topic; a `MasterdataConflict` says who tried what.
"""

from __future__ import annotations

from dataclasses import fields, replace
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

from pydantic import TypeAdapter

from streams.contracts.ownership import Kept, ruling
from streams.contracts.topics import Topic
from streams.engine import Store, Verdict
from streams.errors import Misconfigured
from streams.model.canonical.conflict import MasterdataConflict, OwnedEntity, OwnedValue
from streams.model.ids import derived_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from streams.contracts.ownership import Attempted, Entity, Ownership
    from streams.engine import Lotgate

E = TypeVar("E")

CONFLICTS = Topic(
    "masterdata.conflict.events",
    MasterdataConflict,
    "lotgate.masterdata.MasterdataConflict",
    lambda conflict: conflict.entity_id,
    retention_ms=-1,
    doc="A system stated an attribute that another one owns.",
    provenance="chain",
)


def register(
    app: Lotgate,
    ownership: Ownership,
    proposed: Topic[E],
    accepted: Topic[E],
    identity: Iterable[str],
) -> None:
    """Bind the rule of ownership for one entity. Its state is a join by entity.

    Args:
        app: The worker.
        ownership: The owners.
        proposed: What systems say; an event carries an `envelope`, whose source is the system.
        accepted: What counts, with the same type of event.
        identity: Attributes that name the entity.

    Raises:
        Misconfigured: `unowned_entity`: the entity has no owner.
    """
    entity = accepted.schema if isinstance(accepted.schema, str) else accepted.event.__name__
    owners = ownership.entities.get(entity)
    if owners is None:
        raise Misconfigured(
            f"ownership.yaml names no owner of {entity}",
            code="unowned_entity",
            kept="nothing was read",
            advice="add the entity with its owner",
        )
    name = f"own-{entity.rpartition('.')[2].lower()}"
    store = Store(name, OwnedEntity, "lotgate.masterdata.OwnedEntity")
    decide = decision(owners, entity, proposed.key, frozenset(identity))
    app.stage(proposed, store=store, emits=(accepted, CONFLICTS), name=name)(decide)


def decision(
    owners: Entity, entity: str, key: Callable[[Any], str], identity: frozenset[str]
) -> Callable[[OwnedEntity | None, Any], Verdict[OwnedEntity]]:
    """The rule over one entity's state.

    Args:
        owners: Who owns what.
        entity: Full name of its type.
        key: Gives an event's key: the entity's id.
        identity: Attributes that name the entity: to name it states nothing about it.
    """

    def decide(state: OwnedEntity | None, event: Any) -> Verdict[OwnedEntity]:
        stands = {v.attribute: Kept(v.value, v.system) for v in (state or OwnedEntity()).values}
        said = {
            name: form.dump_json(getattr(event, name)).decode()
            for name, form in _forms(event)
            if name not in identity
        }
        judged = ruling(owners, event.envelope.source.system, said, stands)
        told = [_conflict(event, entity, key(event), each) for each in judged.attempted]
        out = [_accepted(event, judged.kept), *told] if judged.passes else told
        return Verdict(_state(judged.kept), tuple(out))

    return decide


def _forms(event: Any) -> tuple[tuple[str, TypeAdapter[Any]], ...]:
    kind: Any = type(event)
    return _written(kind)


@cache
def _written(event: Any) -> tuple[tuple[str, TypeAdapter[Any]], ...]:
    hints = get_type_hints(event)
    names = (field.name for field in fields(event) if field.name != "envelope")
    return tuple((name, TypeAdapter(hints[name])) for name in names)


def _accepted(event: Any, kept: Mapping[str, Kept]) -> Any:
    forms = ((name, form) for name, form in _forms(event) if name in kept)
    values = {name: form.validate_json(kept[name].value) for name, form in forms}
    return replace(event, **values)


def _state(kept: Mapping[str, Kept]) -> OwnedEntity:
    return OwnedEntity(
        tuple(OwnedValue(name, each.value, each.system) for name, each in sorted(kept.items()))
    )


def _conflict(event: Any, entity: str, entity_id: str, tried: Attempted) -> MasterdataConflict:
    root = event.envelope
    envelope = replace(
        root,
        event_id=derived_id("masterdata_conflict", root.event_id, tried.attribute),
        event_type="lotgate.masterdata.masterdata_conflict",
        causation_id=root.event_id,
    )
    return MasterdataConflict(
        envelope,
        entity,
        entity_id,
        tried.attribute,
        tried.owner,
        root.source.system,
        tried.tried,
        tried.kept,
    )
