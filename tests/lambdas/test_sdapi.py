"""WebUI's API as a function: short requests with the caller's key, and nothing kept between them but in the cloud."""

import asyncio
import base64
import io
import json
import logging
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError

from lambdas.sdapi import handler
from lambdas.sdapi.handler import answer_to
from lambdas.sdapi.inner_api import URL, InnerApi
from tests.lambdas.cloud import KEYS, Cloud, completed

TXT2IMG = "/sdapi/v1/txt2img"
BODY = {"prompt": "a", "steps": 2, "send_images": False, "override_settings": {"sd_model_checkpoint": "dream"}}
FIXED, CHANCE = BODY | {"seed": 5}, BODY | {"seed": -1}


class ApiFunction:
    """Lambda's client: calls the API in this process."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.contexts: list[Any] = []

    def invoke(self, *, FunctionName: str, Payload: bytes) -> Mapping[str, Any]:  # noqa: N803
        assert FunctionName == "api"
        event = json.loads(Payload)
        self.contexts.append(event["requestContext"])
        return {"Payload": io.BytesIO(json.dumps(self.cloud.resolver(event)).encode())}


class Bot:
    """A program that asks the function."""

    def __init__(self, cloud: Cloud, user: str = "alice") -> None:
        self.function = ApiFunction(cloud)
        self.headers = {"authorization": "Basic " + base64.b64encode(f"bot:{KEYS[user]}".encode()).decode()}

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> httpx.Response:
        path, _, query = path.partition("?")
        said = {"host": "x.execute-api.eu-west-1.amazonaws.com", **self.headers, **headers}
        content = None if body is None else json.dumps(body)
        if content is not None:
            said = {"content-type": "application/json", "content-length": str(len(content)), **said}
        event = {
            "resource": "/sdapi/{proxy+}", "path": path, "httpMethod": method, "headers": said,
            "multiValueHeaders": {name: [value] for name, value in said.items()},
            "queryStringParameters": dict(httpx.QueryParams(query)) or None, "multiValueQueryStringParameters": None,
            "requestContext": {"requestId": "outer", "stage": "prod", "identity": {"sourceIp": "192.0.2.1"}},
            "body": content, "isBase64Encoded": False,
        }  # fmt: skip
        answer = answer_to(event, None, functions=self.function, api_function="api", patience=0.2)
        return httpx.Response(answer["statusCode"], headers=answer["headers"], text=answer["body"])

    def draw(self, body: Mapping[str, Any]) -> httpx.Response:
        return self.ask("POST", TXT2IMG, body)


@pytest.fixture
def bot(cloud: Cloud) -> Iterator[Bot]:
    cloud.clock.now = datetime.now(UTC)
    cloud.checkpoint()
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield Bot(cloud)
    asyncio.set_event_loop(None)
    loop.close()


def finish(cloud: Cloud, job_id: str) -> None:
    """With a result, as the container and the notification do."""
    cloud.run(job_id)
    cloud.events.handle(completed(job_id, cloud.put_result(job_id)))


def jobs(cloud: Cloud) -> list[Mapping[str, Any]]:
    listed: list[Mapping[str, Any]] = cloud.ask("GET", "/v1/jobs").ok()["jobs"]
    return listed


@pytest.mark.parametrize("body", [FIXED, CHANCE])
def test_a_job_that_takes_longer_is_answered_504_and_the_same_request_gets_it(
    bot: Bot, cloud: Cloud, body: dict[str, Any]
) -> None:
    first = bot.draw(body)
    (job,) = jobs(cloud)

    assert first.status_code == 504
    assert f"Job {job['job_id']} waits for a GPU. It goes on: send the same request again" in first.json()["detail"]
    assert first.headers["retry-after"] == "1"
    finish(cloud, job["job_id"])
    again = bot.draw(body)
    assert (again.status_code, again.headers["x-generate-on-cloud-job"]) == (200, job["job_id"])
    assert json.loads(again.json()["info"])


def test_two_clicks_with_a_random_seed_are_two_pictures(bot: Bot, cloud: Cloud) -> None:
    bot.draw(CHANCE)
    (first,) = jobs(cloud)
    finish(cloud, first["job_id"])
    assert bot.draw(CHANCE).headers["x-generate-on-cloud-job"] == first["job_id"]

    assert bot.draw(CHANCE).status_code == 504  # delivered: drawn anew
    assert len(jobs(cloud)) == 2


def test_while_one_client_waits_the_same_request_of_another_with_a_random_seed_is_another_job(
    bot: Bot, cloud: Cloud
) -> None:
    bot.draw(CHANCE)
    (first,) = jobs(cloud)
    soon = datetime.fromtimestamp(time.time() + 60, UTC).isoformat()
    cloud.ask("PATCH", f"/v1/jobs/{first['job_id']}", {"metadata": {"awaited_until": soon}}).ok()

    bot.draw(CHANCE)

    assert len(jobs(cloud)) == 2


def test_progress_and_interrupt_find_the_callers_own_job(bot: Bot, cloud: Cloud) -> None:
    bot.draw(FIXED | {"n_iter": 3, "force_task_id": "task(1)"})
    (job,) = jobs(cloud)

    assert bot.ask("GET", "/sdapi/v1/progress").json()["state"]["job_count"] == 3
    assert bot.ask("GET", "/internal/progress?id_task=task(1)").json()["queued"] is True
    assert Bot(cloud, "bob").ask("GET", "/sdapi/v1/progress").json()["state"]["job_count"] == 0
    Bot(cloud, "bob").ask("POST", "/sdapi/v1/interrupt")
    assert cloud.status(job["job_id"]) == "queued"
    assert bot.ask("POST", "/sdapi/v1/interrupt").json() == {}
    assert cloud.status(job["job_id"]) == "canceled"


def test_options_are_kept_among_the_users_preferences_next_to_others(bot: Bot, cloud: Cloud) -> None:
    cloud.ask("PUT", "/v1/me/preferences", {"preferences": {"console": {"theme": "dark"}}}).ok()

    assert bot.ask("POST", "/sdapi/v1/options", {"CLIP_stop_at_last_layers": 2}).status_code == 200

    assert bot.ask("GET", "/sdapi/v1/options").json()["CLIP_stop_at_last_layers"] == 2
    assert Bot(cloud, "bob").ask("GET", "/sdapi/v1/options").json()["CLIP_stop_at_last_layers"] == 1
    kept = cloud.ask("GET", "/v1/me/preferences").ok()["preferences"]
    assert kept["console"] == {"theme": "dark"}
    assert kept["sdapi"]["chosen"] == {"CLIP_stop_at_last_layers": 2}


def test_a_drawing_goes_on_if_its_checkpoint_cannot_be_remembered(bot: Bot, cloud: Cloud) -> None:
    cloud.ask("PUT", "/v1/me/preferences", {"preferences": {"console": "x" * 16_300}}).ok()

    assert bot.draw(FIXED).status_code == 504
    assert bot.ask("POST", "/sdapi/v1/options", {"CLIP_stop_at_last_layers": 2}).status_code == 422


@pytest.mark.parametrize(
    ("asked", "headers", "status"),
    [
        (("GET", "/sdapi/v1/sd-models"), {"authorization": ""}, 401),
        (("GET", "/sdapi/v1/sd-models"), {"authorization": "Bearer wrong"}, 401),
        (("GET", "/sdapi/v1/sd-models"), {"authorization": f"Bearer {KEYS['alice']}"}, 200),
        (("GET", "/sdapi/v1/sd-models"), {"authorization": "", "x-api-key": KEYS["alice"]}, 200),
        (("GET", "/controlnet/version"), {}, 200),
        (("GET", "/login_check"), {}, 200),
        (("POST", TXT2IMG), {"origin": "https://evil.example"}, 403),
        (("POST", TXT2IMG), {"content-type": "text/plain"}, 415),
        (("GET", "/sdapi/v1/none"), {}, 404),
    ],
)
def test_who_may_ask_and_for_what(
    bot: Bot, cloud: Cloud, asked: tuple[str, str], headers: dict[str, str], status: int
) -> None:
    answer = bot.ask(*asked, FIXED if asked[0] == "POST" else None, **headers)

    assert answer.status_code == status, answer.text
    assert jobs(cloud) == []


def test_the_api_sees_the_address_and_id_of_the_request_from_outside(bot: Bot) -> None:
    bot.ask("GET", "/sdapi/v1/sd-models")

    assert bot.function.contexts[0] == {"requestId": "outer", "stage": "prod", "identity": {"sourceIp": "192.0.2.1"}}


def test_pictures_that_are_too_large_for_lambda_stay_in_the_job(
    bot: Bot, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    bot.draw(FIXED)
    (job,) = jobs(cloud)
    finish(cloud, job["job_id"])
    monkeypatch.setattr(handler, "MAX_ANSWER", 1000)

    answer = bot.draw(FIXED)

    assert answer.status_code == 413
    assert f"The pictures are kept: goc jobs save {job['job_id']}" in answer.json()["detail"]


def test_signed_addresses_of_pictures_are_not_logged(bot: Bot, cloud: Cloud, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    bot.draw(FIXED)

    assert jobs(cloud)[0]["job_id"] in caplog.text
    assert {record.name for record in caplog.records} & {"httpx", "httpcore"} == set()


class Failing:
    def __init__(self, answer: object) -> None:
        self.answer = answer

    def invoke(self, **_: object) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def _error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "Invoke")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (_error("TooManyRequestsException"), 429),
        (_error("AccessDeniedException"), httpx.ConnectError),
        ({"FunctionError": "Unhandled", "Payload": io.BytesIO(b"{}")}, httpx.RemoteProtocolError),
        ({"Payload": io.BytesIO(b"<")}, httpx.ReadError),
    ],
)
def test_an_api_function_that_does_not_answer_is_a_lost_connection_or_too_many(answer: object, said: Any) -> None:
    http = httpx.Client(mounts={URL: InnerApi(Failing(answer), "api", {})})

    if isinstance(said, int):
        assert http.get(f"{URL}/v1/health").status_code == said
        return
    with pytest.raises(said):
        http.get(f"{URL}/v1/health")
