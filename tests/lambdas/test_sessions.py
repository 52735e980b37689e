"""Sessions: a key or a one-time code opens one; it gives no more than they do, ends by itself and ends with its key."""

import json
import logging
from datetime import datetime, timedelta
from typing import Any

import pytest

from lambdas.access.caller import key_row_id
from lambdas.aws.rows import from_item, timestamp, to_item
from tests.lambdas.cloud import KEYS, START, Cloud, Reply, before_call
from tests.lambdas.people import later, make_key, make_role, make_user, with_key

KEYLESS: dict[str, Any] = {"user": None}


def sign_in(cloud: Cloud, key: str, **body: object) -> Any:
    return cloud.ask("POST", "/v1/sessions", body, **with_key(key)).ok(201)


def code_of(cloud: Cloud, key: str, **body: object) -> str:
    return str(cloud.ask("POST", "/v1/sessions/codes", body, **with_key(key)).ok(201)["code"])


def open_with(cloud: Cloud, code: str, **body: object) -> Reply:
    return cloud.ask("POST", "/v1/sessions", {"code": code, **body}, **KEYLESS)


def key_id_of(key: str) -> str:
    return key_row_id(key).removeprefix("key#")


def life_of(session: Any) -> timedelta:
    return datetime.fromisoformat(session["expires_at"]) - datetime.fromisoformat(session["created_at"])


def test_a_pasted_key_is_exchanged_for_a_session_with_its_rights_and_a_label(cloud: Cloud) -> None:
    key = make_user(cloud, "carol")

    session = sign_in(cloud, key, label="Console, Firefox on Linux")

    me = cloud.ask("GET", "/v1/me", **with_key(session["key"])).ok()
    assert (me["user"], me["permissions"]) == ("carol", cloud.ask("GET", "/v1/me", **with_key(key)).ok()["permissions"])
    listed = cloud.ask("GET", "/v1/keys", **with_key(key)).ok()["keys"]
    assert [(line["label"], line["session"]) for line in listed] == [("", False), ("Console, Firefox on Linux", True)]
    stored = json.dumps(cloud.dynamodb.scan(TableName="access")["Items"], default=str)
    assert session["key"] not in stored


@pytest.mark.parametrize(("body", "hours"), [({}, 12), ({"keep": True}, 30 * 24)])
def test_a_session_ends_by_itself(cloud: Cloud, body: dict[str, object], hours: int) -> None:
    session = sign_in(cloud, KEYS["alice"], **body)

    assert timedelta(hours=hours) <= life_of(session) < timedelta(hours=hours, seconds=1)
    cloud.clock.now += timedelta(hours=hours, seconds=-5)
    cloud.ask("GET", "/v1/me", **with_key(session["key"])).ok()
    cloud.clock.now += timedelta(seconds=7)
    cloud.ask("GET", "/v1/me", **with_key(session["key"])).problem(401, "unauthorized")


def test_a_session_never_outlives_its_key_or_the_session_it_was_opened_with(cloud: Cloud) -> None:
    make_user(cloud, "carol")
    key = make_key(cloud, "carol", expires_at=timestamp(START + timedelta(hours=1)))

    first = sign_in(cloud, key, keep=True)
    second = sign_in(cloud, first["key"], keep=True)
    by_code = open_with(cloud, code_of(cloud, second["key"]), keep=True).ok(201)

    assert {each["expires_at"] for each in (first, second, by_code)} == {"2026-11-22T13:00:00Z"}


def test_a_session_may_be_narrowed_and_never_widened(cloud: Cloud) -> None:
    make_user(cloud, "carol")
    key = make_key(cloud, "carol", permissions=["inference:list", "asset:list"])

    whole, narrow = sign_in(cloud, key), sign_in(cloud, key, permissions=["asset:list"])
    coded = open_with(cloud, code_of(cloud, key)).ok(201)
    narrow_code = open_with(cloud, code_of(cloud, key), permissions=["inference:list"]).ok(201)

    assert whole["permissions"] == coded["permissions"] == ["asset:list", "inference:list"]
    assert (narrow["permissions"], narrow_code["permissions"]) == (["asset:list"], ["inference:list"])
    wide = {"permissions": ["inference:create"]}
    cloud.ask("POST", "/v1/sessions", wide, **with_key(key)).problem(403, "forbidden")
    cloud.ask("POST", "/v1/sessions/codes", wide, **with_key(key)).problem(403, "forbidden")
    open_with(cloud, code_of(cloud, key), **wide).problem(403, "forbidden")


