"""Lists of jobs: order, full pages, filters, cursors."""

import base64
import functools
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import combinations
from urllib.parse import unquote_plus

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import lambdas.jobs.pages
from generate_on_cloud.contract.assets import AssetType, ResolvedModel
from generate_on_cloud.contract.jobs import JobStatus, Task
from lambdas.aws.cursors import CursorSigner
from lambdas.aws.rows import new_id, timestamp, to_item
from lambdas.jobs.filters import JobFilter
from tests.lambdas.cloud import Cloud, before_call

RARE = {"task": "img2img", "status": "failed", "endpoint": "goc-main-calm"}
COMMON = {"task": "txt2img", "status": "succeeded", "endpoint": "artists"}
GARBAGE = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)


def finish(cloud: Cloud, job_id: str, status: JobStatus) -> None:
    job = cloud.jobs.get(job_id)
    assert job is not None
    assert cloud.job_transitions.finish(job, status, now=cloud.clock.now) is not None


def ended_job(cloud: Cloud, *, task: str, status: str, endpoint: str) -> str:
    job_id = cloud.job(task=Task(task), endpoint=endpoint).job_id
    finish(cloud, job_id, JobStatus(status))
    return job_id


def pages(cloud: Cloud, *, user: str = "alice", **query: str) -> list[list[str]]:
    """Job ids of every page until there is no cursor."""
    found = []
    cursor: str | None = None
    while True:
        more = {"cursor": cursor} if cursor else {}
        page = cloud.ask("GET", "/v1/jobs", user=user, query={**query, **more}).ok()
        found.append([job["job_id"] for job in page["jobs"]])
        cursor = page["next_cursor"]
        if cursor is None:
            return found


def test_jobs_come_newest_first_in_full_pages_of_two_calls(cloud: Cloud) -> None:
    ids = [cloud.job().job_id for _ in range(6)]
    cloud.job(user="bob")
    cloud.ask("GET", "/v1/endpoints")
    cloud.pages.signer.secret()
    cloud.counted()

    found = pages(cloud, limit="3")

    newest = ids[::-1]
    assert found == [newest[:3], newest[3:]]
    assert cloud.counted() == 4


def test_no_jobs_are_one_empty_page(cloud: Cloud) -> None:
    assert cloud.ask("GET", "/v1/jobs").ok() == {"jobs": [], "next_cursor": None}


def test_a_line_of_the_list_says_what_the_job_is(cloud: Cloud) -> None:
    job = cloud.job(task=Task.IMG2IMG, checkpoint="dream.safetensors")

    (line,) = cloud.ask("GET", "/v1/jobs").ok()["jobs"]

    assert line == {
        "job_id": job.job_id,
        "line": f"2026-11-22 12:00:00 → img2img → queued → {job.job_id}",
        "label": "",
        "starred": False,
        "prompt": "",
        "task": "img2img",
        "status": "queued",
        "checkpoint": "dream.safetensors",
        "endpoint": "artists",
        "created_at": "2026-11-22T12:00:00.000001Z",
        "started_at": None,
        "finished_at": None,
        "thumbnail_url": None,
        "cost_usd": None,
        "progress": None,
        "error": None,
    }


def test_a_filter_by_task_gives_full_pages(cloud: Cloud) -> None:
    ids = [cloud.job(task=task).job_id for task in [Task.IMG2IMG, Task.TXT2IMG] * 4]

    assert pages(cloud, task="img2img", limit="3") == [ids[6::-2][:3], ids[0:1]]


@pytest.mark.parametrize("names", [some for count in range(4) for some in combinations(RARE, count)], ids="+".join)
def test_the_oldest_job_of_a_filter_takes_no_more_calls_or_rows_than_the_newest(
    cloud: Cloud, names: tuple[str, ...]
) -> None:
    """All the newer ones differ in one thing only, so that any part of the filter alone is true of most of them."""
    rare = ended_job(cloud, **RARE)
    for _ in range(6):
        for name in names:
            ended_job(cloud, **RARE | {name: COMMON[name]})
    cloud.ask("GET", "/v1/endpoints")
    looked: list[int] = []
    count_rows: Callable[..., None] = lambda parsed, **_: looked.append(parsed["ScannedCount"])  # noqa: E731
    cloud.dynamodb.meta.events.register("after-call.dynamodb.Query", count_rows)
    cloud.counted()

    found = pages(cloud, limit="2", **{name: RARE[name] for name in names})

    assert found == [[rare]]
    assert (cloud.counted(), looked) == (2, [1])


