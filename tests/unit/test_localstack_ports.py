"""Ports are chosen once, remembered, and replaced only when a stranger took one."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from localstack.host.ports import HIGHEST, HOST, LOWEST, PortMemory, is_free

if TYPE_CHECKING:
    from pathlib import Path


def test_a_port_is_chosen_once_and_found_by_the_next_reader(tmp_path: Path) -> None:
    file = tmp_path / "ports.json"
    chosen = PortMemory(file).port("broker")
    assert LOWEST <= chosen < HIGHEST
    assert PortMemory(file).port("broker") == chosen


def test_two_names_never_share_a_port(tmp_path: Path) -> None:
    memory = PortMemory(tmp_path / "ports.json")
    names = [f"part-{number}" for number in range(50)]
    assert len({memory.port(name) for name in names}) == len(names)


def test_a_free_port_is_kept_and_a_taken_one_replaced(tmp_path: Path) -> None:
    memory = PortMemory(tmp_path / "ports.json")
    kept, lost = memory.port("kept"), memory.port("lost")
    with socket.create_server((HOST, lost)):
        assert not is_free(lost)
        assert memory.renew_if_taken("lost") != lost
    assert memory.renew_if_taken("kept") == kept
    assert memory.known()["lost"] != lost
