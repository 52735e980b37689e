"""Connection, jobs, uploads and texts of the panel, against a small HTTP server."""

import ast
import hashlib
import json
import re
import string
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from generate_on_cloud.client.login import Login as LoginOfGoc
from generate_on_cloud.client.login import find_login as find_login_of_goc
from generate_on_cloud.client.login import keep_login as keep_login_of_goc
from generate_on_cloud.client.login import login_file
from generate_on_cloud.contract.assets import ASSET_TYPES
from tests.patience import wait_for
from tests.webui_extension.service import Answer, Service, refusal
from webui_extension.core.catalog import MODEL_TYPES, Catalog, endpoint_line, price_line
from webui_extension.core.connection import Connection
from webui_extension.core.errors import CloudError, PanelError
from webui_extension.core.followers import Followers, JobState
from webui_extension.core.jobs import Jobs
from webui_extension.core.login import Login, find_login, keep_login
from webui_extension.core.texts import LANGUAGES, choose_language, say, texts
from webui_extension.core.uploads import StoppedError, Upload, file_line, local_files

EXTENSION = Path(__file__).parents[2] / "webui_extension"
SOURCES = sorted(EXTENSION.rglob("*.py"))


def test_the_extension_needs_nothing_but_the_standard_library_and_its_host() -> None:
    allowed = sys.stdlib_module_names | {"webui_extension", "PIL", "gradio", "modules"}
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(), feature_version=(3, 10))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert {name.partition(".")[0] for name in names} <= allowed, path


def test_every_language_has_every_text_with_the_same_values() -> None:
    def holes(text: str) -> set[str]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    english = texts("en")
    for language in LANGUAGES:
        assert texts(language).keys() == english.keys()
        assert all(holes(texts(language)[key]) == holes(text) for key, text in english.items()), language


def test_every_text_that_is_said_exists() -> None:
    code = "\n".join(path.read_text() for path in SOURCES)

    assert set(re.findall(r'say\(\s*"([a-z_]+)"', code)) <= texts("en").keys()


@pytest.mark.parametrize(
    ("setting", "language"),
    [("ja_JP", "ja"), ("zh_CN", "zh"), ("zh-Hans (Stable)", "zh"), ("None", "en"), (None, "en"), ("de_DE", "en")],
)
def test_the_hosts_language_is_spoken(setting: str | None, language: str) -> None:
    try:
        assert choose_language(setting) == language
        assert say("generate") == texts(language)["generate"]
    finally:
        choose_language(None)


def test_a_login_is_kept_for_its_owner_alone(tmp_path: Path) -> None:
    environment = {"XDG_CONFIG_HOME": str(tmp_path)}
    with pytest.raises(PanelError, match="Not connected"):
        find_login(environment)

    path = keep_login(Login("https://api.example/prod", "goc_secret"), environment)

    assert path.stat().st_mode & 0o777 == 0o600
    assert find_login(environment) == Login("https://api.example/prod", "goc_secret")
    assert find_login({**environment, "GOC_URL": "https://other", "GOC_API_KEY": "k"}).url == "https://other"
    assert "goc_secret" not in repr(find_login(environment))
    path.write_text("{")
    with pytest.raises(PanelError, match=re.escape(str(path))):
        find_login(environment)


def test_the_login_of_goc_is_found_and_left_alone(tmp_path: Path) -> None:
    environment = {"XDG_CONFIG_HOME": str(tmp_path)}
    keep_login_of_goc(LoginOfGoc(url="https://one", api_key="k1"), login_file(environment))
    keep_login_of_goc(LoginOfGoc(url="https://two", api_key="k2"), login_file(environment), profile="work")

    assert find_login(environment) == Login("https://two", "k2")
    assert find_login({**environment, "GOC_PROFILE": "default"}) == Login("https://one", "k1")

    keep_login(Login("https://panel", "k3"), environment)

    assert find_login(environment).url == "https://panel"
    assert find_login_of_goc(environment).url == "https://two"