def test_the_job_that_runs_is_found_in_two_calls_behind_a_long_queue(cloud: Cloud) -> None:
    running = cloud.job().job_id
    cloud.run(running)
    for _ in range(20):
        cloud.job()
    cloud.ask("GET", "/v1/endpoints")
    cloud.counted()

    assert pages(cloud, status="running", limit="1") == [[running]]
    assert cloud.counted() == 2


def test_a_job_that_ends_is_at_once_in_the_lists_of_its_end_and_in_no_other(cloud: Cloud) -> None:
    job_id = ended_job(cloud, **RARE)

    assert pages(cloud, status="failed", endpoint="calm") == [[job_id]]
    assert pages(cloud, status="queued", endpoint="calm") == [[]]


@pytest.mark.parametrize("limit", [1, 2, 3, 5])
def test_open_jobs_are_told_apart_by_the_status_alone(cloud: Cloud, limit: int) -> None:
    ids = [cloud.job().job_id for _ in range(7)]
    for job_id in ids[::2]:
        cloud.run(job_id)

    for status, expected in (("running", ids[::2]), ("queued", ids[1::2])):
        found = pages(cloud, status=status, limit=str(limit))
        assert [job_id for page in found for job_id in page] == expected[::-1]
        assert all(len(page) == limit for page in found[:-1])
        assert found[-1]


def test_both_filters_together_give_full_pages(cloud: Cloud) -> None:
    ids = [cloud.job(task=task).job_id for task in [Task.IMG2IMG, Task.TXT2IMG, Task.TXT2IMG] * 3]
    for job_id in ids:
        finish(cloud, job_id, JobStatus.SUCCEEDED)

    assert pages(cloud, status="succeeded", task="img2img", limit="2") == [[ids[6], ids[3]], [ids[0]]]


def test_a_page_goes_on_where_it_was_though_the_job_of_its_cursor_is_gone(cloud: Cloud) -> None:
    ids = [cloud.job().job_id for _ in range(4)]
    cursor = cloud.ask("GET", "/v1/jobs", query={"limit": "2"}).ok()["next_cursor"]
    found = cloud.jobs.get(ids[2])
    assert found is not None
    cloud.counts.give_back(found)

    rest = cloud.ask("GET", "/v1/jobs", query={"limit": "2", "cursor": cursor}).ok()

    assert [job["job_id"] for job in rest["jobs"]] == [ids[1], ids[0]]


def test_a_cursor_is_good_for_its_own_list_only(cloud: Cloud) -> None:
    for _ in range(3):
        cloud.job(user="alice")
    cursor = cloud.ask("GET", "/v1/jobs", query={"limit": "1"}).ok()["next_cursor"]
    plain, _, signature = cursor.rpartition(".")

    cloud.ask("GET", "/v1/jobs", user="bob", query={"cursor": cursor}).problem(400, "invalid_cursor")
    for other in ({"task": "txt2img"}, {"status": "queued"}, {"endpoint": "artists"}):
        cloud.ask("GET", "/v1/jobs", query={"cursor": cursor, **other}).problem(400, "invalid_cursor")
    for forged in (plain, f"{plain}.", f"{plain}.{signature[:-1]}", f"{plain[:-1]}.{signature}", f".{signature}"):
        cloud.ask("GET", "/v1/jobs", query={"cursor": forged}).problem(400, "invalid_cursor")
    cloud.ask("GET", "/v1/jobs", query={"cursor": cursor, "limit": "2"}).ok()


