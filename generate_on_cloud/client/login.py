"""Where `goc` finds the service: environment variables first, then what `goc login` saved."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from generate_on_cloud.client.errors import CloudError, NotLoggedInError


class Login(BaseModel):
    """URL and key for one deployment."""

    model_config = ConfigDict(frozen=True)

    url: str
    api_key: str


def login_file(environment: Mapping[str, str] = os.environ) -> Path:
    """`generate-on-cloud/login.json` in the user's configuration folder."""
    configured = environment.get("XDG_CONFIG_HOME")
    return (Path(configured) if configured else Path.home() / ".config") / "generate-on-cloud" / "login.json"


def keep_login(login: Login, path: Path) -> None:
    """Write the login so that only its owner can read it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600, exist_ok=True)
    path.chmod(0o600)
    path.write_text(login.model_dump_json())


def find_login(environment: Mapping[str, str] = os.environ) -> Login:
    """`GOC_URL` with `GOC_API_KEY`, else the saved login.

    Raises:
        NotLoggedInError: there is neither.
        CloudError: the file is damaged.
    """
    url, api_key = environment.get("GOC_URL"), environment.get("GOC_API_KEY")
    if url and api_key:
        return Login(url=url, api_key=api_key)
    path = login_file(environment)
    try:
        return Login.model_validate(json.loads(path.read_text()))
    except FileNotFoundError:
        raise NotLoggedInError("not logged in: run `goc login`, or set GOC_URL and GOC_API_KEY") from None
    except (ValueError, ValidationError) as error:
        raise CloudError(f"{path} is damaged ({error}); run `goc login` again") from error
