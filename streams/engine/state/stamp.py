"""Which version of a state's schema a partition was last written with, kept in its own store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import orjson

from streams.engine.state.table import StateUnreadable
from streams.errors import Misconfigured

if TYPE_CHECKING:
    from streams.contracts.codec import Form

SCHEMA_KEY: Final = b"\0\1schema"


class Stamp:
    """The form of one partition's states: checked before anything is consumed.

    An earlier build could decode a later state and would lose on its next write what it does not
    know, so it must not begin.
    """

    def __init__(self, form: Form, build: str, where: str) -> None:
        """Say what this build writes.

        Args:
            form: The form of the states.
            build: Version of the running code.
            where: The partition of the store, for messages.
        """
        self._form = form
        self._build = build
        self._where = where
        self.is_due = True

    def check(self, stored: bytes | None, part: str = "") -> None:
        """Compare with what the partition was last written with.

        Args:
            stored: What `dump` gave, None for a partition that was never stamped.
            part: Which part of `where` it was read from, for messages.

        Raises:
            StateUnreadable: A later version was written.
            Misconfigured: The schema is another one under the same version.
        """
        self.is_due = True
        if stored is None:
            return
        known, form, where = orjson.loads(stored), self._form, f"{self._where}{part}"
        if known["version"] > form.version:
            raise StateUnreadable(
                f"the state of {where} was written by build {known['build']!r} with version"
                f" {known['version']} of {known['name']}; this build {self._build!r} has version"
                f" {form.version}",
                code="state_newer",
                kept="the state; nothing was consumed",
                advice=f"start a build that has version {known['version']} or a later one",
            )
        if known["version"] == form.version and known["fingerprint"] != form.fingerprint:
            raise Misconfigured(
                f"the state of {where} was written by build {known['build']!r} with version"
                f" {form.version} of {known['name']}, and {form.name} of this build is another"
                " schema under the same version",
                code="state_schema_changed",
                kept="the state; nothing was consumed",
                advice="give the store the next version, and an upcaster where the new schema"
                " cannot read the old one",
            )
        self.is_due = known["version"] < form.version

    def dump(self) -> bytes:
        """What is stored with the first change by this build."""
        form = self._form
        fields = {"version": form.version, "fingerprint": form.fingerprint, "name": form.name}
        return orjson.dumps({**fields, "build": self._build})