def test_a_deployment_has_one_secret_for_its_cursors(cloud: Cloud) -> None:
    other_function = CursorSigner(cloud.dynamodb, "jobs")

    cursor = cloud.pages.signer.sign(["a", "b"], scope="s")

    assert other_function.read(cursor, scope="s", parts=2) == ("a", "b")


def test_an_admin_sees_the_jobs_of_any_user_and_others_only_their_own(cloud: Cloud) -> None:
    mine = cloud.job(user="alice").job_id

    assert pages(cloud, user="root", owner="alice") == [[mine]]
    assert pages(cloud, user="alice", owner="alice") == [[mine]]
    cloud.ask("GET", "/v1/jobs", user="bob", query={"owner": "alice"}).problem(403, "forbidden")


@pytest.mark.parametrize("limit", ["1", "2", "100"])
def test_a_span_of_time_holds_its_begin_and_not_its_end(cloud: Cloud, limit: str) -> None:
    jobs = [cloud.job() for _ in range(5)]
    ids = [job.job_id for job in jobs]
    begin, end = timestamp(jobs[1].created_at), timestamp(jobs[4].created_at)

    found = {
        key: [job_id for page in pages(cloud, limit=limit, **query) for job_id in page]
        for key, query in (
            ("both", {"from": begin, "to": end}),
            ("from", {"from": begin}),
            ("to", {"to": end}),
            ("none", {"from": end, "to": begin}),
        )
    }

    assert found == {"both": ids[3:0:-1], "from": ids[:0:-1], "to": ids[3::-1], "none": []}


def test_a_filter_by_endpoint_gives_full_pages(cloud: Cloud) -> None:
    ids = [cloud.job(endpoint=f"goc-main-{endpoint}").job_id for endpoint in ("a", "b", "b") * 3]

    assert pages(cloud, endpoint="a", limit="2") == [[ids[6], ids[3]], [ids[0]]]


@pytest.mark.parametrize(
    "query", [{"from": "yesterday"}, {"from": "2026-01-01T00:00:00"}, {"to": "9999-12-31T23:59:59Z"}, {"owner": ""}]
)
def test_what_is_no_time_or_owner_is_refused(cloud: Cloud, query: dict[str, str]) -> None:
    (name,) = query

    problem = cloud.ask("GET", "/v1/jobs", query=query).problem(422, "invalid_params")

    assert [error["pointer"] for error in problem["errors"]] == [f"query:{name}"]


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"limit": "0"}, "query:limit"),
        ({"limit": "-1"}, "query:limit"),
        ({"limit": "101"}, "query:limit"),
        ({"limit": "9" * 400}, "query:limit"),
        ({"limit": "²"}, "query:limit"),
        ({"task": "img2video"}, "query:task"),
        ({"status": "done"}, "query:status"),
        ({"page": "2"}, "query:page"),
    ],
)
def test_a_query_out_of_range_is_refused(cloud: Cloud, query: dict[str, str], pointer: str) -> None:
    problem = cloud.ask("GET", "/v1/jobs", query=query).problem(422, "invalid_params")

    assert [error["pointer"] for error in problem["errors"]] == [pointer]


def test_a_query_parameter_given_twice_is_refused(cloud: Cloud) -> None:
    event = {
        "httpMethod": "GET",
        "path": "/v1/jobs",
        "headers": {"x-api-key": "alice-key"},
        "queryStringParameters": {"limit": "2"},
        "multiValueQueryStringParameters": {"limit": ["1", "2"]},
        "requestContext": {"requestId": "r"},
        "body": None,
    }

    problem = cloud.send(event).problem(422, "invalid_params")

    assert problem["errors"] == [{"pointer": "query:limit", "message": "received 2 values; allowed: one"}]


def packed(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value, separators=(",", ":")).encode()).decode().rstrip("=")


