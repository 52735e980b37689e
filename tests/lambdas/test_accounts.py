"""Users, roles and keys: made, changed and deleted only by who has the rights, and never half."""

import json
import logging
import re
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from generate_on_cloud.contract.access import Permission
from lambdas.access.caller import key_row_id
from lambdas.aws.cursors import encode_cursor
from lambdas.aws.rows import from_item, timestamp, to_item
from tests.lambdas.cloud import KEYS, START, Cloud, Reply, before_call
from tests.lambdas.people import later, make_key, make_role, make_user, with_key

ABSURD: Any = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats() | st.text(max_size=100),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def access_row(cloud: Cloud, access_id: str) -> dict[str, Any]:
    return from_item(cloud.dynamodb.get_item(TableName="access", Key=to_item({"access_id": access_id}))["Item"])


def test_a_new_user_works_with_a_key_that_only_its_hash_is_kept_of(cloud: Cloud) -> None:
    key = make_user(cloud, "carol")

    me = cloud.ask("GET", "/v1/me", **with_key(key)).ok()

    assert re.fullmatch(r"goc_[A-Za-z0-9_-]{43}", key)
    assert (me["user"], me["role"]) == ("carol", "artist")
    assert "inference:create" in me["permissions"]
    assert me["key_id"] == key_row_id(key).removeprefix("key#")
    assert key not in json.dumps(cloud.dynamodb.scan(TableName="access")["Items"], default=str)
    listed = cloud.ask("GET", "/v1/keys", **with_key(key))
    assert [line["key_id"] for line in listed.ok()["keys"]] == [me["key_id"]]
    assert key not in listed.text


def test_a_changed_role_reaches_every_key_of_the_user_within_a_minute(cloud: Cloud) -> None:
    keys = [make_user(cloud, "carol"), make_key(cloud, "carol")]
    make_role(cloud, "viewer", "inference:list")
    cloud.ask("GET", "/v1/endpoints", **with_key(keys[0])).ok()

    cloud.ask("PUT", "/v1/users/carol", {"role": "viewer"}, user="root").ok()
    later(cloud)

    for key in keys:
        cloud.ask("GET", "/v1/endpoints", **with_key(key)).problem(403, "forbidden")
        cloud.ask("GET", "/v1/jobs", **with_key(key)).ok()


def test_a_changed_role_definition_reaches_its_users_within_a_minute(cloud: Cloud) -> None:
    make_role(cloud, "viewer", "inference:list")
    key = make_user(cloud, "carol", "viewer")
    cloud.ask("GET", "/v1/endpoints", **with_key(key)).problem(403, "forbidden")

    cloud.ask("PUT", "/v1/roles/viewer", {"permissions": ["endpoint:list"]}, user="root").ok()
    later(cloud)

    cloud.ask("GET", "/v1/endpoints", **with_key(key)).ok()
    cloud.ask("GET", "/v1/jobs", **with_key(key)).problem(403, "forbidden")


def test_a_deleted_users_keys_stop_and_the_name_is_not_used_again(cloud: Cloud) -> None:
    key = make_user(cloud, "carol")
    job = cloud.job(user="carol")
    cloud.ask("GET", "/v1/me", **with_key(key)).ok()

    cloud.ask("DELETE", "/v1/users/carol", user="root").ok()
    later(cloud)

    cloud.ask("GET", "/v1/me", **with_key(key)).problem(401, "unauthorized")
    cloud.ask("GET", "/v1/users/carol", user="root").problem(404, "not_found")
    cloud.ask("POST", "/v1/keys", {"user": "carol"}, user="root").problem(404, "not_found")
    cloud.ask("POST", "/v1/users", {"name": "carol", "role": "artist"}, user="root").problem(409, "name_taken")
    assert "carol" not in cloud.ask("GET", "/v1/users", user="root").text
    assert cloud.status(job.job_id) == "queued"


def test_a_revoked_key_stops_within_a_minute_and_the_others_go_on(cloud: Cloud) -> None:
    first, second = make_user(cloud, "carol"), make_key(cloud, "carol")
    key_id = key_row_id(first).removeprefix("key#")
    cloud.ask("GET", "/v1/me", **with_key(first)).ok()

    answer = cloud.ask("DELETE", f"/v1/keys/{key_id}", **with_key(second)).ok()
    later(cloud)

    assert answer == {"key_id": key_id, "effective_within_seconds": 60}
    cloud.ask("GET", "/v1/me", **with_key(first)).problem(401, "unauthorized")
    cloud.ask("GET", "/v1/me", **with_key(second)).ok()
    cloud.ask("DELETE", f"/v1/keys/{key_id}", **with_key(second)).problem(404, "not_found")


