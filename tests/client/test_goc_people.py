"""`goc users`, `roles`, `keys` and `usage`: what they send, and what they leave as it is."""

from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import typer

from generate_on_cloud.cli.exit_codes import ExitCode
from generate_on_cloud.cli.key_commands import read_end
from generate_on_cloud.cli.quota_options import QuotaOptions, read_limit
from generate_on_cloud.contract.access import Quotas
from tests.client.goc import Goc
from tests.client.people_answers import KEY, ME, PEOPLE, ROLE, USAGE
from tests.client.small_service import SmallService


def sent(service: SmallService, method: str) -> Any:
    return next(body for asked, _, body in service.asked if asked == method)


def test_changing_a_role_sends_the_role_alone(service: SmallService, goc: Goc) -> None:
    goc(*["users", "update", "ada", "--role", "trainee"], **PEOPLE["users update ada --role trainee"][0])

    assert sent(service, "PATCH") == {"role": "trainee"}


def test_one_quota_is_set_or_taken_away_and_the_others_are_not_sent(service: SmallService, goc: Goc) -> None:
    goc(
        *["users", "update", "ada", "--jobs-per-day", "none", "--concurrent-jobs", "2"],
        **PEOPLE["users update ada --role trainee"][0],
    )

    assert sent(service, "PATCH") == {"quotas": {"jobs_per_day": None, "concurrent_jobs": 2}}


@pytest.mark.parametrize(("verb", "disabled"), [("disable", True), ("enable", False)])
def test_a_user_is_locked_out_and_let_in_again(service: SmallService, goc: Goc, verb: str, *, disabled: bool) -> None:
    goc("users", verb, "ada", **PEOPLE[f"users {verb} ada"][0])

    assert sent(service, "PATCH") == {"disabled": disabled}


def test_a_role_keeps_its_permissions_where_only_a_quota_changes(service: SmallService, goc: Goc) -> None:
    command = "roles update trainee --jobs-per-day 5"

    goc(*command.split(), **PEOPLE[command][0])

    assert sent(service, "PUT") == {"permissions": ROLE["permissions"], "quotas": {"jobs_per_day": 5}}


LISTED = {**ROLE, "assets": ["shapes", "tag:training"]}


def test_a_role_is_made_with_a_list_of_files_and_shows_it(service: SmallService, goc: Goc) -> None:
    words = ["--permission", "inference:create", "--asset", "shapes", "--asset", "tag:training"]

    said = goc("roles", "create", "trainee", *words, **{"POST /v1/roles": (201, LISTED)})
    listed = goc("roles", "list", "--no-json", **{"GET /v1/roles": (200, {"roles": [LISTED], "next_cursor": None})})
    one = goc("me", "--no-json", **{"GET /v1/me": (200, {**ME, "assets": LISTED["assets"]})})

    assert sent(service, "POST")["assets"] == ["shapes", "tag:training"]
    assert "model files" in said.out
    assert "tag:training" in said.out
    assert "model files" in listed.out
    assert "shapes" in listed.out
    assert "your own" in one.out
    assert "tag:training" in one.out


@pytest.mark.parametrize(
    ("words", "assets"),
    [
        ("--jobs-per-day 5", None),
        ("--asset moon --asset type:vae", {"assets": ["moon", "type:vae"]}),
        ("--all-assets", {"assets": None}),
    ],
)
def test_the_list_of_a_role_is_replaced_or_ended_and_else_stays(
    service: SmallService, goc: Goc, words: str, assets: dict[str, object] | None
) -> None:
    goc(*f"roles update trainee {words}".split(), **PEOPLE["roles update trainee --jobs-per-day 5"][0])

    assert {name: value for name, value in sent(service, "PUT").items() if name == "assets"} == (assets or {})


def test_a_list_of_a_role_and_none_at_once_are_refused(goc: Goc) -> None:
    said = goc(*["roles", "update", "trainee", "--asset", "moon", "--all-assets"])

    assert "allowed: one of them" in said.err
    assert said.code == ExitCode.USAGE


