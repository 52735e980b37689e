"""Selectable scripts: WebUI's titles and argument lists, what they draw, and refusals that name the argument."""

import base64
import io
from typing import Any

import pytest
from PIL import Image
from pydantic import ValidationError

from generate_on_cloud.contract import task_params
from generate_on_cloud.contract.jobs import Task
from generate_on_cloud.contract.leniency import relax
from generate_on_cloud.contract.params import PARAMS_BY_TASK, ImageParams, Img2ImgParams
from generate_on_cloud.contract.picture_sizes import picture_size
from generate_on_cloud.contract.prompt_lines import read_line
from generate_on_cloud.contract.script_arguments import Label
from generate_on_cloud.contract.selectable_scripts import (
    SCRIPTS,
    SIDES,
    Img2ImgAlternative,
    Loopback,
    OutpaintingMk2,
    PoorMansOutpainting,
    PromptMatrix,
    SdUpscale,
    titles,
)


def picture(width: int = 192, height: int = 128, kind: str = "PNG", **saved: Any) -> str:
    file = io.BytesIO()
    Image.new("RGB", (width, height), "red").save(file, kind, **saved)
    return base64.b64encode(file.getvalue()).decode()


def params(task: Task, title: str, arguments: list[Any] | None = None, **body: Any) -> ImageParams:
    """The params of a request for a script, as a lenient request is read."""
    drawn_from = {"init_images": [picture()]} if task is Task.IMG2IMG else {}
    document = {"width": 128, "height": 128, **drawn_from, "script_name": title, "script_args": arguments or [], **body}
    model = PARAMS_BY_TASK[task].model_validate(relax(task, document).params)
    assert isinstance(model, ImageParams)
    return model


DEFAULTS = {
    "Prompt matrix": PromptMatrix(False, False, "positive", "comma", 0),
    "SD upscale": SdUpscale(overlap=64, upscaler="None", scale_factor=2.0),
    "img2img alternative test": Img2ImgAlternative(True, True, "", "", True, 50, True, 1.0, 0.0, False),
    "Loopback": Loopback(4, 0.5, "Linear", "None"),
    "Poor man's outpainting": PoorMansOutpainting(128, 4, "fill", ("left", "right", "up", "down")),
    "Outpainting mk2": OutpaintingMk2(128, 8, ("left", "right", "up", "down"), 1.0, 0.05),
}


@pytest.mark.parametrize("title", [title for title in titles(Task.IMG2IMG) if title in DEFAULTS])
def test_missing_arguments_have_the_defaults_of_webuis_page(title: str) -> None:
    row = SCRIPTS[title.casefold()]

    for number in range(len(row.arguments) + 1):
        given = params(Task.IMG2IMG, title.upper(), [None] * number, width=256, height=256)
        assert given.selected_script() == DEFAULTS[title]
        assert given.script_name == title
        assert given.unsupported() == []


