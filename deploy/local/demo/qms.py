"""What people enter in the QMS during the demo: plain rows, as its own forms would write them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg

if TYPE_CHECKING:
    from collections.abc import Sequence

QUALITY_ENGINEER, QUALITY_MANAGER = "quality.engineer", "quality.manager"


class Qms:
    """The QMS, as its own application writes to it.

    Args:
        dsn: Its database, as the QMS's own user.
    """

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    def open_nonconformity(
        self, ref: str, severity: str, lots: Sequence[tuple[str, str]], description: str
    ) -> int:
        """Enter a nonconformity in progress; return its id.

        Args:
            ref: Its number.
            severity: `critical`, `major`, `minor` or `unfounded`.
            lots: Product code and lot number of each lot that it names.
            description: What was found.
        """
        with psycopg.connect(self._dsn) as connection:
            row = connection.execute(
                "insert into mgmtsystem_nonconformity"
                " (ref, description, stage_id, severity_id, user_id, create_uid, write_uid)"
                " select %(ref)s, %(text)s, stage.id, severity.id, person.id, person.id, person.id"
                " from mgmtsystem_nonconformity_stage stage,"
                " mgmtsystem_nonconformity_severity severity, res_users person"
                " where stage.state = 'open' and severity.name = %(severity)s"
                " and person.login = %(login)s returning id",
                {
                    "ref": ref,
                    "text": description,
                    "severity": severity,
                    "login": QUALITY_ENGINEER,
                },
            ).fetchone()
            if row is None:
                raise LookupError(f"the QMS has no severity {severity!r} or no {QUALITY_ENGINEER}")
            number = int(row[0])
            for product, lot in lots:
                connection.execute(
                    "insert into nc_lot (nonconformity_id, product_code, lot_number)"
                    " values (%s, %s, %s)",
                    (number, product, lot),
                )
        return number

    def close(self, ref: str, *, signed: bool) -> None:
        """Move a nonconformity to its last stage, with or without a signature row."""
        with psycopg.connect(self._dsn) as connection:
            connection.execute(
                "update mgmtsystem_nonconformity set closing_date = now() at time zone 'UTC',"
                " write_date = now() at time zone 'UTC',"
                " write_uid = (select id from res_users where login = %(login)s),"
                " stage_id = (select id from mgmtsystem_nonconformity_stage where state = 'done')"
                " where ref = %(ref)s",
                {"ref": ref, "login": QUALITY_MANAGER},
            )
            if signed:
                self._sign(connection, ref)

    def sign(self, ref: str) -> None:
        """Add the signature row that approves the closing of a nonconformity."""
        with psycopg.connect(self._dsn) as connection:
            self._sign(connection, ref)

    def _sign(self, connection: psycopg.Connection[tuple[object, ...]], ref: str) -> None:
        connection.execute(
            "insert into e_signature"
            " (nonconformity_id, signer_login, signer_name, meaning, signed_at)"
            " select record.id, person.login, person.name, 'closure approved', now()"
            " from mgmtsystem_nonconformity record, res_users person"
            " where record.ref = %s and person.login = %s",
            (ref, QUALITY_MANAGER),
        )
