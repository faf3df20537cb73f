"""Preflight: everything that would go wrong in one list, each with SQL that really mends it."""

from __future__ import annotations

import secrets
from contextlib import closing
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from connectors.sources.postgres import PostgresSettings
from connectors.sources.postgres.database.catalog import Catalog
from connectors.sources.postgres.database.preflight import check, everything
from connectors.sources.postgres.selection import Selection
from streams.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localstack import Addresses

    from connectors.sources.postgres.checks.finding import Finding

pytestmark = pytest.mark.urs("M5.6")


class Place:
    """A database of its own."""

    def __init__(self, admin_dsn: str) -> None:
        self.name = f"pre{secrets.token_hex(4)}"
        self._admin_dsn = admin_dsn
        with psycopg.connect(admin_dsn, autocommit=True) as server:
            server.execute(f"create database {self.name}".encode())
        self.dsn = make_conninfo(admin_dsn, dbname=self.name)

    def sql(self, *statements: str) -> None:
        with psycopg.connect(self.dsn, autocommit=True) as database:
            for statement in statements:
                database.execute(statement.encode())

    def settings(self, **more: object) -> PostgresSettings:
        given: dict[str, object] = {"dsn": self.dsn, "publication": "pub", **more}
        return PostgresSettings("plant", "", "P1", slot=self.name, **given)  # type: ignore[arg-type]

    def found(self, **more: object) -> dict[tuple[str, str], Finding]:
        """Everything that is found, by code and subject."""
        settings = self.settings(**more)
        with closing(Catalog(settings.dsn)) as catalog:
            found = everything(catalog, settings)
        return {(each.code, each.subject): each for each in found}

    def errors(self, **more: object) -> dict[tuple[str, str], Finding]:
        return {at: each for at, each in self.found(**more).items() if each.severity == "error"}

    def drop(self) -> None:
        with psycopg.connect(self._admin_dsn, autocommit=True) as server:
            server.execute(
                "select pg_drop_replication_slot(slot_name) from pg_replication_slots "
                "where slot_name = %s",
                (self.name,),
            )
            server.execute(f"drop database {self.name} with (force)".encode())


@pytest.fixture
def place(database: Addresses) -> Iterator[Place]:
    place = Place(database.admin_dsn)
    yield place
    place.drop()


def _mended(place: Place, found: Finding) -> None:
    """Run a finding's SQL as the administrator."""
    assert found.sql, found
    place.sql(*(each for each in found.sql.split(";") if each.strip()))


def test_a_whole_list_is_told_at_once_and_its_sql_mends_it(place: Place) -> None:
    place.sql(
        "create table good(id int primary key, v text)",
        "create table bare(v text)",
        "create table nothing(id int primary key)",
        "alter table nothing replica identity nothing",
        "create table late(id int primary key deferrable, code text not null unique)",
        "create table lost(id int primary key, code text not null)",
        "create unique index lost_code on lost(code)",
        "alter table lost replica identity using index lost_code",
        "drop index lost_code",
        "create unlogged table quick(id int primary key)",
        "create publication pub for table good, bare, nothing, late, lost with (publish='insert')",
    )
    found = place.errors(tables=("public.good", "public.quick"))
    identity = "replica_identity"
    assert {*found} == {
        ("publication_events", "pub"),
        ("publication_tables", "pub"),
        ("table_unlogged", "public.quick"),
        *((identity, f"public.{name}") for name in ("bare", "nothing", "late", "lost")),
    }
    assert 'USING INDEX "late_code_key"' in found[identity, "public.late"].sql
    assert "IDENTITY DEFAULT" in found[identity, "public.nothing"].sql
    for each in sorted(found.values(), key=lambda each: each.code, reverse=True):
        _mended(place, each)
    assert place.errors(tables=("public.good", "public.quick")) == {}
    # As the log sees it: the updates that failed before now work.
    place.sql("insert into bare values ('a')", "update bare set v = 'b'", "delete from late")


def test_a_missing_publication_is_made_by_the_sql_that_is_told(place: Place) -> None:
    place.sql('create table "Odd name"(id int primary key)')
    found = place.errors(tables=("public.Odd name",))
    assert {*found} == {("publication", "pub")}
    _mended(place, found["publication", "pub"])
    assert place.errors(tables=("public.Odd name",)) == {}


def test_an_application_whose_updates_fail_is_named_before_it_fails(place: Place) -> None:
    place.sql(
        "create table filtered(id int primary key, plant text)",
        "create table listed(id int primary key, code text not null unique, v text)",
        "alter table listed replica identity using index listed_code_key",
        "create publication pub for table filtered where (plant = 'P1'), listed (id, v)",
        "insert into filtered values (1, 'P1')",
        "insert into listed values (1, 'a', 'b')",
    )
    for table in ("filtered", "listed"):
        with pytest.raises(psycopg.errors.InvalidColumnReference):
            place.sql(f"update {table} set id = 2")
    found = place.errors()
    assert {*found} == {("row_filter", "public.filtered"), ("column_list", "public.listed")}
    for each in found.values():
        _mended(place, each)
    assert place.errors() == {}
    place.sql("update filtered set id = 2", "update listed set id = 2")


