"""Faults that a local cloud under test produces on purpose."""

from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(frozen=True, kw_only=True)
class NotificationFaults:
    """Faults of notifications: shares of all of them, each from 0 to 1, together at most 1."""

    lost: float = 0.0
    doubled: float = 0.0
    delayed: float = 0.0
    delay_seconds: float = 10.0
    """Maximum delay; the second copy of a duplicated one comes as late."""
    seed: int = 0

    def __post_init__(self) -> None:
        shares = (self.lost, self.doubled, self.delayed)
        if min(shares) < 0 or sum(shares) > 1 or self.delay_seconds < 0:
            raise ValueError(f"received {asdict(self)}; allowed: shares from 0 to 1, together at most 1; no past")

    @classmethod
    def of(cls, document: Any) -> "NotificationFaults":
        """From JSON.

        Raises:
            ValueError: the document is invalid.
        """
        names = {field.name for field in fields(cls)}
        if not isinstance(document, dict) or not names >= document.keys():
            raise ValueError(f"received {document!r}; allowed: a JSON object of {', '.join(sorted(names))}")
        if not all(isinstance(value, int | float) for value in document.values()):
            raise ValueError(f"received {document!r}; allowed: numbers")
        return cls(**document)
