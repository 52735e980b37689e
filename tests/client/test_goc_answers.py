"""What `goc` says to scripts: one JSON document on standard output, progress beside it, and an exit code."""

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from generate_on_cloud.cli.exit_codes import ExitCode
from tests.client.goc import Goc
from tests.client.people_answers import PEOPLE
from tests.client.small_service import Answer, SmallService, asset, job, problem

PAGE = Path(__file__).parents[2] / "docs" / "assets.md"
ASSET, JOB = asset(), job()
FAILED_JOB = job("failed", error={"code": "bad_image", "message": "a PDF", "retryable": False})
PICTURE = {"url": "", "width": 8, "height": 8, "format": "png", "seed": 1, "infotext": "x"}
INFOTEXT = "a fox\nNegative prompt: blurred\nSteps: 20, Sampler: Euler, CFG scale: 7, Seed: 7, Size: 8x8"
RESULT: dict[str, object] = {"info": {}, "parameters": {}, "caption": None, "models": [], "timings": {}}


@pytest.fixture
def goc(goc: Goc, tmp_path: Path) -> Goc:
    (tmp_path / "x.safetensors").write_bytes(b"12345")
    (tmp_path / "params.json").write_text("{}")
    (tmp_path / "p.png").write_bytes(b"a picture")
    texts = PngInfo()
    texts.add_text("parameters", INFOTEXT)
    Image.new("RGB", (8, 8)).save(tmp_path / "drawn.png", pnginfo=texts)
    return goc


def page(*assets: dict[str, object]) -> Answer:
    return 200, {"assets": list(assets), "next_cursor": None}


FIVE = hashlib.sha256(b"12345").hexdigest()
FAST = {"name": "goc-main-fast", "status": "InService", "instance_count": 1, "managed_by": "api"}

ME: dict[str, object] = {
    "user": "ada",
    "role": "artist",
    "permissions": [],
    "quotas": {},
    "key_id": "k",
    "key_expires_at": None,
}


def endpoint_status(said: Any) -> object:
    return said["endpoints"][0]["status"]