def test_a_key_does_not_revoke_itself_or_what_is_another_users(cloud: Cloud) -> None:
    key = make_user(cloud, "carol")
    bobs = key_row_id(KEYS["bob"]).removeprefix("key#")

    own = key_row_id(key).removeprefix("key#")
    cloud.ask("DELETE", f"/v1/keys/{own}", **with_key(key)).problem(403, "forbidden")
    cloud.ask("DELETE", f"/v1/keys/{bobs}", **with_key(key)).problem(404, "not_found")
    cloud.ask("GET", "/v1/keys", query={"user": "bob"}, **with_key(key)).problem(403, "forbidden")
    cloud.ask("POST", "/v1/keys", {"user": "bob"}, **with_key(key)).problem(403, "forbidden")


def test_a_narrowed_key_makes_no_wider_and_no_longer_one(cloud: Cloud) -> None:
    make_user(cloud, "carol")
    ends = START + timedelta(days=1)
    key = make_key(cloud, "carol", permissions=["inference:list"], expires_at=timestamp(ends))
    wider = {"expires_at": timestamp(ends), "permissions": ["inference:create"]}

    for body in ({"expires_at": timestamp(ends)}, wider, {"permissions": ["inference:list"]}):
        cloud.ask("POST", "/v1/keys", body, **with_key(key)).problem(403, "forbidden")

    narrow = {"expires_at": timestamp(ends), "permissions": ["inference:list"]}
    made = cloud.ask("POST", "/v1/keys", narrow, **with_key(key)).ok(201)
    assert cloud.ask("GET", "/v1/me", **with_key(made["key"])).ok()["permissions"] == ["inference:list"]


def test_a_key_ends_when_it_was_told_to(cloud: Cloud) -> None:
    make_user(cloud, "carol")
    key = make_key(cloud, "carol", expires_at=timestamp(START + timedelta(hours=1)))
    cloud.ask("GET", "/v1/me", **with_key(key)).ok()

    cloud.clock.now = START + timedelta(hours=1, seconds=1)

    cloud.ask("GET", "/v1/me", **with_key(key)).problem(401, "unauthorized")


@pytest.mark.parametrize("when", ["2020-01-01T00:00:00Z", "9999-12-31T23:59:59-12:00", "2027-01-01T00:00:00"])
def test_a_key_ends_at_a_moment_to_come_in_this_decade(cloud: Cloud, when: str) -> None:
    cloud.ask("POST", "/v1/keys", {"expires_at": when}).problem(422, "invalid_params")


def test_a_user_has_at_most_twenty_keys_and_those_time_took_do_not_count(cloud: Cloud) -> None:
    keys = [make_user(cloud, "carol"), *(make_key(cloud, "carol") for _ in range(19))]
    cloud.ask("POST", "/v1/keys", {"user": "carol"}, user="root").problem(409, "too_many_keys")

    cloud.dynamodb.delete_item(TableName="access", Key=to_item({"access_id": key_row_id(keys[5])}))

    make_key(cloud, "carol")
    assert len(access_row(cloud, "user#carol")["key_ids"]) == 20
    cloud.ask("PUT", "/v1/users/carol", {"role": "admin"}, user="root").ok()


def test_the_last_admin_stays(cloud: Cloud) -> None:
    for method, body in (("DELETE", None), ("PUT", {"role": "artist"})):
        cloud.ask(method, "/v1/users/root", body, user="root").problem(409, "last_admin")
    make_user(cloud, "second", "admin")

    cloud.ask("DELETE", "/v1/users/root", user="root").ok()

    later(cloud)
    cloud.ask("GET", "/v1/me", user="root").problem(401, "unauthorized")


def test_two_admins_who_delete_each_other_at_once_leave_one(cloud: Cloud) -> None:
    key = make_user(cloud, "second", "admin")
    between: list[Reply] = []

    def overtake() -> None:
        if not between:
            between.append(cloud.ask("DELETE", "/v1/users/root", **with_key(key)))

    with before_call(cloud.dynamodb, "dynamodb.TransactWriteItems", overtake):
        cloud.ask("DELETE", "/v1/users/second", user="root").problem(409, "last_admin")

    between[0].ok()
    assert access_row(cloud, "role#admin")["user_count"] == 1


def test_a_role_in_use_is_not_deleted_and_one_without_users_is(cloud: Cloud) -> None:
    make_role(cloud, "viewer", "inference:list")
    make_user(cloud, "carol", "viewer")

    cloud.ask("DELETE", "/v1/roles/viewer", user="root").problem(409, "role_in_use")
    cloud.ask("PUT", "/v1/users/carol", {"role": "artist"}, user="root").ok()
    cloud.ask("DELETE", "/v1/roles/viewer", user="root").ok()

    cloud.ask("POST", "/v1/users", {"name": "dora", "role": "viewer"}, user="root").problem(404, "not_found")
    cloud.ask("GET", "/v1/roles/viewer", user="root").problem(404, "not_found")


