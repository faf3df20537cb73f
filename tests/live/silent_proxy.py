"""A proxy in front of a server that can fall silent, as a network does."""

from __future__ import annotations

import select
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from localstack.host.ports import HOST
from psycopg.conninfo import conninfo_to_dict, make_conninfo

if TYPE_CHECKING:
    from collections.abc import Iterator


class Proxy(threading.Thread):
    """Passes bytes on, until it is told to swallow those of the connections it has."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self._target = port
        self._listener = socket.create_server((HOST, 0))
        self._pairs: dict[socket.socket, socket.socket] = {}
        self._deaf: set[socket.socket] = set()
        self._closing = False

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def go_silent(self) -> None:
        """Keep the present connections open, and pass nothing more through them."""
        self._deaf |= set(self._pairs)

    def run(self) -> None:
        while not self._closing:
            ends = [self._listener, *(end for end in self._pairs if end not in self._deaf)]
            for ready in select.select(ends, [], [], 0.1)[0]:
                if ready is self._listener:
                    self._accept()
                else:
                    self._pass_on(ready)

    def close(self) -> None:
        self._closing = True
        self.join()
        for end in (self._listener, *self._pairs):
            end.close()

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        server = socket.create_connection((HOST, self._target))
        self._pairs[client], self._pairs[server] = server, client

    def _pass_on(self, end: socket.socket) -> None:
        other = self._pairs.get(end)
        if other is None or end in self._deaf:
            return  # its other end was closed, or it was told to be silent, a moment ago
        try:
            octets = end.recv(65536)
            if octets:
                other.sendall(octets)
                return
        except OSError:
            pass
        for each in (end, other):
            self._pairs.pop(each, None)
            each.close()


@contextmanager
def proxied(dsn: str) -> Iterator[tuple[Proxy, str]]:
    proxy = Proxy(int(str(conninfo_to_dict(dsn)["port"])))
    proxy.start()
    try:
        yield proxy, make_conninfo(dsn, host=HOST, port=proxy.port)
    finally:
        proxy.close()
