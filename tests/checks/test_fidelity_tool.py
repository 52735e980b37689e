"""The fidelity tool says yes to equal answers and no to any that differ, on goldens made here."""

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from safetensors.torch import save_file

from checks.fidelity.__main__ import main
from checks.fidelity.deliberate import DELIBERATE
from checks.fidelity.model_shelf import repack_model
from checks.fidelity.recording import Recording
from checks.fidelity.table import BEGIN, END
from generate_on_cloud.contract.jobs import Task
from generate_on_cloud.contract.params import PARAMS_BY_TASK
from inference_container.models.loader import load_checkpoint
from inference_container.task import TaskInput
from inference_container.tasks import TASKS
from tests.tiny_checkpoint import tiny_config, tiny_state

BODY: dict[str, Any] = {
    "prompt": "cat", "init_images": ["@inputs/a.png"], "steps": 2, "width": 64, "height": 64, "seed": 5,
    "override_settings": {"randn_source": "CPU"},
}  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of goldens whose answers are our own."""
    folder = tmp_path_factory.mktemp("goldens")
    for name in ("inputs", "png", "info", "latents", "steps", "model/tiny_clip"):
        (folder / name).mkdir(parents=True)
    config = tiny_config()
    save_file(tiny_state(), folder / "model" / "tiny.safetensors")
    for name in ("vocab.json", "merges.txt", "tokenizer_config.json"):
        content = config[f"tokenizer/{name}"]
        text = content if isinstance(content, str) else json.dumps(content)
        (folder / "model" / "tiny_clip" / name).write_text(text, encoding="utf-8")
    architecture = {
        "prediction_type": "epsilon",
        "scheduler": {},
        "unet_diffusers": {**config["unet/config.json"], "_note": "for readers"},
        "vae_diffusers": config["vae/config.json"],
        "clip": config["text_encoder/config.json"],
    }
    (folder / "architecture.json").write_text(json.dumps(architecture))
    Image.effect_noise((64, 64), 80).convert("RGB").save(folder / "inputs" / "a.png")
    request = {"id": "one", "endpoint": "/sdapi/v1/img2img", "note": "", "body": BODY}
    (folder / "requests.jsonl").write_text(json.dumps(request) + "\n")
    _answer(folder, tmp_path_factory.mktemp("packed"))
    return folder


def _answer(folder: Path, packed: Path) -> None:
    picture = base64.b64encode((folder / "inputs" / "a.png").read_bytes()).decode()
    params = PARAMS_BY_TASK[Task.IMG2IMG].model_validate({**BODY, "init_images": [picture]})
    checkpoint = load_checkpoint(repack_model(folder, to=packed), device=torch.device("cpu"), dtype=torch.float32)
    with Recording(checkpoint) as recording:
        output = TASKS[Task.IMG2IMG](TaskInput(params, checkpoint, lambda _: None))
    (folder / "png" / "one_0.png").write_bytes(output.images[0].data)
    (folder / "info" / "one.json").write_text(json.dumps({"n_images": 1, "info": output.info}))
    np.save(folder / "latents" / "one.npy", recording.latents)
    np.savez(folder / "steps" / "one.npz", sigma=np.repeat(recording.levels[:, None], 2, axis=1))


def copied(whole: Path, to: Path) -> Path:
    for path in whole.rglob("*"):
        if path.is_file():
            target = to / path.relative_to(whole)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    return to


def test_equal_answers_pass(whole: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--goldens", str(whole)]) == 0
    assert "1 of 1 equal" in capsys.readouterr().out


def test_nothing_to_compare_is_no_success(whole: Path) -> None:
    assert main(["--goldens", str(whole), "--only", "absent"]) == 1


def _other_info(folder: Path) -> None:
    path = folder / "info" / "one.json"
    answer = json.loads(path.read_text())
    answer["info"]["steps"] = 3
    path.write_text(json.dumps(answer))


def _rewrite(folder: Path, change: Callable[[Image.Image], Image.Image], infotext: str | None = None) -> None:
    path = folder / "png" / "one_0.png"
    with Image.open(path) as image:
        chunks = PngInfo()
        chunks.add_text("parameters", infotext or str(image.info["parameters"]))
        change(image).save(path, pnginfo=chunks)


def _brighter(levels: int, rows: int) -> Callable[[Image.Image], Image.Image]:
    """The first `rows` of 64 are moved by `levels`, towards the middle so that none is cut."""

    def change(image: Image.Image) -> Image.Image:
        pixels = np.asarray(image).astype(np.int16)
        pixels[:rows] += np.where(pixels[:rows] < 128, levels, -levels).astype(np.int16)
        return Image.fromarray(pixels.astype(np.uint8))

    return change


def _one_row_brighter(folder: Path) -> None:
    _rewrite(folder, _brighter(3, 1))


def _other_infotext(folder: Path) -> None:
    _rewrite(folder, lambda image: image, "something else")


def _transparent(folder: Path) -> None:
    _rewrite(folder, lambda image: image.convert("RGBA"))


@pytest.mark.parametrize(
    ("tamper", "told"),
    [
        (_other_info, "info.steps: 2 for 3"),
        (_one_row_brighter, "98.44%"),
        (_other_infotext, "for 'something else'"),
        (_transparent, "64x64 RGB for 64x64 RGBA"),
    ],
)
def test_each_kind_of_difference_fails_and_is_named(
    whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], tamper: Callable[[Path], None], told: str
) -> None:
    folder = copied(whole, tmp_path)
    tamper(folder)

    assert main(["--goldens", str(folder)]) == 1

    printed = capsys.readouterr().out
    assert "DIFFERS" in printed
    assert told in printed


def test_two_levels_everywhere_are_rounding(whole: Path, tmp_path: Path) -> None:
    folder = copied(whole, tmp_path)
    _rewrite(folder, _brighter(2, 64))

    assert main(["--goldens", str(folder)]) == 0


def _other_latents(folder: Path) -> None:
    path = folder / "latents" / "one.npy"
    np.save(path, np.load(path) + 0.01)


def _other_sigma(folder: Path) -> None:
    path = folder / "steps" / "one.npz"
    np.savez(path, sigma=np.load(path)["sigma"] * 1.01)


def _fewer_calls(folder: Path) -> None:
    path = folder / "steps" / "one.npz"
    np.savez(path, sigma=np.load(path)["sigma"][:-1])


@pytest.mark.parametrize(
    ("tamper", "told"), [(_other_latents, " 1.0e-02 "), (_other_sigma, " ≠ "), (_fewer_calls, " 2/1 ")]
)
def test_calls_noise_levels_and_latents_are_printed(
    whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], tamper: Callable[[Path], None], told: str
) -> None:
    folder = copied(whole, tmp_path)
    tamper(folder)

    main(["--goldens", str(folder)])

    assert told in capsys.readouterr().out


def _ask(folder: Path, **changes: Any) -> None:
    request = json.loads((folder / "requests.jsonl").read_text())
    body = request["body"] | changes.pop("body", {})
    with (folder / "requests.jsonl").open("a") as lines:
        lines.write(json.dumps(request | changes | {"id": "two", "body": body}) + "\n")
    for place, name in (("png", "{}_0.png"), ("info", "{}.json")):
        (folder / place / name.format("two")).write_bytes((folder / place / name.format("one")).read_bytes())


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"body": {"override_settings": {"no_such_option": 1}}}, "REFUSED .*no_such_option"),
        ({"body": {"override_settings": {"fp8_storage": "Enable"}}}, "REFUSED .*fp8_storage"),
        ({"body": {"no_such_field": 1}}, "equal$"),
        ({"body": {"restore_faces": True}}, "REFUSED .*no face_restoration called 'CodeFormer'"),
        ({"body": {"prompt": "<lora:absent:1>"}}, "REFUSED .*'absent'"),
        ({"endpoint": "/sdapi/v1/png-info"}, "REFUSED .*/sdapi/v1/png-info"),
        ({"model": "absent"}, "REFUSED .*'absent'"),
        ({"model": "tiny"}, "equal$"),
    ],
)
def test_a_request_that_is_refused_is_a_row_and_those_after_it_are_run(
    whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], expected: str
) -> None:
    folder = copied(whole, tmp_path)
    _ask(folder, **changes)
    lines = (folder / "requests.jsonl").read_text().splitlines()
    (folder / "requests.jsonl").write_text("\n".join(reversed(lines)))

    assert main(["--goldens", str(folder)]) == (0 if expected == "equal$" else 1)

    (two,) = (line for line in capsys.readouterr().out.splitlines() if "/two " in line)
    assert re.search(expected, two)


def test_a_job_that_crashes_is_a_row(
    whole: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(job: TaskInput) -> None:
        raise ZeroDivisionError(f"at {job.params}")

    monkeypatch.setattr("checks.fidelity.running.TASKS", {Task.IMG2IMG: crash})

    assert main(["--goldens", str(whole)]) == 1
    assert "CRASHED ZeroDivisionError" in capsys.readouterr().out


def test_a_deliberate_difference_is_expected_and_its_end_is_reported(
    whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = copied(whole, tmp_path / "set")
    monkeypatch.setitem(DELIBERATE, "set/on*", "we say so")
    assert main(["--goldens", str(folder)]) == 1
    assert "on the list of deliberate differences: we say so" in capsys.readouterr().out

    _one_row_brighter(folder)
    assert main(["--goldens", str(folder)]) == 0
    assert "1 different on purpose" in capsys.readouterr().out


DERIVE = '''"""derive.py GOLDENS OUT: makes a model."""
import sys, shutil
from pathlib import Path
(Path(sys.argv[2]) / "VAE").mkdir()
shutil.copy(Path(sys.argv[1]) / "vae.safetensors", Path(sys.argv[2]) / "VAE" / "derived.vae.safetensors")
'''


def test_sets_share_models_some_of_which_are_derived(
    whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = copied(whole, tmp_path / "goldens")
    state = tiny_state(seed=7)
    vae = {key.removeprefix("first_stage_model."): one for key, one in state.items() if "first_stage" in key}
    save_file(vae, base / "vae.safetensors")
    _ask(base, body={"override_settings": {"randn_source": "CPU", "sd_vae": "derived.vae.safetensors"}})
    (tmp_path / "more" / "models").mkdir(parents=True)
    (tmp_path / "more" / "models" / "derive.py").write_text(DERIVE)
    copied(base, tmp_path / "more" / "networks")

    assert main(["--goldens", str(tmp_path / "more")]) == 1  # another VAE draws another picture

    printed = capsys.readouterr().out
    assert "networks/two" in printed
    assert "info.sd_vae_name: 'derived.vae.safetensors' for None" in printed
    assert not (tmp_path / "more" / "models" / "VAE").exists()


def test_the_pages_table_is_written_anew(whole: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"# Before\n{BEGIN}\nearlier\n{END}\nafter\n")

    main(["--goldens", str(copied(whole, tmp_path / "goldens")), "--page", str(page)])

    text = page.read_text()
    assert text.startswith("# Before\n")
    assert text.endswith("\nafter\n")
    about = "img2img, samplers, inpainting, resize modes, prompts, seeds, hires fix"
    assert any(f"| goldens | {about} | 1 | 1 | 0 | {worst} |" in text for worst in (0, 1))
    assert "earlier" not in text
