"""What the demo prints at its end: one row per lot, and what to try next."""

from __future__ import annotations

import base64
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from localstack import Addresses
    from localstack.scenario import Expected

    from demo.watch import Seen


@dataclass(frozen=True)
class Outcome:
    """A scenario's end.

    Attributes:
        table: What to print.
        right: Whether every expected result was read back.
        rows: The table's rows for programs, keyed by the head's words.
    """

    table: str
    right: bool
    rows: list[dict[str, str]]


def keyed(rows: Sequence[Sequence[str]]) -> list[dict[str, str]]:
    """The rows of a table for programs; the first row is the head."""
    head = [(name or "verdict").lower().replace(" ", "_") for name in rows[0]]
    return [dict(zip(head, row, strict=True)) for row in rows[1:]]


def columns(rows: Sequence[Sequence[str]]) -> str:
    """Lay rows out in columns; the first row is the head."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(line.rstrip() for line in lines)


HEAD = ("Lot", "Cause", "Path", "Result", "Read back from the ERP", "Seconds", "")
NAMED = ("in_flight", "escaped")
"""Outcomes whose documents a person must look at; the others need only their quantity."""


def shares_told(shares: Iterable[Mapping[str, Any]]) -> str:
    """The quantities of an ack in a few words, one part per outcome."""
    totals: dict[tuple[str, str], float] = {}
    documents: dict[str, list[str]] = {}
    for share in shares:
        kind = (share["outcome"], share["unit"])
        totals[kind] = totals.get(kind, 0.0) + float(share["quantity"])
        place = share["place"] if share["outcome"] == "escaped" else ""
        told = f"{place}: {share['document']}" if place else share["document"]
        documents.setdefault(share["outcome"], []).append(told)
    parts = []
    for (outcome, unit), quantity in totals.items():
        where = f" ({', '.join(documents[outcome])})" if outcome in NAMED else ""
        parts.append(f"{quantity:g} {unit} {outcome}{where}")
    return ", ".join(parts)


def path_told(number: str, parents: Mapping[str, str]) -> str:
    """The genealogy from the named lot to this one."""
    path = [number]
    while parents.get(path[0]) and parents[path[0]] not in path:
        path.insert(0, parents[path[0]])
    return " > ".join(path)


def inspection_table(
    cause: str, expected: Sequence[Expected], seen: Mapping[str, Seen], parents: Mapping[str, str]
) -> Outcome:
    """The failed inspection's table: each lot, cause, path, result, seconds."""
    rows: list[list[str]] = [
        ["Lot", "Cause", "Path", "Result", "Read back from the ERP", "Seconds", ""]
    ]
    right = True
    for wanted in expected:
        ack = seen.get(wanted.lot)
        if ack is None:
            well = wanted.result == "free"
            rows.append([wanted.lot, "-", "-", "free", "-", "-", "ok" if well else "WRONG"])
        else:
            well = fits(wanted, ack)
            rows.append(
                [
                    wanted.lot,
                    cause,
                    path_told(wanted.lot, parents),
                    ack.result,
                    shares_told(ack.ack["shares"]),
                    f"{ack.total_seconds:.1f}",
                    "ok" if well else f"WRONG, expected {wanted.result}",
                ]
            )
        right = right and well
    return Outcome(columns(rows) + "\n" + timings(expected, seen), right, keyed(rows))


def fits(wanted: Expected, seen: Seen) -> bool:
    """Whether a read-back is the expected one: result, quantities and documents."""
    totals: dict[str, float] = {}
    for share in seen.ack["shares"]:
        totals[share["outcome"]] = totals.get(share["outcome"], 0.0) + float(share["quantity"])
    return (
        seen.result == wanted.result
        and totals.get("contained", 0.0) == wanted.contained
        and totals.get("in_flight", 0.0) == wanted.in_flight
        and totals.get("escaped", 0.0) == wanted.escaped
        and not totals.get("free")
        and not totals.get("assigned")
    )