@pytest.mark.parametrize("name", ["admin", "artist"])
def test_built_in_roles_stay_as_they_are(cloud: Cloud, name: str) -> None:
    cloud.ask("PUT", f"/v1/roles/{name}", {"permissions": []}, user="root").problem(403, "forbidden")
    cloud.ask("DELETE", f"/v1/roles/{name}", user="root").problem(403, "forbidden")
    cloud.ask("POST", "/v1/roles", {"name": name, "permissions": []}, user="root").problem(409, "name_taken")


def test_nobody_gives_or_takes_rights_they_do_not_have(cloud: Cloud) -> None:
    make_role(cloud, "lead", "user:all", "role:all", "inference:list")
    make_role(cloud, "viewer", "inference:list")
    key = make_user(cloud, "lena", "lead")
    refused = [
        ("POST", "/v1/users", {"name": "eve", "role": "admin"}),
        ("POST", "/v1/users", {"name": "eve", "role": "artist"}),
        ("PUT", "/v1/users/lena", {"role": "admin"}),
        ("PUT", "/v1/users/root", {"role": "viewer"}),
        ("DELETE", "/v1/users/bob", None),
        ("POST", "/v1/keys", {"user": "root"}),
        ("POST", "/v1/keys", {"user": "root", "permissions": ["inference:list"]}),
        ("DELETE", f"/v1/keys/{key_row_id(KEYS['root']).removeprefix('key#')}", None),
        ("POST", "/v1/roles", {"name": "more", "permissions": ["asset:list"]}),
        ("PUT", "/v1/roles/lead", {"permissions": ["user:all", "asset:all"]}),
    ]

    for method, path, body in refused:
        cloud.ask(method, path, body, **with_key(key)).problem(403, "forbidden")

    cloud.ask("POST", "/v1/users", {"name": "eve", "role": "viewer"}, **with_key(key)).ok(201)
    cloud.ask("POST", "/v1/keys", {"user": "eve"}, **with_key(key)).ok(201)
    cloud.ask("DELETE", "/v1/users/eve", **with_key(key)).ok()


def test_who_may_create_changes_their_own_users_and_roles_only(cloud: Cloud) -> None:
    make_role(cloud, "hr", "user:create", "role:create", "inference:list")
    make_role(cloud, "viewer", "inference:list")
    key = make_user(cloud, "hera", "hr")
    make_user(cloud, "carol", "viewer")

    cloud.ask("POST", "/v1/users", {"name": "own", "role": "viewer"}, **with_key(key)).ok(201)
    cloud.ask("POST", "/v1/roles", {"name": "owns", "permissions": []}, **with_key(key)).ok(201)

    cloud.ask("PUT", "/v1/users/own", {"role": "owns"}, **with_key(key)).ok()
    cloud.ask("PUT", "/v1/roles/owns", {"permissions": ["inference:list"]}, **with_key(key)).ok()
    cloud.ask("DELETE", "/v1/users/carol", **with_key(key)).problem(403, "forbidden")
    cloud.ask("PUT", "/v1/roles/viewer", {"permissions": []}, **with_key(key)).problem(403, "forbidden")
    cloud.ask("DELETE", "/v1/users/own", **with_key(key)).ok()
    cloud.ask("DELETE", "/v1/roles/owns", **with_key(key)).ok()


def test_lists_are_paged_by_name_without_a_scan(cloud: Cloud) -> None:
    names = [f"user-{number:02}" for number in range(7)]
    for name in names:
        cloud.ask("POST", "/v1/users", {"name": name, "role": "artist"}, user="root").ok(201)
        make_role(cloud, name.replace("user", "role"), "inference:list")
    cloud.ask("GET", "/v1/me", user="root").ok()
    cloud.pages.signer.secret()
    cloud.counted()

    found: list[str] = []
    query = {"limit": "4"}
    for _ in range(3):
        page = cloud.ask("GET", "/v1/users", user="root", query=query).ok()
        found += [user["name"] for user in page["users"]]
        if page["next_cursor"]:
            query = {"limit": "4", "cursor": page["next_cursor"]}

    assert found == ["alice", "bob", "root", *names]
    assert page["next_cursor"] is None
    assert cloud.calls == {"Query": 3}
    roles = cloud.ask("GET", "/v1/roles", user="root", query={"limit": "3"}).ok()
    assert [role["name"] for role in roles["roles"]] == ["admin", "artist", "role-00", "role-01", "role-02"]
    cloud.ask("GET", "/v1/roles", user="root", query={"cursor": "x"}).problem(400, "invalid_cursor")


