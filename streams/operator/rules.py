"""`lotgate rules verify`: run case files through the shipped rules."""

from __future__ import annotations

from pathlib import Path

import click

from streams.rules.verification import rendered, verify


@click.group()
def rules() -> None:
    """Check the shipped rules against acceptance cases of your own."""


@rules.command("verify")
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON line per case on stdout.")
@click.pass_context
def verify_command(ctx: click.Context, paths: tuple[Path, ...], *, as_json: bool) -> None:
    """Run case files, or all `*.json` of a folder, and print what differs.

    The last line is `N passed, N failed`. Exit code 4 if any case failed.
    """
    files = [file for path in paths for file in _files(path)]
    results = verify(files)
    click.echo(rendered(results, as_json=as_json))
    if not results or any(not result.passed for result in results):
        ctx.exit(4)


def _files(path: Path) -> list[Path]:
    return sorted(path.glob("*.json")) if path.is_dir() else [path]
