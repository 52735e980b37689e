"""Nobody gives more than they have, and administrators keep a key that lasts."""

from datetime import timedelta
from typing import Any

import pytest

from tests.lambdas.cloud import KEYS, START, Cloud, before_call
from tests.lambdas.people import later, make_key, make_role, make_user, with_key


def key_id_of(cloud: Cloud, key: str) -> str:
    return str(cloud.ask("GET", "/v1/me", **with_key(key)).ok()["key_id"])


def soon() -> str:
    return (START + timedelta(hours=1)).isoformat()


TAKING: dict[str, tuple[str, str, object]] = {
    "revoking it": ("DELETE", "/v1/keys/{key}", None),
    "deleting its user": ("DELETE", "/v1/users/root", None),
    "demoting its user": ("PUT", "/v1/users/root", {"role": "artist"}),
}


@pytest.mark.parametrize("way", TAKING)
@pytest.mark.parametrize(
    "second",
    [None, {"expires_at": soon()}, {"permissions": ["user:all"]}, {"permissions": []}],
    ids=["no key", "a key that expires", "a limited key", "a key for nothing"],
)
def test_the_last_lasting_key_of_an_administrator_stays(
    cloud: Cloud, way: str, second: dict[str, object] | None
) -> None:
    method, path, body = TAKING[way]
    cloud.ask("POST", "/v1/users", {"name": "second", "role": "admin"}, user="root").ok(201)
    if second is not None:
        make_key(cloud, "second", **second)
    asking = make_key(cloud, "second", expires_at=soon())
    path = path.format(key=key_id_of(cloud, KEYS["root"]))

    refused = cloud.ask(method, path, body, **with_key(asking)).problem(409, "last_admin")
    make_key(cloud, "second")
    cloud.ask(method, path, body, **with_key(asking)).ok()

    assert "create another one first" in refused["detail"] or "last user" in refused["detail"]


def test_keys_that_are_not_the_last_lasting_ones_are_revoked(cloud: Cloud) -> None:
    make_user(cloud, "carol")
    spare, brief = make_key(cloud, "root"), make_key(cloud, "root", expires_at=soon())

    for key in (brief, spare):
        cloud.ask("DELETE", f"/v1/keys/{key_id_of(cloud, key)}", user="root").ok()
    (own,) = cloud.ask("GET", "/v1/keys", user="root", query={"user": "carol"}).ok()["keys"]
    cloud.ask("DELETE", f"/v1/keys/{own['key_id']}", user="root").ok()


def test_two_keys_that_revoke_each_other_at_once_leave_one(cloud: Cloud) -> None:
    second = make_user(cloud, "second", "admin")
    first_id, second_id = key_id_of(cloud, KEYS["root"]), key_id_of(cloud, second)
    between: list[Any] = []

    def revoke_the_other() -> None:
        if not between:
            between.append(cloud.ask("DELETE", f"/v1/keys/{first_id}", **with_key(second)))

    with before_call(cloud.dynamodb, "dynamodb.TransactWriteItems", revoke_the_other):
        cloud.ask("DELETE", f"/v1/keys/{second_id}", user="root").problem(409, "last_admin")

    between[0].ok()
    assert len(cloud.ask("GET", "/v1/keys", **with_key(second)).ok()["keys"]) == 1


QUOTAS: dict[str, Any] = {
    "none": {},
    "more": {"concurrent_jobs": 2, "asset_bytes": 100},
    "one missing": {"concurrent_jobs": 1},
    "one more": {"concurrent_jobs": 1, "asset_bytes": 101},
}


@pytest.fixture
def bound(cloud: Cloud) -> dict[str, Any]:
    """How a user asks who may create users and roles and is bound by a quota of the role and one of their own."""
    role = {
        "name": "lead",
        "permissions": ["user:create", "user:list", "role:create", "inference:list"],
        "quotas": {"concurrent_jobs": 1},
    }
    cloud.ask("POST", "/v1/roles", role, user="root").ok(201)
    make_role(cloud, "free", "inference:list")
    body = {"name": "lena", "role": "lead", "quotas": {"asset_bytes": 100}}
    cloud.ask("POST", "/v1/users", body, user="root").ok(201)
    return with_key(make_key(cloud, "lena"))


