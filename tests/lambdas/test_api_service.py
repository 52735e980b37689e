"""What holds for every route: keys, problems, bad bodies, the OpenAPI document and the reference."""

import json
import logging
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from generate_on_cloud import __version__
from generate_on_cloud.contract import CONTRACT_VERSION
from generate_on_cloud.contract.assets import ASSET_TYPES
from generate_on_cloud.contract.errors import PROBLEMS, ProblemCode
from generate_on_cloud.contract.jobs import JobStatus
from lambdas.api import handler as api
from lambdas.api.openapi_document import openapi_document
from lambdas.api.table import ROUTES
from lambdas.aws.rows import new_id, to_item
from lambdas.json_documents import MAX_DEPTH
from tests.lambdas.cloud import KEYS, PNG, SETTINGS, Aws, Cloud, aws_error, txt2img

REFERENCE = Path(__file__).parents[2] / "docs" / "api.md"
KEYLESS = [route for route in ROUTES if not route.takes_key]
KEYED = [route for route in ROUTES if route.needs_key]


def names_in(query: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in query.model_fields.items()]


def path_of(route: Any) -> str:
    return re.sub(r"{\w+}", new_id(), route.path)


def test_a_problem_has_exactly_this_shape(cloud: Cloud) -> None:
    reply = cloud.ask("POST", "/v1/jobs", {"task": "txt2img", "params": {}})

    assert reply.status == 422
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert reply.json == {
        "type": "urn:generate-on-cloud:problem:invalid_params",
        "title": "Some fields of the request are invalid",
        "status": 422,
        "code": "invalid_params",
        "detail": "checkpoint: Choose a checkpoint: received none; allowed: an asset's id, file name or title "
        "(GET /v1/assets?type=checkpoint lists them).",
        "request_id": "request-1",
        "errors": [
            {
                "pointer": "/checkpoint",
                "message": "Choose a checkpoint: received none; allowed: an asset's id, file name or title "
                "(GET /v1/assets?type=checkpoint lists them).",
            }
        ],
    }


@pytest.mark.parametrize("key", [None, "", "wrong", "ÿ" * 5000, "\ud800"])
def test_no_route_answers_without_a_good_key_and_all_refuse_alike(cloud: Cloud, key: str | None) -> None:
    headers = {} if key is None else {"x-api-key": key, "x-user": "root", "authorization": "Bearer root"}

    for route in KEYED:
        problem = cloud.ask(route.method, path_of(route), "{", user=None, headers=headers).problem(401, "unauthorized")

        assert problem["detail"] == "Send a valid API key in the x-api-key header."
        assert problem["errors"] == []


@pytest.mark.parametrize("route", KEYLESS, ids=lambda route: route.function.__name__)
def test_health_and_openapi_need_no_key_and_no_call(cloud: Cloud, route: Any) -> None:
    cloud.ask(route.method, route.path, user=None).ok()

    assert cloud.counted() == 0


@pytest.mark.parametrize("word", ["Bearer", "bearer", "BEARER", "Bearer  "])
def test_a_key_may_come_as_a_bearer_token(cloud: Cloud, word: str) -> None:
    me = cloud.ask("GET", "/v1/me", user=None, headers={"Authorization": f"{word} {KEYS['bob']}"}).ok()

    assert me["user"] == "bob"


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer ", "Basic Ym9iLWtleQ==", "bob-key", "Bearer bob-key x"])
def test_any_other_authorization_is_no_key(cloud: Cloud, value: str) -> None:
    cloud.ask("GET", "/v1/me", user=None, headers={"authorization": value}).problem(401, "unauthorized")


def test_x_api_key_wins_over_a_bearer_token(cloud: Cloud) -> None:
    headers = {"x-api-key": KEYS["bob"], "authorization": f"Bearer {KEYS['alice']}"}

    assert cloud.ask("GET", "/v1/me", user=None, headers=headers).ok()["user"] == "bob"


