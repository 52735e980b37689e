"""Every role on every route, on one's own things and on others', and what keys may be narrowed to."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from generate_on_cloud.contract.access import ADMIN, ARTIST, BUILT_IN_ROLES, Permission, allows, not_held
from lambdas.access.caller import narrowed
from lambdas.api.table import ROUTES
from lambdas.aws.rows import new_id
from tests.lambdas.cloud import START, Cloud, Reply
from tests.lambdas.visitors import ROLES, enter

PAGE = Path(__file__).parents[2] / "docs" / "access.md"
KEYED = [route for route in ROUTES if route.needs_key]


def ask(cloud: Cloud, route: Any, headers: dict[str, str], **values: str) -> Reply:
    path = re.sub(r"{(\w+)}", lambda found: values.get(found[1], new_id()), route.path)
    return cloud.ask(route.method, path, {}, user=None, headers=headers)


@pytest.mark.parametrize("role", ROLES)
def test_a_route_lets_in_exactly_the_roles_that_hold_its_permission(cloud: Cloud, role: str) -> None:
    headers = enter(cloud, role)

    for route in KEYED:
        reply = ask(cloud, route, headers)
        if route.permission is None or allows(ROLES[role], route.permission):
            # An empty body on a thing that is not there: refused for that, but not for the permission.
            assert reply.status != 403, f"{role} {route.method} {route.path}"
        else:
            problem = reply.problem(403, "forbidden")
            assert f"needs the permission {route.permission};" in problem["detail"]


@pytest.mark.parametrize(
    ("role", "mine", "foreign"),
    [
        (ADMIN, 200, 200),
        (ARTIST, 200, 404),
        ("only-inference-all", 200, 200),
        ("only-inference-list", 200, 404),
        ("only-asset-all", 403, 403),
    ],
)
def test_a_job_is_seen_by_its_owner_and_by_who_may_see_all(cloud: Cloud, role: str, mine: int, foreign: int) -> None:
    headers = enter(cloud, role)
    own, other = cloud.job(user="visitor"), cloud.job(user="bob")

    for job, status in ((own, mine), (other, foreign)):
        assert cloud.ask("GET", f"/v1/jobs/{job.job_id}", user=None, headers=headers).status == status


@pytest.mark.parametrize(("role", "status"), [(ADMIN, 200), (ARTIST, 404), ("only-inference-create", 404)])
def test_a_foreign_job_is_canceled_by_who_may_do_all_only(cloud: Cloud, role: str, status: int) -> None:
    headers = enter(cloud, role)
    job = cloud.job(user="bob")

    reply = cloud.ask("POST", f"/v1/jobs/{job.job_id}/cancel", {}, user=None, headers=headers)

    assert reply.status == status
    assert cloud.status(job.job_id) == ("canceled" if status == 200 else "queued")


def test_a_key_does_no_more_than_its_scope_and_no_more_than_its_role(cloud: Cloud) -> None:
    headers = enter(cloud, ARTIST, permissions=["inference:list", "user:all"])

    cloud.ask("GET", "/v1/jobs", user=None, headers=headers).ok()

    for path in ("/v1/assets", "/v1/endpoints"):
        cloud.ask("GET", path, user=None, headers=headers).problem(403, "forbidden")
    assert cloud.services.callers.caller_with(headers["x-api-key"]).permissions == {Permission.INFERENCE_LIST}


def test_a_key_ends_at_its_hour_even_when_it_is_remembered(cloud: Cloud) -> None:
    headers = enter(cloud, ARTIST, expires_at=int((START + timedelta(seconds=20)).timestamp()))
    cloud.ask("GET", "/v1/jobs", user=None, headers=headers).ok()
    cloud.clock.now = START + timedelta(seconds=21)

    cloud.ask("GET", "/v1/jobs", user=None, headers=headers).problem(401, "unauthorized")


def test_a_user_whose_role_is_gone_is_told_so(cloud: Cloud) -> None:
    headers = enter(cloud, "vanished")

    problem = cloud.ask("GET", "/v1/jobs", user=None, headers=headers).problem(403, "forbidden")

    assert (
        problem["detail"] == "The role 'vanished' of the user 'visitor' no longer exists; ask an admin for another one."
    )


def test_a_role_of_ones_own_costs_one_more_call_a_minute(cloud: Cloud) -> None:
    headers = enter(cloud, "only-inference-list")
    cloud.counted()

    for _ in range(3):
        cloud.ask("GET", "/v1/jobs", user=None, headers=headers).ok()

    assert cloud.counted() == 2 + 3


def test_all_is_create_and_list_of_the_same_resource_only() -> None:
    assert allows({Permission.ASSET_ALL}, Permission.ASSET_CREATE)
    assert not allows({Permission.ASSET_CREATE, Permission.ASSET_LIST}, Permission.ASSET_ALL)
    assert not allows({Permission.ASSET_ALL}, Permission.USER_LIST)
    assert not_held({Permission.ASSET_ALL}, {Permission.ASSET_LIST, Permission.USER_ALL}) == [Permission.USER_ALL]
    assert narrowed(frozenset({Permission.ASSET_ALL}), frozenset({Permission.ASSET_LIST})) == {Permission.ASSET_LIST}


def test_the_page_has_every_permission_and_the_built_in_roles() -> None:
    text = PAGE.read_text(encoding="utf-8")

    assert {f"{resource}:{action}" for resource in re.findall(r"^\| `(\w+)` \| see", text, re.MULTILINE)
            for action in ("list", "create", "all")} == set(Permission)  # fmt: skip
    listed = ", ".join(f"`{permission}`" for permission in sorted(BUILT_IN_ROLES[ARTIST]))
    assert f"| `{ARTIST}` | {listed} |" in text
    assert f"| `{ADMIN}` | all of them |" in text