GROUP = {"key": "dreams.safetensors", "jobs": 3, "gpu_seconds": 30.0, "cost": 0.01}
CAPTIONED = job("succeeded", result={"images": [], **RESULT, "caption": "a fox"})
ONE = {"GET /v1/assets": page(ASSET), "GET /v1/assets/a1": (200, ASSET)}
ANSWERS: dict[str, tuple[dict[str, Any], Callable[[Any], object], object]] = {
    "assets upload x.safetensors --type lora": ({}, lambda said: said["assets"][0]["status"], "active"),
    "assets import https://a.example/x.safetensors --type lora": (
        {"POST /v1/assets": (201, asset("importing")), **ONE}, lambda said: said["assets"][0]["status"], "active"
    ),
    "assets pause a1": (
        ONE | {"POST /v1/assets/a1/pause": (200, asset("importing", paused=True))},
        lambda said: said["assets"][0]["paused"], True,
    ),
    "assets resume a1 https://a.example/x.safetensors": (
        {"GET /v1/assets": page(ASSET), "GET /v1/assets/a1": [(200, asset("importing")), (200, ASSET)],
         "POST /v1/assets/a1/resume": (200, asset("importing"))},
        lambda said: said["assets"][0]["status"], "active",
    ),
    "assets list": (ONE, lambda said: [row["name"] for row in said["assets"]], ["x.safetensors"]),
    "assets show x.safetensors": (ONE, lambda said: said["asset_id"], "a1"),
    "assets update a1 --tag ink --tag line": (
        ONE | {"PATCH /v1/assets/a1": (200, asset(tags=["ink", "line"]))},
        lambda said: said["assets"][0]["tags"], ["ink", "line"],
    ),
    "assets restore a1": ({"GET /v1/assets": page(asset("deleted")), "POST /v1/assets/a1/restore": (200, ASSET)},
                          lambda said: said["assets"][0]["status"], "active"),
    "assets rm a1": (ONE | {"DELETE /v1/assets/a1": (200, ASSET)}, lambda said: said["assets"][0]["asset_id"], "a1"),
    f"assets find {FIVE}": (
        {f"GET /v1/assets/by-hash/{FIVE}": page(ASSET)}, lambda said: said["assets"][0]["asset_id"], "a1"
    ),
    "jobs skip j1": ({"POST /v1/jobs/j1/skip": (200, job("running"))}, lambda said: said["status"], "running"),
    "jobs note j1 shot=7": (
        {"PATCH /v1/jobs/j1": (200, job(metadata={"shot": "7"}))}, lambda said: said["metadata"], {"shot": "7"}
    ),
    "endpoints sleep fast": ({"POST /v1/endpoints/fast/sleep": (200, FAST)}, endpoint_status, "InService"),
    "webhooks redeliver j1": (
        {"POST /v1/jobs/j1/deliveries": (202, {"webhook": None, "deliveries": []})}, lambda said: said["deliveries"], []
    ),
    "usage --by model": (
        {"GET /v1/usage": (200, {"days": [], "groups": [GROUP], "price_per_hour": 1.2, "next_cursor": None})},
        lambda said: said["groups"][0]["key"], "dreams.safetensors",
    ),
    "jobs submit img2img params.json": ({"POST /v1/jobs": (201, JOB)}, lambda said: said["job_id"], "j1"),
    "jobs list": (
        {"GET /v1/jobs": (200, {"jobs": [JOB], "next_cursor": "c"})},
        lambda said: (said["jobs"][0]["job_id"], said["next_cursor"]), ("j1", "c"),
    ),
    "jobs show j1": ({"GET /v1/jobs/j1": (200, JOB)}, lambda said: said["status"], "queued"),
    "jobs watch j1": ({"GET /v1/jobs/j1": (200, job("canceled"))}, lambda said: said["status"], "canceled"),
    "jobs save j1": (
        {"GET /v1/jobs/j1": (200, job("succeeded", result={"images": [], **RESULT}))},
        lambda said: said, {"job_id": "j1", "files": []},
    ),
    "jobs cancel j1": ({"POST /v1/jobs/j1/cancel": (200, JOB)}, lambda said: said["job_id"], "j1"),
    "jobs retry j1": ({"POST /v1/jobs/j1/retry": (201, job(retry_of="j1"))}, lambda said: said["retry_of"], "j1"),
    "endpoints": ({"GET /v1/endpoints": (200, {"endpoints": []})}, lambda said: said, {"endpoints": []}),
    "endpoints list": ({"GET /v1/endpoints": (200, {"endpoints": [FAST]})}, endpoint_status, "InService"),
    "endpoints create fast --instance-type ml.g5.xlarge --max 2": (
        {"POST /v1/endpoints": (201, {**FAST, "status": "Creating"})}, endpoint_status, "Creating"
    ),
    "endpoints update fast --idle-minutes 9": ({"PATCH /v1/endpoints/fast": (200, FAST)}, endpoint_status, "InService"),
    "endpoints default fast": (
        {"PATCH /v1/me": (200, {**ME, "default_endpoint": "goc-main-fast"})},
        lambda said: said["default_endpoint"],
        "goc-main-fast",
    ),
    "endpoints rm fast --force": (
        {"DELETE /v1/endpoints/fast": (202, {**FAST, "status": "Deleting"})}, endpoint_status, "Deleting"
    ),
    "login --url URL --api-key k": (
        {"GET /v1/me": (200, ME)}, lambda said: (Path(said["login_file"]).name, said["user"]), ("login.json", "ada")
    ),
    "auth login --url URL --api-key k --profile team": (
        {"GET /v1/me": (200, ME)}, lambda said: said["profile"], "team"
    ),
    "auth status": ({"GET /v1/me": (200, ME)}, lambda said: (said["user"], said["profiles"]), ("ada", [])),
    "config": ({}, lambda said: said["params"], {}),
    "config list": ({}, lambda said: said["checkpoint"], None),
    "txt2img fox --checkpoint a": ({"POST /v1/jobs": (201, JOB)}, lambda said: said["jobs"][0]["job_id"], "j1"),
    "img2img p.png fox": ({"POST /v1/jobs": (201, JOB)}, lambda said: said["jobs"][0]["files"], []),
    "inpaint p.png p.png fox": ({"POST /v1/jobs": (201, JOB)}, lambda said: len(said["jobs"]), 1),
    "interrogate p.png": (
        {"POST /v1/jobs": (201, JOB), "GET /v1/jobs/j1": (200, CAPTIONED)},
        lambda said: said["jobs"][0]["result"]["caption"], "a fox",
    ),
    "upscale p.png": ({"POST /v1/jobs": (201, JOB)}, lambda said: said["jobs"][0]["status"], "queued"),
    "png-info drawn.png": ({}, lambda said: said["pictures"][0]["parameters"]["Seed"], "7"),
    "jobs cancel --waiting": (
        {"POST /v1/jobs/cancel": (200, {"canceled": ["j1"], "refused": []})}, lambda said: said["canceled"], ["j1"]
    ),
    "jobs rm j1": (
        {"POST /v1/jobs/delete": (200, {"deleted": ["j1"], "refused": []})}, lambda said: said["deleted"], ["j1"]
    ),
    "jobs label j1 fox": ({"PATCH /v1/jobs/j1": (200, job(label="fox"))}, lambda said: said["label"], "fox"),
    "jobs star j1": ({"PATCH /v1/jobs/j1": (200, job(starred=True))}, lambda said: said["starred"], True),
    "jobs unstar j1": ({"PATCH /v1/jobs/j1": (200, JOB)}, lambda said: said["starred"], False),
    "jobs deliveries j1": (
        {"GET /v1/jobs/j1/deliveries": (200, {"webhook": None, "deliveries": []})},
        lambda said: said["deliveries"], [],
    ),
    "cost estimate": ({}, lambda said: said["usage"]["images"], 1000),
    **PEOPLE,
}  # fmt: skip