REFUSALS: dict[str, tuple[Callable[[Any], Answer], str]] = {
    "a problem": (
        refusal(422, code="invalid_params", detail="no", errors=[{"pointer": "/params/steps", "message": "0; 1"}]),
        "no\n/params/steps: 0; 1",
    ),
    "a key": (refusal(401, code="unauthorized", detail="wrong key"), "The key was refused.*wrong key"),
    "a page": (lambda _: (502, b"<html>bad gateway"), "502.*bad gateway"),
    "not the API": (lambda _: (200, b"<html>"), "not the API"),
    "a redirect": (lambda _: (302, b""), "302"),
}


@pytest.mark.parametrize(("answer", "message"), REFUSALS.values(), ids=REFUSALS)
def test_refusals_are_told_in_plain_words(service: Service, answer: Callable[[Any], Answer], message: str) -> None:
    service.answers["GET /prod/v1/me"] = answer

    with pytest.raises(CloudError, match=re.compile(message, re.DOTALL)):
        service.connection().ask("GET", "/v1/me")

    assert [name for name, _, _ in service.requests] == ["GET /prod/v1/me"]  # the key went nowhere else


@pytest.mark.parametrize("url", ["file:///etc/passwd", "api.example", "http://127.0.0.1:1/prod"])
def test_an_address_that_is_none_or_does_not_answer_is_named(url: str) -> None:
    with pytest.raises(CloudError, match=re.escape(url)):
        Connection(Login(url, "k")).ask("GET", "/v1/me")


def test_a_job_is_sent_once_although_an_answer_was_lost(service: Service) -> None:
    answers = iter([(503, b"busy"), (201, {"job_id": "7"})])
    service.answers["POST /prod/v1/jobs"] = lambda _: next(answers)

    job = Jobs(service.connection()).send("txt2img", {"prompt": "a"}, checkpoint="moon", metadata={"webui_user": "ann"})

    keys = {headers["Idempotency-Key"] for _, _, headers in service.requests}
    assert job == {"job_id": "7"}
    assert len(service.requests) == 2
    assert len(keys) == 1
    assert service.requests[0][1] == {
        "task": "txt2img", "preview": True, "metadata": {"webui_user": "ann"}, "checkpoint": "moon",
        "params": {"prompt": "a"},
    }  # fmt: skip


def test_large_params_are_stored_first(service: Service) -> None:
    place = {"url": f"{service.url}/stored", "headers": {"x-signed": "yes"}}
    service.answers["POST /prod/v1/jobs"] = lambda _: (201, {"job_id": "7", "upload": place})
    service.answers["PUT /prod/stored"] = lambda _: (200, b"")
    service.answers["POST /prod/v1/jobs/7/start"] = lambda _: (200, {"job_id": "7", "status": "queued"})

    job = Jobs(service.connection()).send("img2img", {"init_images": ["x" * 4_000_000]})

    (stored,) = service.sent("PUT /prod/stored")
    assert job["status"] == "queued"
    assert service.sent("POST /prod/v1/jobs")[0]["params"] is None
    assert len(json.loads(stored)["init_images"][0]) == 4_000_000
    headers = {name.lower(): value for name, value in service.requests[1][2].items()}
    assert headers["x-signed"] == "yes"
    assert "x-api-key" not in headers