@GARBAGE
@given(
    cursor=st.one_of(
        st.text(min_size=1, max_size=80),
        st.binary(max_size=60).map(lambda raw: base64.urlsafe_b64encode(raw).decode().rstrip("=") or "="),
        st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=9), st.lists, max_leaves=6).map(
            packed
        ),
        st.tuples(st.datetimes().map(str), st.uuids().map(str)).map(packed),
    )
)
@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/assets"])
def test_garbage_for_a_cursor_is_invalid_and_never_our_fault(cloud: Cloud, path: str, cursor: str) -> None:
    cloud.ask("GET", path, query={"cursor": cursor}).problem(400, "invalid_cursor")


@GARBAGE
@given(moment=st.datetimes(timezones=st.just(UTC)))
def test_a_well_formed_cursor_of_any_time_is_a_place_in_the_list(cloud: Cloud, moment: datetime) -> None:
    owner = new_id()
    job, wanted = cloud.job(user=owner), JobFilter(owner)
    cursor = cloud.pages.signer.sign([timestamp(moment), new_id()], scope=wanted.scope())

    shown, _ = cloud.pages.matching(wanted, limit=5, cursor=cursor)

    assert shown == ([job] if job.created_at < moment else [])


@GARBAGE
@given(count=st.integers(0, 7), limit=st.integers(1, 4))
def test_pages_give_every_job_once(cloud: Cloud, count: int, limit: int) -> None:
    owner = new_id()
    ids = [cloud.job(user=owner).job_id for _ in range(count)]

    found, cursor = [], None
    while True:
        page, cursor = cloud.pages.matching(JobFilter(owner), limit=limit, cursor=cursor)
        found += [job.job_id for job in page]
        if cursor is None:
            break
        assert len(page) == limit

    assert found == ids[::-1]


HASH = "ab" * 32
MODELS = (ResolvedModel(type=AssetType.LORA, name="Ghost.safetensors", sha256=HASH),)


@dataclass(frozen=True)
class Narrowing:
    """A filter that no index answers: the query, what a job must be to match, and what comes near but does not."""

    query: dict[str, str]
    hit: dict[str, object]
    miss: dict[str, object]


NARROWINGS = (
    Narrowing({"model": "dream"}, {"checkpoint": "Dream.safetensors"}, {"checkpoint": "dreamer.safetensors"}),
    Narrowing({"model": "dream.safetensors"}, {"checkpoint": "dream.safetensors"}, {"checkpoint": "dream.ckpt"}),
    Narrowing({"model": "ghost"}, {"models": MODELS}, {}),
    Narrowing({"model": HASH}, {"models": MODELS}, {"checkpoint": "ab.safetensors"}),
    Narrowing({"label": "POSTER"}, {"label": "for the poster"}, {"label": "for the post"}),
    Narrowing({"starred": "true"}, {"starred": True}, {}),
    Narrowing({"starred": "false"}, {}, {"starred": True}),
    Narrowing({"metadata": "shot=7"}, {"metadata": {"shot": "7", "take": "1"}}, {"metadata": {"shot": "70"}}),
    Narrowing({"metadata": "shot="}, {"metadata": {"shot": ""}}, {"metadata": {"scene": ""}}),
    Narrowing({"metadata": "url=a=b"}, {"metadata": {"url": "a=b"}}, {"metadata": {"url": "a"}}),
    Narrowing({"q": "fox Red"}, {"prompt": "a red, red foxglove"}, {"prompt": "a fox"}),
    Narrowing({"q": "fox", "starred": "true"}, {"prompt": "fox", "starred": True}, {"prompt": "fox"}),
)


@pytest.mark.parametrize("sort", ["newest", "oldest"])
@pytest.mark.parametrize("narrowing", NARROWINGS, ids=lambda narrowing: str(narrowing.query))
def test_what_only_the_jobs_know_narrows_a_list_too(cloud: Cloud, narrowing: Narrowing, sort: str) -> None:
    hits = []
    for _ in range(3):
        hits.append(cloud.job(**narrowing.hit).job_id)  # type: ignore[arg-type]
        cloud.job(**narrowing.miss)  # type: ignore[arg-type]
    cloud.job(user="bob", **narrowing.hit)  # type: ignore[arg-type]

    found = pages(cloud, limit="2", sort=sort, **narrowing.query)

    wanted = hits if sort == "oldest" else hits[::-1]
    assert [job_id for page in found for job_id in page] == wanted