@pytest.mark.parametrize("command", ANSWERS)
def test_a_command_prints_one_document(service: SmallService, goc: Goc, command: str) -> None:
    answers, read, expected = ANSWERS[command]

    said = goc(*command.replace("URL", service.url).split(), "--json", **answers)

    assert said.out.count("\n") == 1
    first = said.document[0] if isinstance(said.document, list) else said.document
    assert read(first) == expected
    assert said.code == (ExitCode.FAILED if command == "jobs watch j1" else ExitCode.DONE)


@pytest.mark.parametrize("command", ["watch", "save"])
def test_what_a_job_left_out_goes_to_standard_error(goc: Goc, command: str) -> None:
    done = job("succeeded", result={"images": [], **RESULT, "warnings": ["1 of 2 layers of ink.pt were left out"]})

    said = goc("jobs", command, "j1", "--json", **{"GET /v1/jobs/j1": (200, done)})

    assert "1 of 2 layers of ink.pt were left out" in " ".join(said.err.split())
    assert said.code == ExitCode.DONE
    assert said.out.count("\n") == 1


def test_every_command_can_print_json() -> None:
    from typer.main import get_command

    from generate_on_cloud.cli.command import app

    def commands(group: Any, *path: str) -> Iterator[str]:
        for name, command in group.commands.items():
            if hasattr(command, "commands"):
                yield from commands(command, *path, name)
            elif any("--json" in parameter.opts for parameter in command.params):
                yield " ".join((*path, name))
            else:
                yield " ".join((*path, name, "cannot"))

    in_test_goc_webui = {f"webui {name}" for name in ("install", "update", "remove", "status")}
    asked = {" ".join(word for word in command.split() if not word.startswith("--")) for command in ANSWERS}
    covered = {name for name in commands(get_command(app)) if any(line.startswith(name) for line in asked)}
    lines = {
        "api cannot",
        "completion cannot",
        "help cannot",
        "config set cannot",
        "config unset cannot",
        "serve cannot",
    }
    # tests of the demo, of the doctor, of profiles and of links
    elsewhere = {"demo", "doctor", "auth switch", "auth logout", "console"}
    assert set(commands(get_command(app))) - covered == lines | elsewhere | in_test_goc_webui


