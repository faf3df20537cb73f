"""`lotgate schema diff`: what a new version says that the old one did not, and whom it hurts."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from streams.contracts.evolution.consumers import nearest
from streams.contracts.evolution.levels import Level, findings_at
from streams.contracts.evolution.upcasters import UPCASTERS
from streams.contracts.wire.schema_tree import inline, title_of
from streams.errors import Misconfigured
from streams.operator.answers.tooling import as_json
from streams.operator.schema.options import (
    consumers_option,
    contracts_at,
    contracts_option,
    json_option,
    level_option,
)
from streams.operator.schema.words import changes

if TYPE_CHECKING:
    from streams.contracts.catalog import Catalog
    from streams.contracts.evolution.contracts import Contracts

_NAMED = re.compile(r"(?P<name>[A-Za-z_][\w.]*?)(?:(?:\.v|@)(?P<version>[1-9][0-9]*))?")


@dataclasses.dataclass(frozen=True)
class _Side:
    """A schema that is compared: what to call it, its version if it has one, its content."""

    title: str
    version: int
    schema: Any


@click.command("diff")
@click.argument("old")
@click.argument("new")
@contracts_option
@consumers_option
@level_option
@json_option
def diff(*, old: str, new: str, level: str, json_wanted: bool, **given: Any) -> None:
    """Say in words what differs between OLD and NEW, and whether both may be on one topic.

    Each is a schema file, or a type's name: nonconformity.v1, lotgate.quality.Nonconformity@2.
    Exit code 4 if the level forbids that both are on one topic.
    """
    contracts = contracts_at(given["contracts"], given["more"])
    before, after = _side(old, contracts.catalog), _side(new, contracts.catalog)
    found = changes(before.schema, after.schema)
    against = _against(contracts, before, after, Level(level.upper()))
    if json_wanted:
        click.echo(
            as_json(
                {
                    "old": before.title,
                    "new": after.title,
                    "changes": [dataclasses.asdict(change) for change in found],
                    "level": level,
                    "against": against,
                }
            )
        )
    else:
        _say(before, after, [str(change) for change in found], level, against)
    if against:
        click.get_current_context().exit(4)


def _against(
    contracts: Contracts, before: _Side, after: _Side, level: Level
) -> list[dict[str, Any]]:
    name = title_of(after.schema)
    return [
        {"reason": str(found), "hurts": list(contracts.hurt(name, before.version, found))}
        for _, found in findings_at(level, [before.schema], after.schema)
    ]


def _say(
    before: _Side, after: _Side, found: list[str], level: str, against: list[dict[str, Any]]
) -> None:
    click.echo(f"{before.title} → {after.title}")
    for line in found or ["nothing differs"]:
        click.echo(f"  {line}")
    for each in against:
        hurts = f"; hurts {', '.join(each['hurts'])}" if each["hurts"] else ""
        click.echo(f"REFUSED  {each['reason']}{hurts}")
    steps = UPCASTERS.get(title_of(after.schema), {})
    for number in range(before.version, after.version):
        if number in steps:
            click.echo(f"Records of version {number} are completed when they are read.")
    if not against:
        click.echo(f"Both may be on one topic ({level}).")


def _side(text: str, catalog: Catalog) -> _Side:
    """The schema that an argument names: a file, or a type of the contracts."""
    if text.endswith(".avsc") or "/" in text:
        return _from_file(Path(text), catalog)
    matched = _NAMED.fullmatch(text)
    name = _full_name(matched["name"] if matched else text, catalog)
    asked = matched["version"] if matched else None
    version = int(asked) if asked else catalog.version_of(name)
    return _Side(f"{name} version {version}", version, catalog.schema(name, version))


def _from_file(path: Path, catalog: Catalog) -> _Side:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        schema = inline(content, lambda name: _latest(catalog, name))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Misconfigured(
            f"{path} cannot be compared: {error}",
            code="bad_schema_file",
            advice="give a schema file (.avsc), or a type's name with its version",
        ) from error
    numbered = re.search(r"\.v([1-9][0-9]*)\.avsc$", path.name)
    return _Side(path.name, int(numbered[1]) if numbered else 1, schema)


def _latest(catalog: Catalog, name: str) -> dict[str, Any] | None:
    known = [file.schema for file in catalog.declarations() if file.name == name]
    return known[-1] if known else None


def _full_name(given: str, catalog: Catalog) -> str:
    wanted = given.lower().replace("_", "")
    for name in catalog.names():
        if wanted in {name.lower(), name.rpartition(".")[2].lower()}:
            return name
    short = {name.rpartition(".")[2]: name for name in catalog.names()}
    raise Misconfigured(
        f"No schema file declares {given!r}{nearest(given, (*short, *catalog.names()))}",
        code="unknown_schema",
        advice="give a type's name, full or short, with .v<N> or without, or a file",
    )
