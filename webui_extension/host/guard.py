"""An exception in our code never stops the host: it is logged, and the host goes on."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Any

from webui_extension.core.errors import PanelError
from webui_extension.core.texts import say

log = logging.getLogger("generate_on_cloud")


def guarded(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` for the host's hooks: None where it raised."""

    @functools.wraps(function)
    def guard(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except Exception:
            log.exception("Generate on Cloud: %s failed; the WebUI goes on without it", function.__qualname__)
            return None

    return guard


def told(error: Exception) -> str:
    """What to show the user of an error in an event; one that is not theirs is logged too."""
    if isinstance(error, PanelError):
        return str(error)
    log.error("Generate on Cloud", exc_info=error)
    return say("internal", reason=f"{type(error).__name__}: {error}")
