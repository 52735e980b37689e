"""`goc txt2img` and its like: from a prompt or pictures to jobs, and from jobs to files."""

import base64
import sys
from pathlib import Path
from typing import Any

import pytest

from generate_on_cloud.cli.dynamic_prompts import prompts_of
from generate_on_cloud.cli.exit_codes import ExitCode
from generate_on_cloud.client.errors import CloudError
from tests.client.goc import Goc
from tests.client.small_service import Answer, SmallService, job, problem

RESULT: dict[str, object] = {"parameters": {}, "caption": None, "models": [], "timings": {}}


def drawn(service: SmallService, *, prompt: str = "a red fox", seeds: tuple[int, ...] = (7,)) -> dict[str, Any]:
    """A succeeded job whose pictures this service stores."""
    for seed in seeds:
        service.stored_pictures[f"/picture/{seed}"] = f"picture {seed}".encode()
    images = [
        {"url": f"{service.url}/picture/{seed}", "width": 8, "height": 8, "format": "png", "seed": seed, "infotext": ""}
        for seed in seeds
    ]
    info = {"all_prompts": [prompt] * len(seeds), "all_seeds": list(seeds)}
    return job("succeeded", result={"images": images, "info": info, **RESULT})


def sent(service: SmallService) -> list[Any]:
    return [body for method, path, body in service.asked if (method, path) == ("POST", "/v1/jobs")]


def picture(path: Path, content: bytes = b"a picture") -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return base64.b64encode(content).decode()


def test_one_command_draws_waits_and_saves_by_seed_and_prompt(service: SmallService, goc: Goc, tmp_path: Path) -> None:
    photo, mask = picture(tmp_path / "photo.png"), picture(tmp_path / "m.png", b"a mask")

    said = goc(
        "img2img", "photo.png", "a red fox", "--mask", "m.png", "--wait", "--save", "out",
        **{"POST /v1/jobs": (201, job()), "GET /v1/jobs/j1": (200, drawn(service))},
    )  # fmt: skip

    assert said.out == "out/7-a red fox.png\n"
    assert (tmp_path / "out" / "7-a red fox.png").read_bytes() == b"picture 7"
    (body,) = sent(service)
    assert body["task"] == "img2img"
    assert body["params"] == {"init_images": [photo], "mask": mask, "prompt": "a red fox"}


OPTIONS: dict[str, tuple[str, object]] = {
    "--negative blurred": ("/params/negative_prompt", "blurred"),
    "--width 64": ("/params/width", 64),
    "--height 96": ("/params/height", 96),
    "--steps 12": ("/params/steps", 12),
    "--seed 5": ("/params/seed", 5),
    "--sampler Euler": ("/params/sampler_name", "Euler"),
    "--scheduler Karras": ("/params/scheduler", "Karras"),
    "--cfg-scale 5.5": ("/params/cfg_scale", 5.5),
    "--batch-size 2": ("/params/batch_size", 2),
    "--count 3": ("/params/n_iter", 3),
    "--denoising-strength 0.4": ("/params/denoising_strength", 0.4),
    "--resize-mode 1": ("/params/resize_mode", 1),
    "--mask p.png --mask-blur 8": ("/params/mask_blur", 8),
    "--mask p.png --fill noise": ("/params/inpainting_fill", 2),
    "--mask p.png --whole-picture": ("/params/inpaint_full_res", False),
    "--mask p.png --padding 16": ("/params/inpaint_full_res_padding", 16),
    "--mask p.png --invert": ("/params/inpainting_mask_invert", 1),
    "--set tiling=true": ("/params/tiling", True),
    "--set override_settings.CLIP_stop_at_last_layers=2": (
        "/params/override_settings", {"CLIP_stop_at_last_layers": 2}
    ),
    "--set sampler_index=Heun": ("/params/sampler_index", "Heun"),
    "--params request.json": ("/params/eta", 0.5),
    "--checkpoint dreams": ("/checkpoint", "dreams"),
    "--endpoint fast": ("/endpoint", "fast"),
    "--dry-run": ("/dry_run", True),
    "--strict": ("/strict", True),
    "--label red-fox": ("/label", "red-fox"),
    "--ttl 90": ("/ttl_s", 90),
    "--timeout 30": ("/run_timeout_s", 30),
    "--metadata a=1 --metadata b=x=y": ("/metadata", {"a": "1", "b": "x=y"}),
    "--webhook https://a.example/x": (
        "/webhook",
        {"url": "https://a.example/x", "events": ["job.succeeded", "job.failed", "job.canceled", "job.expired"]},
    ),
}  # fmt: skip


