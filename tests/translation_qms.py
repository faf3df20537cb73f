"""A QMS as its rows, and the transactions that its forms leave."""

from __future__ import annotations

from typing import Any

from tests.translation_stream import Database, Translation

RECORD, STAGE = "mgmtsystem_nonconformity", "mgmtsystem_nonconformity_stage"
STAGES = {1: "draft", 2: "analysis", 3: "pending", 4: "open", 5: "done", 6: "cancel"}
SEVERITIES = {1: "critical", 2: "major", 3: "Minor", 4: "unfounded", 5: "terrible"}


class Qms(Database):
    """A QMS with its stages, severities and users."""

    def __init__(self) -> None:
        super().__init__("oca", "qms")
        self.translation = Translation()
        self.number = 10
        self.run(
            *(
                self.change("c", STAGE, key, name=f"stage {key}", state=state)
                for key, state in STAGES.items()
            ),
            *(
                self.change("c", "mgmtsystem_nonconformity_severity", key, name=name)
                for key, name in SEVERITIES.items()
            ),
            self.change("c", "res_users", 2, login="quality.engineer", name="Quality engineer"),
            self.change("c", "res_users", 3, login="quality.manager", name="Quality manager"),
        )

    def run(self, *changes: Any) -> list[Any]:
        return self.translation.feed(self.transaction(*changes))

    def next(self) -> int:
        self.number += 1
        return self.number

    def record(self, *lots: tuple[str, str], **cells: Any) -> tuple[int, list[Any]]:
        """A new record with its lots, in one transaction."""
        key = self.next()
        values = {
            "ref": f"NC-{key}",
            "description": "flash on the seal",
            "stage_id": 4,
            "severity_id": 2,
            "closing_date": None,
            "create_uid": 2,
            "write_uid": None,
            **cells,
        }
        changes = [self.change("c", RECORD, key, **values)]
        changes += [self.names(key, *lot) for lot in lots]
        return key, self.run(*changes)

    def names(self, record: int, product: str, lot: str) -> Any:
        return self.change(
            "c",
            "nc_lot",
            self.next(),
            nonconformity_id=record,
            product_code=product,
            lot_number=lot,
        )

    def moved(self, key: int, stage: int, **cells: Any) -> Any:
        return self.change("u", RECORD, key, stage_id=stage, write_uid=3, **cells)

    def signature(self, key: int, meaning: str = "closure approved", **cells: Any) -> Any:
        values = {
            "nonconformity_id": key,
            "signer_login": "quality.manager",
            "signer_name": "Quality manager",
            "meaning": meaning,
            "signed_at": "2026-03-02 08:10:00.5+00",
            **cells,
        }
        return self.change("c", "e_signature", self.next(), **values)