def test_health_says_the_versions(cloud: Cloud) -> None:
    assert cloud.ask("GET", "/v1/health", user=None).ok() == {
        "status": "ok",
        "version": "1.2.3",
        "contract_version": CONTRACT_VERSION,
    }


def test_capabilities_say_the_version_and_are_not_sent_twice(cloud: Cloud) -> None:
    first = cloud.ask("GET", "/v1/capabilities", user=None)
    again = cloud.ask("GET", "/v1/capabilities", user=None, headers={"if-none-match": first.headers["ETag"]})
    other = cloud.ask("GET", "/v1/capabilities", user=None, headers={"if-none-match": '"other"'})

    assert (first.ok()["version"], first.ok()["deleted_models_days"]) == ("1.2.3", 7)
    assert first.headers["Cache-Control"] == "public, max-age=300"
    assert (again.status, again.text, again.headers["ETag"]) == (304, "", first.headers["ETag"])
    assert other.ok() == first.ok()


def test_a_key_is_looked_up_once_a_minute(cloud: Cloud) -> None:
    for _ in range(3):
        cloud.ask("GET", "/v1/jobs").ok()
    assert cloud.calls["GetItem"] == 1

    cloud.clock.now += timedelta(seconds=61)
    cloud.ask("GET", "/v1/jobs").ok()

    assert cloud.calls["GetItem"] == 2


def test_a_revoked_key_stops_within_a_minute(cloud: Cloud) -> None:
    cloud.ask("GET", "/v1/jobs").ok()
    for item in cloud.dynamodb.scan(TableName="access")["Items"]:
        cloud.dynamodb.delete_item(TableName="access", Key={"access_id": item["access_id"]})
    cloud.clock.now += timedelta(seconds=61)

    cloud.ask("GET", "/v1/jobs").problem(401, "unauthorized")


def test_the_owner_of_a_job_is_the_user_of_the_key(cloud: Cloud) -> None:
    cloud.checkpoint()

    job = cloud.ask("POST", "/v1/jobs", txt2img(), user="bob", headers={"x-user": "alice"}).ok(201)

    assert cloud.row(job["job_id"])["owner"] == "bob"


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/job", "/v2/jobs", "/v1/jobs/x/y/z", "/v1/../v1/jobs", "/é"])
def test_an_unknown_path_is_not_found(cloud: Cloud, path: str) -> None:
    assert path in cloud.ask("GET", path).problem(404, "not_found")["detail"]


def test_another_method_is_not_allowed_and_the_good_ones_are_told(cloud: Cloud) -> None:
    for route in ROUTES:
        path = path_of(route)
        taken = {other.method for other in ROUTES if other.matches(path)}
        method = next(method for method in ("PUT", "PATCH", "DELETE", "POST") if method not in taken)

        problem = cloud.ask(method, path).problem(405, "method_not_allowed")

        assert problem["detail"].startswith(f"Received {method}; allowed: ")
        assert route.method in problem["detail"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (None, "Expecting value"),
        ("", "Expecting value"),
        ("{", "Expecting property name"),
        ("{'task': 1}", "Expecting property name"),
        (b"\xff\xfe{}", "not UTF-8"),
        ('{"task": ' + "1" * 5000 + "}", "digits"),
        ('{"task": "\\ud800"}', "surrogate"),
        ('{"\\udc00": 1}', "surrogate"),
        ("[" * 100 + "]" * 100, "nested deeper"),
        ("[" * 200_000, "nested deeper"),
        ('{"a":' * 200_000, "nested deeper"),
    ],
)
def test_a_body_that_is_not_json_is_refused(cloud: Cloud, body: str | bytes | None, said: str) -> None:
    for path in ("/v1/jobs", "/v1/assets"):
        assert said in cloud.ask("POST", path, body).problem(400, "invalid_json")["detail"]


def test_a_body_that_is_not_base64_though_it_says_so_is_refused(cloud: Cloud) -> None:
    event = {
        "httpMethod": "POST",
        "path": "/v1/jobs",
        "headers": {"x-api-key": "alice-key"},
        "requestContext": {"requestId": "r"},
        "body": "%%%",
        "isBase64Encoded": True,
    }

    cloud.send(event).problem(400, "invalid_json")


