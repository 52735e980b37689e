"""The credential with all rights in one run of the local cloud: random for each start, and known to its owner only."""

import configparser
import os
import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from local_cloud.private_files import write_private

_LETTERS = string.ascii_uppercase + "234567"
_ID, _SECRET = "aws_access_key_id", "aws_secret_access_key"


@dataclass(frozen=True, kw_only=True)
class RootCredential:
    """An access key of the account's root."""

    access_key: str
    secret_key: str

    @classmethod
    def random(cls) -> Self:
        """One that nobody has."""
        letters = "".join(secrets.choice(_LETTERS) for _ in range(16))
        return cls(access_key=f"AKIA{letters}", secret_key=secrets.token_urlsafe(30))

    @classmethod
    def read(cls, path: Path) -> Self:
        """The one that the running local cloud wrote to `path`.

        Raises:
            FileNotFoundError: no local cloud has run there.
        """
        parser = configparser.ConfigParser(interpolation=None)
        parser.read_string(path.read_text())
        return cls(access_key=parser["default"][_ID], secret_key=parser["default"][_SECRET])

    @classmethod
    def of_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """The one that the local cloud hands to its own processes."""
        return cls(access_key=environment["AWS_ACCESS_KEY_ID"], secret_key=environment["AWS_SECRET_ACCESS_KEY"])

    @property
    def variables(self) -> dict[str, str]:
        """What AWS's programs read from their environment."""
        return {"AWS_ACCESS_KEY_ID": self.access_key, "AWS_SECRET_ACCESS_KEY": self.secret_key}

    def write(self, path: Path) -> None:
        """Write a file for `AWS_SHARED_CREDENTIALS_FILE` that only its owner can read."""
        write_private(path, f"[default]\n{_ID} = {self.access_key}\n{_SECRET} = {self.secret_key}\n")
