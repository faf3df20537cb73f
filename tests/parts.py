"""Fixtures for the real parts: started once per session, in a directory of their own.

Downloads and builds are shared with the checkout's own stack (`.lotgate/parts`), data is not.
"""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from localstack import Stack
from localstack.layout import REPOSITORY
from localstack.plant import Plant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localstack import Addresses


@contextmanager
def temporary_stack(cache: Path) -> Iterator[Stack]:
    """Lend a stack in a directory of its own and end all it started, however the block ends."""
    with tempfile.TemporaryDirectory(prefix="lotgate-") as folder:
        stack = Stack(Path(folder), cache=cache)
        missing = stack.missing_requirements()
        assert not missing, "\n".join(missing)
        try:
            yield stack
        finally:
            stack.down()


@pytest.fixture(scope="session")
def parts_cache() -> Path:
    """Where downloads and builds are kept; parts are prepared when a test first asks for them."""
    return REPOSITORY / ".lotgate" / "parts"


@pytest.fixture(scope="session")
def stack(parts_cache: Path) -> Iterator[Stack]:
    """A stack of this session's own, with nothing started; ended with all it started."""
    with temporary_stack(parts_cache) as stack:
        yield stack


def _started(stack: Stack, part: str) -> Addresses:
    stack.prepare(parts=(part,))
    stack.up((part,))
    return stack.addresses()


@pytest.fixture(scope="session")
def broker(stack: Stack) -> str:
    """A real broker; the value is its bootstrap address."""
    return _started(stack, "broker").bootstrap


@pytest.fixture(scope="session")
def registry(stack: Stack) -> str:
    """A real schema registry; the value is the root of its Confluent-compatible API."""
    return _started(stack, "registry").registry_url


@pytest.fixture(scope="session")
def database(stack: Stack) -> Addresses:
    """A real database server with the evidence and QMS databases and all roles."""
    return _started(stack, "database")


@pytest.fixture
def plant(stack: Stack) -> Iterator[Plant]:
    """The ERP with the plant as it was built, no replication slot on it, and a user's session."""
    _started(stack, "erp")
    stack.fresh_plant()
    with Plant(stack) as plant:
        yield plant