@pytest.mark.parametrize(
    ("text", "limit"), [("0", 0), ("50", 50), ("20GB", 20 * 10**9), ("5MB", 5 * 10**6), ("none", "none")]
)
def test_a_limit_is_a_number_a_size_or_none(text: str, limit: object) -> None:
    assert read_limit(text) == limit


@pytest.mark.parametrize("text", ["", "x", "-1", "1.5", "20 GB", "GB"])
def test_what_is_no_limit_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="allowed: a whole number"):
        read_limit(text)


def test_every_quota_is_an_option() -> None:
    assert {field.name for field in fields(QuotaOptions)} == set(Quotas.model_fields)


def test_the_end_of_a_key_is_a_span_or_a_time() -> None:
    assert abs(read_end("30d") - datetime.now(UTC) - timedelta(days=30)) < timedelta(minutes=1)
    assert read_end("2026-12-31T12:00+00:00") == datetime(2026, 12, 31, 12, tzinfo=UTC)
    assert read_end("2026-12-31").tzinfo is not None
    with pytest.raises(typer.BadParameter, match="received 'soon'; allowed: 30d"):
        read_end("soon")


def test_the_key_of_a_new_user_is_a_line_to_paste(service: SmallService, goc: Goc) -> None:
    said = goc(*["users", "create", "ada", "--key"], **PEOPLE["users create ada --jobs-per-day 50 --key"][0])

    assert f"export GOC_URL={service.url} GOC_API_KEY=goc_x" in said.out


def test_a_beginning_that_fits_several_keys_is_refused(goc: Goc) -> None:
    two = [KEY, {**KEY, "key_id": "ab" * 31 + "cd"}]

    said = goc("keys", "rm", "abab", **{"GET /v1/keys": (200, {"keys": two})})

    assert "2 keys have an id that begins with 'abab'" in said.err
    assert said.code == ExitCode.NOT_FOUND


def test_a_user_is_not_deleted_without_a_yes(service: SmallService, goc: Goc, monkeypatch: pytest.MonkeyPatch) -> None:
    said = goc("users", "rm", "ada", **PEOPLE["users rm ada"][0])

    assert said.code != ExitCode.DONE
    assert service.asked == []
    assert goc("users", "rm", "ada", "--yes").out == "ada is deleted\n"


def test_usage_has_a_sum_and_is_a_table_for_spreadsheets(goc: Goc) -> None:
    table = goc("usage", "--no-json", **{"GET /v1/usage": (200, USAGE)}).out
    comma = goc("usage", "--csv").out

    assert "all" in table.splitlines()[-2]
    assert "15" in table.splitlines()[-2]
    assert "0.0367" in table
    assert comma.splitlines()[0].startswith("user,day,jobs,")
    assert comma.splitlines()[1].startswith("ada,2026-11-30,12,")


def test_any_request_can_be_sent(service: SmallService, goc: Goc) -> None:
    said = goc("api", "get", "me", **{"GET /v1/me": (200, ME)})
    goc("api", "POST", "/v1/users", "-F", "name=ada", "-F", 'quotas={"jobs_per_day": 5}', "-H", "x-correlation-id: a")
    refused = goc("api", "FETCH", "me")

    assert said.document["user"] == "ada"
    assert sent(service, "POST") == {"name": "ada", "quotas": {"jobs_per_day": 5}}
    assert "received 'FETCH'; allowed: GET, POST" in " ".join(refused.err.split())


def test_who_one_is_shows_role_quotas_and_permissions(goc: Goc) -> None:
    said = goc("me", "--no-json", **{"GET /v1/me": (200, ME)})

    assert "47 of 50 jobs per day left, full again 20" in said.out
    assert "19.0 GB of 20.0 GB of model files left" in said.out
    assert "inference:create" in said.out


def test_an_invitation_is_a_link_and_a_code(service: SmallService, goc: Goc) -> None:
    answers = PEOPLE["users invite ada"][0]

    said = goc("users", "invite", "ada", **answers)

    assert said.out == f"{service.url}/#code=c0de\n"
    assert "for ada, until 20" in said.err
    assert "takes c0de too" in said.err
    assert goc("users", "invite", "ada", "--json", **answers).document["url"] == f"{service.url}/#code=c0de"
