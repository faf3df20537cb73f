"""The exit codes of a worker, 10 to 19, in one table (0 to 9 belong to the command line)."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Why a worker ended itself.

    Every code stands for one thing that a person or a supervisor can act on; `MEANING` says it.
    """

    FUSE = 10
    FENCED = 11
    WATCHDOG = 12
    START_POSITION = 13
    PREFLIGHT = 14
    STATE_NEWER = 15
    UNFORESEEN = 16
    REPARTITIONED = 17
    PARKING_FULL = 18


MEANING: dict[ExitCode, str] = {
    ExitCode.FUSE: (
        "too many records of one partition ended as dead letters; it stays so over restarts until"
        " `lotgate dlq fuse reset` or another build"
    ),
    ExitCode.FENCED: (
        "the broker gave this instance's place to a newer request: another process with the same"
        " instance id, or this one's own that a broker answered late after it stood still"
    ),
    ExitCode.WATCHDOG: (
        "the process did not move, or did not end within its time; the stacks of its threads stand"
        " above on stderr"
    ),
    ExitCode.START_POSITION: "the group's position and the retained records or the state disagree",
    ExitCode.PREFLIGHT: "a topic, a right or a setting is missing or wrong",
    ExitCode.STATE_NEWER: "state was written with a schema that this build cannot read",
    ExitCode.UNFORESEEN: "an error that nothing was written to handle; the transaction was aborted",
    ExitCode.REPARTITIONED: (
        "an input has another number of partitions than the state of its stage, so keys would miss"
        " their state"
    ),
    ExitCode.PARKING_FULL: (
        "no further record can wait behind the dead letters of a partition: decide on them, or"
        " raise LOTGATE_PARKING_RECORDS or LOTGATE_PARKING_BYTES"
    ),
}
"""One sentence per code, for documentation and for the last line of a log."""