def test_a_watched_job_is_a_document_for_each_change(goc: Goc) -> None:
    running = job("running", progress={"phase": "sampling", "step": 3, "steps": 20})
    rows: list[Answer] = [(200, JOB), (200, JOB), (200, running), (200, job("succeeded"))]

    said = goc("jobs", "watch", "j1", "--json", **{"GET /v1/jobs/j1": rows})

    documents = [json.loads(line) for line in said.out.splitlines()]
    assert [document["status"] for document in documents] == ["queued", "running", "succeeded"]
    assert documents[1]["progress"]["step"] == 3
    assert said.code == ExitCode.DONE


def test_progress_goes_beside_the_answer(goc: Goc) -> None:
    said = goc("assets", "upload", "x.safetensors", "--type", "lora", "--json")

    assert said.document["assets"][0]["name"] == "x.safetensors"
    assert "x.safetensors" in said.err


def test_what_was_done_before_a_failure_is_in_the_answer(goc: Goc, tmp_path: Path) -> None:
    (tmp_path / "y.safetensors").write_bytes(b"12345")
    answers: list[Answer] = [(200, asset("active")), problem(422, "upload_mismatch")]

    said = goc(
        "assets", "upload", "x.safetensors", "y.safetensors", "--type", "lora", "--json",
        **{"POST /v1/assets/a1/complete": answers},
    )  # fmt: skip

    assert [row["name"] for row in said.document["assets"]] == ["x.safetensors"]
    assert said.document["error"]["code"] == "upload_mismatch"
    assert said.code == ExitCode.FAILED


def test_files_after_one_that_failed_are_uploaded_and_the_error_names_all_that_failed(goc: Goc, tmp_path: Path) -> None:
    for name in ("y", "z", "w"):
        (tmp_path / f"{name}.safetensors").write_bytes(b"12345")
    refused = problem(422, "upload_mismatch")
    files = [f"{name}.safetensors" for name in "xyzw"]

    some = goc(
        "assets", "upload", *files, "--type", "lora", "--json",
        **{"POST /v1/assets/a1/complete": [refused, (200, asset("active")), refused, (200, asset("active"))]},
    )  # fmt: skip
    one = goc(
        "assets", "upload", *files[:2], "--type", "lora", "--json",
        **{"POST /v1/assets/a1/complete": [refused, (200, asset("active"))]},
    )  # fmt: skip

    assert len(some.document["assets"]) == 2
    message = some.document["error"]["message"]
    assert message.startswith("2 of 4 files were not uploaded:\n  x.safetensors: ")
    assert "\n  z.safetensors: " in message
    assert one.document["error"]["message"].startswith("1 of 2 files was not uploaded: x.safetensors: ")
    assert ExitCode.DONE not in (some.code, one.code)