def test_the_oldest_come_first_when_asked_for_with_the_other_filters(cloud: Cloud) -> None:
    ids = [cloud.job(task=task).job_id for task in [Task.IMG2IMG, Task.TXT2IMG] * 3]

    assert pages(cloud, sort="oldest", task="img2img", limit="2") == [[ids[0], ids[2]], [ids[4]]]


@pytest.mark.parametrize("name", ["calm", "goc-main-calm", "artists"])
def test_an_endpoint_may_be_named_with_or_without_the_prefix(cloud: Cloud, name: str) -> None:
    full = "artists" if name == "artists" else "goc-main-calm"
    wanted = cloud.job(endpoint=full).job_id
    cloud.job(endpoint="goc-main-wild")

    assert pages(cloud, endpoint=name) == [[wanted]]


def test_a_page_reads_no_more_rows_than_its_bound_and_the_next_goes_on_from_there(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lambdas.jobs.pages, "BATCH", 3)
    monkeypatch.setattr(lambdas.jobs.pages, "MAX_LOOKED_AT", 6)
    oldest = cloud.job(starred=True).job_id
    for _ in range(13):
        cloud.job()
    newest = cloud.job(starred=True).job_id
    cloud.ask("GET", "/v1/endpoints")
    cloud.pages.signer.secret()
    cloud.counted()

    first = cloud.ask("GET", "/v1/jobs", query={"starred": "true"}).ok()
    calls = cloud.counted()

    assert [job["job_id"] for job in first["jobs"]] == [newest]
    assert calls == 5  # two for each batch, and the query that finds that there is more
    assert pages(cloud, starred="true") == [[newest], [], [oldest]]


def test_a_cursor_is_good_for_its_own_filters_only(cloud: Cloud) -> None:
    for _ in range(3):
        cloud.job(starred=True, prompt="fox")
    cursor = cloud.ask("GET", "/v1/jobs", query={"limit": "1", "q": "fox"}).ok()["next_cursor"]

    for other in ({"q": "dog"}, {"q": "fox", "sort": "oldest"}, {"q": "fox", "starred": "true"}, {}):
        query = {"limit": "1", "cursor": cursor, **other}
        cloud.ask("GET", "/v1/jobs", query=query).problem(400, "invalid_cursor")


@pytest.mark.parametrize(
    "query",
    [{"metadata": "shot"}, {"metadata": "=7"}, {"starred": "perhaps"}, {"sort": "best"}, {"q": ""}, {"model": ""},
     {"label": "x" * 201}],
    ids=str,
)  # fmt: skip
def test_a_filter_that_means_nothing_is_refused_by_its_name(cloud: Cloud, query: dict[str, str]) -> None:
    (name,) = query

    (error,) = cloud.ask("GET", "/v1/jobs", query=query).problem(422, "invalid_params")["errors"]

    assert error["pointer"] == f"query:{name}"


def test_a_job_can_be_labelled_and_starred_in_any_state_and_keeps_the_rest(cloud: Cloud) -> None:
    job = cloud.job(label="old", metadata={"shot": "7"})
    path = f"/v1/jobs/{job.job_id}"

    assert cloud.ask("PATCH", path, {"label": "for the poster"}).ok()["label"] == "for the poster"
    finish(cloud, job.job_id, JobStatus.FAILED)
    view = cloud.ask("PATCH", path, {"starred": True}).ok()
    assert (view["label"], view["starred"], view["status"], view["metadata"]) == (
        "for the poster", True, "failed", {"shot": "7"}
    )  # fmt: skip
    assert cloud.ask("PATCH", path, {}).ok() == view
    assert cloud.ask("PATCH", path, {"label": "", "starred": False}).ok()["label"] == ""
    assert pages(cloud, starred="true") == [[]]


