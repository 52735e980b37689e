"""URL and key of the service: from the environment, else what the panel saved, else what `goc auth login` saved."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from webui_extension.core.errors import PanelError
from webui_extension.core.texts import say


@dataclass(frozen=True)
class Login:
    url: str
    api_key: str = field(repr=False)


def configuration_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """`generate-on-cloud` in the user's configuration folder."""
    configured = environment.get("XDG_CONFIG_HOME")
    return (Path(configured) if configured else Path.home() / ".config") / "generate-on-cloud"


def panel_file(environment: Mapping[str, str] = os.environ) -> Path:
    """Where the panel keeps its own login; the profiles of `goc` in `login.json` stay as they are."""
    return configuration_folder(environment) / "webui.json"


def find_login(environment: Mapping[str, str] = os.environ) -> Login:
    """`GOC_URL` with `GOC_API_KEY`, else the panel's own login, else the current profile of `goc`.

    Raises:
        PanelError: there is none, or the file is damaged.
    """
    url, key = environment.get("GOC_URL"), environment.get("GOC_API_KEY")
    if url and key:
        return Login(url, key)
    for path in (panel_file(environment), configuration_folder(environment) / "login.json"):
        if not path.exists():
            continue
        try:
            saved = _current(json.loads(path.read_text(encoding="utf-8")), environment)
            return Login(str(saved["url"]), str(saved["api_key"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise PanelError(say("bad_login", path=path, reason=error)) from error
    raise PanelError(say("no_login"))


def _current(saved: Any, environment: Mapping[str, str]) -> Any:
    if "profiles" not in saved:
        return saved
    return saved["profiles"][environment.get("GOC_PROFILE") or saved["current"]]


def keep_login(login: Login, environment: Mapping[str, str] = os.environ) -> Path:
    """Write the panel's login so that only its owner can read it; returns the file."""
    path = panel_file(environment)
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    new.touch(mode=0o600)
    new.write_text(json.dumps({"url": login.url, "api_key": login.api_key}), encoding="utf-8")
    new.replace(path)
    return path
