"""Field policy: what a zone may see is decided before a sink sees a record."""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.runner.declared import policy_of
from connectors.runner.declared.flow import KEPT, declared
from streams.contracts.catalog import Catalog
from streams.contracts.documents import parsed
from streams.contracts.zones import Policy, TaggedField, Tokens, Zones, tagged_fields
from streams.contracts.zones.document import Rule, Zone, checked, known_fields
from streams.contracts.zones.tags import Stated, refuse_strange, shipped_tags
from streams.errors import Misconfigured, Poison
from streams.model.hold import HoldCommand
from streams.runtime.connection import KafkaConnection
from tests.unit.contract_samples import SAMPLES

pytestmark = pytest.mark.urs("M1.4")

CATALOG = Catalog.load()
COMMAND = "lotgate.inventory.HoldCommand"
KEY = base64.b64encode(bytes(range(64))).decode()
OTHER_KEY = base64.b64encode(bytes(64)).decode()
NOWHERE = KafkaConnection("localhost:1")


def fields(name: str = COMMAND) -> tuple[TaggedField, ...]:
    return tagged_fields(CATALOG.schema(name), shipped_tags())


def zone(*rules: Rule) -> Zone:
    return Zone(doc="A zone.", rules=rules)


def rule(action: str, *tags: str, field: str = "") -> Rule:
    given = {"id": "Z-1", "tags": tags, "action": action, "reason": "Because."}
    return Rule.model_validate({**given, "fields": (field,) if field else ()})


def sample() -> HoldCommand:
    command: HoldCommand = SAMPLES[COMMAND]
    return command


def test_persons_are_told_apart_outside_and_named_inside_alone() -> None:
    tokens = Tokens(KEY)
    outside = Policy("cloud", zone(rule("tokenise", "pii")), fields(), tokens, KEPT)
    seen = outside.applied(sample()).envelope.actor
    actor = sample().envelope.actor
    assert actor.printed_name not in str(seen)
    assert tokens.value_of(seen.user_id, "lotgate.core.Actor.user_id") == actor.user_id
    assert outside.applied(sample()) == outside.applied(sample())
    assert replace(outside.applied(sample()), envelope=sample().envelope) == sample()
    inside = Policy("site", zone(), fields(), None, KEPT)
    assert inside.applied(sample()) is sample()


def test_a_denied_field_names_its_rule_and_an_empty_one_tells_nothing() -> None:
    policy = Policy("cloud", zone(rule("deny", field=f"{COMMAND}.reason")), fields(), None, KEPT)
    with pytest.raises(
        Poison, match=r"rule Z-1 keeps lotgate\.inventory\.HoldCommand\.reason"
    ) as told:
        policy.applied(sample())
    assert told.value.code == "zone_denied"
    quiet = replace(sample(), reason="")
    assert policy.applied(quiet) is quiet


def test_the_first_rule_that_covers_a_field_decides() -> None:
    rules = zone(rule("pass", field="lotgate.core.Actor.user_id"), rule("tokenise", "pii"))
    seen = Policy("cloud", rules, fields(), Tokens(KEY), KEPT).applied(sample()).envelope.actor
    assert seen.user_id == sample().envelope.actor.user_id
    assert seen.printed_name.startswith("tok.")


def test_what_a_sink_works_by_is_never_taken_away() -> None:
    with pytest.raises(Misconfigured, match="lot_id: the sink works by it") as refused:
        Policy("cloud", zone(rule("deny", "gxp")), fields(), None, KEPT)
    assert refused.value.code == "zone_breaks_sink"
    field = f"{COMMAND}.hold_version"
    with pytest.raises(Misconfigured, match="it is no text"):
        Policy("cloud", zone(rule("tokenise", field=field)), fields(), Tokens(KEY))


def test_without_a_key_nothing_starts() -> None:
    with pytest.raises(Misconfigured) as refused:
        Policy("cloud", zone(rule("tokenise", "pii")), fields())
    assert refused.value.code == "token_key_missing"


@dataclass(frozen=True)
class Person:
    """Someone."""

    names: tuple[str, ...]


@dataclass(frozen=True)
class Team:
    """Some people."""

    people: tuple[Person, ...]
    lead: Person | None = None


TEAM = {
    "type": "record",
    "name": "t.Team",
    "fields": [
        {
            "name": "people",
            "type": {
                "type": "array",
                "items": {
                    "type": "record",
                    "name": "Person",
                    "fields": [
                        {
                            "name": "names",
                            "type": {"type": "array", "items": "string"},
                            "tags": ["pii"],
                        }
                    ],
                },
            },
        },
        {"name": "lead", "type": ["null", "t.Person"], "default": None},
    ],
}


