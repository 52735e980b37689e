"""URL and key of the service: from the environment, else from the file that `goc login` writes too."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from webui_extension.core.errors import PanelError
from webui_extension.core.texts import say


@dataclass(frozen=True)
class Login:
    url: str
    api_key: str = field(repr=False)


def login_file(environment: Mapping[str, str] = os.environ) -> Path:
    """`generate-on-cloud/login.json` in the user's configuration folder."""
    configured = environment.get("XDG_CONFIG_HOME")
    return (Path(configured) if configured else Path.home() / ".config") / "generate-on-cloud" / "login.json"


def find_login(environment: Mapping[str, str] = os.environ) -> Login:
    """`GOC_URL` with `GOC_API_KEY`, else what was saved.

    Raises:
        PanelError: there is neither, or the file is damaged.
    """
    url, key = environment.get("GOC_URL"), environment.get("GOC_API_KEY")
    if url and key:
        return Login(url, key)
    path = login_file(environment)
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
        return Login(str(saved["url"]), str(saved["api_key"]))
    except FileNotFoundError:
        raise PanelError(say("no_login")) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PanelError(say("bad_login", path=path, reason=error)) from error


def keep_login(login: Login, environment: Mapping[str, str] = os.environ) -> Path:
    """Write the login so that only its owner can read it; returns the file."""
    path = login_file(environment)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600, exist_ok=True)
    path.chmod(0o600)
    path.write_text(json.dumps({"url": login.url, "api_key": login.api_key}), encoding="utf-8")
    return path