@pytest.mark.parametrize("quotas", QUOTAS)
def test_who_is_bound_by_quotas_gives_no_wider_ones(cloud: Cloud, bound: dict[str, Any], quotas: str) -> None:
    given, right = QUOTAS[quotas], {"concurrent_jobs": 1, "asset_bytes": 100}
    own_role = {"name": "mine", "permissions": ["inference:list"]}
    cloud.ask("POST", "/v1/roles", {**own_role, "quotas": right}, **bound).ok(201)
    cloud.ask("POST", "/v1/users", {"name": "sock", "role": "free", "quotas": right}, **bound).ok(201)
    asked = [
        ("POST", "/v1/users", {"name": "eve", "role": "free", "quotas": given}),
        ("PUT", "/v1/users/sock", {"role": "free", "quotas": given}),
        ("POST", "/v1/roles", {"name": "theirs", "permissions": ["inference:list"], "quotas": given}),
        ("PUT", "/v1/roles/mine", {"permissions": ["inference:list"], "quotas": given}),
    ]

    for method, path, body in asked:
        refused = cloud.ask(method, path, body, **bound).problem(403, "forbidden")
        assert "concurrent_jobs: 1" in refused["detail"] or "asset_bytes: 100" in refused["detail"]


def test_a_roles_quotas_count_as_the_users_and_an_unbound_user_gives_any(cloud: Cloud, bound: dict[str, Any]) -> None:
    cloud.ask("POST", "/v1/users", {"name": "eve", "role": "lead", "quotas": {"asset_bytes": 5}}, **bound).ok(201)
    cloud.ask("POST", "/v1/users", {"name": "free", "role": "free"}, user="root").ok(201)


def test_no_key_is_made_for_a_user_who_was_given_more_by_another(cloud: Cloud, bound: dict[str, Any]) -> None:
    right = {"concurrent_jobs": 1, "asset_bytes": 100}
    cloud.ask("POST", "/v1/users", {"name": "sock", "role": "free", "quotas": right}, **bound).ok(201)
    cloud.ask("POST", "/v1/keys", {"user": "sock"}, **bound).ok(201)
    cloud.ask("PUT", "/v1/users/sock", {"role": "free"}, user="root").ok()

    cloud.ask("POST", "/v1/keys", {"user": "sock"}, **bound).problem(403, "forbidden")


@pytest.mark.parametrize("name", ["Root", "ROOT", "Carol", "carol", "DORA", "dora", "Dora"])
def test_names_of_users_that_differ_in_letter_case_only_are_taken(cloud: Cloud, name: str) -> None:
    for taken in ("carol", "Dora"):
        make_user(cloud, taken)
    cloud.ask("DELETE", "/v1/users/Dora", user="root").ok()

    cloud.ask("POST", "/v1/users", {"name": name, "role": "artist"}, user="root").problem(409, "name_taken")


@pytest.mark.parametrize("name", ["Admin", "ARTIST", "viewer", "VIEWER", "Editor", "editor"])
def test_names_of_roles_are_taken_in_every_letter_case_and_after_their_end(cloud: Cloud, name: str) -> None:
    for taken in ("viewer", "Editor"):
        make_role(cloud, taken, "inference:list")
        cloud.ask("DELETE", f"/v1/roles/{taken}", user="root").ok()

    cloud.ask("POST", "/v1/roles", {"name": name, "permissions": []}, user="root").problem(409, "name_taken")
    listed = [role["name"] for role in cloud.ask("GET", "/v1/roles", user="root").ok()["roles"]]
    assert not {"viewer", "Editor"} & set(listed)
    cloud.ask("GET", "/v1/roles/viewer", user="root").problem(404, "not_found")


@pytest.mark.parametrize(
    ("limits", "sees_all"),
    [
        ({"permissions": []}, False),
        ({"permissions": ["inference:list"]}, False),
        ({"permissions": ["user:list"]}, True),
        ({}, True),
    ],
)
def test_a_limited_key_lists_itself_only(cloud: Cloud, limits: dict[str, object], *, sees_all: bool) -> None:
    key = make_key(cloud, "root", label="mine", **limits)
    later(cloud)

    keys = cloud.ask("GET", "/v1/keys", **with_key(key)).ok()["keys"]

    assert [line["label"] for line in keys].count("mine") == 1
    assert (len(keys) > 1) is sees_all
