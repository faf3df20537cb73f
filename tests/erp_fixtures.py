"""Fixtures of tests that work in a real ERP: where it is, and someone who books goods there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.live.tryton_goods import Colleague, Ground

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localstack import Stack


@pytest.fixture(scope="session")
def erp(stack: Stack) -> Ground:
    """A real ERP. Tests make lots of their own in it, so it is started once."""
    stack.prepare(parts=("erp",))
    stack.up(("erp",))
    where = stack.addresses()
    return Ground(
        f"{where.erp_url}/{where.erp_database}",
        where.holdbot_key_file,
        where.shipper_key_file,
        where.erp_owner_dsn,
    )


@pytest.fixture
def shipper(erp: Ground) -> Iterator[Colleague]:
    """The colleague who receives and ships goods."""
    colleague = Colleague(erp, erp.shipper)
    yield colleague
    colleague.close()
