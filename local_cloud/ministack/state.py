"""The state of ministack's services as files: which ones exist, and how each is rewritten."""

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


class UnsteadyStateError(Exception):
    """A service changed its state during every attempt to copy it."""


class EmulatorState:
    """The state files below `folder`."""

    def __init__(self, app: Any, persistence: Any, folder: Path) -> None:
        """`app` and `persistence` are ministack's modules."""
        self._app = app
        self._persistence = persistence
        self._folder = folder

    def keys(self, service: str | None = None) -> list[str]:
        """Names of the state files that `service` writes; None: of all loaded services."""
        if service is None:
            return [key for key, module in self._app._state_map.items() if _loaded(module)]  # noqa: SLF001
        config = self._app.SERVICE_REGISTRY[service]
        modules = {config["module"], *config.get("sub_modules", ())}
        return [key for key, module in self._app._state_map.items() if module in modules]  # noqa: SLF001

    def save(self, key: str, extra: Mapping[str, object] | None = None) -> None:
        """Rewrite the state file `key` atomically; ministack ignores the `extra` entries when it loads the file.

        Raises:
            OSError: it could not be written; the old file is unchanged.
        """
        module = _loaded(self._app._state_map[key])  # noqa: SLF001
        if module is None:
            return
        state = _copied(module.get_state)
        if state is None:
            return
        document = {
            "__ministack_format__": self._persistence._state_format_version(key),  # noqa: SLF001
            "payload": {**state, **(extra or {})},
        }
        text = json.dumps(document, default=self._persistence._json_default)  # noqa: SLF001
        path = self.path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".json.tmp")
        partial.write_text(text)
        partial.replace(path)

    def path(self, key: str) -> Path:
        return self._folder / f"{key}.json"

    def stack_in_progress(self) -> bool:
        """Whether CloudFormation is creating, changing or deleting anything right now."""
        from ministack.services import cloudformation

        return any(
            str(stack.get("StackStatus", "")).endswith("_IN_PROGRESS")
            for stack in list(cloudformation._stacks._data.values())  # noqa: SLF001
        )


def _loaded(module: str) -> Any:
    found = sys.modules.get(f"ministack.services.{module}")
    return found if hasattr(found, "get_state") else None


def _copied(get_state: Callable[[], Any]) -> Any:
    """The state, copied again if a service's own thread changed it meanwhile."""
    for _ in range(50):
        try:
            return get_state()
        except RuntimeError as error:
            if "changed size during iteration" not in str(error):
                raise
    raise UnsteadyStateError("a service kept changing its state while it was copied")
