"""What can go wrong with the local stack, each with a stable code and advice."""

from __future__ import annotations

from streams.errors import Misconfigured


class StackError(Misconfigured):
    """A part of the local stack could not do what was asked."""

    code = "stack_failed"


class MissingRequirement(StackError):
    """The machine lacks something that the local stack needs."""

    code = "stack_requirement_missing"


class PartDidNotStart(StackError):
    """A part ended, or did not answer in time, while it was being started."""

    code = "stack_part_not_started"


class DownloadFailed(StackError):
    """A file could not be fetched, or is not the file that was published."""

    code = "stack_download_failed"


class PlantRefused(StackError):
    """The ERP refused a step of the plant, as it would refuse a user's click."""

    code = "plant_refused"
