"""The disk of one store partition: RocksDB with a checkpoint in every batch."""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson
from rocksdict import Options, Rdict, WriteBatch

from streams.errors import Misconfigured, Transient

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

CHECKPOINT_KEY: Final = b"\0\0checkpoint"
ENGINE_PREFIX: Final = b"\0\1"
ESCAPE: Final = b"\0\2"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far a disk has followed its changelog.

    Attributes:
        position: Next changelog offset to apply.
        topic_id: The changelog's id; another topic under the same name is another history.
        written_ms: When it was written: a disk that is too old may miss deletions.
    """

    position: int
    topic_id: str
    written_ms: int


def user_key(key: bytes) -> bytes:
    """A user's key as it is stored: apart from the engine's own records."""
    return ESCAPE + key if key[:1] == b"\0" else key


class Disk:
    """One store partition on disk. It is only ever written with committed data."""

    def __init__(self, path: Path) -> None:
        """Open, creating the folder if it is new.

        Args:
            path: The partition's own folder.

        Raises:
            Transient: Another process still has it open.
            Misconfigured: It cannot be opened.
        """
        self.path = path
        self._db = _open(path)
        raw = self._db.get(CHECKPOINT_KEY)
        self.checkpoint = Checkpoint(**orjson.loads(raw)) if raw else None
        self.get = self._db.get

    def write(self, changes: Mapping[bytes, bytes | None], checkpoint: Checkpoint) -> None:
        """Apply changes and the checkpoint in one batch; None removes a key."""
        batch = WriteBatch(raw_mode=True)
        for key, value in changes.items():
            if value is None:
                batch.delete(key)
            else:
                batch.put(key, value)
        batch.put(CHECKPOINT_KEY, orjson.dumps(asdict(checkpoint)))
        self._db.write(batch)
        self.checkpoint = checkpoint

    def engine_records(self) -> Iterator[tuple[bytes, bytes]]:
        """The engine's own records, in key order."""
        entries: Any = self._db.items(from_key=ENGINE_PREFIX)
        for key, value in entries:
            if not key.startswith(ENGINE_PREFIX):
                return
            yield key, value

    def is_empty(self) -> bool:
        """Whether nothing but a checkpoint is stored."""
        return all(key == CHECKPOINT_KEY for key in self._db.keys())  # noqa: SIM118

    def wipe(self) -> None:
        """Remove everything; the changelog restores it."""
        self._db.close()
        shutil.rmtree(self.path)
        self._db = _open(self.path)
        self.get = self._db.get
        self.checkpoint = None

    def close(self) -> None:
        """Close the database."""
        self._db.close()


def _open(path: Path) -> Rdict:
    options = Options(raw_mode=True)
    options.create_if_missing(True)  # noqa: FBT003 - the library's signature
    options.set_write_buffer_size(16 << 20)
    options.set_max_write_buffer_number(2)
    options.set_keep_log_file_num(2)
    path.mkdir(parents=True, exist_ok=True)
    try:
        return Rdict(str(path), options)
    except Exception as failure:
        text = str(failure)
        if "lock" in text.lower():
            raise Transient(
                f"{path} is open in another process",
                code="store_locked",
                advice="give every instance its own data folder",
            ) from failure
        raise Misconfigured(
            f"the store in {path} cannot be opened: {text}",
            code="store_unreadable",
            kept="its changelog on the broker is complete",
            advice="move the folder away; the store is restored from its changelog",
        ) from failure
