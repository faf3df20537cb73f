"""`lotgate icd`: interface documents compared with what runs, told apart, and rendered."""

from __future__ import annotations

import click

from streams.operator.icd.asyncapi import asyncapi
from streams.operator.icd.diff import diff
from streams.operator.icd.render import render
from streams.operator.icd.verify import verify


@click.group()
def icd() -> None:
    """Interface documents: compare them with what runs, tell versions apart, render them."""


for _command in (verify, render, diff, asyncapi):
    icd.add_command(_command)
