"""Start one program in its own session and leave a record of it, whatever happens to the caller.

Run as a script: `launch.py RECORD LOG FOLDER PROGRAM [ARGUMENT...]`. The program's own
process writes the record before it becomes the program, so there is no moment at which it runs
unrecorded, also when the caller is killed in between. Ends with 0 once the program runs.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path


def start_ticks(pid: int) -> int:
    """Return when a process started, in clock ticks since boot (field 22 of its stat line)."""
    line = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    # The program's name stands in parentheses and may hold blanks: count from behind it.
    return int(line.rpartition(")")[2].split()[19])


def _become(record: Path, log: str, folder: str, argv: list[str]) -> None:
    os.setsid()
    pid = os.getpid()
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    staging = record.with_name(f".{record.name}.{pid}")
    text = {"pid": pid, "started": start_ticks(pid), "boot": boot, "program": argv[0]}
    staging.write_text(json.dumps(text), encoding="utf-8")
    staging.replace(record)
    os.chdir(folder)
    os.execv(argv[0], argv)  # noqa: S606 - becoming the program is the purpose


def main(arguments: list[str]) -> int:
    """Start the program; return 0 if it runs, 1 with the reason on standard error if not."""
    record, log, folder, *argv = arguments
    heard, said = os.pipe()
    if os.fork() == 0:
        os.close(heard)
        try:
            _become(Path(record), log, folder, argv)
        except BaseException as error:  # noqa: BLE001 - the child must never return into the caller
            os.write(said, f"{argv[0]}: {error}".encode())
        os._exit(127)
    os.close(said)
    with os.fdopen(heard, "rb") as pipe:
        reason = pipe.read()
    if reason:
        sys.stderr.write(reason.decode(errors="replace"))
    return 1 if reason else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
