"""What an index worker does, in words that its process and the server share."""

from dataclasses import dataclass
from enum import StrEnum


class IndexPhase(StrEnum):
    """For the editor's progress and for `midfill/status`."""

    INDEXING = "indexing"
    READY = "ready"
    SHARED = "shared"  # another window's worker keeps this index
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class IndexState:
    """`fraction` is of the pass under way; `update_ms` is what reading the files saved last took, None before any."""

    phase: IndexPhase
    message: str
    fraction: float | None = None
    update_ms: float | None = None