@pytest.mark.parametrize("options", OPTIONS)
def test_an_option_becomes_a_field_of_the_request(
    service: SmallService, goc: Goc, tmp_path: Path, options: str
) -> None:
    picture(tmp_path / "p.png")
    (tmp_path / "request.json").write_text('{"eta": 0.5, "prompt": "from the file"}')
    pointer, expected = OPTIONS[options]

    said = goc("img2img", "p.png", "fox", *options.split(), **{"POST /v1/jobs": (201, job())})

    assert said.code == ExitCode.DONE, said.err
    (found,) = sent(service)
    assert found["params"]["prompt"] == "fox"
    for name in pointer.strip("/").split("/"):
        found = found[name]
    assert found == expected


def test_the_idempotency_key_is_sent_and_numbered_for_several_jobs(service: SmallService, goc: Goc) -> None:
    goc("txt2img", "fox", "--idempotency-key", "k", **{"POST /v1/jobs": (201, job())})
    goc("txt2img", "{red|blue} fox", "--idempotency-key", "k")

    assert service.keys == ["k", "k-0", "k-1"]


def test_defaults_fill_what_the_options_omit(service: SmallService, goc: Goc, tmp_path: Path) -> None:
    goc("config", "set", "checkpoint", "dreams")
    goc("config", "set", "params.width", "64")
    goc("config", "set", "endpoint", "fast")

    goc("txt2img", "fox", **{"POST /v1/jobs": (201, job())})
    goc("txt2img", "fox", "--checkpoint", "other", "--width", "96")
    picture(tmp_path / "p.png")
    goc("upscale", "p.png")

    first, second, third = sent(service)
    assert (first["checkpoint"], first["params"]["width"], first["endpoint"]) == ("dreams", 64, "fast")
    assert (second["checkpoint"], second["params"]["width"]) == ("other", 96)
    assert "checkpoint" not in third
    assert "width" not in third["params"]


def test_a_folder_is_a_job_for_each_picture_with_the_mask_of_its_name(
    service: SmallService, goc: Goc, tmp_path: Path
) -> None:
    one, two = picture(tmp_path / "in" / "1.png", b"1"), picture(tmp_path / "in" / "2.jpg", b"2")
    masks = [picture(tmp_path / "masks" / f"{number}.png", b"m%d" % number) for number in (1, 2)]
    (tmp_path / "in" / "notes.txt").write_text("no picture")

    said = goc(
        "img2img", "in", "fox", "--mask", "masks", "--save", "out",
        **{"POST /v1/jobs": (201, job()), "GET /v1/jobs/j1": (200, drawn(service))},
    )  # fmt: skip

    assert [body["params"]["init_images"] for body in sent(service)] == [[one], [two]]
    assert [body["params"]["mask"] for body in sent(service)] == masks
    assert said.out == "out/1.png\nout/2.png\n"


def test_a_folder_without_pictures_and_a_picture_without_its_mask_are_named(goc: Goc, tmp_path: Path) -> None:
    picture(tmp_path / "in" / "1.png")
    picture(tmp_path / "masks" / "2.png")
    (tmp_path / "empty").mkdir()

    assert "masks has no mask for 1.png" in goc("img2img", "in", "fox", "--mask", "masks").err
    assert "empty has no pictures; allowed: .png" in goc("img2img", "empty", "fox").err


@pytest.mark.parametrize(
    ("text", "prompts"),
    [
        ("a fox", ["a fox"]),
        ("a {red|blue} fox", ["a red fox", "a blue fox"]),
        ("{a|b} {1|2}", ["a 1", "a 2", "b 1", "b 2"]),
        ("a {red|{light|dark} blue} fox", ["a red fox", "a light blue fox", "a dark blue fox"]),
        ("a {red|} fox", ["a red fox", "a  fox"]),
        ("{a|a}", ["a"]),
        ("{fox} (red:1.2) [a|b]", ["{fox} (red:1.2) [a|b]"]),
        (r"\{a|b\}", ["{a|b}"]),
        ("a | b", ["a | b"]),
    ],
)
def test_choices_in_braces_make_one_prompt_each(text: str, prompts: list[str]) -> None:
    assert prompts_of(text) == prompts


def test_choices_without_end_are_refused_at_once() -> None:
    with pytest.raises(CloudError, match="more than 1000 prompts"):
        prompts_of("{a|a}" * 60)


def test_a_plain_prompt_keeps_its_braces(service: SmallService, goc: Goc) -> None:
    goc("txt2img", "{red|blue} fox", "--plain-prompt", **{"POST /v1/jobs": (201, job())})

    assert [body["params"]["prompt"] for body in sent(service)] == ["{red|blue} fox"]