def test_a_session_signs_itself_out_and_nothing_else_does(cloud: Cloud) -> None:
    key = make_user(cloud, "carol")
    session, other = sign_in(cloud, key), sign_in(cloud, key)
    cloud.ask("DELETE", "/v1/sessions/current", **with_key(key)).problem(404, "not_found")

    ended = cloud.ask("DELETE", "/v1/sessions/current", **with_key(session["key"])).ok()
    cloud.ask("GET", "/v1/me", **with_key(session["key"])).problem(401, "unauthorized")

    assert ended == {"key_id": session["key_id"], "effective_within_seconds": 60}
    cloud.ask("GET", "/v1/me", **with_key(other["key"])).ok()
    cloud.ask("DELETE", f"/v1/keys/{other['key_id']}", **with_key(other["key"])).problem(403, "forbidden")
    cloud.ask("DELETE", f"/v1/keys/{other['key_id']}", **with_key(key)).ok()


def test_revoking_a_key_ends_the_sessions_that_it_opened_and_no_others(cloud: Cloud) -> None:
    key = make_user(cloud, "carol")
    spare = make_key(cloud, "carol")
    first = sign_in(cloud, key)
    ended = [first, sign_in(cloud, first["key"]), open_with(cloud, code_of(cloud, key)).ok(201)]
    ended.append(open_with(cloud, code_of(cloud, first["key"])).ok(201))
    kept = sign_in(cloud, spare)
    cloud.ask("DELETE", f"/v1/keys/{key_id_of(key)}", **with_key(first["key"])).problem(403, "forbidden")

    cloud.ask("DELETE", f"/v1/keys/{key_id_of(key)}", **with_key(spare)).ok()
    later(cloud)

    for session in ended:
        cloud.ask("GET", "/v1/me", **with_key(session["key"])).problem(401, "unauthorized")
    cloud.ask("GET", "/v1/me", **with_key(kept["key"])).ok()


def test_a_key_that_was_revoked_a_moment_ago_makes_nothing_that_stays(cloud: Cloud) -> None:
    key = make_user(cloud, "carol")
    spare = make_key(cloud, "carol")
    code = code_of(cloud, key)
    cloud.dynamodb.delete_item(TableName="access", Key=to_item({"access_id": key_row_id(key)}))

    cloud.ask("POST", "/v1/sessions", {}, **with_key(key)).problem(401, "unauthorized")
    cloud.ask("POST", "/v1/keys", {}, **with_key(key)).problem(401, "unauthorized")
    open_with(cloud, code).problem(401, "unauthorized")
    open_with(cloud, code_of(cloud, spare)).ok(201)


def test_sessions_do_not_count_among_the_twenty_keys_and_the_oldest_of_too_many_ends(cloud: Cloud) -> None:
    key = make_user(cloud, "carol")
    for _ in range(18):
        make_key(cloud, "carol")
    sessions = [sign_in(cloud, key, label=str(number)) for number in range(22)]

    make_key(cloud, "carol")
    cloud.ask("POST", "/v1/keys", {}, **with_key(key)).problem(409, "too_many_keys")
    listed = cloud.ask("GET", "/v1/keys", **with_key(key)).ok()["keys"]

    assert [line["label"] for line in listed if line["session"]] == [str(number) for number in range(2, 22)]
    assert len([line for line in listed if not line["session"]]) == 20
    cloud.ask("GET", "/v1/me", **with_key(sessions[1]["key"])).problem(401, "unauthorized")
    # A user with forty keys is changed and deleted in one transaction like any other.
    cloud.ask("PUT", "/v1/users/carol", {"role": "admin"}, user="root").ok()
    cloud.ask("DELETE", "/v1/users/carol", user="root").ok()
    later(cloud)
    cloud.ask("GET", "/v1/me", **with_key(sessions[21]["key"])).problem(401, "unauthorized")


