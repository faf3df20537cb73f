"""`lotgate cdc`: what a person does with a source."""

from connectors.cdc.group import cdc

__all__ = ["cdc"]
