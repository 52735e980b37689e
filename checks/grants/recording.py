"""The calls of each scenario, from the local cloud's record, and the grants that they need."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from checks.grants.deployed import Deployed, Grant, Request, allowed, without
from local_cloud.cloud import LocalCloud

QUIET_SECONDS = 1.5


class Recorder:
    """Assigns the calls in the local cloud's record to scenarios."""

    def __init__(self, cloud: LocalCloud) -> None:
        self._cloud = cloud
        self.requests: dict[str, list[Request]] = {}

    @contextmanager
    def scenario(self, name: str) -> Iterator[None]:
        """Assign to `name` the calls inside the block, and after it until no more arrive."""
        began = self._size()
        yield
        self.keep(name, began=began)

    def keep(self, name: str, *, began: int) -> None:
        """Assign to `name` the calls recorded from byte `began` on, once no more arrive."""
        seen, since = self._size(), time.monotonic()
        while time.monotonic() - since < QUIET_SECONDS:
            time.sleep(0.1)
            if self._size() != seen:
                seen, since = self._size(), time.monotonic()
        with self._cloud.settings.requests_file.open("rb") as file:
            file.seek(began)
            lines = [json.loads(line) for line in file.read(seen - began).splitlines()]
        self.requests[name] = [
            Request(line["role"], line["action"], line["resource"], line["context"])
            for line in lines
            if line["allowed"]
        ]

    def _size(self) -> int:
        return self._cloud.settings.requests_file.stat().st_size


def needed_by(deployed: Deployed, requests: Mapping[str, Sequence[Request]], *, region: str) -> dict[Grant, list[str]]:
    """For each grant, the scenarios that would be refused a call without it."""
    table: dict[Grant, list[str]] = {}
    for grant in deployed.grants():
        statements = deployed.statements(grant.role)
        left = without(statements, grant)
        role = deployed.role_names[grant.role]
        table[grant] = [
            scenario
            for scenario, made in requests.items()
            if any(
                allowed(request, statements, region=region) and not allowed(request, left, region=region)
                for request in made
                if request.role == role and request.action == grant.action
            )
        ]
    return table