def test_the_oldest_of_too_many_sessions_may_open_the_next(cloud: Cloud) -> None:
    key = make_user(cloud, "carol")
    oldest, *others = [sign_in(cloud, key, label=str(number)) for number in range(20)]

    sign_in(cloud, oldest["key"])

    listed = cloud.ask("GET", "/v1/keys", **with_key(oldest["key"])).ok()["keys"]
    assert len([key for key in listed if key["session"]]) == 20
    assert oldest["key_id"] in {key["key_id"] for key in listed}
    assert others[0]["key_id"] not in {key["key_id"] for key in listed}


def test_a_code_opens_one_session_once_and_is_stored_by_its_hash(cloud: Cloud) -> None:
    code = code_of(cloud, KEYS["alice"])
    assert code not in json.dumps(cloud.dynamodb.scan(TableName="access")["Items"], default=str)

    session = open_with(cloud, code, label="phone").ok(201)

    assert (session["user"], session["label"]) == ("alice", "phone")
    assert cloud.ask("GET", "/v1/me", **with_key(session["key"])).ok()["user"] == "alice"
    problem = open_with(cloud, code).problem(401, "unauthorized")
    assert problem["detail"] == "The code is wrong, was used or has expired; ask for a new one."


def test_two_who_use_a_code_at_once_get_one_session(cloud: Cloud) -> None:
    code = code_of(cloud, KEYS["alice"])
    first: list[Reply] = []

    def overtake() -> None:
        if not first:
            first.append(open_with(cloud, code))

    with before_call(cloud.dynamodb, "dynamodb.TransactWriteItems", overtake):
        open_with(cloud, code).problem(401, "unauthorized")

    first[0].ok(201)
    assert len(cloud.ask("GET", "/v1/keys").ok()["keys"]) == 2


@pytest.mark.parametrize("text", ["", "code_", "x" * 100, "code_" + "A" * 43, "\ud800", "key#1"])
def test_a_wrong_code_costs_one_read_and_says_nothing(cloud: Cloud, text: str) -> None:
    cloud.counted()

    reply = (
        open_with(cloud, text) if text != "\ud800" else cloud.ask("POST", "/v1/sessions", '{"code": "é"}', **KEYLESS)
    )

    assert reply.problem(401, "unauthorized")["detail"].startswith("The code is wrong")
    assert cloud.counted() == 1


def test_a_code_lives_a_minute_and_an_invitation_a_quarter_of_an_hour(cloud: Cloud) -> None:
    make_user(cloud, "carol")
    own, invitation = code_of(cloud, KEYS["root"]), code_of(cloud, KEYS["root"], user="carol")
    late = code_of(cloud, KEYS["root"], user="carol")

    cloud.clock.now += timedelta(seconds=62)
    open_with(cloud, own).problem(401, "unauthorized")
    session = open_with(cloud, invitation, keep=True).ok(201)
    cloud.clock.now += timedelta(minutes=14)

    open_with(cloud, late).problem(401, "unauthorized")
    assert cloud.ask("GET", "/v1/me", **with_key(session["key"])).ok()["user"] == "carol"
    assert session["created_by"] == "root"
    cloud.ask("POST", "/v1/keys", {"label": "my own"}, **with_key(session["key"])).ok(201)


@pytest.mark.parametrize("body", [{}, {"user": "carol"}])
def test_a_code_lives_as_long_as_was_asked(cloud: Cloud, body: dict[str, object]) -> None:
    make_user(cloud, "carol")
    first, second = (code_of(cloud, KEYS["root"], minutes=3, **body) for _ in range(2))

    cloud.clock.now += timedelta(seconds=178)
    open_with(cloud, first).ok(201)
    cloud.clock.now += timedelta(seconds=4)
    open_with(cloud, second).problem(401, "unauthorized")


@pytest.mark.parametrize("minutes", [0, 16, "soon"])
def test_a_code_that_would_live_too_long_is_refused(cloud: Cloud, minutes: object) -> None:
    asked = cloud.ask("POST", "/v1/sessions/codes", {"minutes": minutes}, user="root").problem(422, "invalid_params")

    assert [error["pointer"] for error in asked["errors"]] == ["/minutes"]


