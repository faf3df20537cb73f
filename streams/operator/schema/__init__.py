"""`lotgate schema`: check, publish and compare the schemas of a job."""

from __future__ import annotations

import click

from streams.operator.schema.check import check
from streams.operator.schema.diff import diff
from streams.operator.schema.publish import publish


@click.group()
def schema() -> None:
    """The Avro schemas of the main job, or of your own app."""


for _command in (check, publish, diff):
    schema.add_command(_command)
