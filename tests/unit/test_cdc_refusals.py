"""What stops a source by name, what it waits for, and which server may take over."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.sources.postgres.database import invariant
from connectors.sources.postgres.database.catalog import SlotState
from connectors.sources.postgres.database.failures import judged, refused_connection
from connectors.sources.postgres.settings import PostgresSettings
from streams.errors import LotgateError, Misconfigured, Transient

pytestmark = pytest.mark.urs("M4.4")

SETTINGS = PostgresSettings("erp", "tryton", "P1", "", "erp_slot", "lotgate")
SLOT: dict[str, Any] = {
    "fits": True,
    "kind": "logical, plugin pgoutput, database plant",
    "active": False,
    "holder": "",
    "wal_status": "reserved",
    "confirmed": 100,
    "reason": "",
    "retained": 0,
    "failover": False,
}
STORED: dict[str, Any] = {"system_id": "7", "timeline": 2, "lsn": 0x1_0000_0100}
HISTORY = "1\t0/5000\tno recovery target specified\n\n2\t1/100\tno recovery target specified\n"


def never() -> str:
    raise AssertionError("the history of the server's own timeline is not needed")


@pytest.mark.parametrize("sqlstate", ["08006", "57P01", "57P02", "57P03", "53300", "40001", None])
def test_what_passes_is_waited_for(sqlstate: str | None) -> None:
    assert isinstance(judged(sqlstate, "it ended", "the stream"), Transient)


@pytest.mark.parametrize(
    ("sqlstate", "message", "code"),
    [
        ("28P01", "password authentication failed", "source_failed"),
        ("42501", "permission denied for table item", "source_failed"),
        ("42704", 'replication slot "x" does not exist', "slot_missing"),
        ("42704", 'publication "x" does not exist', "source_failed"),
        ("55000", 'can no longer access replication slot "x"', "slot_lost"),
        ("58P01", "requested WAL segment 0001 has already been removed", "slot_lost"),
        ("XX000", "something unforeseen", "source_failed"),
    ],
)
def test_what_a_person_must_mend_is_named(sqlstate: str, message: str, code: str) -> None:
    failure = judged(sqlstate, message, "START_REPLICATION")
    assert isinstance(failure, Misconfigured)
    assert failure.code == code
    assert failure.advice
    assert sqlstate in failure.message


def test_a_slot_that_is_in_use_is_waited_for_under_its_own_code() -> None:
    failure = judged("55006", "slot is active for PID 7", "START_REPLICATION")
    assert isinstance(failure, Transient)
    assert failure.code == "slot_in_use"


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ('invalid sslmode value: "maybe"', "source_dsn"),
        ('connection failed: invalid integer value "x"', "source_dsn"),
        ('invalid connection option "sslmod"', "source_dsn"),
        ('missing "=" after "plant" in connection info string', "source_dsn"),
        ('connection is bad: invalid port number: "x"', "source_dsn"),
        ('… failed: invalid integer value "a" for connection option "port"', "source_dsn"),
        ("… failed: server does not support SSL, but SSL was required", "source_refused"),
        ("… failed: SSL error: certificate verify failed", "source_refused"),
        ("… failed: SSL error: provider signature failure", "source_refused"),
        ('… FATAL: role "x" is not permitted to log in', "source_refused"),
        ("… FATAL: SASL authentication failed", "source_refused"),
    ],
)
def test_a_connection_that_can_never_work_is_refused(message: str, code: str) -> None:
    failure = refused_connection("host:5432/plant", message)
    assert isinstance(failure, Misconfigured)
    assert failure.code == code


@pytest.mark.parametrize(
    "message",
    [
        "connection to server at host failed: Connection refused",
        "FATAL: the database system is starting up",
        "FATAL: sorry, too many clients already",
        "could not translate host name to address: Temporary failure in name resolution",
        "connection timeout expired",
        "connection failed: SSL error: unexpected eof while reading",
        "connection failed: SSL SYSCALL error: EOF detected",
    ],
)
def test_a_server_that_is_away_is_waited_for(message: str) -> None:
    assert refused_connection("host:5432/plant", message).code == "source_unreachable"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"fits": False, "kind": "physical, plugin none, database none"}, "slot_foreign"),
        ({"wal_status": "lost"}, "slot_lost"),
        ({"reason": "idle_timeout"}, "slot_lost"),
        ({"confirmed": 201}, "slot_ahead"),
    ],
)
def test_a_slot_in_doubt_is_refused(changes: dict[str, Any], code: str) -> None:
    failure = _refusal(lambda: invariant.slot(SETTINGS, 200, SlotState(**SLOT | changes)))
    assert failure.code == code
    assert failure.kept
    assert "slot" in failure.advice


def test_a_slot_that_is_gone_is_refused_and_one_behind_us_is_right() -> None:
    assert _refusal(lambda: invariant.slot(SETTINGS, 200, None)).code == "slot_missing"
    invariant.slot(SETTINGS, 200, SlotState(**SLOT | {"confirmed": 200}))


def test_a_slot_that_is_read_is_named_with_its_reader() -> None:
    held = SlotState(**SLOT | {"active": True, "holder": "process 7, role ops, pg_recvlogical"})
    with pytest.raises(Transient, match="process 7, role ops, pg_recvlogical") as caught:
        invariant.free(SETTINGS, held)
    assert caught.value.code == "slot_in_use"
    invariant.free(SETTINGS, SlotState(**SLOT))


def test_the_same_server_further_on_is_right() -> None:
    invariant.server(SETTINGS, STORED, ("7", 2, STORED["lsn"]), never)


@pytest.mark.parametrize(
    ("found", "code"),
    [
        (("8", 2, 1 << 40), "system_changed"),
        (("7", 2, STORED["lsn"] - 1), "server_behind"),
        (("7", 1, 1 << 40), "server_behind"),
    ],
)
def test_another_server_or_an_older_one_is_refused(found: tuple[str, int, int], code: str) -> None:
    failure = _refusal(lambda: invariant.server(SETTINGS, STORED, found, never))
    assert failure.code == code
    assert "forget" in failure.advice


def test_a_new_timeline_is_followed_where_it_left_the_old_one_behind_us() -> None:
    found = ("7", 3, 1 << 40)
    invariant.server(SETTINGS, STORED, found, lambda: HISTORY)
    ahead = STORED | {"lsn": STORED["lsn"] + 1}
    failure = _refusal(lambda: invariant.server(SETTINGS, ahead, found, lambda: HISTORY))
    assert failure.code == "server_behind"
    assert "1/100" in failure.message
    strange = "1\t0/5000\tno recovery target specified\n"
    failure = _refusal(lambda: invariant.server(SETTINGS, STORED, found, lambda: strange))
    assert failure.code == "timeline_foreign"


@given(
    st.lists(st.integers(1, 1 << 60), min_size=1, max_size=8),
    st.sampled_from(("no recovery target specified", "before 2026-01-01 10:00:00+00", "at 1 2")),
)
def test_a_history_is_read_for_each_of_its_timelines(switches: list[int], reason: str) -> None:
    lines = [
        f"{number}\t{at >> 32:X}/{at & 0xFFFFFFFF:X}\t{reason}"
        for number, at in enumerate(switches, 1)
    ]
    history = "\n".join(lines)
    found = [invariant.switch_point(history, number) for number in range(1, len(switches) + 1)]
    assert found == switches
    assert invariant.switch_point(history, len(switches) + 1) is None


def test_a_standby_is_waited_for() -> None:
    invariant.primary(SETTINGS, standby=False)
    with pytest.raises(Transient, match="standby"):
        invariant.primary(SETTINGS, standby=True)


def test_a_server_that_lost_its_end_while_it_is_read_is_refused() -> None:
    invariant.reached(SETTINGS, 200, 200)
    assert _refusal(lambda: invariant.reached(SETTINGS, 200, 199)).code == "server_behind"


def _refusal(check: Any) -> LotgateError:
    with pytest.raises(Misconfigured) as caught:
        check()
    return caught.value