def test_what_works_until_one_day_it_does_not_is_a_warning(place: Place) -> None:
    place.sql(
        "create extension if not exists plpgsql",
        "create table parent(id int, at date, primary key (id, at)) partition by range (at)",
        "create table parent_1 partition of parent default",
        "create table keyless(v text)",
        "alter table keyless replica identity full",
        "create table by_index(id int primary key, code text not null unique)",
        "alter table by_index replica identity using index by_index_code_key",
        "create publication pub for all tables",
    )
    found = place.found()
    assert {
        ("publication_all_tables", "pub"),
        ("publication_partitions", "pub"),
        ("no_key", "public.keyless"),
        ("identity_index", "public.by_index"),
    } <= {*found}
    assert {each.severity for each in found.values()} == {"warning"}
    with closing(Catalog(place.dsn)) as catalog:
        assert [each.name for each in check(catalog, place.settings())] == [
            "public.by_index",
            "public.keyless",
            "public.parent_1",
        ]
    made_up = place.found(compat="debezium")["identity_index", "public.by_index"]
    assert "made-up" in made_up.text
    _mended(place, found["publication_partitions", "pub"])
    assert ("publication_partitions", "pub") not in place.found()


def test_a_slot_of_someone_else_is_told(place: Place) -> None:
    place.sql(
        "create table item(id int primary key)",
        "create publication pub for table item",
        f"select pg_create_physical_replication_slot('{place.name}')",
    )
    found = place.errors()
    assert {*found} == {("slot_foreign", place.name)}
    _mended(place, found["slot_foreign", place.name])
    assert place.errors() == {}


def test_rights_are_told_by_column_and_granted_by_the_sql(place: Place) -> None:
    place.sql(
        "create schema shop",
        "create table shop.person(id int primary key, email text, born date)",
        "create publication pub for table shop.person",
        f"create role {place.name} login password 'correct' connection limit 1",
        f"grant select (id) on shop.person to {place.name}",
    )
    try:
        dsn = make_conninfo(place.dsn, user=place.name, password="correct", passfile="/dev/null")
        drop = Selection(fields={"shop.person.born": "drop"})
        found = place.errors(dsn=dsn, selection=drop)
        assert {*found} == {
            ("replication", place.name),
            ("connection_limit", place.name),
            ("select", "shop.person"),
        }
        # What the policy drops is never read, so no right on it is asked for.
        assert '("email")' in found["select", "shop.person"].sql
        for each in found.values():
            _mended(place, each)
        assert place.errors(dsn=dsn, selection=drop) == {}
        assert {*place.errors(dsn=dsn)} == {("select", "shop.person")}
    finally:
        place.sql(f"drop owned by {place.name}", f"drop role {place.name}")


def test_a_selection_that_would_protect_nothing_is_refused(place: Place) -> None:
    place.sql(
        "create table person(id int primary key, email text, number text, score float8)",
        "create publication pub for table person",
    )
    selection = Selection(
        keys={"public.person": ("number",)},
        fields={
            "public.person.emial": "hash",
            "public.other.name": "drop",
            "public.person.later": "drop",
        },
        later=frozenset({"public.person.later"}),
        secret=b"0123456789abcdef",
    )
    found = place.errors(selection=selection)
    assert {*found} == {
        ("field_policy", "public.person"),
        ("policy_unused", "public.other.name"),
        ("key_nullable", "public.person"),
        ("key_identity", "public.person"),
    }
    _mended(place, found["key_nullable", "public.person"])
    _mended(place, found["key_identity", "public.person"])
    chosen = Selection(keys=selection.keys)
    assert place.errors(selection=chosen) == {}
    inexact = Selection(fields={"public.person.score": "hash"}, secret=selection.secret)
    assert {*place.errors(selection=inexact)} == {("field_policy", "public.person")}
    keyless = Selection(fields={"public.person.id": "drop"})
    place.sql("alter table person replica identity default")
    assert {*place.errors(selection=keyless)} == {("policy_key", "public.person")}


def test_two_names_that_become_one_are_told(place: Place) -> None:
    place.sql(
        'create table "a b"(id int primary key)',
        'create table a_b(id int primary key, "x y" int, x_y int)',
        'create publication pub for table "a b", a_b',
    )
    dropped = Selection(fields={"public.a_b.x y": "drop"})
    assert {*place.errors()} == {("name_collision", "public.a_b")}
    found = place.errors(selection=dropped)
    _mended(place, found["name_collision", "public.a_b"])
    assert place.errors() == {}


def test_the_source_refuses_with_the_whole_list(place: Place) -> None:
    place.sql("create table a(v text)", "create table b(v text)", "create publication pub")
    place.sql("alter publication pub add table a, b")
    with closing(Catalog(place.dsn)) as catalog, pytest.raises(Misconfigured) as refused:
        check(catalog, place.settings())
    assert refused.value.code == "source_preflight"
    for name in ("a", "b"):
        assert f'ALTER TABLE "public"."{name}" REPLICA IDENTITY FULL;' in refused.value.message