def test_a_follower_ends_with_its_job_and_brings_the_pictures(service: Service) -> None:
    picture = {"url": f"{service.url}/picture"}
    documents = iter(
        [
            (200, {"job_id": "7", "status": "queued"}),
            (500, b"oops"),
            (200, {"job_id": "7", "status": "running", "preview_url": f"{service.url}/preview"}),
            (200, {"job_id": "7", "status": "succeeded", "result": {"images": [picture, picture]}}),
        ]
    )
    service.answers["GET /prod/v1/jobs/7"] = lambda _: next(documents)
    service.answers["GET /prod/picture"] = lambda _: (200, b"png")
    service.answers["GET /prod/preview"] = lambda _: (200, b"jpeg")
    saved: list[str] = []

    def save(state: JobState) -> list[str]:
        saved.append(state.job_id)
        return [f"{state.job_id}.png"]

    followers = Followers(service.connection, save)

    followers.follow({"job_id": "7", "status": "queued"})
    wait_for(lambda: (state := followers.state("7")) and state.done, "the end of the job")

    state = followers.state("7")
    assert state is not None
    assert (state.pictures, state.saved, state.trouble) == ((b"png", b"png"), ("7.png",), "")
    assert saved == ["7"]
    wait_for(
        lambda: not [thread for thread in threading.enumerate() if thread.name.startswith("generate-on-cloud")],
        "its thread",
    )
    assert service.sent("GET /prod/preview")


def test_a_follower_gives_up_on_a_job_that_is_gone(service: Service) -> None:
    service.answers["GET /prod/v1/jobs/7"] = refusal(404, code="not_found", detail="no job 7")
    followers = Followers(service.connection)

    followers.follow({"job_id": "7", "status": "queued"})
    wait_for(lambda: bool((state := followers.state("7")) and state.done), "the follower gives up")

    state = followers.state("7")
    assert state is not None
    assert state.trouble == "no job 7"


def endpoint(status: str, **more: object) -> dict[str, Any]:
    return {"name": "goc-main", "status": status, "instance_count": 0, **more}


@pytest.mark.parametrize(
    ("endpoints", "chosen", "refused"),
    [
        ([endpoint("ScaledToZero")], None, None),
        ([endpoint("InService")], "goc-main", None),
        ([endpoint("Failed")], None, "goc-main: Failed"),
        ([], None, "No inference endpoint"),
        ([endpoint("InService")], "goc-other", "goc-other does not exist"),
    ],
)
def test_nothing_is_sent_without_an_endpoint_in_service(
    service: Service, endpoints: list[dict[str, Any]], chosen: str | None, refused: str | None
) -> None:
    service.answers["GET /prod/v1/endpoints"] = lambda _: (200, {"endpoints": endpoints})
    catalog = Catalog(service.connection())

    if refused is None:
        catalog.check_endpoint(chosen)
    else:
        with pytest.raises(PanelError, match=refused):
            catalog.check_endpoint(chosen)


def test_an_endpoint_says_whether_its_gpu_sleeps() -> None:
    assert endpoint_line(endpoint("ScaledToZero")) == "goc-main: GPU asleep: about 4 min"
    assert endpoint_line(endpoint("InService", instance_count=2, open_jobs=3)) == "goc-main: GPU awake (2) · 3 jobs"
    assert endpoint_line(endpoint("Failed", failure_reason="no capacity")) == "goc-main: Failed (no capacity)"


def test_the_price_is_that_of_this_month() -> None:
    days = [{"cost": 0.5, "jobs": 10}, {"cost": None, "jobs": 3}]
    assert price_line({"days": days}) == "This month: $0.50 ($0.0500 a job)"
    assert price_line({"days": [{"cost": None, "jobs": 3}]}) == ""


def test_lists_are_read_to_the_end_and_remembered(service: Service) -> None:
    pages = iter([({"assets": [{"name": "a", "status": "active"}], "next_cursor": "2"}),
                  ({"assets": [{"name": "b", "status": "failed"}], "next_cursor": None})])  # fmt: skip
    service.answers["GET /prod/v1/assets"] = lambda _: (200, next(pages))
    catalog = Catalog(service.connection())

    assert [each["name"] for each in catalog.assets("lora")] == ["a", "b"]
    assert [each["name"] for each in catalog.active("lora")] == ["a"]


PART = 1024


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "moon.safetensors"
    path.write_bytes(bytes(range(256)) * 10)  # two and a half parts
    return path


