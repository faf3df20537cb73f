"""Binary values against the server's own text, for every type that the server has."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import pq
from psycopg.conninfo import make_conninfo

from connectors.sources.postgres.binary.texts import MONEY, renderer
from connectors.sources.postgres.database.catalog import Catalog
from connectors.sources.postgres.names import session_dsn
from tests.live.cdc_values import TYPES, VALUES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localstack import Addresses

pytestmark = pytest.mark.urs("M2.4", "M5.6")


@pytest.fixture(scope="module")
def dsn(database: Addresses) -> Iterator[str]:
    """A database with types of its users' own."""
    name = f"cdc{secrets.token_hex(4)}"
    with psycopg.connect(database.admin_dsn, autocommit=True) as server:
        server.execute(f"create database {name}".encode())
        made = make_conninfo(database.admin_dsn, dbname=name)
        with psycopg.connect(made, autocommit=True) as inside:
            for statement in TYPES:
                inside.execute(statement.encode())
        yield made
        server.execute(f"drop database {name} with (force)".encode())


@pytest.fixture(scope="module")
def server(dsn: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(session_dsn(dsn), autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="module")
def catalog(dsn: str) -> Iterator[Catalog]:
    found = Catalog(dsn)
    yield found
    found.close()


def shown(server: psycopg.Connection, kind: str, text: str, form: int) -> tuple[int, bytes]:
    """A value as the server sends it: its type, and its text (0) or binary (1) form."""
    query = f"select $1::{kind}".encode()
    result = server.pgconn.exec_params(query, [text.encode()], result_format=form)
    assert result.status == pq.ExecStatus.TUPLES_OK, result.error_message.decode()
    value = result.get_value(0, 0)
    assert value is not None
    return result.ftype(0), value


@pytest.mark.parametrize("kind", sorted(VALUES))
def test_the_text_made_of_binary_is_the_servers(
    kind: str, server: psycopg.Connection, catalog: Catalog
) -> None:
    types = catalog.types()
    for text in VALUES[kind]:
        _, printed = shown(server, kind, text, 0)
        oid, binary = shown(server, kind, text, 1)
        if oid == MONEY:
            printed = b"%d" % int(printed.translate(None, b"$,."))
        assert renderer(oid, types)(binary) == printed
