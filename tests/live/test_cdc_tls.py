"""TLS and SCRAM to PostgreSQL: verified both ways, and whatever is wrong is refused by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from psycopg.conninfo import make_conninfo

from streams.errors import LotgateError, Misconfigured
from tests.live.test_cdc_support import Rig, drop_rig, make_rig, until
from tests.live.tls_database import PASSWORD, Authority, TlsDatabase, tls_database

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.urs("M5.6")

CONNECTIONS = """
select s.ssl, s.version from pg_stat_ssl s join pg_stat_activity a using (pid)
where a.usename = '{role}' order by a.backend_type
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsDatabase]:
    folder = tmp_path_factory.mktemp("tls")
    authority = Authority.new("the plant's authority")
    with tls_database(folder, authority, authority.write(folder / "ca.crt")) as server:
        yield server


@pytest.fixture
def rig(server: TlsDatabase, broker: str, registry: str) -> Iterator[Rig]:
    rig = make_rig(
        server.dsn,
        broker,
        registry,
        "create table item(id int primary key, v text)",
        "insert into item values (1, 'one')",
        "create publication lotgate for table item",
    )
    rig.sql(
        f"create role {rig.name} login replication password '{PASSWORD}'",
        f"grant select on item to {rig.name}",
    )
    yield rig
    rig.sql(f"drop owned by {rig.name}", f"drop role {rig.name}")
    drop_rig(rig, server.dsn)


def _refused(rig: Rig, dsn: str) -> LotgateError:
    with rig.running(dsn=dsn) as running:
        failure = running.ended()
        # A broker that is still electing may be waited for; the database never is.
        assert "source_" not in running.health.detail, "what never works is not tried again"
    assert isinstance(failure, Misconfigured), failure
    assert failure.code == "source_refused"
    assert failure.advice
    assert PASSWORD not in str(failure)
    return failure


def test_rows_are_read_over_verified_tls_with_scram(rig: Rig) -> None:
    dsn = make_conninfo(rig.dsn, user=rig.name)
    with rig.running(dsn=dsn) as running:
        until(lambda: running.health.state in ("reading", "ended"), "the start")
        assert running.failure is None
        rig.sql("insert into item values (2, 'two')")
        until(lambda: running.health.rows >= 2, "the rows")
        found = rig.rows(CONNECTIONS.format(role=rig.name))
        assert len(found) >= 2, "catalogue and log"
        assert {version for ssl, version in found if ssl} == {"TLSv1.3"}
        assert all(ssl for ssl, _ in found)
    keys = sorted(rig.decoded(record.key)["id"] for record in rig.table("item"))
    assert keys == [1, 2]
    stored = rig.rows(f"select rolpassword from pg_authid where rolname = '{rig.name}'")
    assert str(stored[0][0]).startswith("SCRAM-SHA-256$")


def test_another_authority_and_another_name_are_refused(rig: Rig, tmp_path: Path) -> None:
    other = Authority.new("another authority").write(tmp_path / "other.crt")
    failure = _refused(rig, make_conninfo(rig.dsn, sslrootcert=str(other)))
    assert "certificate verify failed" in failure.message
    # One that only calls itself the same fails elsewhere in the handshake.
    false = Authority.new("the plant's authority").write(tmp_path / "false.crt")
    failure = _refused(rig, make_conninfo(rig.dsn, sslrootcert=str(false)))
    assert "sslrootcert" in failure.advice
    failure = _refused(rig, make_conninfo(rig.dsn, host="127.0.0.1"))
    assert 'does not match host name "127.0.0.1"' in failure.message


def test_a_wrong_password_and_a_plain_connection_are_refused(rig: Rig) -> None:
    failure = _refused(rig, make_conninfo(rig.dsn, user=rig.name, password="wrong"))
    assert f'password authentication failed for user "{rig.name}"' in failure.message
    assert "wrong" not in failure.message
    plain = make_conninfo(rig.dsn, sslmode="disable", channel_binding="disable")
    assert "no encryption" in _refused(rig, plain).message


WANTED = "select id, doc::text, tags::text, path::text, word::text from paper order by id"


def test_types_that_come_with_extensions_are_read_as_the_server_prints_them(
    server: TlsDatabase, broker: str, registry: str
) -> None:
    """Debian's server is built with XML and has the contributed types; the wheel's is not."""
    row = "('<a b=\"1\">\u00e4<c/></a>', 'k=>v, \"a b\"=>NULL', 'Top.Lots.A1', 'Word')"
    rig = make_rig(
        server.dsn,
        broker,
        registry,
        "create extension hstore",
        "create extension ltree",
        "create extension citext",
        "create table paper(doc xml, tags hstore, path ltree, word citext,"
        " id int primary key generated always as identity)",
        f"insert into paper(doc, tags, path, word) values {row}",
        "create publication lotgate for table paper",
    )
    try:
        with rig.running() as running:
            until(lambda: running.health.state in ("reading", "ended"), "the start")
            assert running.failure is None
            rig.sql(
                f"insert into paper(doc, tags, path, word) values {row}",
                "update paper set doc = '<d/>', tags = tags || 'n=>1', path = path || 'B'",
                "insert into paper(doc) values (null)",
            )
            until(lambda: running.health.rows >= 5, "the rows")
        assert running.health.dead == 0
        last = {}
        for record in rig.table("paper"):
            after = rig.decoded(record.value)["after"]
            last[after["id"]] = after
        names = ("id", "doc", "tags", "path", "word")
        found = [tuple(last[number][name] for name in names) for number in sorted(last)]
        assert found == rig.rows(WANTED)
    finally:
        drop_rig(rig, server.dsn)