@pytest.mark.parametrize("body", [[], "text", 5, None, True])
def test_a_body_that_is_no_object_is_refused(cloud: Cloud, body: object) -> None:
    problem = cloud.ask("POST", "/v1/jobs", json.dumps(body)).problem(422, "invalid_params")

    assert problem["errors"][0]["pointer"] == ""


def test_the_pointer_of_an_odd_field_name_is_escaped(cloud: Cloud) -> None:
    problem = cloud.ask("POST", "/v1/jobs", {"task": "txt2img", "a/b~c": 1}).problem(422, "invalid_params")

    assert problem["errors"][0]["pointer"] == "/a~1b~0c"
    assert "allowed: task, checkpoint, preview, params" in problem["errors"][0]["message"]


def test_an_answer_never_grows_with_the_faults_of_the_request(cloud: Cloud) -> None:
    faults = {f"field_{number}": "x" * 100 for number in range(10_000)}
    for body in (
        faults,
        txt2img(**faults),
        txt2img(override_settings=faults),
        txt2img(sampler_name="x" * 1_000_000, scheduler="y" * 1_000_000),
        txt2img(infotext="x" * 1_000_000),
        txt2img(**{"x" * 1_000_000: 1}),
        txt2img(override_settings={"emphasis": "x" * 1_000_000, "y" * 1_000_000: 1}),
        {"task": "txt2img", "checkpoint": "x" * 1_000_000, "params": {}},
        {"task": "x" * 1_000_000},
    ):
        reply = cloud.ask("POST", "/v1/jobs", body)
        assert 400 <= reply.status < 500
        assert len(reply.text) < 300_000
        assert len(reply.json["errors"]) <= 100


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from([PNG, "data:image/png;base64,", "data:,", "Euler a", "Karras", 10**400]),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=8), children, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    ["prompt", "steps", "seed", "sampler_name", "scheduler", "width", "override_settings", "init_images", "mask",
     "script_args", "alwayson_scripts", "styles", "cfg_scale", "denoising_strength", "comments", "latent_mask"]
)  # fmt: skip


@settings(max_examples=80, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    task=st.sampled_from(["txt2img", "img2img", "interrogate_clip"]) | JSON,
    checkpoint=st.sampled_from(["dream", None]) | JSON,
    params=st.dictionaries(FIELDS, JSON, max_size=4) | JSON,
)
def test_absurd_jobs_are_the_callers_fault_and_never_ours(
    cloud: Cloud, task: object, checkpoint: object, params: object
) -> None:
    if not cloud.rows("assets"):
        cloud.checkpoint()

    reply = cloud.ask("POST", "/v1/jobs", {"task": task, "checkpoint": checkpoint, "params": params})

    assert reply.status == 201 or 400 <= reply.status < 500, reply.text
    assert reply.status == 201 or reply.json["code"] in list(ProblemCode)


def test_an_unexpected_error_is_logged_and_tells_nothing(cloud: Cloud, caplog: pytest.LogCaptureFixture) -> None:
    def fail(**_: object) -> None:
        raise aws_error("InternalServerError", "arn:aws:dynamodb:secret")

    cloud.dynamodb.meta.events.register_first("before-call.dynamodb.Query", fail, unique_id="fail")
    try:
        with caplog.at_level(logging.ERROR):
            problem = cloud.ask("GET", "/v1/jobs").problem(500, "internal")
    finally:
        cloud.dynamodb.meta.events.unregister("before-call.dynamodb.Query", unique_id="fail")

    assert problem["detail"] == "The service failed; the error is logged under request-1."
    assert "request-1" in caplog.text
    assert "Traceback" in caplog.text
    assert "secret" in caplog.text


