"""What AWS permits itself, unlike a kind emulator: events that come twice, indices that lag, few executions."""

from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Unkindness:
    """How unkind the local cloud is; the same seed draws the same lots."""

    doubled_events: float = 0.02
    """Share, from 0 to 1, that comes twice: of SQS's messages, of the events of SNS, EventBridge and S3 that start
    functions, and of asynchronous invocations."""
    doubled_within_seconds: float = 2.0
    """How much later than the first the second one comes, at most."""
    index_lag_seconds: float = 0.0
    """How much later than its table a global secondary index shows a write, at most. Not by default: a list is then
    right at once, as whoever tries things out expects."""
    concurrency: int | None = None
    """Functions that run at once in the account; None: as many as the machine bears."""
    seed: int = 0

    def __post_init__(self) -> None:
        late = min(self.doubled_within_seconds, self.index_lag_seconds)
        few = self.concurrency is not None and self.concurrency < 1
        if not 0 <= self.doubled_events <= 1 or late < 0 or few:
            raise ValueError(f"received {asdict(self)}; allowed: a share from 0 to 1, no past, at least one execution")

    @classmethod
    def of(cls, document: Any) -> "Unkindness":
        """From JSON.

        Raises:
            ValueError: the document is invalid.
        """
        names = {field.name for field in fields(cls)}
        if not isinstance(document, dict) or not names >= document.keys():
            raise ValueError(f"received {document!r}; allowed: a JSON object of {', '.join(sorted(names))}")
        for name, value in document.items():
            whole = name in {"concurrency", "seed"}
            if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
                kind = "a whole number" if whole else "a number"
                raise ValueError(f"received {value!r} for {name}; allowed: {kind}")  # noqa: TRY004 - it is a value
        return cls(**document)


KIND = Unkindness(doubled_events=0)
"""For measurements, and for tests that count events."""
