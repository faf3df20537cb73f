"""What every suite shares: the fixtures of the real parts."""

from __future__ import annotations

pytest_plugins = ["tests.parts"]
