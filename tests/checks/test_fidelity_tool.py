"""The fidelity tool says yes to equal answers and no to any that differ, on goldens made here."""

import base64
import json
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
from checks.fidelity.goldens import repack_model
from checks.fidelity.recording import Recording
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
    alphas = checkpoint.alphas_cumprod.double().numpy()
    log_sigmas = np.log(((1 - alphas) / alphas) ** 0.5)
    sigmas = np.exp(np.interp(recording.timesteps, np.arange(1000), log_sigmas)).astype(np.float32)
    np.savez(folder / "steps" / "one.npz", sigma=sigmas.reshape(-1, 2))


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


def _other_latents(folder: Path) -> None:
    path = folder / "latents" / "one.npy"
    np.save(path, np.load(path) + 0.01)


def _other_sigma(folder: Path) -> None:
    path = folder / "steps" / "one.npz"
    np.savez(path, sigma=np.load(path)["sigma"] * 1.01)


def _fewer_calls(folder: Path) -> None:
    path = folder / "steps" / "one.npz"
    np.savez(path, sigma=np.load(path)["sigma"][:-1])


def _other_info(folder: Path) -> None:
    path = folder / "info" / "one.json"
    answer = json.loads(path.read_text())
    answer["info"]["steps"] = 3
    path.write_text(json.dumps(answer))


def _brighter(folder: Path) -> None:
    path = folder / "png" / "one_0.png"
    with Image.open(path) as image:
        chunks = PngInfo()
        chunks.add_text("parameters", str(image.info["parameters"]))
        image.point(lambda level: min(level + 3, 255)).save(path, pnginfo=chunks)


def _other_infotext(folder: Path) -> None:
    path = folder / "png" / "one_0.png"
    with Image.open(path) as image:
        chunks = PngInfo()
        chunks.add_text("parameters", "something else")
        image.save(path, pnginfo=chunks)


@pytest.mark.parametrize(
    ("tamper", "told"),
    [
        (_other_latents, "1.0e-02"),
        (_other_sigma, "≠"),
        (_fewer_calls, "4/2 rows"),
        (_other_info, "info.steps: 2 for 3"),
        (_brighter, " 3 "),
        (_other_infotext, "for 'something else'"),
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