def test_one_job_that_fails_does_not_stop_the_others(service: SmallService, goc: Goc) -> None:
    failed = job("failed", error={"code": "out_of_memory", "message": "too large", "retryable": True})
    answers: list[Answer] = [(201, job()), problem(422, "invalid_params"), (201, job())]
    looks: list[Answer] = [(200, failed), (200, drawn(service))]

    said = goc(
        "txt2img", "{a|b|c}", "--save", "out", **{"POST /v1/jobs": answers, "GET /v1/jobs/j1": looks},
    )  # fmt: skip

    assert said.out == "out/7-a red fox.png\n"
    assert "2 of 3 jobs did not succeed:" in said.err
    assert "a: job j1 failed: out_of_memory: too large" in said.err
    assert "b: It is invalid_params." in said.err
    assert said.code == ExitCode.FAILED


def test_a_failure_in_json_has_the_jobs_and_the_fields(goc: Goc) -> None:
    status, refused = problem(422, "invalid_params")
    assert isinstance(refused, dict)
    field = {"pointer": "/params/width", "message": "received 3; allowed: 8 to 16384"}

    said = goc("txt2img", "fox", "--json", **{"POST /v1/jobs": (status, {**refused, "errors": [field]})})

    assert said.document["error"]["errors"] == [field]
    assert said.document["jobs"] == []
    assert said.err == ""
    assert said.code == ExitCode.REFUSED


def test_a_file_with_other_bytes_is_never_replaced(service: SmallService, goc: Goc, tmp_path: Path) -> None:
    picture(tmp_path / "out" / "7-a red fox.png", b"mine")
    answers = {"POST /v1/jobs": (201, job()), "GET /v1/jobs/j1": (200, drawn(service))}

    first = goc("txt2img", "fox", "--save", "out", **answers)
    again = goc("txt2img", "fox", "--save", "out")

    assert (tmp_path / "out" / "7-a red fox.png").read_bytes() == b"mine"
    assert first.out == again.out == "out/7-a red fox-1.png\n"


def test_a_wrong_value_is_named_before_anything_is_sent(service: SmallService, goc: Goc) -> None:
    assert "ttl_s: Input should be greater than or equal to 60" in goc("txt2img", "fox", "--ttl", "1").err
    assert "allowed: NAME=VALUE" in goc("txt2img", "fox", "--metadata", "x").err
    assert "received [sead] in the pattern" in goc("txt2img", "fox", "--name", "[sead]").err
    assert sent(service) == []