def test_tags_in_a_schema_reach_into_lists_and_named_types() -> None:
    policy = Policy("cloud", zone(rule("tokenise", "pii")), tagged_fields(TEAM, {}), Tokens(KEY))
    seen = policy.applied(Team((Person(("A", "B")), Person(())), Person(("A",))))
    assert [len(person.names) for person in seen.people] == [2, 0]
    assert seen.lead is not None
    assert seen.lead.names == seen.people[0].names[:1]
    assert all(name.startswith("tok.") for name in seen.people[0].names)
    assert policy.applied(Team(())) == Team(())


@given(st.text(), st.text())
def test_a_token_is_read_with_its_key_for_its_field_alone(value: str, other: str) -> None:
    tokens = Tokens(KEY)
    token = tokens.token_of(value, "t.F")
    assert tokens.value_of(token, "t.F") == value
    assert (tokens.token_of(other, "t.F") == token) == (other == value)
    for reader, field, text in (
        (Tokens(OTHER_KEY), "t.F", token),
        (tokens, "t.G", token),
        (tokens, "t.F", token[:-4]),
        (tokens, "t.F", value),
    ):
        with pytest.raises(Poison) as refused:
            reader.value_of(text, field)
        assert refused.value.code == "bad_token"


@pytest.mark.parametrize("key", ["", "x", KEY[:-4], "ä"])
def test_a_key_of_another_length_is_refused(key: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        Tokens(key)
    assert refused.value.code == "bad_token_key"


ZONES = """zones:
  cloud:
    doc: Outside.
    rules:
      - id: Z-1
        fields: [lotgate.inventory.HoldCommand.reson]
        action: deny
        reason: Because.
      - id: Z-2
        fields: [lotgate.inventory.HoldCommand.hold_version]
        action: tokenise
        reason: Because.
sinks:
  erp: clowd
  epr: cloud
"""


def test_a_field_zone_or_system_that_does_not_exist_is_told_with_its_line() -> None:
    document = parsed(ZONES, "zones.yaml", Zones)
    told = {str(each) for each in checked(document, known_fields(CATALOG), ["erp"])}
    assert told == {
        f"zones.yaml:6: rule Z-1: no schema has '{COMMAND}.reson'; the nearest is {COMMAND}.reason",
        f"zones.yaml:10: rule Z-2: {COMMAND}.hold_version is no text, so it has no token; deny it",
        "zones.yaml:14: there is no zone 'clowd'; the nearest is cloud",
        "zones.yaml:15: there is no system 'epr'; the nearest is erp",
    }
    with pytest.raises(Misconfigured, match=r"zones.yaml:5: .*a rule names tags or fields"):
        parsed(ZONES.replace("        fields: [lotgate.inventory.HoldCommand.reson]\n", ""),
               "zones.yaml", Zones)  # fmt: skip


def test_the_shipped_tags_name_fields_that_exist() -> None:
    refuse_strange(shipped_tags(), CATALOG)
    wrong: tuple[tuple[Stated, str], ...] = (
        ({"lotgate.core.Aktor": {}}, "nearest is lotgate.core.Actor"),
        ({"lotgate.core.Actor": {"user": []}}, "nearest is user_id"),
        ({"lotgate.core.Actor": {"role": ["pji"]}}, "nearest is pii"),
    )
    for stated, told in wrong:
        with pytest.raises(Misconfigured, match=told):
            refuse_strange(stated, CATALOG)


def test_a_sink_is_given_the_policy_of_its_own_zone(tmp_path: Path) -> None:
    contracts = Path(__file__).parents[2] / "deploy" / "contracts"
    for name in ("interfaces.yaml", "zones.yaml"):
        text = (contracts / name).read_text(encoding="utf-8")
        (tmp_path / name).write_text(text.replace("erp: site", "erp: cloud"), encoding="utf-8")
    flow = declared(tmp_path, "erp-hold", "erp", NOWHERE)
    policy = policy_of(tmp_path, flow, COMMAND, KEY)
    assert policy is not None
    with pytest.raises(Poison, match="rule CLOUD-1"):
        policy.applied(sample())
    assert policy_of(None, None, COMMAND) is None
    text = (contracts / "zones.yaml").read_text(encoding="utf-8").replace("  erp: site\n", "")
    (tmp_path / "zones.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(Misconfigured, match="system erp is in no zone"):
        policy_of(tmp_path, flow, COMMAND, KEY)