def timings(expected: Sequence[Expected], seen: Mapping[str, Seen]) -> str:
    """The pipeline's own part and the ERP's, apart."""
    found = [seen[wanted.lot] for wanted in expected if wanted.lot in seen]
    if not found:
        return "No read-back was seen."
    own = sorted(ack.pipeline_seconds * 1000 for ack in found)
    erp = sorted(ack.total_seconds - ack.pipeline_seconds for ack in found)
    last = max(ack.total_seconds for ack in found)
    return (
        "Lotgate's own part, commit of the row to the command on its topic:"
        f" {own[0]:.0f} ms for the lot that was named\n"
        f"(aim at idle: p50 100 ms, p99 400 ms); over all {len(own)} lots"
        f" p50 {quantile(own, 0.5):.0f} ms, p99 {quantile(own, 0.99):.0f} ms.\n"
        f"The ERP's part, command to verified read-back: {erp[0]:.1f} to {erp[-1]:.1f} s,"
        " waiting for one another included.\n"
        f"Commit to the last read-back: {last:.1f} s (aim: 15 s)."
    )


def quantile(ordered: Sequence[float], share: float) -> float:
    """The nearest-rank quantile of values in order; of few values the highest is their p99."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def case_rows(seen: Mapping[str, Seen]) -> list[list[str]]:
    """The rows of a person's own case, in the order of the read-backs; the first is the head."""
    ordered = sorted(seen.items(), key=lambda item: item[1].read_back_at)
    return [
        ["Lot", "Result", "Read back from the ERP", "Seconds"],
        *(
            [number, ack.result, shares_told(ack.ack["shares"]), f"{ack.total_seconds:.1f}"]
            for number, ack in ordered
        ),
    ]


@dataclass(frozen=True)
class HeldStockRequest:
    """A request to the ERP's own REST API that shows the held goods.

    Attributes:
        url: With the search for finished moves into quarantine.
        context: Tryton's context header: the company.
        key_file: Holds the key of the request.
    """

    url: str
    context: str
    key_file: Path

    def headers(self) -> dict[str, str]:
        """The headers, with the key."""
        key = self.key_file.read_text(encoding="utf-8").strip()
        return {"Authorization": f"Bearer {key}", "X-Tryton-Context": self.context}

    def as_curl(self) -> str:
        """The request as a person types it; the key stays in its file."""
        return (
            f'curl -s -H "Authorization: Bearer $(cat {self.key_file})"'
            f" -H 'X-Tryton-Context: {self.context}' '{self.url}'"
        )


def held_stock_request(addresses: Addresses) -> HeldStockRequest:
    """The request that the demo prints."""
    erp = f"{addresses.erp_url.rstrip('/')}/{addresses.erp_database}"
    domain = base64.urlsafe_b64encode(b'[["to_location.code","=","QUA"],["state","=","done"]]')
    fields = "&".join(
        f"f={name}" for name in ("lot.number", "quantity", "from_location.name", "to_location.name")
    )
    return HeldStockRequest(
        f"{erp}/rest/model/stock.move?d={domain.decode()}&{fields}",
        base64.urlsafe_b64encode(b'{"company": 1}').decode(),
        addresses.holdbot_key_file,
    )


def closing_words(addresses: Addresses, *, right: bool) -> str:
    """Three things to press, and how to stop."""
    verdict = (
        "Every expected result was read back from the ERP."
        if right
        else "NOT every expected result was read back: see WRONG above, and `lotgate doctor`."
    )
    return f"""
{verdict} The stack runs on. Try:

  .venv/bin/lotgate demo fail R-002
      your own case: fail an inspection of any lot (`lotgate demo lots` lists them)
  .venv/bin/lotgate tail inventory.hold.acks --since 10m
      what was read back, decoded; add --key PLANT1/FG-DEVICE/D-001 for one lot
  {held_stock_request(addresses).as_curl()}
      the ERP's own answer, without our code: the transfers that hold the goods

`lotgate trace lot D-001` tells one lot's story. `make down` stops all, `make purge` removes it."""