@pytest.mark.parametrize(
    ("task", "title", "said"),
    [
        (Task.IMG2IMG, "SD upscales", r"unknown script 'SD upscales'; allowed: .*; did you mean 'SD upscale'\?"),
        (Task.TXT2IMG, "SD upscale", "the script 'SD upscale' is only for img2img"),
    ],
)
def test_an_unknown_script_is_refused(task: Task, title: str, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        params(task, title)


BAD = [
    ("SD upscale", [None, -1], "overlap: received -1; allowed: 0 to 16384"),
    ("SD upscale", [None, 1.5], "overlap: received 1.5; allowed: 0 to 16384"),
    ("SD upscale", [None, 64, 3], "upscaler: received 3; allowed: None, Lanczos, Nearest"),
    ("SD upscale", [None, 64, "Latent"], "upscaler: received 'Latent'; allowed: None, Lanczos, Nearest"),
    ("SD upscale", [None, 64, "None", 17], "scale_factor: received 17; allowed: 1 to 16"),
    ("SD upscale", [None, 64, "None", float("nan")], "scale_factor: received nan; allowed: 1 to 16"),
    ("SD upscale", [None, 64, "None", 2, 9], "received 5 arguments; allowed: up to 4: info, overlap, upscaler"),
    ("SD upscale", [None, 128], "tiles that overlap by 128 pixels; allowed: less than 128"),
    ("Loopback", [0], "loops: received 0; allowed: 1 to 1000"),
    ("Loopback", [True], "loops: received True; allowed: 1 to 1000"),
    ("Loopback", [4, 2], "final_denoising_strength: received 2; allowed: 0 to 1"),
    ("Loopback", [4, 0.5, "Steep"], "denoising_curve: received 'Steep'; allowed: Aggressive, Linear, Lazy, or 0 to 2"),
    ("Loopback", [4, 0.5, {}], "denoising_curve: received {}; allowed: Aggressive, Linear, Lazy, or 0 to 2"),
    ("Loopback", [4, 0.5, 0, "BLIP"], "append_interrogation: received 'BLIP'; allowed: None, CLIP, DeepBooru"),
    ("Poor man's outpainting", [64, 4, 4], "inpainting_fill: received 4; allowed: fill, original, latent noise"),
    ("Poor man's outpainting", [64, 4, 0, []], r"direction: received \[\]; allowed: a list of left, right, up, down"),
    ("Outpainting mk2", [None, 64, 4, ["in"]], r"direction: received \['in'\]; allowed: a list of left"),
    ("Outpainting mk2", [None, 64, 4, 5 * ["left", "x" * 99]], "direction: received .{60}…; allowed: a list of left"),
    ("Prompt matrix", [2], "put_at_start: received 2; allowed: true, false"),
    ("Prompt matrix", [0, 0, "both"], "prompt_type: received 'both'; allowed: positive, negative, or 0 to 1"),
    ("Prompts from file or textbox", [], "received 0 lines in prompt_txt; allowed: 1 to 1000"),
    ("Prompts from file or textbox", [False, False, "start", 5], "prompt_txt: received 5; allowed: text of up to"),
    ("Prompts from file or textbox", [0, 0, 0, "a\n--steps 0"], "prompt_txt: line 2: steps: .*received '0'"),
    ("Prompts from file or textbox", [0, 0, 0, "--sampler_name Eule"], "prompt_txt: line 1: .*unknown sampler 'Eule'"),
    ("img2img alternative test", [None, 1, 1, "", "", 1, 0], "st: received 0; allowed: 1 to 10000"),
    ("img2img alternative test", [None, 1, 1, "", "", 1, 9, 1, 1, 2], "randomness: received 2; allowed: 0 to 1"),
    ("img2img alternative test", [None, 1, 1, 5], "original_prompt: received 5; allowed: text of up to"),
    ("Outpainting mk2", [None, "many"], "pixels: received 'many'; allowed: 8 to 4096"),
]  # fmt: skip


@pytest.mark.parametrize(("title", "arguments", "said"), BAD)
def test_a_refusal_names_the_argument_what_was_received_and_what_is_allowed(
    title: str, arguments: list[Any], said: str
) -> None:
    with pytest.raises(ValidationError, match=said):
        params(Task.IMG2IMG, title, arguments)


@pytest.mark.parametrize(
    ("title", "arguments", "script"),
    [
        ("SD upscale", ["", "32", 1, "1.5"], SdUpscale(32, "Lanczos", 1.5)),
        ("SD upscale", [None, 32.0, "nearest"], SdUpscale(32, "Nearest", 2.0)),
        ("SD upscale", [None, 32, "4x-UltraSharp"], SdUpscale(32, "4x-UltraSharp", 2.0)),
        ("Loopback", [2, 1, 0], Loopback(2, 1, "Aggressive", "None")),
        (
            "img2img alternative test",
            ["", 0, False, "a", "b", 0, "9", 0, "1.5", 1, True],
            Img2ImgAlternative(False, False, "a", "b", False, 9, False, 1.5, 1, True),
        ),
        ("Loopback", [2, 1, "lazy", None], Loopback(2, 1, "Lazy", "None")),
        ("Poor man's outpainting", [8, 0, 3, "up"], PoorMansOutpainting(8, 0, "latent nothing", ("up",))),
        ("Poor man's outpainting", [8, 0, "original"], PoorMansOutpainting(8, 0, "original", SIDES)),
    ],
)  # fmt: skip
def test_arguments_are_read_as_webuis_components_give_them(title: str, arguments: list[Any], script: object) -> None:
    assert params(Task.IMG2IMG, title, arguments).selected_script() == script


@pytest.mark.parametrize(
    ("title", "arguments", "body", "megapixel_steps"),
    [
        # 384x256 in tiles of 128 that share 32 pixels: 4 × 3.
        ("SD upscale", [None, 32, "Lanczos", 2], {}, 12),
        ("SD upscale", [None, 32, "Lanczos", 2], {"n_iter": 3}, 36),
        # Five tiles and an empty place in the last batch.
        ("SD upscale", [None, 0, "Lanczos", 1.7], {"batch_size": 4}, 8),
        ("Loopback", [5], {"n_iter": 2, "batch_size": 3}, 10),
        # 320x256 in tiles of 128 that share 64 pixels: 4 × 3, of which two in the middle have nothing new.
        ("Poor man's outpainting", [64, 4, 0, ["left", "right", "up", "down"]], {"n_iter": 9, "batch_size": 9}, 10),
        ("Poor man's outpainting", [64, 4, 0, ["left"]], {"init": (256, 128)}, 1),
        ("Outpainting mk2", [None, 64, 4, ["left"]], {"init": (128, 128)}, 1),
        # The noise is found once, in 100 steps.
        ("img2img alternative test", [None, 1, 1, "", "", 0, 100], {"n_iter": 3, "batch_size": 2}, 8),
        ("Outpainting mk2", [None, 64, 4, ["left", "up"]], {"init": (64, 64), "batch_size": 2, "n_iter": 2}, 6),
    ],
)
def test_the_work_of_all_drawings_is_counted(
    title: str, arguments: list[Any], body: dict[str, Any], megapixel_steps: float
) -> None:
    size = body.get("init", (192, 128))
    one = 128 * 128 * 50 / 10**6

    given = params(
        Task.IMG2IMG, title, arguments, **{k: v for k, v in body.items() if k != "init"}, init_images=[picture(*size)]
    )

    assert float(given.megapixel_steps()) == pytest.approx(megapixel_steps * one, abs=0.001)


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        ("a cat", {"prompt": "a cat"}),
        ("a cat -- sitting", {"prompt": "a cat -- sitting"}),
        ('--prompt "a cat" sitting --steps 4', {"prompt": "a cat sitting", "steps": 4}),
        ("--negative_prompt a --cfg_scale 7.5", {"negative_prompt": "a", "cfg_scale": 7.5}),
        ("--tiling true --restore_faces no", {"tiling": True, "restore_faces": False}),
        ("--sd_model other --styles a,b", {"sd_model": "other", "styles": ["a", "b"]}),
        ("--sampler_name 'euler A'", {"sampler_name": "Euler a"}),
        ("--outpath_samples /tmp --prompt a", {"outpath_samples": "/tmp", "prompt": "a"}),
        # What cannot be read as fields is a prompt.
        ("--steps", {"prompt": "--steps"}),
        ("--steps many", {"prompt": "--steps many"}),
        ("--colour red", {"prompt": "--colour red"}),
        ("--steps 4 cat", {"prompt": "--steps 4 cat"}),
        ('--prompt "a', {"prompt": '--prompt "a'}),
    ],
)
def test_a_line_is_a_prompt_or_fields(line: str, fields: dict[str, object]) -> None:
    assert read_line(line) == fields


