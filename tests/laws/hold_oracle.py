"""What must be held, computed from scratch over whole sets. Shares no code with the rules.

Only the facts' own types are used: no state, no message, no rule.
"""

from __future__ import annotations

from collections.abc import Iterable

from streams.model.facts import GenealogyEdge, InspectionResult, Lot, Nonconformity

Fact = Nonconformity | InspectionResult | GenealogyEdge | Lot
Held = dict[str, frozenset[str]]


class Oracle:
    """All facts so far, as sets.

    `held` follows the rule for edges taken back: who was held stays held while the cause is open.
    """

    def __init__(self) -> None:
        self.facts: list[Fact] = []
        self.held: dict[str, set[str]] = {}

    def see(self, fact: Fact) -> None:
        self.facts.append(fact)
        before = self.held
        self.held = {}
        for cause, (named, spreads) in open_seeds(self.facts).items():
            reached = self._expanded(named | before.get(cause, set()))
            self.held[cause] = self._reach(reached) if spreads else reached

    def by_lot(self) -> Held:
        lots = {lot for lots in self.held.values() for lot in lots}
        return {
            lot: frozenset(cause for cause, held in self.held.items() if lot in held)
            for lot in lots
        }

    def _reach(self, seeds: set[str]) -> set[str]:
        edges = live_edges(self.facts)
        reached, frontier = set(seeds), list(seeds)
        while frontier:
            here = frontier.pop()
            for parent, child in edges:
                if parent == here:
                    for lot in self._expanded({child}) - reached:
                        reached.add(lot)
                        frontier.append(lot)
        return reached

    def _expanded(self, lots: set[str]) -> set[str]:
        """A number stands for itself and for every stated lot that has it."""
        found = set(lots)
        for fact in self.facts:
            if isinstance(fact, Lot):
                site, _, number = fact.lot_id.split("/")
                if f"{site}//{number}" in lots:
                    found.add(fact.lot_id)
        return found


def open_seeds(facts: Iterable[Fact]) -> dict[str, tuple[set[str], bool]]:
    """Open causes: the lots that any version named, and whether any version spreads."""
    records: dict[str, list[Nonconformity | InspectionResult]] = {}
    for fact in facts:
        if isinstance(fact, Nonconformity):
            records.setdefault(f"nonconformity:qms:{fact.nc_id}", []).append(fact)
        elif isinstance(fact, InspectionResult) and fact.verdict == "rejected":
            records.setdefault(f"inspection:erp:{fact.inspection_id}", []).append(fact)
    return {
        cause: _seed(versions)
        for cause, versions in records.items()
        if _stands(versions) and _seed(versions)[0]
    }


def live_edges(facts: Iterable[Fact]) -> set[tuple[str, str]]:
    """Parent and child of every edge whose highest version asserts it."""
    last: dict[tuple[str, str, str], GenealogyEdge] = {}
    for fact in facts:
        if isinstance(fact, GenealogyEdge):
            key = (fact.parent_lot_id, fact.child_lot_id, fact.relation)
            known = last.get(key)
            if (
                known is None
                or fact.envelope.subject_version > known.envelope.subject_version
                or (
                    fact.envelope.subject_version == known.envelope.subject_version
                    and fact.op == "assert"
                )
            ):
                last[key] = fact
    return {(key[0], key[1]) for key, fact in last.items() if fact.op == "assert"}


def ever_edges(facts: Iterable[Fact]) -> set[tuple[str, str]]:
    """Parent and child of every edge that was ever asserted."""
    return {
        (fact.parent_lot_id, fact.child_lot_id)
        for fact in facts
        if isinstance(fact, GenealogyEdge) and fact.op == "assert"
    }


def _counts(record: Nonconformity | InspectionResult) -> bool:
    if isinstance(record, InspectionResult):
        return True
    ended = record.state in ("closed", "cancelled")
    return ended or (record.state == "open" and record.severity != "unfounded")


def _stands(versions: list[Nonconformity | InspectionResult]) -> bool:
    """Versions in their own order: an opening opens, a signed close ends."""
    standing = False
    for record in sorted(versions, key=lambda record: record.envelope.subject_version):
        if isinstance(record, InspectionResult) or (
            record.state == "open" and record.severity != "unfounded"
        ):
            standing = True
        elif record.state in ("closed", "cancelled") and record.signed:
            standing = False
    return standing


def _seed(versions: list[Nonconformity | InspectionResult]) -> tuple[set[str], bool]:
    counting = [record for record in versions if _counts(record)]
    lots = {lot for record in counting for lot in record.lots}
    spreads = any(
        isinstance(record, InspectionResult) or record.severity not in ("minor", "unfounded")
        for record in counting
    )
    return lots, spreads
