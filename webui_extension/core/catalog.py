"""What the cloud has: model files by type and endpoints, remembered for a short while."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from webui_extension.core.connection import Connection
from webui_extension.core.errors import PanelError
from webui_extension.core.texts import say

FRESH = 15.0
"""Seconds for which a list is not asked for again."""
ACCEPTING = frozenset({"InService", "Updating", "ScaledToZero", "UpdateRollbackFailed"})
"""Statuses of an endpoint that takes jobs."""
MODEL_TYPES = ("checkpoint", "vae", "lora", "embedding", "hypernetwork", "controlnet", "upscaler")


class Catalog:
    """Lists of one deployment."""

    def __init__(self, connection: Connection, clock: Callable[[], float] = time.monotonic) -> None:
        self._connection = connection
        self._clock = clock
        self._lists: dict[str, tuple[float, list[dict[str, Any]]]] = {}

    def assets(self, asset_type: str, *, fresh: bool = False) -> list[dict[str, Any]]:
        """All model files of a type, whatever their status."""
        return self._list(f"asset:{asset_type}", lambda: self._all_assets(asset_type), fresh=fresh)

    def active(self, asset_type: str, *, fresh: bool = False) -> list[dict[str, Any]]:
        """Those that jobs may use now."""
        return [each for each in self.assets(asset_type, fresh=fresh) if each["status"] == "active"]

    def endpoints(self, *, fresh: bool = False) -> list[dict[str, Any]]:
        return self._list(
            "endpoints", lambda: list(self._connection.ask("GET", "/v1/endpoints")["endpoints"]), fresh=fresh
        )

    def check_endpoint(self, name: str | None) -> None:
        """Refuse to send where nothing would be drawn.

        Raises:
            PanelError: no endpoint, or the chosen one, is in service.
        """
        endpoints = self.endpoints(fresh=True)
        if name and not any(each["name"] == name for each in endpoints):
            raise PanelError(say("endpoint_gone", name=name))
        asked = [each for each in endpoints if not name or each["name"] == name]
        if not any(each["status"] in ACCEPTING for each in asked):
            states = ", ".join(f"{each['name']}: {each['status']}" for each in asked) or "-"
            raise PanelError(say("no_endpoint", states=states))

    def _list(self, key: str, read: Callable[[], list[dict[str, Any]]], *, fresh: bool) -> list[dict[str, Any]]:
        asked, known = self._lists.get(key, (0.0, None))
        if known is None or fresh or self._clock() - asked > FRESH:
            known = read()
            self._lists[key] = (self._clock(), known)
        return known

    def _all_assets(self, asset_type: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        cursor = None
        while True:
            query = {"type": asset_type, "limit": 100, "cursor": cursor}
            page = self._connection.ask("GET", "/v1/assets", query=query)
            found += page["assets"]
            cursor = page["next_cursor"]
            if cursor is None:
                return found


def endpoint_line(endpoint: Mapping[str, Any]) -> str:
    """One endpoint with its state in plain words."""
    if endpoint["status"] not in ACCEPTING:
        reason = endpoint.get("failure_reason")
        return f"{endpoint['name']}: {endpoint['status']}" + (f" ({reason})" if reason else "")
    state = say("gpu_awake", count=endpoint["instance_count"]) if endpoint["instance_count"] else say("gpu_asleep")
    open_jobs = endpoint.get("open_jobs")
    waiting = f" · {say('open_jobs', count=open_jobs)}" if open_jobs else ""
    return f"{endpoint['name']}: {state}{waiting}"


def price_line(usage: Mapping[str, Any]) -> str:
    """What this month has cost so far, and one job of it on average; "" if the price is not known."""
    days = [day for day in usage.get("days", ()) if day.get("cost") is not None]
    cost, jobs = sum(float(day["cost"]) for day in days), sum(int(day["jobs"]) for day in days)
    return say("price", total=f"{cost:.2f}", each=f"{cost / jobs:.4f}") if jobs else ""
