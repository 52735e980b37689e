"""A user's preferences: one small JSON document for all front ends, which two of them do not overwrite unseen."""

import json
from typing import Any

import pytest

from lambdas.aws.rows import to_item
from tests.lambdas.clients import client_of
from tests.lambdas.cloud import KEYS, Cloud, Reply
from tests.lambdas.people import make_key, make_user, with_key

PATH = "/v1/me/preferences"


def put(cloud: Cloud, document: object, *, match: str | None = None) -> Reply:
    headers = {"If-Match": match} if match is not None else None
    return cloud.ask("PUT", PATH, {"preferences": document}, headers=headers)


def test_what_was_put_comes_back_and_only_to_its_user(cloud: Cloud) -> None:
    document = {"console": {"theme": "dark", "recent": [1, 2.5, None, True], "ü": "日本"}, "serve": {}}
    assert cloud.ask("GET", PATH).ok()["preferences"] == {}

    made = put(cloud, document)

    assert made.ok()["preferences"] == document
    found = cloud.ask("GET", PATH)
    assert found.ok() == {"preferences": document, "tag": made.headers["ETag"]}
    assert found.headers["ETag"] == made.headers["ETag"]
    assert cloud.ask("GET", PATH, user="bob").ok()["preferences"] == {}
    narrow = cloud.ask("POST", "/v1/keys", {"permissions": []}).ok(201)["key"]
    assert cloud.ask("GET", PATH, **with_key(narrow)).ok()["preferences"] == document


def test_what_has_not_changed_is_not_sent_again(cloud: Cloud) -> None:
    tag = put(cloud, {"a": 1}).headers["ETag"]

    assert cloud.ask("GET", PATH, headers={"If-None-Match": f'"other", {tag}'}).status == 304
    cloud.ask("GET", PATH, headers={"If-None-Match": '"other"'}).ok()


def test_a_front_end_does_not_overwrite_what_it_has_not_seen(cloud: Cloud) -> None:
    empty = cloud.ask("GET", PATH).headers["ETag"]
    first = put(cloud, {"a": 1}, match=empty)

    for stale in (empty, '"other"'):
        put(cloud, {"a": 2}, match=stale).problem(412, "changed_meanwhile")
    second = put(cloud, {"a": 2}, match=first.headers["ETag"])
    put(cloud, {"a": 3}, match="*").ok()
    put(cloud, {"a": 4}).ok()

    assert second.ok()["preferences"] == {"a": 2}
    assert len({empty, first.headers["ETag"], second.headers["ETag"]}) == 3


def test_the_same_document_has_the_same_tag(cloud: Cloud) -> None:
    assert put(cloud, {"a": 1}).headers["ETag"] == put(cloud, {"a": 1}).headers["ETag"]


@pytest.mark.parametrize("size", [16 * 1024, 16 * 1024 + 1])
def test_sixteen_kibibytes_are_the_most(cloud: Cloud, size: int) -> None:
    reply = put(cloud, {"a": "x" * (size - 8)})

    if size <= 16 * 1024:
        reply.ok()
    else:
        problem = reply.problem(422, "invalid_params")
        assert problem["errors"][0]["message"] == f"received {size} bytes; allowed: up to 16384"


@pytest.mark.parametrize(
    "body", ["[]", "{}", '{"preferences": []}', '{"preferences": null}', '{"preferences": {"a": NaN}}',
             '{"preferences": {}, "more": 1}', '{"preferences": {"a": 1e999}}'],
)  # fmt: skip
def test_what_is_no_object_of_finite_values_is_refused(cloud: Cloud, body: str) -> None:
    cloud.ask("PUT", PATH, body).problem(422, "invalid_params")


def test_several_tags_are_refused(cloud: Cloud) -> None:
    put(cloud, {}, match='"a", "b"').problem(422, "invalid_params")


def test_a_deleted_users_preferences_are_gone(cloud: Cloud) -> None:
    key = make_user(cloud, "carol")
    cloud.ask("PUT", PATH, {"preferences": {"a": 1}}, **with_key(key)).ok()
    make_key(cloud, "carol")

    cloud.ask("DELETE", "/v1/users/carol", user="root").ok()

    rows: Any = cloud.dynamodb.get_item(TableName="access", Key=to_item({"access_id": "preferences#carol"}))
    assert "Item" not in rows


def test_the_client_reads_changes_and_writes_them(cloud: Cloud) -> None:
    with client_of(cloud, KEYS["alice"]) as alice:
        seen = alice.me.preferences()
        kept = alice.me.keep_preferences({"console": {"theme": "dark"}}, seen=seen.tag)

        assert (seen.preferences, kept.preferences) == ({}, {"console": {"theme": "dark"}})
        assert alice.me.preferences() == kept
        assert json.loads(json.dumps(kept.preferences)) == kept.preferences
