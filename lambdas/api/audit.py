"""The audit log: one JSON line per change to accounts, assets, endpoints and jobs; it never contains a secret."""

import json
import logging
from collections.abc import Mapping

from lambdas.api.routes import UserCall

_LOG = logging.getLogger("audit")
_LOG.setLevel(logging.INFO)


def log_change(call: UserCall, action: str, target: str, details: Mapping[str, object] | None = None) -> None:
    """Log that the caller did `action` (such as `user.created`) to `target`, and with which key."""
    who = {"by": call.caller.user, "key_id": call.caller.key_id}
    line = {"audit": action, **who, "target": target, **(details or {})}
    _LOG.info(json.dumps(line, sort_keys=True, default=str))
