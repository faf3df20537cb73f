"""The plant at work: what a person there does while Lotgate watches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from localstack import scenario
from localstack.plant import goods, inspections
from localstack.plant.client import Session

if TYPE_CHECKING:
    from types import TracebackType

    from localstack.stack import Stack


class Plant:
    """A session of the plant's administrator with the running ERP.

    Args:
        stack: The stack whose ERP it is.
    """

    def __init__(self, stack: Stack) -> None:
        password = stack.layout.parts / "erp" / "admin.pass"
        where = stack.addresses()
        self.session = Session(
            where.erp_url,
            where.erp_database,
            "admin",
            password.read_text(encoding="utf-8").strip(),
        )
        user = self.session.read("res.user", self.session.user_id, "company", "employee")
        self.session.context = {"company": user["company"], "employee": user["employee"]}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.session.close()

    def fail_inspection(self, lot_number: str, product_code: str | None = None) -> str:
        """Fail a new inspection of the document that a lot came with; return its number.

        Raises:
            PlantRefused: The lot is unknown or ambiguous, or nothing brought it in yet.
        """
        return inspections.fail_inspection(self.session, lot_number, product_code)

    def receive_lot(
        self, number: str, product: str = scenario.RESIN, quantity: float = scenario.LATE_QUANTITY
    ) -> int:
        """Buy, receive and store a lot of a purchased product; return the receipt's id."""
        receipt = scenario.Receipt(number, product, quantity, next(iter(scenario.SUPPLIERS)))
        return goods.receive(self.session, receipt)

    def lots(self) -> list[tuple[str, str]]:
        """Return number and product code of every lot, oldest first."""
        found = self.session.search("stock.lot", [], "number", "product.code")
        return [(lot["number"], lot["product."]["code"]) for lot in found]
