"""The field policy: what it does to a table's shape, its rows and its dead letters."""

from __future__ import annotations

import hmac
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.sources.postgres import PostgresSettings
from connectors.sources.postgres.checks.server import wire
from connectors.sources.postgres.log.pgoutput import (
    UNCHANGED,
    Relation,
    RelationColumn,
    read_row,
)
from connectors.sources.postgres.selection import Mask, Selection, mask_of, read_selection
from connectors.sources.postgres.selection.text import text_reader
from connectors.sources.postgres.shape.types import TypeFacts
from streams.errors import Misconfigured, Poison

pytestmark = pytest.mark.urs("M5.6")

SECRET = b"0123456789abcdef0123456789abcdef"
COLUMNS = (
    RelationColumn("id", 23, -1, flagged=True),
    RelationColumn("email", 25, -1, flagged=False),
    RelationColumn("born", 1082, -1, flagged=False),
    RelationColumn("grade", 23, -1, flagged=False),
)
PERSON = Relation(7, "public", "person", "d", COLUMNS)
RULES = Selection(
    fields={"public.person.email": "hash", "public.person.born": "drop"}, secret=SECRET
)
READ = '{"fields": {"public.person.email": "hash", "public.person.old?": "drop"}}'


def digest(text: bytes) -> bytes:
    return hmac.new(SECRET, text, "sha256").hexdigest().encode()


def mask(selection: Selection = RULES, relation: Relation = PERSON) -> Mask:
    found = mask_of(selection, relation, {})
    assert found is not None
    return found


def cell(value: bytes | None, kind: bytes = b"t") -> bytes:
    if value is None:
        return b"n"
    if value is UNCHANGED:
        return b"u"
    return kind + struct.pack(">I", len(value)) + value


def row(*cells: bytes) -> bytes:
    return struct.pack(">H", len(cells)) + b"".join(cells)


def test_a_table_without_rules_costs_nothing() -> None:
    assert mask_of(RULES, Relation(8, "public", "other", "d", COLUMNS), {}) is None
    assert mask_of(Selection(fields={"public.person.id": "pass"}), PERSON, {}) is None


def test_a_dropped_column_is_nowhere_and_a_hashed_one_is_text() -> None:
    shape = mask().relation
    assert [(column.name, column.oid) for column in shape.columns] == [
        ("id", 23),
        ("email", 25),
        ("grade", 23),
    ]
    assert mask().cells([b"1", b"a@b", b"2000-01-01", None]) == [b"1", digest(b"a@b"), None]
    assert mask().cells([b"1", UNCHANGED, None, b"3"]) == [b"1", UNCHANGED, b"3"]
    with pytest.raises(Poison):
        mask().cells([b"1"])


def test_a_hashed_key_stays_a_key() -> None:
    hashed = mask(Selection(fields={"public.person.id": "hash"}, secret=SECRET))
    assert [column.name for column in hashed.relation.columns if column.flagged] == ["id"]
    binary = hashed.cells([struct.pack(">i", -5), None, None, None], binary=True)
    assert binary[0] == hashed.cells([b"-5", None, None, None])[0] == digest(b"-5")


def test_a_dead_letter_holds_nothing_that_is_protected() -> None:
    old = row(cell(b"1"), cell(b"secret@a"), cell(b"1999-09-09"), cell(b"8"))
    new = row(cell(b"1"), cell(b"secret@b", b"b"), cell(b"1998-08-08"), cell(UNCHANGED))
    message = b"U" + struct.pack(">I", 7) + b"O" + old + b"N" + new
    masked = mask().message(message)
    assert b"secret" not in masked
    assert b"199" not in masked
    assert read_row(masked)[:3] == (
        ord("O"),
        [b"1", digest(b"secret@a"), b"8"],
        [b"1", digest(b"secret@b"), UNCHANGED],
    )


@given(st.integers(0, 80))
def test_a_message_that_is_cut_shows_its_head_only(length: int) -> None:
    whole = row(cell(b"1"), cell(b"secret@a"), cell(b"1999-09-09"), cell(b"8"))
    message = (b"I" + struct.pack(">I", 7) + b"N" + whole)[: 5 + length]
    masked = mask().message(message)
    assert b"secret" not in masked
    assert masked.startswith(message[:5])


def test_a_rule_that_protects_nothing_is_refused_unless_it_says_later() -> None:
    renamed = Relation(7, "public", "person", "d", COLUMNS[:1])
    with pytest.raises(Misconfigured, match=r"public\.person\.born, public\.person\.email"):
        mask_of(RULES, renamed, {})
    assert mask_of(RULES, renamed, {}, {"email", "born"}) is None, "the publication leaves them out"
    later = Selection(fields=RULES.fields, later=frozenset(RULES.fields), secret=SECRET)
    assert mask_of(later, renamed, {}) is None


