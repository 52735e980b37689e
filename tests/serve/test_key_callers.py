"""A server without a key draws with that of each request."""

import asyncio
import base64

import pytest

from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.client.errors import ProblemError
from generate_on_cloud.contract.errors import Problem, ProblemCode
from generate_on_cloud.serve.app import make_app
from generate_on_cloud.serve.key_callers import MAX_CALLERS, KeyCallers
from tests.faces.shelves import file
from tests.serve.asgi_client import Answer, ask
from tests.serve.cloud_double import CloudDouble


class Service:
    def __init__(self) -> None:
        self.double = CloudDouble(file("checkpoint", "shapes.safetensors", "a" * 64))
        self.keys: list[str] = []
        self._app = make_app(KeyCallers(self._open, lambda _: None).caller_of)

    def _open(self, key: str) -> GenerateOnCloud:
        self.keys.append(key)
        return self.double.cloud

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, None, **headers)

    def ask(self, method: str, path: str, body: object, **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return asyncio.run(ask(self._app, method, path, body, headers=named))


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "headers", [{"x_api_key": "goc_k"}, {"authorization": "Bearer goc_k"}, {"authorization": basic("anybody:goc_k")}]
)
def test_the_key_may_be_anywhere_that_a_client_can_put_one(headers: dict[str, str]) -> None:
    service = Service()

    assert service.get("/sdapi/v1/sd-models", **headers).status == 200
    assert service.keys == ["goc_k"]


@pytest.mark.parametrize("headers", [{}, {"authorization": "Basic ?"}, {"authorization": basic("anybody:")}])
def test_without_a_key_the_client_is_asked_for_one(headers: dict[str, str]) -> None:
    answer = Service().get("/sdapi/v1/sd-models", **headers)

    assert answer.status == 401
    assert answer.headers["www-authenticate"] == "Basic"
    assert "as the password of basic auth" in answer.json["detail"]


def test_a_key_that_the_cloud_refuses_is_asked_for_again() -> None:
    service = Service()
    service.double.refusal = ProblemError(
        Problem(type="", title="", status=401, code=ProblemCode.UNAUTHORIZED, detail="No such key.", request_id="r")
    )

    answer = service.get("/sdapi/v1/sd-models", x_api_key="wrong")

    assert (answer.status, answer.json["detail"]) == (401, "No such key.")


def test_options_are_those_of_the_key_and_the_oldest_caller_is_forgotten() -> None:
    service = Service()
    service.ask("POST", "/sdapi/v1/options", {"CLIP_stop_at_last_layers": 2}, x_api_key="one")

    assert service.get("/sdapi/v1/options", x_api_key="two").json["CLIP_stop_at_last_layers"] == 1
    assert service.get("/sdapi/v1/options", x_api_key="one").json["CLIP_stop_at_last_layers"] == 2
    for number in range(MAX_CALLERS):
        service.get("/login_check", x_api_key=f"key {number}")
    service.get("/login_check", x_api_key="one")
    assert service.keys.count("one") == 2
