"""The disk of one store partition: RocksDB with a checkpoint in every batch."""

from __future__ import annotations

import logging
import shutil
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

import orjson
from rocksdict import Options, Rdict, ReadOptions, WriteBatch

from streams.engine.state.keys import ESCAPE
from streams.errors import Misconfigured, Transient

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

log = logging.getLogger(__name__)

CHECKPOINT_KEY: Final = b"\0\0checkpoint"
ENGINE_PREFIX: Final = b"\0\1"


FULL: Final = ("no space left", "file too large", "quota exceeded")
"""How the operating system says that nothing more can be written."""


class DiskFailed(Transient):
    """The disk refused a call. What it holds is whole; it may be behind its changelog now."""

    code = "disk_failed"


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


class Disk:
    """One store partition on disk. It is only ever written with committed data.

    A write that fails comes after a commit, so the disk is then behind its changelog: whoever has
    it calls `reopen` and restores it before anything is read from it again.

    Attributes:
        checkpoint: How far it is; None for a new one.
        is_failed: Whether a call failed since it was opened.
    """

    def __init__(self, path: Path) -> None:
        """Open, creating the folder if it is new.

        Args:
            path: The partition's own folder.

        Raises:
            Transient: Another process still has it open, or nothing can be written.
            Misconfigured: It cannot be opened.
        """
        self.path = path
        self.checkpoint: Checkpoint | None = None
        self.is_failed = False
        self._opened()

    def _opened(self) -> None:
        self._db = _open(self.path)
        self._read = self._db.get
        raw = self._read(CHECKPOINT_KEY)
        self.checkpoint = Checkpoint(**orjson.loads(raw)) if raw else None
        self.is_failed = False

    def get(self, key: bytes) -> bytes | None:
        """What is stored under a key.

        Raises:
            DiskFailed: It cannot be read.
        """
        try:
            found: bytes | None = self._read(key)
        except Exception as failure:
            raise self._failed(failure) from failure
        return found

    def write(self, changes: Mapping[bytes, bytes | None], checkpoint: Checkpoint) -> None:
        """Apply changes and the checkpoint in one batch; None removes a key.

        Raises:
            DiskFailed: Nothing of it is applied.
        """
        batch = WriteBatch(raw_mode=True)
        put = batch.put
        for key, value in changes.items():
            if value is None:
                batch.delete(key)
            else:
                put(key, value)
        put(CHECKPOINT_KEY, orjson.dumps(asdict(checkpoint)))
        try:
            self._db.write(batch)
        except Exception as failure:
            raise self._failed(failure) from failure
        self.checkpoint = checkpoint

    def engine_records(self) -> Iterator[tuple[bytes, bytes]]:
        """The engine's own records, in key order; timers are not among them."""
        return self.between(ENGINE_PREFIX, ESCAPE)

    def between(self, begin: bytes, end: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Stored records in key order, as they are when the first is asked for.

        Args:
            begin: The least key.
            end: The first key that is not wanted. Nothing at or behind it is looked at, so what
                was removed there costs nothing.
        """
        bounded = ReadOptions()
        bounded.set_iterate_upper_bound(end)
        try:
            yield from self._db.items(from_key=begin, read_opt=bounded)
        except Exception as failure:
            raise self._failed(failure) from failure
        finally:
            # The library's iterator points into the options without keeping them alive.
            del bounded

    def is_empty(self) -> bool:
        """Whether nothing but a checkpoint is stored."""
        return all(key == CHECKPOINT_KEY for key in self._db.keys())  # noqa: SIM118

    def wipe(self) -> None:
        """Remove everything; the changelog restores it.

        Raises:
            Transient: It cannot be opened again now: `reopen` later.
        """
        self.close()
        self.is_failed = True
        shutil.rmtree(self.path, ignore_errors=True)
        self._opened()

    def reopen(self) -> None:
        """Open it anew, with what it held before the call that failed.

        Raises:
            Transient: It still cannot be written.
        """
        self.close()
        self._opened()

    def close(self) -> None:
        """Close the database; once is enough, more does no harm."""
        with suppress(Exception):
            # One that failed may also fail to close. Every batch is in its log already, and the
            # next open tells whether the disk works.
            self._db.close()

    def _failed(self, failure: Exception) -> DiskFailed:
        self.is_failed = True
        return _disk_failed(self.path, failure)


def _disk_failed(path: Path, failure: Exception) -> DiskFailed:
    text = str(failure)
    is_full = any(sign in text.lower() for sign in FULL)
    return DiskFailed(
        f"the store in {path} cannot be used: {text}",
        code="disk_full" if is_full else None,
        kept="what was committed is on the broker; the store is brought up to it before it is used",
        advice="make room on the volume" if is_full else "look at the volume",
    )


def _open(path: Path) -> Rdict:
    try:
        path.mkdir(parents=True, exist_ok=True)
        return Rdict(str(path), _options())
    except Exception as failure:
        text = str(failure).lower()
        if any(sign in text for sign in FULL):
            raise _disk_failed(path, failure) from failure
        if "lock" in text:
            raise Transient(
                f"{path} is open in another process",
                code="store_locked",
                advice="give every instance its own data folder",
            ) from failure
        if "corruption" in text:
            log.warning("%s is damaged and restored from its changelog: %s", path, failure)
            shutil.rmtree(path)
            path.mkdir()
            return Rdict(str(path), _options())
        raise Misconfigured(
            f"the store in {path} cannot be opened: {failure}",
            code="store_unreadable",
            kept="its changelog on the broker is complete",
            advice="move the folder away; the store is restored from its changelog",
        ) from failure


def _options() -> Options:
    options = Options(raw_mode=True)
    options.create_if_missing(True)  # noqa: FBT003 - the library's signature
    options.set_write_buffer_size(16 << 20)
    options.set_max_write_buffer_number(2)
    options.set_keep_log_file_num(2)
    return options
