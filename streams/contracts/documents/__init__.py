"""Documents that people write (YAML): read strictly, every complaint with file and line."""

from streams.contracts.documents.complaints import Complaint, nearest, refuse
from streams.contracts.documents.loading import Document, Strict, parsed, read

__all__ = ["Complaint", "Document", "Strict", "nearest", "parsed", "read", "refuse"]