def test_ctrl_c_while_waiting_says_what_still_runs_and_how_to_stop_it(
    service: SmallService, goc: Goc, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("generate_on_cloud.client.jobs.Jobs.watch", interrupt)

    said = goc("txt2img", "fox", "--wait", **{"POST /v1/jobs": (201, job())})

    assert "goc jobs cancel j1" in said.err
    assert said.code == ExitCode.INTERRUPTED


KNOWN: dict[str, object] = {
    "megapixel_steps": 20.0, "seconds": 20.0, "seconds_low": 16.0, "seconds_high": 25.0, "cost_usd": 0.01,
    "cost_usd_low": 0.008, "cost_usd_high": 0.0125, "wakes_gpu": False, "start_seconds": 0.0,
}  # fmt: skip
UNKNOWN: dict[str, object] = dict.fromkeys(KNOWN) | {"megapixel_steps": 20.0}
ESTIMATES: dict[str, tuple[dict[str, object] | None, str | None]] = {
    "known": (KNOWN, "about 20.0 s (16.0 to 25.0); 0.0100 USD (0.0080 to 0.0125); a GPU is running"),
    "asleep": (
        KNOWN | {"wakes_gpu": True, "start_seconds": 250.0},
        "about 20.0 s (16.0 to 25.0); 0.0100 USD (0.0080 to 0.0125); a GPU must start first, about 250 s more",
    ),
    "without a price": (
        KNOWN | {"cost_usd": None, "cost_usd_low": None, "cost_usd_high": None},
        "about 20.0 s (16.0 to 25.0); cost not known; a GPU is running",
    ),
    "unknown": (
        UNKNOWN,
        "time not known until the endpoint has run jobs; cost not known; SageMaker does not say whether a GPU runs",
    ),
    "none of an older service": (None, None),
}


@pytest.mark.parametrize("case", ESTIMATES)
def test_a_dry_run_at_a_terminal_says_what_the_job_would_take(
    goc: Goc, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    estimate, line = ESTIMATES[case]
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)

    said = goc("txt2img", "fox", "--dry-run", **{"POST /v1/jobs": (200, job(dry_run=True, estimate=estimate))})

    assert said.out.splitlines() == ["fox: would be accepted", *([f"  {line}"] if line else [])]


@pytest.mark.parametrize(
    ("command", "place"),
    [(("txt2img", "fox", "--dry-run"), ("jobs", 0)), (("jobs", "submit", "txt2img", "request.json", "--dry-run"), ())],
)
def test_a_dry_run_elsewhere_is_json_with_the_estimate(
    goc: Goc, tmp_path: Path, command: tuple[str, ...], place: tuple[str | int, ...]
) -> None:
    (tmp_path / "request.json").write_text("{}")

    said = goc(*command, **{"POST /v1/jobs": (200, job(dry_run=True, estimate=KNOWN))})

    found = said.document
    for name in place:
        found = found[name]
    assert (found["dry_run"], found["estimate"]) == (True, KNOWN)


def test_upscale_sends_a_folder_as_one_job_and_names_each_result_by_its_source(
    service: SmallService, goc: Goc, tmp_path: Path
) -> None:
    first, second = picture(tmp_path / "in" / "a.png"), picture(tmp_path / "in" / "b.png", b"another")

    said = goc(
        "upscale", "in", "--one-job", "--save", "out",
        **{"POST /v1/jobs": (201, job()), "GET /v1/jobs/j1": (200, drawn(service, seeds=(1, 2)))},
    )  # fmt: skip

    assert said.out == "out/a.png\nout/b.png\n"
    (body,) = sent(service)
    assert body["task"] == "extra_batch_images"
    assert body["params"]["imageList"] == [{"data": first, "name": "a.png"}, {"data": second, "name": "b.png"}]


def bad_at(place: str) -> dict[str, Answer | list[Answer]]:
    status, said = problem(422, "invalid_params")
    assert isinstance(said, dict)
    faults = [{"pointer": f"/params/{place}", "message": "received a text"}]
    return {"POST /v1/jobs": (status, {**said, "errors": faults})}


UNREADABLE = job("failed", error={"code": "bad_image", "message": "cannot be decoded", "retryable": False})
FAULTY: dict[str, tuple[str, dict[str, Answer | list[Answer]], str]] = {
    "a picture": ("img2img a.png fox", bad_at("init_images/0"), "goc: a.png: It is"),
    "a mask": ("inpaint a.png b.png fox", bad_at("mask"), "goc: b.png: It is"),
    "a picture of one job": ("upscale two --one-job", bad_at("imageList/1/data"), "goc: two/b.png: It is"),
    "a picture to describe": ("interrogate a.png", bad_at("image"), "goc: a.png: It is"),
    "one that fails when it is drawn": (
        "img2img a.png fox --wait",
        {"POST /v1/jobs": (201, job()), "GET /v1/jobs/j1": (200, UNREADABLE)},
        "goc: a.png: job j1 failed: bad_image",
    ),
    "a mask in a folder": ("inpaint two two fox", bad_at("mask"), "  a.png, fox: It is"),
    "another fault": ("img2img a.png fox", {"POST /v1/jobs": problem(422, "invalid_params")}, "goc: It is"),
}


@pytest.mark.parametrize("case", FAULTY)
def test_a_refused_picture_is_named_by_its_file(goc: Goc, tmp_path: Path, case: str) -> None:
    command, answers, told = FAULTY[case]
    for name in ("a.png", "b.png", "two/a.png", "two/b.png"):
        picture(tmp_path / name)

    assert told in goc(*command.split(), **answers).err


HINT = "waits for the pictures and saves them"
HINTED: dict[str, tuple[str, str | None]] = {
    "sent": ("txt2img fox", "`goc jobs save last`"),
    "waited for": ("txt2img fox --wait", "`goc jobs save last`"),
    "several": ("txt2img {fox|hen}", "`goc jobs save ID`"),
    "saved": ("txt2img fox --save out", None),
    "for scripts": ("txt2img fox --json", None),
    "rehearsed": ("txt2img fox --dry-run", None),
    "a caption": ("interrogate a.png", None),
}


@pytest.mark.parametrize("case", HINTED)
def test_who_sends_a_job_at_a_terminal_reads_how_to_get_its_pictures(
    service: SmallService, goc: Goc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    command, told = HINTED[case]
    picture(tmp_path / "a.png")
    done = drawn(service)
    if "interrogate" in command:
        done = {**done, "task": "interrogate_clip", "result": {"images": [], "info": {}, **RESULT, "caption": "a fox"}}
    answers: dict[str, Answer | list[Answer]] = {
        "POST /v1/jobs": (201, {**done, "status": "queued"}), "GET /v1/jobs/j1": (200, done)
    }  # fmt: skip
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)

    said = goc(*command.split(), **answers)

    assert (HINT in said.err) is (told is not None), said
    assert told is None or told in said.err
    monkeypatch.setattr(sys.stdout, "isatty", lambda: False)
    assert HINT not in goc(*command.split(), **answers).err
