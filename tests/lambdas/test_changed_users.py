"""PATCH of a user changes what is given; a disabled user is locked out, keeps everything and comes back."""

from typing import Any

import pytest

from generate_on_cloud.contract.access import Quotas
from generate_on_cloud.contract.accounts import PatchUser
from tests.lambdas.clients import client_of
from tests.lambdas.cloud import KEYS, Cloud
from tests.lambdas.people import later, make_key, make_role, make_user, with_key


def patch(cloud: Cloud, name: str, **body: object) -> Any:
    return cloud.ask("PATCH", f"/v1/users/{name}", body, user="root").ok()


def limited(cloud: Cloud) -> None:
    quotas = {"jobs_per_day": 5, "concurrent_jobs": 2}
    cloud.ask("POST", "/v1/users", {"name": "carol", "role": "artist", "quotas": quotas}, user="root").ok(201)


@pytest.mark.parametrize(
    ("body", "role", "quotas"),
    [
        ({}, "artist", {"jobs_per_day": 5, "concurrent_jobs": 2}),
        ({"role": "admin"}, "admin", {"jobs_per_day": 5, "concurrent_jobs": 2}),
        ({"quotas": {"jobs_per_day": 9}}, "artist", {"jobs_per_day": 9, "concurrent_jobs": 2}),
        ({"quotas": {"jobs_per_day": None}}, "artist", {"concurrent_jobs": 2}),
        ({"quotas": {"asset_bytes": 0}}, "artist", {"jobs_per_day": 5, "concurrent_jobs": 2, "asset_bytes": 0}),
        ({"quotas": {}}, "artist", {"jobs_per_day": 5, "concurrent_jobs": 2}),
        ({"quotas": None, "role": None, "disabled": None}, "artist", {"jobs_per_day": 5, "concurrent_jobs": 2}),
    ],
)
def test_a_patch_changes_what_it_names_and_nothing_else(
    cloud: Cloud, body: dict[str, object], role: str, quotas: dict[str, int]
) -> None:
    limited(cloud)
    key = make_key(cloud, "carol")

    user = patch(cloud, "carol", **body)
    later(cloud)

    assert user["role"] == role
    assert {name: limit for name, limit in user["quotas"].items() if limit is not None} == quotas
    me = cloud.ask("GET", "/v1/me", **with_key(key)).ok()
    assert (me["role"], me["quotas"]) == (role, user["quotas"])


def test_a_put_takes_away_the_quotas_that_it_does_not_name(cloud: Cloud) -> None:
    limited(cloud)

    user = cloud.ask("PUT", "/v1/users/carol", {"role": "artist"}, user="root").ok()

    assert set(user["quotas"].values()) == {None}


def test_the_client_removes_a_quota_with_none(cloud: Cloud) -> None:
    limited(cloud)

    user = client_of(cloud, KEYS["root"]).users.change("carol", PatchUser(quotas=Quotas(jobs_per_day=None)))

    assert (user.quotas.jobs_per_day, user.quotas.concurrent_jobs) == (None, 2)


def test_a_patch_gives_no_more_than_the_caller_has(cloud: Cloud) -> None:
    make_role(cloud, "lead", "user:all", "inference:list")
    make_role(cloud, "viewer", "inference:list")
    lead = make_user(cloud, "lena", "lead")
    make_user(cloud, "victor", "viewer")
    patch(cloud, "lena", quotas={"jobs_per_day": 3})
    patch(cloud, "victor", quotas={"jobs_per_day": 2})
    later(cloud)

    for body in ({"role": "artist"}, {"quotas": {"jobs_per_day": 4}}, {"quotas": {"jobs_per_day": None}}):
        cloud.ask("PATCH", "/v1/users/victor", body, **with_key(lead)).problem(403, "forbidden")
    cloud.ask("PATCH", "/v1/users/root", {"disabled": True}, **with_key(lead)).problem(403, "forbidden")
    cloud.ask("PATCH", "/v1/users/victor", {"quotas": {"jobs_per_day": 1}}, **with_key(lead)).ok()
    cloud.ask("PATCH", "/v1/users/victor", {"role": "gone"}, user="root").problem(404, "not_found")
    cloud.ask("PATCH", "/v1/users/nobody", {}, user="root").problem(404, "not_found")
    cloud.ask("PATCH", "/v1/users/victor", {"quota": {}}, user="root").problem(422, "invalid_params")


def test_a_disabled_user_is_locked_out_with_every_key_and_comes_back(cloud: Cloud) -> None:
    key = make_user(cloud, "carol")
    session = cloud.ask("POST", "/v1/sessions", {}, **with_key(key)).ok(201)["key"]
    job = cloud.job(user="carol")

    assert patch(cloud, "carol", disabled=True)["disabled"] is True
    new = make_key(cloud, "carol")
    code = cloud.ask("POST", "/v1/sessions/codes", {"user": "carol"}, user="root").ok(201)["code"]
    later(cloud)

    for each in (key, session, new):
        problem = cloud.ask("GET", "/v1/me", **with_key(each)).problem(403, "forbidden")
        assert problem["detail"].startswith("The user 'carol' is disabled;")
    cloud.ask("POST", "/v1/sessions", {"code": code}, user=None).problem(403, "forbidden")
    cloud.ask("POST", "/v1/sessions", {}, **with_key(key)).problem(403, "forbidden")
    assert cloud.status(job.job_id) == "queued"

    patch(cloud, "carol", disabled=False)
    later(cloud)
    for each in (key, session, new):
        assert cloud.ask("GET", "/v1/me", **with_key(each)).ok()["user"] == "carol"


def test_one_administrator_always_acts(cloud: Cloud) -> None:
    make_user(cloud, "second", "admin")
    root: dict[str, Any] = {"user": "root"}
    patch(cloud, "second", disabled=True)

    for method, body in (("PATCH", {"disabled": True}), ("PATCH", {"role": "artist"}), ("DELETE", None)):
        cloud.ask(method, "/v1/users/root", body, **root).problem(409, "last_admin")

    patch(cloud, "second", role="artist")
    patch(cloud, "second", disabled=False)
    cloud.ask("DELETE", "/v1/users/root", **root).problem(409, "last_admin")
    patch(cloud, "second", role="admin")
    patch(cloud, "second", disabled=True)
    patch(cloud, "second", disabled=True)
    patch(cloud, "second", disabled=False)
    patch(cloud, "root", disabled=True)


def test_a_disabled_administrator_can_be_deleted_and_counts_for_nothing(cloud: Cloud) -> None:
    make_user(cloud, "second", "admin")
    make_user(cloud, "third", "admin")
    patch(cloud, "second", disabled=True)

    cloud.ask("DELETE", "/v1/users/second", user="root").ok()
    cloud.ask("DELETE", "/v1/users/third", user="root").ok()
    cloud.ask("DELETE", "/v1/users/root", user="root").problem(409, "last_admin")


def test_a_role_of_a_disabled_user_is_in_use(cloud: Cloud) -> None:
    make_role(cloud, "viewer", "inference:list")
    make_user(cloud, "carol", "viewer")
    patch(cloud, "carol", disabled=True)

    cloud.ask("DELETE", "/v1/roles/viewer", user="root").problem(409, "role_in_use")
