"""`lotgate schema check`: what breaks the promises, in the files and in a live registry."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import click

from streams.contracts.evolution.levels import Level, findings_at, level_named
from streams.contracts.wire.schema_tree import self_contained, shape, title_of
from streams.operator.answers.apps import app_option
from streams.operator.answers.tooling import as_json, codec_of
from streams.operator.schema.options import (
    consumers_option,
    contracts_at,
    contracts_option,
    json_option,
    level_option,
    meant,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from streams.contracts.codec import Codec
    from streams.contracts.evolution.contracts import Complaint, Contracts
    from streams.contracts.topics import Topic


@click.command("check")
@app_option
@click.option("--offline", is_flag=True, help="Compare with the published set; ask no registry.")
@contracts_option
@consumers_option
@level_option
@json_option
@click.pass_context
def check(ctx: click.Context, /, *, offline: bool, json_wanted: bool, **given: Any) -> None:
    """Compare the schemas with what was published, with their readers, and with the registry.

    Exit code 4 on any difference; each names file and line, field, and the readers it hurts.
    """
    wanted = Level(given["level"].upper())
    contracts = contracts_at(given["contracts"], given["more"])
    complaints = _complaints(contracts, wanted, given["place"], given["contracts"])
    answer: dict[str, Any] = {
        "wanted_level": wanted,
        "complaints": [dataclasses.asdict(each) for each in complaints],
    }
    if not offline:
        answer |= _registry(ctx, given["place"], contracts, wanted)
    if json_wanted:
        click.echo(as_json(answer))
    else:
        _say(complaints, answer, contracts)
    if complaints or not _is_well(answer):
        ctx.exit(4)


def _complaints(
    contracts: Contracts, wanted: Level, place: str | None, root: Path | None
) -> list[Complaint]:
    """What is wrong in the files; a user's own app is not about the product's files."""
    return contracts.complaints(wanted) if place is None or root is not None else []


def _registry(
    ctx: click.Context, place: str | None, contracts: Contracts, wanted: Level
) -> dict[str, Any]:
    settings, topics, readers = meant(ctx, place)
    contracts = dataclasses.replace(contracts, consumers=(*contracts.consumers, *readers))
    with codec_of(settings, settings.connection()) as codec:
        level = level_named(codec.registry.level(), "the registry")
        subjects = [_state(codec, topic, contracts, wanted, level) for topic in topics]
    return {"level": level, "subjects": subjects}


def _state(
    codec: Codec, topic: Topic[Any], contracts: Contracts, wanted: Level, level: Level
) -> dict[str, Any]:
    """A subject as the registry has it: there, missing or refused, and what is wrong with it."""
    subject, schema, registry = codec.subject(topic), codec.schema(topic), codec.registry
    own = registry.subject_level(subject)
    present = level_named(own, f"the subject {subject}") if own is not None else level
    versions = registry.versions(subject)
    name = title_of(schema)
    reasons, hurts = [], dict[str, None]()
    for number, finding in findings_at(wanted, _others(versions, schema), schema):
        reasons.append(contracts.explained(schema, number, finding))
        hurts.update(dict.fromkeys(contracts.hurt(name, number, finding)))
    found = registry.lookup(subject, schema)
    state = "there" if found is not None else "missing"
    if found is None and (reasons or not registry.compatible(subject, schema)):
        state = "refused"
        reasons = reasons or ["the registry refuses it and gives no reason"]
    return {
        "subject": subject,
        "state": state,
        "id": found,
        "level": present,
        "weak": not present.demands(wanted),
        "reasons": reasons,
        "hurts": list(hurts),
        "waiting": list(_waiting(codec, name, versions, contracts)) if found is None else [],
    }


def _others(versions: tuple[Any, ...], schema: Any) -> list[Any]:
    """The registered versions but for the one that is meant."""
    mine = shape(schema)
    return [version for version in versions if shape(self_contained(version)) != mine]


def _waiting(
    codec: Codec, name: str, versions: tuple[Any, ...], contracts: Contracts
) -> Iterator[str]:
    """Readers that need a version which the registry does not have yet."""
    shapes = {shape(self_contained(version)) for version in versions}
    for reader in contracts.consumers:
        if reader.reads != name or name not in codec.catalog.names():
            continue
        newest = codec.catalog.version_of(name)
        enough = range(reader.minimum, newest + 1)
        if not any(shape(codec.catalog.schema(name, number)) in shapes for number in enough):
            yield f"{reader.name} needs version {reader.minimum} of {name}"


def _is_well(answer: dict[str, Any]) -> bool:
    return all(
        each["state"] == "there" and not each["weak"] and not each["reasons"]
        for each in answer.get("subjects", ())
    )


def _say(complaints: list[Complaint], answer: dict[str, Any], contracts: Contracts) -> None:
    for complaint in complaints:
        click.echo(f"BROKEN   {complaint}")
    if not complaints:
        files = len(contracts.catalog.declarations())
        click.echo(f"kept     {files} schema files, {len(contracts.consumers)} readings of them")
    for each in answer.get("subjects", ()):
        state = "REFUSED" if each["state"] == "refused" else each["state"]
        click.echo(f"{state:<8} {each['subject']}")
        if each["weak"]:
            click.echo(f"WEAK     {each['subject']} is at {each['level']}: publish sets its level")
        for reason in each["reasons"]:
            click.echo(f"         {reason}")
        for reader in each["waiting"]:
            click.echo(f"         {reader}: publish before it starts")
