"""Where `goc` and `open_cloud` find the service: what the caller names, then the environment, then saved profiles."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from generate_on_cloud.client.errors import CloudError, NotLoggedInError

DEFAULT_PROFILE = "default"
URL_VARIABLE, KEY_VARIABLE, PROFILE_VARIABLE = "GOC_URL", "GOC_API_KEY", "GOC_PROFILE"


class Login(BaseModel):
    """URL and key for one deployment."""

    model_config = ConfigDict(frozen=True)

    url: str
    api_key: str


class Logins(BaseModel):
    """Every saved profile, and the one that commands use when none is named."""

    current: str = DEFAULT_PROFILE
    profiles: dict[str, Login] = {}

    def named(self, profile: str) -> Login:
        """The login of a profile.

        Raises:
            NotLoggedInError: there is no such profile.
        """
        if profile in self.profiles:
            return self.profiles[profile]
        if not self.profiles and profile == DEFAULT_PROFILE:
            raise NotLoggedInError("not logged in: run `goc auth login`, or set GOC_URL and GOC_API_KEY")
        known = ", ".join(sorted(self.profiles)) or "none yet"
        raise NotLoggedInError(f"there is no profile {profile!r} (saved: {known}); `goc auth login` makes one")

    def at(self, url: str) -> Login:
        """The login whose URL this is.

        Raises:
            NotLoggedInError: no profile has this URL.
        """
        for login in self.profiles.values():
            if login.url.rstrip("/") == url.rstrip("/"):
                return login
        raise NotLoggedInError(f"no key is saved for {url}: set GOC_API_KEY, or run `goc auth login --url {url}`")


def configuration_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """`generate-on-cloud` in the user's configuration folder."""
    configured = environment.get("XDG_CONFIG_HOME")
    return (Path(configured) if configured else Path.home() / ".config") / "generate-on-cloud"


def login_file(environment: Mapping[str, str] = os.environ) -> Path:
    """The file with all profiles."""
    return configuration_folder(environment) / "login.json"


def read_logins(path: Path) -> Logins:
    """The saved profiles; none if there is no file. A file with one login, as 0.2 wrote it, is the profile `default`.

    Raises:
        CloudError: the file is damaged.
    """
    try:
        saved = json.loads(path.read_text())
        if isinstance(saved, dict) and "profiles" in saved:
            return Logins.model_validate(saved)
        return Logins(profiles={DEFAULT_PROFILE: Login.model_validate(saved)})
    except FileNotFoundError:
        return Logins()
    except (ValueError, ValidationError) as error:
        raise CloudError(f"{path} is damaged ({error}); delete it and run `goc auth login` again") from error


def keep_logins(logins: Logins, path: Path) -> None:
    """Write the profiles so that only their owner can read them; the old file stays whole if this is interrupted."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    new.touch(mode=0o600)
    new.write_text(logins.model_dump_json(indent=2))
    new.replace(path)


def keep_login(login: Login, path: Path, *, profile: str = DEFAULT_PROFILE) -> None:
    """Save a profile and make it the current one; a damaged file is replaced."""
    try:
        logins = read_logins(path)
    except CloudError:
        logins = Logins()
    keep_logins(Logins(current=profile, profiles={**logins.profiles, profile: login}), path)


def find_login(
    environment: Mapping[str, str] = os.environ, *, profile: str | None = None, url: str | None = None
) -> Login:
    """The first of: `url` with its key, `profile`, `GOC_URL` with `GOC_API_KEY`, `GOC_PROFILE`, the current profile.

    A URL without a key uses the saved key of exactly this URL, so no key is ever sent elsewhere.

    Raises:
        NotLoggedInError: there is none.
        CloudError: the file is damaged.
    """
    key = environment.get(KEY_VARIABLE)
    named_url = url or (None if profile else environment.get(URL_VARIABLE))
    if named_url and key and not profile:
        return Login(url=named_url, api_key=key)
    logins = read_logins(login_file(environment))
    if named_url:
        return Login(url=named_url, api_key=logins.at(named_url).api_key)
    return logins.named(profile or environment.get(PROFILE_VARIABLE) or logins.current)
