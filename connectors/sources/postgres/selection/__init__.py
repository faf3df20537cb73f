"""What of the published tables is carried, under which key, and what of it stays hidden."""

from connectors.sources.postgres.selection.mask import Mask, mask_of
from connectors.sources.postgres.selection.rules import Selection, Treatment, read_selection

__all__ = ["Mask", "Selection", "Treatment", "mask_of", "read_selection"]
