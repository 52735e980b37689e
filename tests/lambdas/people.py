"""Makes users, roles and keys in an emulated service."""

from datetime import timedelta
from typing import Any

from tests.lambdas.cloud import Cloud


def make_user(cloud: Cloud, name: str, role: str = "artist", by: str = "root") -> str:
    """A new user's key."""
    cloud.ask("POST", "/v1/users", {"name": name, "role": role}, user=by).ok(201)
    return make_key(cloud, name)


def make_key(cloud: Cloud, name: str, **body: object) -> str:
    return str(cloud.ask("POST", "/v1/keys", {"user": name, **body}, user="root").ok(201)["key"])


def make_role(cloud: Cloud, name: str, *permissions: str) -> None:
    cloud.ask("POST", "/v1/roles", {"name": name, "permissions": permissions}, user="root").ok(201)


def with_key(key: str) -> dict[str, Any]:
    return {"user": None, "headers": {"x-api-key": key}}


def later(cloud: Cloud) -> None:
    """When every function has forgotten what it knew of keys."""
    cloud.clock.now += timedelta(seconds=61)
