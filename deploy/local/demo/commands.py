"""`lotgate up`, `down`, `purge`, `demo` and `doctor` for a checkout."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click
import orjson
from localstack import MissingRequirement, Stack, report_for_terminal

from demo.doctor import examine
from demo.drift import drift_named
from demo.run import Demo
from demo.summary import case_rows, closing_words, columns, keyed

if TYPE_CHECKING:
    from localstack import Report

NOT_WELL = 5


@click.command()
@click.option("--parts-only", is_flag=True, help="Without Lotgate's own processes.")
def up(*, parts_only: bool) -> None:
    """Start the local stack: broker, registry, database, ERP, and Lotgate's own processes."""
    stack, report = Stack(), report_for_terminal()
    required(stack)
    demo = Demo(stack, report)
    demo.start_parts()
    if not parts_only:
        demo.start_pipeline()
    where = stack.addresses()
    click.echo(
        f"broker    {where.bootstrap}\nregistry  {where.registry_url}\nERP       {where.erp_url}"
    )
    click.echo(
        f"logs      {stack.layout.logs}\n`lotgate down` stops it, `lotgate doctor` looks at it."
    )


@click.command()
def down() -> None:
    """Stop what the local stack started, and nothing else; data is kept."""
    Stack().down(report_for_terminal())


@click.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
def purge(*, yes: bool) -> None:
    """Stop the local stack and remove its data and downloads."""
    stack = Stack()
    if not yes and sys.stdin.isatty():
        click.confirm(f"Remove {stack.layout.root} with all data and downloads?", abort=True)
    stack.purge(report_for_terminal())


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON line per finding on stdout.")
@click.pass_context
def doctor(ctx: click.Context, *, as_json: bool) -> None:
    """Say which part of the local stack is not well, and why. Exit code 5 if any is not."""
    findings = list(examine(Stack()))
    for found in findings:
        if as_json:
            click.echo(orjson.dumps(found))
            continue
        sign = "well    " if found.well else "NOT WELL"
        click.echo(f"{sign}  {found.name:<18} {found.told}")
        if found.advice:
            click.echo(f"{'':<30}next: {found.advice}")
    if not all(found.well for found in findings):
        ctx.exit(NOT_WELL)


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@click.pass_context
def demo(ctx: click.Context, *, as_json: bool) -> None:
    """Run the main job on the local stack; exit code 0 only if every hold was read back."""
    if ctx.invoked_subcommand is not None:
        return
    stack, report = Stack(), report_for_terminal()
    required(stack)
    ctx.exit(run_demo(stack, report, as_json=as_json))


@demo.command("fail")
@click.argument("lot")
@click.option("--product", help="Product code, if several lots have the number.")
@click.option("--json", "as_json", is_flag=True, help="One JSON array on stdout.")
@click.pass_context
def fail(ctx: click.Context, lot: str, product: str | None, *, as_json: bool) -> None:
    """Fail an inspection of a lot in the ERP, and watch what Lotgate does about it."""
    job = Demo(Stack(), report_for_terminal())
    job.need_running()
    seen = job.fail_lot(lot, product)
    rows = case_rows(seen)
    click.echo(orjson.dumps(keyed(rows)) if as_json else columns(rows))
    ctx.exit(0 if seen else 4)


@demo.command("lots")
def lots() -> None:
    """List the lots that the ERP knows."""
    job = Demo(Stack(), report_for_terminal())
    job.need_running()
    for line in job.lots():
        click.echo(line)


def required(stack: Stack) -> None:
    """Refuse with one sentence for each thing that the machine lacks."""
    missing = stack.missing_requirements()
    if missing:
        raise MissingRequirement(" ".join(missing), advice="the README lists what must be there")


def run_demo(stack: Stack, report: Report, *, as_json: bool) -> int:
    """Both scenarios on a fresh plant and one drift; print the tables; return the exit code."""
    job = Demo(stack, report)
    click.echo(
        "The hold target is set to `enforce` for this demo; on your own systems it starts in"
        " `observe` and writes nothing.",
        err=as_json,
    )
    job.fresh_start()
    first = job.failed_inspection()
    click.echo(first.table, err=as_json)
    second = job.held_on_arrival()
    click.echo(second.table, err=as_json)
    third = drift_named(stack, report)
    click.echo(third.table, err=as_json)
    right = first.right and second.right and third.right
    click.echo(closing_words(stack.addresses(), right=right), err=as_json)
    if as_json:
        found = {
            "right": right,
            "inspection": first.rows,
            "arrival": second.rows,
            "drift": third.rows,
        }
        click.echo(orjson.dumps(found))
    return 0 if right else 4


COMMANDS: dict[str, click.Command] = {
    "up": up,
    "down": down,
    "purge": purge,
    "demo": demo,
    "doctor": doctor,
}
"""What `lotgate` adds in a checkout."""
