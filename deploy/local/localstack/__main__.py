"""`python -m localstack`: fetch and build everything that the local stack needs, start nothing."""

from __future__ import annotations

import sys

from localstack import Stack, StackError, report_for_terminal


def main() -> int:
    """Prepare the stack; return the exit code."""
    stack = Stack()
    for sentence in (missing := stack.missing_requirements()):
        print(sentence, file=sys.stderr)
    if missing:
        return 1
    try:
        stack.prepare(report_for_terminal())
    except StackError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
