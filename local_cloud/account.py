"""What an account may do: its quotas for GPUs and the instance types of its region.

The figures are those of an account with everything the service needs; `account.json` in the state folder, read at
each use, changes them: `{"quotas": {"ml.g5.xlarge for endpoint usage": 0}, "instance_types": ["g4dn.xlarge"]}`.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from generate_on_cloud.contract.instances import GPUS

GRANTED: Final = 8
"""Instances of each type, unless `account.json` has another number."""


def quota_name(instance_type: str) -> str:
    """What Service Quotas calls the number of instances that endpoints may have."""
    return f"{instance_type} for endpoint usage"


class Account:
    """The account of one local cloud."""

    def __init__(self, file: Path) -> None:
        """`file`: `account.json`, which need not exist."""
        self._file = file

    def quotas(self) -> Mapping[str, float]:
        """Value of each quota by its name."""
        changed: Mapping[str, float] = self._facts().get("quotas", {})
        return {quota_name(kind): GRANTED for kind in GPUS} | dict(changed)

    def instance_types(self) -> Sequence[str]:
        """EC2's names of the types in this region."""
        types: Sequence[str] = self._facts().get("instance_types", [kind.removeprefix("ml.") for kind in GPUS])
        return types

    def _facts(self) -> dict[str, Any]:
        try:
            facts: dict[str, Any] = json.loads(self._file.read_text())
        except FileNotFoundError:
            return {}
        return facts