ENDS: list[tuple[str, dict[str, Any], ExitCode, str]] = [
    ("jobs show j1", {"GET /v1/jobs/j1": (200, JOB)}, ExitCode.DONE, ""),
    ("jobs save j1", {"GET /v1/jobs/j1": (200, FAILED_JOB)}, ExitCode.FAILED, "bad_image: a PDF"),
    ("jobs watch j1", {"GET /v1/jobs/j1": (200, FAILED_JOB)}, ExitCode.FAILED, "bad_image: a PDF"),
    (
        "assets import https://a.example/x.pt --type lora",
        {"POST /v1/assets": (201, asset("failed", error="a zip"))}, ExitCode.FAILED, "x.safetensors: a zip",
    ),
    ("jobs submit img2img x.safetensors", {}, ExitCode.FAILED, "contains a int; allowed: a JSON object"),
    ("assets upload nowhere.pt --type lora", {}, ExitCode.USAGE, "does not exist"),
    ("jobs cancel", {}, ExitCode.USAGE, "give ids, or --waiting"),
    ("jobs cancel j1 --waiting", {}, ExitCode.USAGE, "give ids, or --waiting"),
    ("assets update a1", {}, ExitCode.USAGE, "nothing to change"),
    ("assets upload --kind lora", {}, ExitCode.USAGE, "No such option"),
    ("assets show nothing", ONE, ExitCode.NOT_FOUND, "there is no asset 'nothing'"),
    ("jobs show j9", {}, ExitCode.NOT_FOUND, "It is not_found."),
    ("endpoints", {"GET /v1/endpoints": problem(401, "unauthorized")}, ExitCode.NOT_ALLOWED, "the key is wrong"),
    ("assets rm a1", ONE | {"DELETE /v1/assets/a1": problem(403, "forbidden")}, ExitCode.NOT_ALLOWED, "forbidden"),
    ("assets rm a1", ONE | {"DELETE /v1/assets/a1": problem(409, "asset_in_use")}, ExitCode.CONFLICT, "asset_in_use"),
    (
        "jobs submit img2img params.json",
        {"POST /v1/jobs": problem(429, "quota_exceeded")}, ExitCode.CONFLICT, "quota_exceeded",
    ),
    (
        "jobs submit img2img params.json",
        {"POST /v1/jobs": problem(422, "invalid_params")}, ExitCode.REFUSED, "invalid_params",
    ),
    ("endpoints", {"GET /v1/endpoints": (502, "Bad gateway")}, ExitCode.NOT_REACHED, "HTTP 502"),
    ("auth login --url http://127.0.0.1:9 --api-key k", {}, ExitCode.NOT_REACHED, "no answer from http://127.0.0.1:9"),
]  # fmt: skip


@pytest.mark.parametrize(("command", "answers", "code", "said"), ENDS)
def test_the_exit_code_tells_what_kind_of_end_it_was(
    goc: Goc, command: str, answers: dict[str, Any], code: ExitCode, said: str
) -> None:
    ended = goc(*command.split(), **answers)

    assert ended.code == code
    assert said in " ".join(ended.err.replace("│", " ").split())
    assert "Traceback" not in ended.err


def test_a_failure_is_a_document_too(goc: Goc) -> None:
    said = goc("jobs", "show", "j9", "--json")

    assert said.document == {
        "error": {"code": "not_found", "message": "It is not_found.", "request_id": "r1", "errors": []}
    }


