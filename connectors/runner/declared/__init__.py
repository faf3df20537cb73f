"""What the interface documents say of a connector, obeyed when it starts and while it runs."""

from connectors.runner.declared.flow import ALL_MODES, Declared, declared, policy_of, refuse_tables
from connectors.runner.declared.releasing import Releasing

__all__ = ["ALL_MODES", "Declared", "Releasing", "declared", "policy_of", "refuse_tables"]