def test_metadata_are_added_and_replaced_and_the_others_stay(cloud: Cloud) -> None:
    path = f"/v1/jobs/{cloud.job(metadata={'shot': '7', 'take': '1'}).job_id}"

    changed = cloud.ask("PATCH", path, {"metadata": {"take": "2", "seen": ""}}).ok()

    assert changed["metadata"] == {"shot": "7", "take": "2", "seen": ""}
    assert cloud.ask("PATCH", path, {"starred": True}).ok()["metadata"] == changed["metadata"]


def test_a_job_has_no_more_than_sixteen_entries_of_metadata(cloud: Cloud) -> None:
    path = f"/v1/jobs/{cloud.job(metadata={'shot': '7'}).job_id}"
    sixteen = {f"name {number}": "x" for number in range(16)}

    (error,) = cloud.ask("PATCH", path, {"metadata": sixteen}).problem(422, "invalid_params")["errors"]

    assert (error["pointer"], "17" in error["message"]) == ("/metadata", True)
    assert cloud.ask("PATCH", path, {}).ok()["metadata"] == {"shot": "7"}


@pytest.mark.parametrize("label", ["two\nlines", "\x1b[31mred", "x" * 201, "\x9b31m", 7])
def test_a_label_is_one_short_line_of_text(cloud: Cloud, label: object) -> None:
    problem = cloud.ask("PATCH", f"/v1/jobs/{cloud.job().job_id}", {"label": label}).problem(422, "invalid_params")

    assert problem["errors"][0]["pointer"] == "/label"


def test_nobody_labels_the_job_of_another_or_one_that_is_gone(cloud: Cloud) -> None:
    job = cloud.job()

    cloud.ask("PATCH", f"/v1/jobs/{job.job_id}", {"starred": True}, user="bob").problem(404, "not_found")
    cloud.ask("PATCH", f"/v1/jobs/{new_id()}", {"starred": True}).problem(404, "not_found")
    gone = functools.partial(cloud.dynamodb.delete_item, TableName="jobs", Key=to_item({"job_id": job.job_id}))
    with before_call(cloud.dynamodb, "dynamodb.UpdateItem", gone):
        cloud.ask("PATCH", f"/v1/jobs/{job.job_id}", {"starred": True}).problem(404, "not_found")
    assert cloud.row(job.job_id) == {}


@pytest.mark.parametrize("uploaded", [False, True])
def test_a_job_shows_its_label_and_the_beginning_of_its_prompt_in_lists(cloud: Cloud, *, uploaded: bool) -> None:
    cloud.checkpoint()
    params = {"prompt": "a  red\nfox\x1b[31m " + "x" * 2000}
    body = {"task": "txt2img", "checkpoint": "dream", "label": "for the poster"}
    job = cloud.ask("POST", "/v1/jobs", {**body, "params": None if uploaded else params}).ok(201)
    if uploaded:
        cloud.put(f"jobs/{job['job_id']}/params.json", json.dumps(params).encode())
        cloud.ask("POST", f"/v1/jobs/{job['job_id']}/start").ok()

    (line,) = cloud.ask("GET", "/v1/jobs").ok()["jobs"]

    assert line["label"] == "for the poster"
    assert line["prompt"] == ("a red fox [31m " + "x" * 2000)[:1000]


@pytest.mark.parametrize("plus", ["%2B", "+", "%20"])
@pytest.mark.parametrize("offset", ["09:00", "0900"])
def test_a_time_whose_plus_became_a_blank_in_the_url_is_understood(cloud: Cloud, plus: str, offset: str) -> None:
    sent = f"2026-11-22T20:00:00{unquote_plus(plus)}{offset}"

    assert cloud.ask("GET", "/v1/jobs", query={"from": sent}).ok() == {"jobs": [], "next_cursor": None}


@pytest.mark.parametrize("wrong", ["2026-11-22 20:00", "2026-11-22T20:00", "2026-11-22T20:00:00 nine", "22 09:00"])
def test_other_blanks_and_times_without_an_offset_are_refused(cloud: Cloud, wrong: str) -> None:
    cloud.ask("GET", "/v1/jobs", query={"from": wrong}).problem(422, "invalid_params")