@pytest.mark.parametrize("code", ["ThrottlingException", "TransactionConflictException"])
def test_throttling_by_aws_is_told_with_a_time_to_come_back(cloud: Cloud, code: str) -> None:
    def fail(**_: object) -> None:
        raise aws_error(code)

    cloud.dynamodb.meta.events.register_first("before-call.dynamodb.Query", fail, unique_id="fail")
    try:
        reply = cloud.ask("GET", "/v1/jobs")
    finally:
        cloud.dynamodb.meta.events.unregister("before-call.dynamodb.Query", unique_id="fail")

    reply.problem(429, "too_many_requests")
    assert reply.headers["Retry-After"] == "5"


def references(node: object) -> set[str]:
    if isinstance(node, dict):
        own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
        return own.union(*(references(value) for value in node.values()))
    if isinstance(node, list):
        return set().union(*(references(value) for value in node))
    return set()


def security_of(route: Any) -> list[dict[str, list[str]]]:
    keyed: list[dict[str, list[str]]] = [{"api_key": []}, {"bearer": []}]
    if route.needs_key:
        return keyed
    return [*keyed, {}] if route.takes_key else []


def test_openapi_describes_every_route_with_every_problem(cloud: Cloud) -> None:
    document = cloud.ask("GET", "/v1/openapi.json", user=None).ok()

    assert document["openapi"] == "3.1.0"
    assert document["info"]["version"] == "1.2.3"
    assert sum(map(len, document["paths"].values())) == len(ROUTES)
    for route in ROUTES:
        operation = document["paths"][route.path][route.method.lower()]
        assert operation["summary"]
        assert operation["operationId"] == route.function.__name__
        assert operation["security"] == security_of(route)
        assert ("requestBody" in operation) == (route.body is not None)
        if route.body is not None:
            assert operation["requestBody"]["required"] != getattr(route.body, "may_be_absent", False)
        named = [parameter["name"] for parameter in operation.get("parameters", [])]
        assert named == [*re.findall(r"{(\w+)}", route.path), *names_in(route.query)]
        done = operation["responses"][str(route.status)]
        assert "content" not in done if route.status == 204 else "schema" in done["content"]["application/json"]
        for code in route.problems:
            response = operation["responses"][str(PROBLEMS[code].status)]
            assert f"{code}: " in response["description"]
            assert response["content"] == {
                "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
            }


def test_the_committed_openapi_document_is_the_one_that_is_served() -> None:
    """`make openapi` writes it anew."""
    committed = json.loads((REFERENCE.parent / "openapi.json").read_text(encoding="utf-8"))

    assert committed == json.loads(json.dumps(openapi_document(ROUTES, version=__version__)))


def test_openapi_refers_only_to_what_it_holds(cloud: Cloud) -> None:
    document: Any = openapi_document(ROUTES, version="0")

    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}

    assert references(document) <= known
    assert "#/components/schemas/Img2ImgParams" in references(document["components"]["schemas"]["CreateJob"])
    operations = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    assert len(set(operations)) == len(operations)


def test_every_problem_code_is_one_a_route_may_answer_or_no_route_at_all() -> None:
    answered = {code for route in ROUTES for code in route.problems}

    assert set(ProblemCode) - answered == {ProblemCode.METHOD_NOT_ALLOWED}


def test_the_reference_names_every_route_and_error_code() -> None:
    text = REFERENCE.read_text(encoding="utf-8")

    for route in ROUTES:
        assert f"| `{route.method} {route.path}` |" in text
    for code, rule in PROBLEMS.items():
        assert f"| `{code}` | {rule.status} |" in text
    for route in ROUTES:
        for name in names_in(route.query):
            assert f"`{name}`" in text


def test_the_reference_names_nothing_that_is_not_there() -> None:
    text = REFERENCE.read_text(encoding="utf-8")

    assert {
        tuple(found.split(" ")) for found in re.findall(r"\| `((?:GET|POST|PUT|PATCH|DELETE) [^`]+)` \|", text)
    } == {(route.method, route.path) for route in ROUTES}
    assert set(re.findall(r"\| `(\w+)` \| \d{3} \|", text)) == {code.value for code in ProblemCode}