def test_a_type_without_one_text_form_is_not_hashed() -> None:
    shape = Relation(7, "public", "t", "d", (RelationColumn("x", 701, -1, flagged=False),))
    with pytest.raises(Misconfigured, match=r"public\.t\.x"):
        mask_of(Selection(fields={"public.t.x": "hash"}, secret=SECRET), shape, {})


def test_a_value_that_cannot_be_hashed_is_not_shown() -> None:
    hashed = mask(Selection(fields={"public.person.id": "hash"}, secret=SECRET))
    with pytest.raises(Poison) as poison:
        hashed.cells([b"secret", None, None, None], binary=True)
    assert "secret" not in str(poison.value)
    assert poison.value.__cause__ is None


@pytest.mark.parametrize(
    ("oid", "raw", "text"),
    [
        (16, b"\x01", b"t"),
        (20, struct.pack(">q", -7), b"-7"),
        (17, b"\x00\xff", b"\\x00ff"),
        (1082, struct.pack(">i", 0), b"2000-01-01"),
        (1082, struct.pack(">i", -730_485), b"0001-01-01 BC"),
        (1082, struct.pack(">i", 2_147_483_647), b"infinity"),
        (1114, struct.pack(">q", -1), b"1999-12-31 23:59:59.999999"),
        (1184, struct.pack(">q", 500_000), b"2000-01-01 00:00:00.5+00"),
        (1700, struct.pack(">HhHHHH", 2, 0, 0, 2, 12, 3400), b"12.34"),
        (1700, struct.pack(">HhHHH", 1, 1, 0x4000, 0, 5), b"-50000"),
        (1700, struct.pack(">HhHHH", 1, -2, 0, 8, 1234), b"0.00001234"),
        (1700, struct.pack(">HhHH", 0, 0, 0, 3), b"0.000"),
        (1700, struct.pack(">HhHH", 0, 0, 0xC000, 0), b"NaN"),
        (3802, b'\x01{"a": 1}', b'{"a": 1}'),
    ],
)
def test_binary_forms_are_read_as_the_servers_text(oid: int, raw: bytes, text: bytes) -> None:
    reader = text_reader(oid, {})
    assert reader is not None
    assert reader(raw) == text


def test_domains_and_enums_have_the_text_of_what_they_are() -> None:
    def facts(kind: str, base: int = 0) -> TypeFacts:
        return TypeFacts("t", kind, base, -1, 0, ",", ())

    types = {90_000: facts("d", 90_001), 90_001: facts("d", 23), 90_002: facts("e")}
    reader = text_reader(90_000, types)
    assert reader is not None
    assert reader(struct.pack(">i", 4)) == b"4"
    label = text_reader(90_002, types)
    assert label is not None
    assert label(b"open") == b"open"
    assert text_reader(90_003, types) is None


def test_a_selection_is_read_and_its_secret_never_shown() -> None:
    found = read_selection(READ, SECRET, "FILE")
    assert found.treatment("public", "person", "email") == "hash"
    assert found.later == {"public.person.old"}
    assert found.digest(b"x") == digest(b"x")
    assert SECRET.decode() not in repr(found)
    assert read_selection(" ", b"", "FILE") == Selection()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", "bad_selection"),
        ("[]", "bad_selection"),
        ('{"field": {}}', "bad_selection"),
        ('{"fields": {"person.email": "hash"}}', "bad_selection"),
        ('{"fields": {"public.person.email": "mask"}}', "bad_selection"),
        ('{"keys": {"public.person": []}}', "bad_selection"),
        ('{"keys": {"person": ["id"]}}', "bad_selection"),
        ('{"keys": {"public.p": ["id"]}, "fields": {"public.p.id": "drop"}}', "bad_selection"),
        (READ, "hash_key"),
    ],
)
def test_a_wrong_selection_is_refused_with_an_example(text: str, code: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        read_selection(text, b"short", "FILE")
    assert refused.value.code == code
    assert refused.value.advice
    assert "short" not in refused.value.message.replace("shorter", "")


@pytest.mark.parametrize(
    ("dsn", "encrypted", "codes"),
    [
        ("host=db.plant dbname=erp", False, ["not_encrypted"]),
        ("host=db.plant dbname=erp", True, ["not_verified"]),
        ("postgresql://u:p@db.plant/erp?sslmode=require", True, ["not_verified"]),
        ("host=db.plant dbname=erp sslmode=verify-full", True, []),
        ("host=localhost dbname=erp", False, []),
        ("host=/run/postgresql dbname=erp", False, []),
        ("dbname=erp", False, []),
    ],
)
def test_a_connection_that_others_can_read_is_told(
    dsn: str, codes: list[str], *, encrypted: bool
) -> None:
    settings = PostgresSettings("erp", "", "P1", dsn, "slot", "pub")
    found = wire(settings, encrypted=encrypted)
    assert [each.code for each in found] == codes
    assert "u:p" not in str(found)