def test_only_who_may_change_a_user_invites_them(cloud: Cloud) -> None:
    make_role(cloud, "lead", "user:create", "inference:list")
    lead = make_user(cloud, "lena", "lead")

    for user, status, code in (("root", 403, "forbidden"), ("bob", 403, "forbidden"), ("nobody", 404, "not_found")):
        cloud.ask("POST", "/v1/sessions/codes", {"user": user}, **with_key(lead)).problem(status, code)
    cloud.ask("POST", "/v1/sessions/codes", {"user": "bob"}).problem(403, "forbidden")


def test_an_old_session_makes_nothing_that_outlives_it(cloud: Cloud) -> None:
    make_user(cloud, "carol")
    session = sign_in(cloud, KEYS["root"])
    by_code = open_with(cloud, code_of(cloud, session["key"])).ok(201)
    for each in (session, by_code):
        cloud.ask("POST", "/v1/keys", {"user": "carol"}, **with_key(each["key"])).ok(201)
        code_of(cloud, each["key"], user="carol")

    cloud.clock.now += timedelta(hours=1, seconds=1)
    fresh = sign_in(cloud, session["key"])

    for each in (session, by_code, fresh):
        cloud.ask("POST", "/v1/keys", {"user": "carol"}, **with_key(each["key"])).problem(403, "forbidden")
    short = {"user": "carol", "expires_at": session["expires_at"]}
    cloud.ask("POST", "/v1/keys", short, **with_key(session["key"])).ok(201)
    problem = cloud.ask("POST", "/v1/sessions/codes", {"user": "carol"}, **with_key(session["key"]))
    assert "sign in again" in problem.problem(403, "forbidden")["detail"]


def test_what_names_nobody_or_two_is_refused(cloud: Cloud) -> None:
    cloud.ask("POST", "/v1/sessions", {}, **KEYLESS).problem(401, "unauthorized")
    cloud.ask("POST", "/v1/sessions", **KEYLESS).problem(401, "unauthorized")
    cloud.ask("POST", "/v1/sessions", {"code": code_of(cloud, KEYS["bob"])}).problem(422, "invalid_params")
    cloud.ask("POST", "/v1/sessions", {}, **with_key("wrong")).problem(401, "unauthorized")
    cloud.ask("POST", "/v1/sessions", {"label": "a\nb"}).problem(422, "invalid_params")
    cloud.ask("POST", "/v1/sessions").ok(201)


def test_a_session_follows_its_users_role(cloud: Cloud) -> None:
    key = make_user(cloud, "carol")
    session = sign_in(cloud, key)
    make_role(cloud, "viewer", "inference:list")

    cloud.ask("PUT", "/v1/users/carol", {"role": "viewer"}, user="root").ok()
    later(cloud)

    cloud.ask("GET", "/v1/assets", **with_key(session["key"])).problem(403, "forbidden")
    row = cloud.dynamodb.get_item(TableName="access", Key=to_item({"access_id": key_row_id(session["key"])}))["Item"]
    assert from_item(row)["role"] == "viewer"


def test_the_audit_log_says_who_signed_in_and_out_and_no_secret(cloud: Cloud, caplog: pytest.LogCaptureFixture) -> None:
    make_user(cloud, "carol")
    caplog.clear()
    with caplog.at_level(logging.INFO, logger="audit"):
        invitation = code_of(cloud, KEYS["root"], user="carol")
        session = open_with(cloud, invitation).ok(201)
        cloud.ask("DELETE", "/v1/sessions/current", **with_key(session["key"])).ok()

    lines = [json.loads(record.getMessage()) for record in caplog.records if record.name == "audit"]
    assert [(line["audit"], line["by"], line["target"]) for line in lines] == [
        ("session.code_created", "root", "carol"),
        ("session.created", "carol", "carol"),
        ("session.ended", "carol", "carol"),
    ]
    assert invitation not in caplog.text
    assert session["key"] not in caplog.text
