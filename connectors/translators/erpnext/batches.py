"""Lot facts: a batch exists, changed, or stock of it arrived."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from connectors.translators.erpnext.genealogy import Statement, renamed, stated
from connectors.translators.erpnext.site import Name, Site, optional
from connectors.translators.erpnext.stock import place_of
from connectors.translators.erpnext.tables import BATCH
from connectors.translators.reading import BadRow, Record, written
from streams.model.facts import Disposition, Lot
from streams.model.ids import parts_of
from streams.model.translation import UNSTAMPED, CoalescedRow, Draft, Rejected

if TYPE_CHECKING:
    from collections.abc import Iterator

LOT = "lotgate.inventory.lot"


def lot_drafts(
    site: Site, key: str, row: CoalescedRow, arrived: Decimal | None, known_as: str
) -> Iterator[Draft | Rejected]:
    """Facts of one batch.

    A batch that was renamed is a second lot to all who know it by its old name, so both names are
    joined by edges in both directions: a hold on either reaches both.

    Args:
        site: The source.
        key: Key of the batch.
        row: The last change that concerns it.
        arrived: Quantity that came into use; None if nothing did.
        known_as: Key under which it was known before this transaction.
    """
    batch = site.keyed(BATCH, key)
    if batch is None:
        yield from _gone(site, key, row, arrived)
        return
    try:
        name = site.name_of(batch)
    except BadRow:
        _keep_arrival(site, key, arrived)
        raise
    quantity = _with_waiting(site, key, arrived)
    known = written(site.rows.kept(f"lot {known_as}").get("lot_id"))
    site.rows.keep(f"lot {key}", {"lot_id": name.lot})
    yield _lot(site, batch, name, row, quantity)
    if known and known != name.lot:
        yield from renamed(site, name.lot, known, row)
    parent = optional(batch, "parent_batch")
    pairs = [(batch.text("name"), parent)] if parent else []
    yield from stated(site, Statement(f"batch {key}", "split"), pairs, batch, row)


def _lot(
    site: Site, batch: Record, name: Name, row: CoalescedRow, quantity: Decimal | None
) -> Draft:
    disposition = Disposition.CLOSED if batch.flag("disabled") else Disposition.UNRESTRICTED
    place = place_of(site, batch.text("name"))
    fact = Lot(
        UNSTAMPED,
        lot_id=name.lot,
        material=name.material,
        number=name.number,
        disposition=disposition,
        place=place,
        arrived=quantity is not None,
        quantity=quantity,
        unit=site.unit_of(batch),
        xrefs={site.origin.translator: f"Batch,{batch.text('name')}"},
    )
    return Draft(
        fact,
        event_type=LOT,
        subject_id=name.lot,
        identity=(name.lot,),
        completed_by=row,
        matters=(name.lot, disposition, place),
        always=quantity is not None,
        actor=site.actor(row.image),
    )


def _gone(site: Site, key: str, row: CoalescedRow, arrived: Decimal | None) -> Iterator[Draft]:
    """A deleted batch is closed; stock of one that was never seen waits for it."""
    former = written(site.rows.kept(f"lot {key}").get("lot_id"))
    if not former:
        _keep_arrival(site, key, arrived)
        if row.table != BATCH and row.op != "r":
            raise BadRow(
                Record(row.table, row.key, row.image),
                "batch_no",
                f"{BATCH} {key} is not known",
                code="reference_unknown",
                advice=f"check that {BATCH} is in the source's publication; the arrival is told "
                "as soon as the batch is known",
            )
        return
    _, material, number = parts_of(former)
    fact = Lot(
        UNSTAMPED,
        lot_id=former,
        material=material,
        number=number,
        disposition=Disposition.CLOSED,
        xrefs={site.origin.translator: f"Batch,{number}"},
    )
    yield Draft(
        fact,
        event_type=LOT,
        subject_id=former,
        identity=(former,),
        completed_by=row,
        matters=(former, Disposition.CLOSED, ""),
        actor=site.actor(row.image),
    )


def _with_waiting(site: Site, key: str, arrived: Decimal | None) -> Decimal | None:
    """What arrived now and what was kept before; None if nothing did."""
    waiting = site.rows.kept(f"arrival {key}").get("quantity")
    site.rows.keep(f"arrival {key}", {})
    if arrived is None and waiting is None:
        return None
    return (arrived or Decimal(0)) + Decimal(written(waiting) or 0)


def _keep_arrival(site: Site, key: str, arrived: Decimal | None) -> None:
    quantity = _with_waiting(site, key, arrived)
    if quantity is not None:
        site.rows.keep(f"arrival {key}", {"quantity": format(quantity, "f")})
