"""Laws of the ERPNext translation: the order and repetition of a transaction's rows say nothing."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.translators.erpnext.tables import ENTRY
from streams.model.rows import RowChange, SourceTransaction
from tests.translation_erpnext import HOLD, Erpnext
from tests.translation_golden import told
from tests.translation_stream import Translation

pytestmark = pytest.mark.urs("M2.1", "M4.4", "X7")

LAWFUL = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
STEPS = st.lists(st.tuples(st.sampled_from("rmticdsn"), st.integers(0, 999)), max_size=14)


class History(Erpnext):
    """A site that lives by drawn numbers."""

    def __init__(self, *, bundles: bool) -> None:
        super().__init__(bundles=bundles)
        self.batches: list[str] = []
        self.vouchers: list[str] = []

    def live(self, steps: list[tuple[str, int]]) -> list[SourceTransaction]:
        for number, (kind, pick) in enumerate(steps):
            self.run(*self.drawn(kind, pick, number))
        return self.log

    def drawn(self, kind: str, pick: int, number: int) -> list[RowChange]:
        if kind == "r" or not self.batches:
            return self.received(number)
        some = self.batches[pick % len(self.batches)]
        if kind in "mc":
            return self.made(some, pick, number) if kind == "m" else self.undone(pick)
        if kind in "td":
            return self.moved_out(some, number, back=kind == "t")
        if kind == "s":
            return [self.batch(f"{some}-{number}", parent_batch=some)]
        if kind == "n":
            return [self.nonconformance(f"NC-{pick % 3}", custom_batch_no=some)]
        named = {"batch_no": some} if pick % 2 else {"reference_name": self.vouchers[0]}
        status = ("Accepted", "Rejected", "Odd")[pick % 3]
        return [self.inspection(f"QI-{pick % 4}", docstatus=1, status=status, **named)]

    def received(self, number: int) -> list[RowChange]:
        self.batches.append(f"R/{number}")
        self.vouchers.append(f"PR-{number}")
        return [self.batch(f"R/{number}"), *self.receive(f"PR-{number}", f"R/{number}")]

    def made(self, some: str, pick: int, number: int) -> list[RowChange]:
        inputs = sorted({some, self.batches[pick // 3 % len(self.batches)]})
        self.batches.append(f"H-{number}")
        self.vouchers.append(f"SE-{number}")
        order = f"WO-{pick % 3}" if pick % 2 else None
        entry = self.stock_entry(f"SE-{number}", inputs, [f"H-{number}"], work_order=order)
        return [self.batch(f"H-{number}", "HOUSING"), *entry]

    def moved_out(self, some: str, number: int, *, back: bool) -> list[RowChange]:
        """A delivery, or a transfer to another warehouse."""
        voucher = ("Stock Entry" if back else "Delivery Note", f"DN-{number}")
        self.vouchers.append(voucher[1])
        out = self.ledger(voucher, some, "-2.5")
        return [*out, *self.ledger(voucher, some, "2.5", HOLD)] if back else out

    def undone(self, pick: int) -> list[RowChange]:
        number = self.vouchers[pick % len(self.vouchers)]
        known = (ENTRY, number) in self.rows
        entry = [self.write(ENTRY, number, docstatus=2)] if known else []
        return [*entry, *self.cancelled(number)]


def meant(said: list[Any]) -> list[str]:
    """What was said, without which of the rows completed it and who wrote that row."""
    kept = [{k: v for k, v in told(item).items() if k not in {"source", "actor"}} for item in said]
    return sorted(map(str, kept))


def disturbed(whole: SourceTransaction, chance: random.Random) -> SourceTransaction:
    """The rows of a transaction in another order, some of them written more than once."""
    rows = list(whole.changes)
    chance.shuffle(rows)
    rows += [row for row in rows if chance.random() < 0.3]
    return replace(whole, changes=tuple(replace(row, ordinal=at) for at, row in enumerate(rows)))


@LAWFUL
@given(STEPS, st.randoms(use_true_random=False), st.booleans())
def test_the_order_and_repetition_of_rows_in_a_transaction_say_nothing(
    steps: list[tuple[str, int]], chance: random.Random, bundles: bool
) -> None:
    plain, other = Translation(), Translation()
    for whole in History(bundles=bundles).live(steps):
        assert meant(other.feed(disturbed(whole, chance))) == meant(plain.feed(whole))


@LAWFUL
@given(STEPS)
def test_a_transaction_delivered_again_says_nothing_new(steps: list[tuple[str, int]]) -> None:
    once, twice = Translation(), Translation()
    log = History(bundles=False).live(steps)
    once.feed(*log)
    for whole in log:
        twice.feed(whole, whole)
    assert set(meant(twice.said)) == set(meant(once.said))


@LAWFUL
@given(STEPS)
def test_bundles_and_batch_columns_mean_the_same(steps: list[tuple[str, int]]) -> None:
    of_columns, of_bundles = Translation(), Translation()
    of_columns.feed(*History(bundles=False).live(steps))
    of_bundles.feed(*History(bundles=True).live(steps))
    assert meant(of_bundles.said) == meant(of_columns.said)
