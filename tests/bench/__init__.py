"""The bench: the reference job on our engine and on others, in one run on one broker."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

# The local stack is no installed package; its own commands find it the same way.
if str(ROOT / "deploy" / "local") not in sys.path:
    sys.path.insert(0, str(ROOT / "deploy" / "local"))
