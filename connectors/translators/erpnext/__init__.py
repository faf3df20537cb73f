"""ERPNext as a source: batches, the stock ledger, stock entries, inspections, nonconformances.

Whichever row of a document changes, and in whatever order, the whole of what it says is told again
at a higher version if it differs.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from connectors.translators.erpnext.batches import lot_drafts
from connectors.translators.erpnext.genealogy import edge_drafts
from connectors.translators.erpnext.inspections import inspection_drafts
from connectors.translators.erpnext.nonconformities import nonconformity_drafts
from connectors.translators.erpnext.site import Site
from connectors.translators.erpnext.stock import risen
from connectors.translators.erpnext.tables import TABLES
from connectors.translators.erpnext.touched import Touched, renames, touch
from connectors.translators.reading import BadRow, attempt
from streams.model.ids import escaped

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from decimal import Decimal

    from streams.model.translation import Coalesced, Draft, Rejected, Rows

__all__ = ["TABLES", "ErpnextTranslator"]


class ErpnextTranslator:
    """See `streams.model.translation.Translator`."""

    name = "erpnext"
    version = "1"
    tables = TABLES

    def translate(self, transaction: Coalesced, rows: Rows) -> Iterator[Draft | Rejected]:
        """Lots first, then what was made from what, then what was found of them."""
        origin, site, touched = transaction.origin, Site(transaction.origin, rows), Touched()
        rejected: list[Rejected] = []
        for row in transaction.rows:
            try:
                touch(site, touched, row)
            except BadRow as error:
                rejected.append(error.rejected(origin))
        former = renames(site, touched)
        arrived = _arrivals(site, touched, former, rejected)
        known_as = {escaped(new): escaped(old) for new, old in former.items()}
        for key, row in sorted(touched.batches.items()):
            known = known_as.get(key, key)
            work = partial(lot_drafts, site, key, row, arrived.get(key), known)
            yield from attempt(origin, work)
        for order, row in sorted(touched.orders.items()):
            yield from attempt(origin, partial(edge_drafts, site, order, row))
        for key, row in sorted(touched.inspections.items()):
            yield from attempt(origin, partial(inspection_drafts, site, key, row))
        for key, row in sorted(touched.nonconformances.items()):
            yield from attempt(origin, partial(nonconformity_drafts, site, key, row))
        yield from rejected


def _arrivals(
    site: Site, touched: Touched, former: Mapping[str, str], rejected: list[Rejected]
) -> dict[str, Decimal]:
    """What came into use of each batch, by its key."""
    arrived: dict[str, Decimal] = {}
    for voucher, row in sorted(touched.vouchers.items()):
        try:
            found = risen(site, voucher, row, former)
        except BadRow as error:
            rejected.append(error.rejected(site.origin))
            continue
        for batch, quantity in found.items():
            key = escaped(batch)
            arrived[key] = arrived[key] + quantity if key in arrived else quantity
            touched.batches[key] = row
    return arrived