def test_what_a_line_asks_for_and_is_not_supported_is_refused_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_params, "FIELDS_NOT_SUPPORTED_YET", {"restore_faces"})
    lines = "a\n--prompt b --restore_faces true\n--prompt c --restore_faces true"

    (refusal,) = params(Task.TXT2IMG, "Prompts from file or textbox", [0, 0, 0, lines]).unsupported()

    assert refusal.pointer == "/script_args"
    assert refusal.message.startswith("restore_faces = True is not supported yet")


def test_the_work_of_lines_and_combinations_is_counted() -> None:
    matrix = params(Task.TXT2IMG, "Prompt matrix", prompt="a|b|c|d", steps=10, batch_size=3, n_iter=2)
    lines = params(Task.TXT2IMG, "Prompts from file or textbox", [0, 0, 0, "a\n--steps 20 --n_iter 2"], steps=10)

    assert float(matrix.megapixel_steps()) == pytest.approx(8 * 10 * 128 * 128 / 10**6, abs=0.001)
    assert float(lines.megapixel_steps()) == pytest.approx((10 + 40) * 128 * 128 / 10**6, abs=0.001)
    with pytest.raises(ValidationError, match="received 10 optional parts; allowed: as many as give 1000 combinations"):
        params(Task.TXT2IMG, "Prompt matrix", prompt="|" * 10)
    with pytest.raises(ValidationError, match=r"expand to \d+ characters; allowed: up to 1000000"):
        params(Task.TXT2IMG, "Prompt matrix", prompt="x" * 10_000 + "|a" * 9)


def test_too_much_work_is_refused_before_it_is_sent() -> None:
    with pytest.raises(ValidationError, match=r"received batch_size × n_iter = 1001 pictures; allowed: up to 1000"):
        params(Task.IMG2IMG, "Loopback", [143], n_iter=7)
    with pytest.raises(ValidationError, match="received a target of 24576x16384 pixels"):
        params(Task.IMG2IMG, "SD upscale", [None, 64, "Lanczos", 8], init_images=[picture(3072, 2048)])


@pytest.mark.parametrize(
    ("kind", "saved"),
    [
        ("PNG", {}),
        ("JPEG", {}),
        ("JPEG", {"progressive": True, "exif": b"Exif\0\0" + bytes(40000)}),
        ("WEBP", {}),
        ("WEBP", {"lossless": True}),
        ("WEBP", {"exif": b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0"}),
        ("GIF", {}),
        ("BMP", {}),
    ],
)
def test_the_size_of_a_picture_is_read_from_its_head(kind: str, saved: dict[str, Any]) -> None:
    text = picture(321, 123, kind, **saved)

    assert picture_size(text) == (321, 123)
    assert picture_size(f"data:image/x;base64,{text}") == (321, 123)


@pytest.mark.parametrize(
    "text", ["", "é", "AAAA", "https://example.com/a.png", picture()[:20], picture(kind="JPEG")[:40]]
)
def test_a_size_that_is_not_in_the_head_is_unknown(text: str) -> None:
    assert picture_size(text) is None


def test_every_argument_is_described_in_the_schema() -> None:
    described = Img2ImgParams.model_json_schema()["properties"]["script_args"]["description"]

    for row in SCRIPTS.values():
        assert f"{row.title}: " in described
        assert all(one.name in described for one in row.arguments if not isinstance(one.kind, Label))
