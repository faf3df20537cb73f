"""What every suite shares: the fixtures of the real parts, and the evidence of a run."""

from __future__ import annotations

pytest_plugins = ["tests.parts", "tests.evidence_report", "tests.erp_fixtures"]
