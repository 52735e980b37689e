"""What the service answers to `goc users`, `roles`, `keys`, `usage`, `webhooks`, `me`, and what `goc` then says."""

from collections.abc import Callable
from typing import Any

from tests.client.small_service import TIME

QUOTAS = {"jobs_per_day": 50, "asset_bytes": 20 * 10**9}
USER: dict[str, Any] = {
    "name": "ada", "role": "artist", "quotas": QUOTAS, "created_at": TIME, "created_by": "root", "keys": 2,
}  # fmt: skip
ROLE: dict[str, Any] = {
    "name": "trainee", "permissions": ["inference:create", "inference:list"], "quotas": {"jobs_per_day": 20},
    "built_in": False, "created_at": TIME, "created_by": "root",
}  # fmt: skip
KEY: dict[str, Any] = {
    "key_id": "ab" * 32, "user": "ada", "label": "laptop", "permissions": None, "created_at": TIME,
    "created_by": "root", "expires_at": None,
}  # fmt: skip
ME: dict[str, Any] = {
    "user": "ada", "role": "artist", "permissions": ["inference:create"], "quotas": QUOTAS, "key_id": "ab" * 32,
    "key_expires_at": None,
    "quota_use": [
        {"quota": "jobs_per_day", "limit": 50, "used": 3, "left": 47, "resets_at": "2026-01-03T00:00:00Z"},
        {"quota": "asset_bytes", "limit": 20 * 10**9, "used": 10**9, "left": 19 * 10**9, "resets_at": None},
    ],
}  # fmt: skip
DAY: dict[str, Any] = {
    "user": "ada", "day": "2026-11-30", "jobs": 12, "succeeded": 10, "failed": 2, "canceled": 0, "expired": 0,
    "gpu_seconds": 83.25, "cost": 0.0326,
}  # fmt: skip
USAGE: dict[str, Any] = {
    "days": [DAY, {**DAY, "day": "2026-12-01", "jobs": 3, "failed": 0, "gpu_seconds": 10.5, "cost": 0.0041}],
    "price_per_hour": 1.41, "asset_bytes": 15_700_000, "next_cursor": None,
}  # fmt: skip
CODE = {"code": "c0de", "user": "ada", "expires_at": TIME}

Answers = dict[str, tuple[dict[str, Any], Callable[[Any], object], object]]
PEOPLE: Answers = {
    "users list": (
        {"GET /v1/users": (200, {"users": [USER], "next_cursor": None})}, lambda said: said["users"][0]["name"], "ada"
    ),
    "users show ada": ({"GET /v1/users/ada": (200, USER)}, lambda said: said["quotas"]["jobs_per_day"], 50),
    "users create ada --jobs-per-day 50 --key": (
        {"POST /v1/users": (201, USER), "POST /v1/keys": (201, {**KEY, "key": "goc_x"})},
        lambda said: (said["role"], said["key"]), ("artist", "goc_x"),
    ),
    "users update ada --role trainee": (
        {"PATCH /v1/users/ada": (200, USER)}, lambda said: said["name"], "ada"
    ),
    "users disable ada": (
        {"PATCH /v1/users/ada": (200, {**USER, "disabled": True})}, lambda said: said["disabled"], True
    ),
    "users enable ada": ({"PATCH /v1/users/ada": (200, USER)}, lambda said: said["disabled"], False),
    "users rm ada": ({"DELETE /v1/users/ada": (200, {"name": "ada"})}, lambda said: said["name"], "ada"),
    "users invite ada": ({"POST /v1/sessions/codes": (201, CODE)}, lambda said: said["code"], "c0de"),
    "roles list": (
        {"GET /v1/roles": (200, {"roles": [ROLE], "next_cursor": None})},
        lambda said: said["roles"][0]["name"], "trainee",
    ),
    "roles show trainee": ({"GET /v1/roles/trainee": (200, ROLE)}, lambda said: said["built_in"], False),
    "roles create trainee --permission inference:list": (
        {"POST /v1/roles": (201, ROLE)}, lambda said: said["name"], "trainee"
    ),
    "roles update trainee --jobs-per-day 5": (
        {"GET /v1/roles/trainee": (200, ROLE), "PUT /v1/roles/trainee": (200, ROLE)},
        lambda said: said["name"], "trainee",
    ),
    "roles rm trainee": (
        {"DELETE /v1/roles/trainee": (200, {"name": "trainee"})}, lambda said: said["name"], "trainee"
    ),
    "keys list": (
        {"GET /v1/keys": (200, {"keys": [KEY]}), "GET /v1/me": (200, ME)},
        lambda said: said["keys"][0]["label"], "laptop",
    ),
    "keys create --expires 30d": ({"POST /v1/keys": (201, {**KEY, "key": "goc_x"})}, lambda said: said["key"], "goc_x"),
    "keys rm abab": (
        {"GET /v1/keys": (200, {"keys": [KEY]}),
         f"DELETE /v1/keys/{KEY['key_id']}": (200, {"key_id": KEY["key_id"], "effective_within_seconds": 60})},
        lambda said: said["revoked"][0]["effective_within_seconds"], 60,
    ),
    "usage": ({"GET /v1/usage": (200, USAGE)}, lambda said: said["days"][0]["jobs"], 12),
    "webhooks secret": (
        {"POST /v1/me/webhook-secret": (200, {"secret": "whsec_x", "previous_valid": True})},
        lambda said: said["secret"], "whsec_x",
    ),
    "webhooks deliveries j1": (
        {"GET /v1/jobs/j1/deliveries": (200, {"webhook": None, "deliveries": []})},
        lambda said: said["deliveries"], [],
    ),
    "me": ({"GET /v1/me": (200, ME)}, lambda said: said["user"], "ada"),
    "me update --endpoint fast": ({"PATCH /v1/me": (200, ME)}, lambda said: said["role"], "artist"),
}  # fmt: skip
