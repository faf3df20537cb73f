"""Source transactions become canonical facts, by the translator that each source names.

Translators are found by entry point, so the mapping of another system is a package of its own.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from streams.contracts.topics import FACTS, TRANSLATE_INPUT
from streams.engine import Store
from streams.errors import Misconfigured, Poison
from streams.model.translation import Rejected, TranslateEntry
from streams.rules.translation import translate

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.engine import Lotgate
    from streams.model.rows import SourceTransaction
    from streams.model.translation import Translator, TranslatorLookup
    from streams.rules.translation import EntryView

GROUP = "lotgate.translators"
"""Entry point group; each entry is a class that is made without arguments."""

ENTRIES = Store("translate", TranslateEntry, "lotgate.cdc.TranslateEntry")

LISTED = 20
"""Rejected rows that one dead letter spells out."""


def installed() -> TranslatorLookup:
    """The translators that are installed, each loaded when it is first asked for."""
    found = {entry.name: entry for entry in entry_points(group=GROUP)}
    loaded: dict[str, Translator] = {}

    def lookup(name: str) -> Translator:
        if name not in loaded:
            if name not in found:
                raise Misconfigured(
                    f"no translator {name!r} is installed; there are {', '.join(sorted(found))}",
                    code="unknown_translator",
                    kept="the transaction was not consumed; nothing of the source is lost",
                    advice=f"install the package that has the entry point {name} in the group "
                    f"{GROUP}, or correct the source's translator setting",
                )
            loaded[name] = found[name].load()()
        return loaded[name]

    return lookup


def register(app: Lotgate, translators: TranslatorLookup | None = None) -> None:
    """Bind the translation. Its state is a join, so it needs no dedupe by position.

    Args:
        app: The worker.
        translators: Gives the translator of a name; the installed ones if None.
    """
    lookup = translators or installed()

    def decide(view: EntryView, transaction: SourceTransaction) -> tuple[object, ...]:
        said = translate(view, transaction, lookup(transaction.translator))
        rejected = [item for item in said if isinstance(item, Rejected)]
        facts = tuple(item for item in said if not isinstance(item, Rejected))
        return (*facts, as_poison(rejected)) if rejected else facts

    app.stage(
        TRANSLATE_INPUT,
        store=ENTRIES,
        emits=(*FACTS, TRANSLATE_INPUT),
        scope="partition",
        name="translate",
    )(decide)


def as_poison(rejected: Iterable[Rejected]) -> Poison:
    """One dead letter for all rejected rows of a record, while its other rows flow."""
    items = tuple(rejected)
    first = items[0]
    told = [f"{item.message} ({item.code}; {item.advice})" for item in items[:LISTED]]
    if len(items) > LISTED:
        told.append(f"and {len(items) - LISTED} more rows")
    if len(items) == 1:
        message, advice = first.message, first.advice
    else:
        message = f"{len(items)} rows of the transaction were rejected: " + "; ".join(told)
        advice = "do for each row as its text says"
    return Poison(message, code=first.code, kept=first.kept, advice=advice)
