"""The source text of a table's two functions: rows of the log, and copied rows of a snapshot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from connectors.sources.postgres.generated.forms import HIGH
from connectors.sources.postgres.generated.walking import INDENT, copy_walk, log_walk, names_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from connectors.sources.postgres.generated.walking import Planned

HEAD: Final = 25
"""Where a message begins in a frame of the stream."""
ROW: Final = HEAD + 8
"""Where the first value stands: behind kind, relation, mark and the number of columns."""


def _indented(depth: int, lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        yield INDENT * depth + line


def run_source(
    columns: tuple[Planned, ...], *, tombstones: bool, mirror: bool, counted: bool = True
) -> str:
    """The function that carries consecutive rows of one table.

    It goes on until a frame is something else, or a row that it does not foresee: that one is not
    counted, and goes the long way. What is left behind is exact at every row.

    Args:
        columns: The columns.
        tombstones: A delete is followed by a record without a value.
        mirror: Do exactly as Debezium: the sequence names the row's place in the log, else its
            ordinal; columns without a value are not named.
        counted: Events say their number in their transaction.
    """
    body = (
        "def run(frames, at, end, span, ordinal, total, count, size, most, limit, add):",
        *_indented(
            1,
            (
                "heads, middle, block, tails, lost_tails, event, seed = span",
                "try:",
                *_indented(1, ("while at < end and size < most:",)),
                *_indented(2, _row(columns, tombstones=tombstones, mirror=mirror, counted=counted)),
                "except FAULTS: pass",
                "return at, ordinal, total, count, size",
            ),
        ),
    )
    return "\n".join(body) + "\n"


def _row(
    columns: tuple[Planned, ...], *, tombstones: bool, mirror: bool, counted: bool
) -> Iterator[str]:
    yield "m = frames[at]"
    yield f"way = ways.get(m[{HEAD}:{ROW}])"
    yield "if way is None: break"
    yield "before, behind, op, old = way"
    yield f'p = {ROW}; gone = b""; lost = 0'
    yield "if old is not None:"
    yield from _indented(1, _old_row(columns))
    yield from log_walk(columns, "c", old=False, whole=True)
    yield "if p != len(m): break"
    key = names_of([each for each in columns if each.in_key], "c")
    if key:
        yield f"key = key_frame + {' + '.join(key)}"
        yield f"if old is not None and ({_moved(columns)}): break"
    else:
        yield "key = None"
    yield "v = uint8(m, 1)[0]"
    yield f"place = MORE[v << 1 & 16383] + {HIGH} if 134217728 <= v < {1 << 63} else long(v)"
    yield 'number = b"%d" % ordinal'
    yield 'order = b"%d" % v' if mirror else "order = number"
    yield "tail = tails[op]"
    yield "if lost:"
    yield f"{INDENT}if op == 2: break"
    if not mirror:
        yield f'{INDENT}tail = lost_tails[op] + SOME + long(lost) + gone + b"\\0\\0"'
    cells = ", ".join(names_of(columns, "c"))
    yield f"value = join((before, {cells}, behind,"
    yield f"{INDENT}heads[len(order)], order, middle, place, block,"
    if counted:
        yield f"{INDENT}SMALL[total + 1] if total < 8191 else long(total + 1),"
        yield f"{INDENT}SMALL[count + 1] if count < 8191 else long(count + 1),"
    yield f"{INDENT}tail))"
    yield "if len(value) > limit: break"
    yield 'uuid = from_bytes(sha1(seed + number).digest(), "big") >> 32 & KEPT | FIVE'
    yield 'headers = [("event_id", event + number), ("event_uuid", uuid.to_bytes(16, "big"))]'
    yield "add(new(Record, (topic, key, value, headers, -1)))"
    if key and tombstones:
        yield "if op == 2: add(new(Record, (topic, key, None, headers, -1)))"
    yield "size += len(value); ordinal += 1; total += 1; count += 1; at += 1"


def _old_row(columns: tuple[Planned, ...]) -> Iterator[str]:
    """Read the old image in front of a new row; `old` says whether it is the whole row."""
    yield from log_walk(columns, "o", old=True, whole=False)
    yield "if m[p:p + 3] != new_mark: break"
    yield "p += 3"
    yield "if old:"
    olds = ", ".join(names_of(columns, "o"))
    yield f"{INDENT}before = join((value_frame, SOME, {olds}, SOME))"


def _moved(columns: tuple[Planned, ...]) -> str:
    keys = [each for each in columns if each.in_key]
    pairs = zip(names_of(keys, "o"), names_of(keys, "c"), strict=True)
    return " or ".join(f"{old} != {new}" for old, new in pairs)


def copy_source(columns: tuple[Planned, ...]) -> str:
    """The function that encodes one copied row, given behind its number of columns."""
    key = names_of([each for each in columns if each.in_key], "c")
    cells = ", ".join(names_of(columns, "c"))
    body = (
        "def copied(m, p):",
        *_indented(1, copy_walk(columns)),
        f"{INDENT}if p != len(m): raise Unusual",
        f"{INDENT}return {' + '.join(key) or 'None'}, join(({cells},))",
    )
    return "\n".join(body) + "\n"