def test_a_cursor_of_users_roles_or_usage_is_taken_back_by_its_own_list_only(cloud: Cloud) -> None:
    make_role(cloud, "one", "inference:list")
    make_role(cloud, "two", "inference:list")
    users = cloud.ask("GET", "/v1/users", user="root", query={"limit": "1"}).ok()["next_cursor"]
    roles = cloud.ask("GET", "/v1/roles", user="root", query={"limit": "1"}).ok()["next_cursor"]
    forged = encode_cursor(["alice", "user#alice"])

    for path, cursors in (
        ("/v1/users", (roles, forged)),
        ("/v1/roles", (users, forged)),
        ("/v1/usage", (users, forged)),
    ):
        for cursor in cursors:
            query = {"cursor": cursor, **({"everyone": "true"} if path == "/v1/usage" else {})}
            cloud.ask("GET", path, user="root", query=query).problem(400, "invalid_cursor")
    cloud.ask("GET", "/v1/users", user="root", query={"cursor": users}).ok()
    cloud.ask("GET", "/v1/roles", user="root", query={"cursor": roles}).ok()


def test_every_change_is_one_line_of_the_audit_log_without_a_secret(
    cloud: Cloud, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="audit"):
        key = make_user(cloud, "carol")
        make_role(cloud, "viewer", "inference:list")
        cloud.ask("PUT", "/v1/roles/viewer", {"permissions": []}, user="root").ok()
        cloud.ask("PUT", "/v1/users/carol", {"role": "viewer"}, user="root").ok()
        cloud.ask("DELETE", f"/v1/keys/{key_row_id(key).removeprefix('key#')}", user="root").ok()
        cloud.ask("DELETE", "/v1/users/carol", user="root").ok()
        cloud.ask("DELETE", "/v1/roles/viewer", user="root").ok()
        cloud.ask("DELETE", "/v1/roles/viewer", user="root").problem(404, "not_found")

    lines = [json.loads(record.getMessage()) for record in caplog.records if record.name == "audit"]
    assert [line["audit"] for line in lines] == [
        "user.created", "key.created", "role.created", "role.changed",
        "user.changed", "key.revoked", "user.deleted", "role.deleted",
    ]  # fmt: skip
    assert {line["by"] for line in lines} == {"root"}
    assert {line["key_id"] for line in lines} == {key_row_id(KEYS["root"]).removeprefix("key#")}
    assert lines[4] == lines[4] | {"target": "carol", "role": "viewer"}
    assert key not in caplog.text


@pytest.mark.parametrize("name", ["", "a#b", "a/b", " a", "a b", "é", "a" * 65, "-a", "\ud800", "a\n"])
def test_names_that_would_break_keys_and_paths_are_refused(cloud: Cloud, name: str) -> None:
    body = json.dumps({"name": name, "role": "artist"})

    assert cloud.ask("POST", "/v1/users", body, user="root").status in (400, 422)
    assert cloud.ask("POST", "/v1/roles", {"name": name, "permissions": []}, user="root").status in (400, 422)


@pytest.mark.parametrize("name", ["x" * 5000, "a%23b", "ü", "user#alice", "..."])
def test_a_path_with_an_absurd_name_is_not_found(cloud: Cloud, name: str) -> None:
    for path in (f"/v1/users/{name}", f"/v1/roles/{name}"):
        cloud.ask("GET", path, user="root").problem(404, "not_found")
        cloud.ask("DELETE", path, user="root").problem(404, "not_found")
    cloud.ask("DELETE", f"/v1/keys/{name}", user="root").problem(404, "not_found")
    cloud.ask("GET", "/v1/keys", user="root", query={"user": name}).problem(404, "not_found")


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    route=st.sampled_from([("POST", "users"), ("PUT", "users/bob"), ("POST", "roles"), ("PUT", "roles/x"),
                           ("POST", "keys")]),
    body=st.dictionaries(
        st.sampled_from(["name", "role", "permissions", "quotas", "user", "label", "expires_at"]),
        ABSURD | st.sampled_from(["artist", "bob", [], [Permission.USER_ALL.value], {"jobs_per_day": 10**40}]),
        max_size=4,
    ),
)  # fmt: skip
def test_absurd_bodies_are_the_callers_fault_and_never_ours(
    cloud: Cloud, route: tuple[str, str], body: dict[str, object]
) -> None:
    method, path = route

    reply = cloud.ask(method, f"/v1/{path}", body, user="root")

    assert reply.status < 500, reply.text
