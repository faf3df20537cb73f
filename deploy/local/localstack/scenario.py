"""The plant of the demo as data: what exists before the inspection fails, and what must follow.

Three levels: resin is received, housings are moulded from it, devices are built from housings.
The family of `R-001` holds every outcome that a hold can have; that of `R-002` must stay free.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

RESIN, HOUSING, DEVICE = "RM-RESIN", "IM-HOUSING", "FG-DEVICE"
SUPPLIERS = {"SUP-1": "Polymer supplier one", "SUP-2": "Polymer supplier two"}
CUSTOMERS = {"CUS-1": "Hospital one"}
FAILING_LOT = "R-001"
LATE_LOT = "R-003"
"""Named by the QMS before the ERP knows it."""
LATE_QUANTITY = 50


@dataclass(frozen=True)
class Receipt:
    """A purchase that was received: one product, one lot; the quantity in the product's unit."""

    lot: str
    product: str
    quantity: float
    supplier: str


@dataclass(frozen=True)
class Production:
    """A finished production order that made one lot from a part of another."""

    lot: str
    product: str
    quantity: float
    consumed_lot: str
    consumed_product: str
    consumed_quantity: float


class Reached(StrEnum):
    """How far a shipment to a customer has come."""

    ASSIGNED = "assigned"
    PICKED = "picked"
    DONE = "done"


@dataclass(frozen=True)
class Delivery:
    """A shipment of one lot to a customer."""

    reference: str
    customer: str
    lot: str
    product: str
    quantity: float
    reached: Reached


RECEIPTS = (
    Receipt("R-001", RESIN, 100, "SUP-1"),
    Receipt("R-002", RESIN, 80, "SUP-2"),
)

PRODUCTIONS = (
    Production("H-001", HOUSING, 20, "R-001", RESIN, 40),
    Production("H-002", HOUSING, 10, "R-001", RESIN, 20),
    Production("H-003", HOUSING, 10, "R-002", RESIN, 20),
    Production("D-001", DEVICE, 8, "H-001", HOUSING, 8),
    Production("D-002", DEVICE, 6, "H-001", HOUSING, 6),
    Production("D-003", DEVICE, 5, "H-002", HOUSING, 5),
    Production("D-004", DEVICE, 5, "H-002", HOUSING, 5),
    Production("D-005", DEVICE, 6, "H-003", HOUSING, 6),
)

DELIVERIES = (
    Delivery("ORDER-1", "CUS-1", "D-001", DEVICE, 5, Reached.DONE),
    Delivery("ORDER-2", "CUS-1", "D-002", DEVICE, 4, Reached.PICKED),
    Delivery("ORDER-3", "CUS-1", "D-003", DEVICE, 2, Reached.ASSIGNED),
    Delivery("ORDER-4", "CUS-1", "D-004", DEVICE, 5, Reached.DONE),
    Delivery("ORDER-5", "CUS-1", "D-005", DEVICE, 2, Reached.ASSIGNED),
)


@dataclass(frozen=True)
class Expected:
    """What the read-back of one lot must say; quantities in the lot's unit.

    Attributes:
        lot: Number of the lot.
        product: Code of its product.
        level: Steps from the failing lot; None where the lot must stay free.
        result: The worst outcome present, `free` where nothing may happen.
        contained: Quantity in quarantine.
        in_flight: Quantity in documents that a hold does not stop.
        escaped: Quantity that left the site.
        consumed: Quantity used up by productions.
        document: Reference of the customer's order in flight or shipped, if any.
    """

    lot: str
    product: str
    level: int | None
    result: str
    contained: float = 0
    in_flight: float = 0
    escaped: float = 0
    consumed: float = 0
    document: str = ""


EXPECTED = (
    Expected("R-001", RESIN, 0, "contained", contained=40, consumed=60),
    Expected("H-001", HOUSING, 1, "contained", contained=6, consumed=14),
    Expected("H-002", HOUSING, 1, "consumed", consumed=10),
    Expected("D-001", DEVICE, 2, "escaped", contained=3, escaped=5, document="ORDER-1"),
    Expected("D-002", DEVICE, 2, "in_flight", contained=2, in_flight=4, document="ORDER-2"),
    Expected("D-003", DEVICE, 2, "contained", contained=5),
    Expected("D-004", DEVICE, 2, "escaped", escaped=5, document="ORDER-4"),
    Expected("R-002", RESIN, None, "free"),
    Expected("H-003", HOUSING, None, "free"),
    Expected("D-005", DEVICE, None, "free", document="ORDER-5"),
)


@dataclass(frozen=True)
class Point:
    """One thing that a quality control looks at: a number within limits, or yes."""

    name: str
    label: str
    limits: tuple[float, float] | None
    passing: float | bool
    failing: float | bool


@dataclass(frozen=True)
class Control:
    """A quality control: for which product, at which step of which document, looking at what."""

    name: str
    operation: str
    trigger_product: str
    judged_product: str
    points: tuple[Point, ...]


CONTROLS = (
    Control(
        "Incoming resin",
        "stock.shipment.in:receive",
        RESIN,
        RESIN,
        (
            Point("moisture", "Moisture [%]", (0.0, 0.5), passing=0.2, failing=0.9),
            Point("visual", "Visual inspection", None, passing=True, failing=False),
        ),
    ),
    Control(
        "Moulding",
        "production:run",
        RESIN,
        HOUSING,
        (Point("temperature", "Mould temperature", (180.0, 220.0), passing=200.0, failing=245.0),),
    ),
    Control(
        "Device release",
        "stock.shipment.out:pick",
        DEVICE,
        DEVICE,
        (Point("sealed", "Seal intact", None, passing=True, failing=False),),
    ),
)

INCOMING, MOULDING, RELEASE = CONTROLS
