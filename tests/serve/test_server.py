"""The start of `goc serve`: what its options mean, which key it works with, and how it ends."""

import asyncio
import json
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer

from generate_on_cloud.cli.serve_command import serve as serve_command
from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.client.errors import CloudError
from generate_on_cloud.client.login import Login
from generate_on_cloud.faces.sdapi.settings import Settings
from generate_on_cloud.serve import session as sessions
from generate_on_cloud.serve.callers import KeptSettings
from generate_on_cloud.serve.report import JobReport
from generate_on_cloud.serve.server import ServeOptions, answering, bound, read_logins, read_origins, wake
from generate_on_cloud.serve.session import NEEDED, NarrowSession
from generate_on_cloud.webui.prompt.styles import Style
from tests.faces.shelves import file
from tests.serve.asgi_client import ask
from tests.serve.cloud_double import CloudDouble


@pytest.mark.parametrize(
    ("text", "logins"),
    [("a:b", {"a": "b"}), ("a:b, c:d:e", {"a": "b", "c": "d:e"}), ("a:b,", {"a": "b"})],
)
def test_logins_are_read_as_webui_writes_them(text: str, logins: dict[str, str]) -> None:
    assert read_logins(text) == logins


@pytest.mark.parametrize("text", ["", ",", "anna", "anna:", ":secret", "a:b,c"])
def test_a_login_without_user_or_password_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="allowed: user:password"):
        read_logins(text)


@pytest.mark.parametrize(
    ("text", "origins"),
    [
        ("", set()),
        ("https://paint.example", {"https://paint.example"}),
        ("https://paint.example/, http://localhost:3456", {"https://paint.example", "http://localhost:3456"}),
    ],
)
def test_origins_are_read(text: str, origins: set[str]) -> None:
    assert read_origins(text) == origins


@pytest.mark.parametrize("text", ["*", "paint.example", "https://paint.example/path", "file://x"])
def test_what_is_no_origin_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="allowed: origins such as"):
        read_origins(text)


def test_listening_to_other_machines_needs_passwords() -> None:
    with pytest.raises(ValueError, match="--listen needs --api-auth"):
        _ = ServeOptions(listen=True).rules

    assert ServeOptions(listen=True, logins={"a": "b"}).rules.any_host


def test_a_taken_port_is_named() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(OSError, match="is a WebUI running"),
        bound("127.0.0.1", taken.getsockname()[1]),
    ):
        pass


@pytest.mark.parametrize(
    ("files", "said", "jobs"),
    [
        (["one.safetensors"], "Waking the GPU with one.safetensors: job j1.", 1),
        ([], "no checkpoint is uploaded yet", 0),
        (["one.safetensors", "two.safetensors"], "Choose a checkpoint", 0),
    ],
)
def test_waking_draws_one_tiny_picture_with_the_checkpoint_in_use(files: list[str], said: str, jobs: int) -> None:
    double = CloudDouble(*(file("checkpoint", name, f"{number}" * 64) for number, name in enumerate(files)))
    lines: list[str] = []

    wake(double.cloud, Settings(), lines.append)

    assert said in lines[0]
    assert [job.params["width"] * job.params["steps"] for job in double.sent if job.params] == [64] * jobs


class Service:
    """Answers `me`, and begins and ends sessions; each lasts twelve hours of a clock that the test moves."""

    def __init__(self, permissions: list[str]) -> None:
        self.permissions = permissions
        self.asked: list[tuple[str, str, str, Any]] = []
        self.now = 0.0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content) if request.content else None
        self.asked.append((request.method, request.url.path, request.headers["x-api-key"], body))
        if request.url.path == "/v1/me":
            said: dict[str, Any] = {"user": "anna", "role": "artist", "permissions": self.permissions, "quotas": {},
                                    "key_id": "k", "key_expires_at": None}  # fmt: skip
            return httpx.Response(200, json=said)
        if request.method == "DELETE":
            return httpx.Response(200, json={"key_id": "k", "effective_within_seconds": 60})
        number = sum(path == "/v1/sessions" for _, path, _, _ in self.asked)
        hour = int(self.now / 3600) + 12
        said = {"key_id": "k", "user": "anna", "label": "", "permissions": body["permissions"] if body else [],
                "created_at": "1970-01-01T00:00:00Z", "created_by": "anna", "key": f"narrow-{number}",
                "expires_at": f"1970-01-0{1 + hour // 24}T{hour % 24:02}:00:00Z"}  # fmt: skip
        return httpx.Response(201, json=said)


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    service = Service([*NEEDED, "user:all"])
    transport = httpx.MockTransport(service)

    def connected(url: str, api_key: str) -> GenerateOnCloud:
        return GenerateOnCloud(url, api_key, http=httpx.Client(transport=transport))

    monkeypatch.setattr(sessions, "GenerateOnCloud", connected)
    return service


def test_the_server_works_with_a_key_that_can_only_draw_and_list_and_ends_it(service: Service) -> None:
    session = NarrowSession(Login(url="http://cloud", api_key="own"), clock=lambda: service.now)

    session.cloud().me.get()
    session.end()

    assert [(method, path, key) for method, path, key, _ in service.asked] == [
        ("GET", "/v1/me", "own"),
        ("POST", "/v1/sessions", "own"),
        ("GET", "/v1/me", "narrow-1"),
        ("DELETE", "/v1/sessions/current", "narrow-1"),
    ]
    assert service.asked[1][3]["permissions"] == list(NEEDED)


@pytest.mark.parametrize(("hours", "begun"), [(10.9, 1), (11.1, 2)])
def test_the_key_is_renewed_before_it_ends(service: Service, hours: float, begun: int) -> None:
    session = NarrowSession(Login(url="http://cloud", api_key="own"), clock=lambda: service.now)
    session.cloud()
    service.now = hours * 3600

    session.cloud()

    assert sum(path == "/v1/sessions" for _, path, _, _ in service.asked) == begun


def test_a_key_that_cannot_draw_is_refused_at_the_start(service: Service) -> None:
    service.permissions = ["asset:list"]

    with pytest.raises(CloudError, match="your key lacks inference:create, inference:list, endpoint:list"):
        NarrowSession(Login(url="http://cloud", api_key="own")).cloud()


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"a,b\n1,2\n", "its first line names the columns a, b"), (b"name,prompt\n\xff,x\n", "not a table of UTF-8 text")],
)
def test_a_file_that_holds_no_styles_is_refused_before_anything_is_opened(
    tmp_path: Path, content: bytes, said: str
) -> None:
    (tmp_path / "s.csv").write_bytes(content)

    with pytest.raises(typer.BadParameter, match=f"s.csv: .*{said}"):
        serve_command(styles=tmp_path / "s.csv")


def test_the_server_lists_the_styles_of_its_file() -> None:
    double = CloudDouble(file("checkpoint", "one.safetensors", "1" * 64))
    styles = {"ink": Style("ink drawing", "photo")}
    report = JobReport(lambda _: None, price_per_hour=None)
    app = answering(lambda: double.cloud, KeptSettings(None), report, styles)

    rows = asyncio.run(ask(app, "GET", "/sdapi/v1/prompt-styles")).json

    assert rows == [{"name": "ink", "prompt": "ink drawing", "negative_prompt": "photo"}]
