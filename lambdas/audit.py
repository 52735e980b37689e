"""The audit log: one JSON line for each change to accounts, assets, endpoints and jobs; never a secret in it."""

import json
import logging
from collections.abc import Mapping

_LOG = logging.getLogger("audit")
_LOG.setLevel(logging.INFO)


def record_change(action: str, *, by: str, key_id: str | None, target: str, details: Mapping[str, object]) -> None:
    """Log that `by`, with the key `key_id`, did `action` (`user.created`) to `target`."""
    line = {"audit": action, "by": by, "key_id": key_id, "target": target, **details}
    _LOG.info(json.dumps(line, sort_keys=True, default=str))