def test_ctrl_c_has_a_code_of_its_own(goc: Goc, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("generate_on_cloud.client.connection.httpx.Client.request", interrupt)

    assert goc("endpoints").code == ExitCode.INTERRUPTED


def test_the_page_has_every_exit_code() -> None:
    rows = re.findall(r"^\| (\d+) \| (?!\|)", PAGE.read_text(encoding="utf-8"), re.MULTILINE)

    assert [int(row) for row in rows] == [code.value for code in ExitCode]


def test_a_403_of_a_gateway_before_the_api_is_told_as_forbidden(goc: Goc) -> None:
    said = goc("endpoints", "--json", **{"GET /v1/endpoints": (403, {"message": "Forbidden"})})

    assert said.document["error"]["code"] == "forbidden"
    assert "HTTP 403" in said.document["error"]["message"]
    assert said.code == ExitCode.NOT_ALLOWED


def test_bytes_that_are_there_under_another_name_are_told(goc: Goc, tmp_path: Path) -> None:
    known = asset("active", name="first.safetensors", size=5, sha256=FIVE)

    said = goc(
        "assets", "upload", "x.safetensors", "--type", "lora", "--json",
        **{"GET /v1/assets": page(known), f"GET /v1/assets/by-hash/{FIVE}": page(known)},
    )  # fmt: skip

    assert [row["name"] for row in said.document["assets"]] == ["first.safetensors"]
    assert "x.safetensors is already there as first.safetensors; use that name" in said.err


def test_a_yaml_among_checkpoints_is_not_uploaded_but_read(goc: Goc, tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text('model: {params: {parameterization: "v"}}')
    stored = asset("active", type="checkpoint")
    changed = asset("active", type="checkpoint", prediction_type="v_prediction")

    said = goc(
        "assets", "upload", "x.yaml", "--type", "checkpoint", "--json",
        **{"GET /v1/assets": page(stored), "PATCH /v1/assets/a1": (200, changed)},
    )  # fmt: skip

    assert [row["prediction_type"] for row in said.document["assets"]] == ["v_prediction"]


def test_a_request_may_begin_with_a_byte_order_mark(goc: Goc, tmp_path: Path) -> None:
    (tmp_path / "params.json").write_bytes(b'\xef\xbb\xbf{"prompt": "a"}')

    said = goc("jobs", "submit", "txt2img", "params.json", "--json", **{"POST /v1/jobs": (201, JOB)})

    assert said.document["job_id"] == "j1"


FAILED = {"error": "the host hung up", "created_at": "2026-03-02T03:04:05.000000Z"}
SHARING: dict[str, tuple[list[dict[str, object]], str]] = {
    "a living one and failed ones": ([asset("failed", asset_id="f1", **FAILED), asset()], "a1"),
    "failed ones only, the newest": ([asset("failed"), asset("failed", asset_id="f1", **FAILED)], "f1"),
    "an import in progress and failed ones": ([asset("failed", asset_id="f1"), asset("importing")], "a1"),
}


@pytest.mark.parametrize("word", ["x.safetensors", "x"])
@pytest.mark.parametrize("verb", ["rm", "update --for-all", "show"])
@pytest.mark.parametrize("case", SHARING)
def test_a_name_that_failed_imports_share_means_the_living_one(
    service: SmallService, goc: Goc, case: str, verb: str, word: str
) -> None:
    assets, meant = SHARING[case]
    found = {f"{method} /v1/assets/{meant}": (200, asset(asset_id=meant)) for method in ("GET", "PATCH", "DELETE")}
    name, *options = verb.split()

    said = goc("assets", name, word, *options, **{"GET /v1/assets": page(*assets)}, **found)

    assert said.code == ExitCode.DONE, said.err
    assert {path for _, path, _ in service.asked if path.startswith("/v1/assets/")} == {f"/v1/assets/{meant}"}


def test_a_deleted_file_is_said_to_be_deleted_and_scripts_get_it_as_it_was(goc: Goc) -> None:
    gone = ONE | {"DELETE /v1/assets/a1": (200, asset("failed", error="deleted"))}  # as services before 0.3 said it

    assert goc("assets", "rm", "x", **gone).out == "x.safetensors (lora) is deleted\n"
    assert goc("assets", "rm", "x", "--json", **gone).document["assets"][0]["status"] == "active"


def test_a_file_that_can_be_restored_is_deleted_with_the_line_that_restores_it(goc: Goc) -> None:
    gone = asset("deleted", deleted_until="2026-12-07T12:00:00Z")

    said = goc("assets", "rm", "x", **ONE | {"DELETE /v1/assets/a1": (200, gone)})

    assert said.out.startswith("x.safetensors (lora) is deleted; until ")
    assert said.out.endswith(": goc assets restore x.safetensors\n")


def test_of_deleted_files_with_one_name_the_last_is_restored(service: SmallService, goc: Goc) -> None:
    days = {"a1": "2026-12-05", "a2": "2026-12-07", "a3": "2026-12-06"}
    deleted = [asset("deleted", asset_id=one, deleted_until=f"{day}T12:00:00Z") for one, day in days.items()]
    found = {"GET /v1/assets": page(*deleted), "POST /v1/assets/a2/restore": (200, asset(asset_id="a2"))}

    assert goc("assets", "restore", "x", "--json", **found).document["assets"][0]["asset_id"] == "a2"

    assert "deleted=true" in str(service.asked[0])
    assert goc("assets", "restore", "unheard", **found).code == ExitCode.NOT_FOUND


WHOSE: dict[str, tuple[dict[str, Any], str]] = {
    "everybody's": ({}, "everyone"),
    "a user's and a role's": ({"users": ["ada", "bob"], "roles": ["trainee"]}, "ada, bob, role trainee"),
}


@pytest.mark.parametrize("case", WHOSE)
def test_a_changed_file_is_shown_with_those_who_may_use_it(goc: Goc, case: str) -> None:
    whose, told = WHOSE[case]
    changed = asset(**whose)

    said = goc("assets", "update", "a1", "--tag", "ink", **ONE | {"PATCH /v1/assets/a1": (200, changed)})

    assert told in said.out


def test_a_list_says_whose_files_are_only_if_one_is_not_everybodys(goc: Goc) -> None:
    kept = asset(asset_id="a2", name="kept.safetensors", users=["ada"])

    assert "everyone" not in goc("assets", "list", "--no-json", **ONE).out
    listed = goc("assets", "list", "--no-json", **{"GET /v1/assets": page(ASSET, kept)}).out
    assert "everyone" in listed
    assert "ada" in listed


def test_a_file_is_found_by_its_bytes_without_being_sent(service: SmallService, goc: Goc) -> None:
    none = {f"GET /v1/assets/by-hash/{FIVE}": page()}

    assert (
        "x.safetensors"
        in goc(
            "assets", "find", "x.safetensors", "--no-json", **none | {f"GET /v1/assets/by-hash/{FIVE}": page(ASSET)}
        ).out
    )
    assert f"No asset has the SHA-256 {FIVE}." in goc("assets", "find", FIVE.upper(), "--no-json", **none).out
    assert {method for method, _, _ in service.asked} == {"GET"}


@pytest.mark.parametrize(
    ("command", "field", "value"),
    [
        ("jobs retry j1 --seed -1", "seed", -1),
        ("txt2img fox --checkpoint a --retries 3", "retries", 3),
        ("assets update a1 --trigger ink --trigger line", "trained_words", ["ink", "line"]),
        ("jobs note j1 shot=7 take=b=c", "metadata", {"shot": "7", "take": "b=c"}),
    ],
)
def test_the_options_of_changes_are_sent(
    service: SmallService, goc: Goc, command: str, field: str, value: object
) -> None:
    answers = {
        "POST /v1/jobs/j1/retry": (201, JOB), "POST /v1/jobs": (201, JOB), "PATCH /v1/jobs/j1": (200, JOB),
        "PATCH /v1/assets/a1": (200, ASSET), **ONE,
    }  # fmt: skip

    assert goc(*command.split(), **answers).code == ExitCode.DONE
    assert service.asked[-1][2][field] == value


@pytest.mark.parametrize("by", ["day", "user", "endpoint", "model"])
def test_usage_is_summed_up_as_a_table_and_for_spreadsheets(service: SmallService, goc: Goc, by: str) -> None:
    answer = {"GET /v1/usage": (200, {"days": [], "groups": [GROUP], "price_per_hour": 1.2, "next_cursor": None})}

    table = goc("usage", "--by", by, "--no-json", **answer).out
    comma = goc("usage", "--by", by, "--csv", **answer).out

    assert table.split()[:2] == [by, "jobs"]
    assert "dreams.safetensors" in table
    assert comma == "key,jobs,gpu_seconds,cost\ndreams.safetensors,3,30.0,0.01\n"
    assert f"by={by}" in service.asked[-1][1]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell", "pwsh"])
def test_the_completion_script_of_a_shell_is_printed(goc: Goc, shell: str) -> None:
    said = goc("completion", shell)

    assert "_GOC_COMPLETE" in said.out
    assert said.code == ExitCode.DONE
    assert goc("completion", "tcsh").code == ExitCode.USAGE


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({}, "goes to sleep"),
        ({"min_instances": 2}, "goes back to its minimum of 2 instances"),
        ({"status": "ScaledToZero", "instance_count": 0}, ""),
    ],
)
def test_an_endpoint_that_was_put_to_sleep_and_is_still_in_service_is_said_to_go_to_sleep(
    goc: Goc, more: dict[str, object], told: str
) -> None:
    said = goc("endpoints", "sleep", "fast", **{"POST /v1/endpoints/fast/sleep": (202, FAST | more)})

    assert told in said.err
    assert bool(said.err) is bool(told)