def takes_uploads(service: Service, model: Path, received: dict[int, str]) -> dict[int, bytes]:
    """Makes the service take this file; returns what it stores, by part."""
    content = model.read_bytes()
    stored: dict[int, bytes] = {}
    parts = [
        {
            "part_number": number, "offset": offset, "size": len(content[offset : offset + PART]),
            "received": number in received, "sha256": received.get(number),
        }
        for number, offset in enumerate(range(0, len(content), PART), 1)
    ]  # fmt: skip
    service.answers["POST /prod/v1/assets"] = lambda _: (201, {"asset_id": "9", "upload": {"parts": parts}})

    def keep_part(number: int) -> Callable[[Any], Answer]:
        def keep(content: Any) -> Answer:
            stored[number] = content
            return 200, b""

        return keep

    def sign(body: Any) -> Answer:
        number = body["parts"][0]["part_number"]
        service.answers[f"PUT /prod/part{number}"] = keep_part(number)
        return 200, {"parts": [{"part_number": number, "url": f"{service.url}/part{number}", "headers": {}}]}

    service.answers["POST /prod/v1/assets/9/parts"] = sign
    service.answers["POST /prod/v1/assets/9/complete"] = lambda _: (200, {"status": "active"})
    return stored


def test_an_upload_sends_only_what_storage_does_not_have(service: Service, model: Path) -> None:
    content = model.read_bytes()
    stored = takes_uploads(service, model, {1: hashlib.sha256(content[:PART]).hexdigest(), 2: "0" * 64})
    upload = Upload(service.connection(), model, "lora")

    assert upload.run() == {"status": "active"}

    assert stored == {2: content[PART : 2 * PART], 3: content[2 * PART :]}
    assert upload.sent == upload.size == len(content)
    assert service.sent("POST /prod/v1/assets/9/complete") == [{"sha256": hashlib.sha256(content).hexdigest()}]


def test_an_upload_can_be_stopped(service: Service, model: Path) -> None:
    takes_uploads(service, model, {})
    upload = Upload(service.connection(), model, "lora")
    upload.stop()

    with pytest.raises(StoppedError, match="stopped"):
        upload.run()

    assert not service.sent("POST /prod/v1/assets/9/complete")


def test_local_files_say_whether_they_are_on_the_cloud(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("b.safetensors", "deep/a.ckpt", "notes.txt"):
        (tmp_path / name).write_bytes(b"x")

    files = local_files({"checkpoint": [tmp_path, tmp_path / "missing"]}, "checkpoint", (".safetensors", ".ckpt"))

    cloud = [{"name": "A.ckpt", "status": "active"}, {"name": "c.ckpt", "status": "active"}]
    assert [path.name for path in files] == ["a.ckpt", "b.safetensors"]
    assert [file_line(path, cloud).rpartition(" · ")[2] for path in files] == ["on cloud", "not on cloud"]


def test_every_text_is_used() -> None:
    code = "\n".join(path.read_text() for path in SOURCES)
    computed = {"uploading", "importing", "inspecting", "failed", "succeeded", "canceled", "expired", "created"}

    assert texts("en").keys() <= set(re.findall(r'"([a-z_]+)"', code)) | computed


def test_the_endings_of_model_files_are_those_of_the_contract() -> None:
    from webui_extension.host.program import EXTENSIONS

    assert dict(EXTENSIONS) == {
        asset_type.value: rule.extensions for asset_type, rule in ASSET_TYPES.items() if asset_type.value in EXTENSIONS
    }
    assert set(MODEL_TYPES) == set(EXTENSIONS)


def test_a_click_is_taken_once() -> None:
    from webui_extension.core.clicks import KEPT, Clicks

    clicks = Clicks()

    assert [clicks.take(name) for name in ("goc-a", "goc-b", "goc-a")] == [True, True, False]
    assert all(clicks.take(f"goc-{number}") for number in range(KEPT))
    assert clicks.take("goc-a")