def test_the_reference_names_the_limits_of_every_asset_type() -> None:
    text = REFERENCE.read_text(encoding="utf-8")

    for kind, rule in ASSET_TYPES.items():
        mib = rule.max_bytes / 1024**2
        at_most = f"{mib / 1024:g} GiB" if mib >= 256 else f"{mib:g} MiB"
        extensions = ", ".join(f"`{extension}`" for extension in rule.extensions)
        assert f"| `{kind}` | `{rule.webui_folder}` | {extensions} | {at_most} |" in text


def test_json_may_nest_as_deep_as_the_reference_says() -> None:
    assert f"{MAX_DEPTH} levels" in REFERENCE.read_text(encoding="utf-8")


def test_the_entry_point_reads_its_environment(cloud: Cloud, aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SETTINGS.environment().items():
        monkeypatch.setenv(name, value)
    api._resolver.cache_clear()
    aws.dynamodb.put_item(TableName="access", Item=to_item({"access_id": "x"}))
    event = {
        "httpMethod": "GET",
        "path": "/v1/jobs",
        "headers": {"x-api-key": KEYS["alice"]},
        "requestContext": {"requestId": "r"},
        "body": None,
    }

    context: Any = object()
    answer = api.handler(event, context)

    assert (answer["statusCode"], json.loads(answer["body"])) == (200, {"jobs": [], "next_cursor": None})


@pytest.mark.parametrize("value", ["1_0", " 1", "1.0", "\u0663", "1\n", "+1", "9" * 5000])
def test_a_limit_is_written_in_plain_digits(cloud: Cloud, value: str) -> None:
    for path in ("/v1/jobs", "/v1/assets", "/v1/users", "/v1/roles", "/v1/usage"):
        cloud.ask("GET", path, user="root", query={"limit": value}).problem(422, "invalid_params")


def test_an_object_with_a_name_twice_is_refused(cloud: Cloud) -> None:
    body = '{"name": "carol", "name": "dora", "role": "artist"}'

    problem = cloud.ask("POST", "/v1/users", body, user="root").problem(400, "invalid_json")

    assert "'name' appears twice" in problem["detail"]


@pytest.mark.parametrize("path", ["/v1/jobs\n", "/v1/jobs/\n", "/v1/users/\n"])
def test_a_path_that_ends_in_a_line_end_is_no_path(cloud: Cloud, path: str) -> None:
    cloud.ask("GET", path, user="root").problem(404, "not_found")


def test_an_answer_without_a_body_has_an_empty_one(cloud: Cloud) -> None:
    job = cloud.job(status=JobStatus.CANCELED)
    event = {
        "httpMethod": "DELETE",
        "path": f"/v1/jobs/{job.job_id}",
        "headers": {"X-Api-Key": KEYS["alice"]},
        "requestContext": {"requestId": "request-1", "stage": "prod", "path": "/prod"},
    }

    answer = cloud.resolver(event)

    assert (answer["statusCode"], answer["body"]) == (204, "")


def test_a_refusal_is_shorter_than_two_kilobytes_and_says_how_much_it_leaves_out(cloud: Cloud) -> None:
    faults = {f"field{number}{'x' * 5000}": number for number in range(300)}

    answer = cloud.ask("POST", "/v1/jobs", {"task": "txt2img"} | faults)

    problem = answer.problem(422, "invalid_params")
    assert len(json.dumps(problem)) <= 2000
    assert problem["errors"]
    assert "more errors are not listed" in problem["detail"]


@pytest.mark.parametrize(("method", "path"), [("POST", "/v1/keys"), ("POST", "/v1/users"), ("PATCH", "/v1/me")])
def test_a_body_may_be_absent_only_where_it_is_documented(cloud: Cloud, method: str, path: str) -> None:
    """Completing an upload needs none, nor does a session or a webhook secret."""
    cloud.ask(method, path, b"", user="root").problem(400, "invalid_json")
