"""A process that is supervised and does what its first argument says."""

from __future__ import annotations

import re
import sys
import time

from streams.engine.watch.heart import SharedHeart, supervised

LIMIT_S = 2.0


def backtrack() -> None:
    re.match(r"(a+)+$", "a" * 60 + "b")


def beat(heart: SharedHeart, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        heart.beat()
        time.sleep(0.05)


def main(what: str) -> int:
    ballast = bytearray(64 * 1024 * 1024)
    heart = supervised(LIMIT_S)
    assert isinstance(heart, SharedHeart)
    if what == "silent":
        time.sleep(1.5 * LIMIT_S)
    heart.beat()
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()
    if what == "hang":
        backtrack()
    if what == "beat":
        beat(heart, 120)
    return len(ballast) % 1024 + 7


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
