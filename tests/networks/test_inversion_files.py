"""Embeddings in every layout are read into the same vectors, and what is none is refused with the reason."""

import base64
import json
import os
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from safetensors.torch import save_file
from torch import Tensor

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from generate_on_cloud.model_files.inversions import ONLY
from inference_container.models.checkpoint import Checkpoint
from inference_container.models.files import ModelFile
from inference_container.networks.inversion_file import load_inversion_file
from tests.networks.conftest import networks
from tests.networks.network_files import lora, model_file, numbers, write_network

VECTORS = numbers(2, 32)
WEBUI = {"string_to_token": {"*": 265}, "name": "trained as", "step": 7, "sd_checkpoint": None}


def embedding(path: Path) -> ModelFile:
    return model_file(path, AssetType.EMBEDDING)


def pickled(path: Path, document: object) -> ModelFile:
    torch.save(document, path)
    return embedding(path)


def picture(path: Path, text: str | None) -> ModelFile:
    info = PngInfo()
    if text is not None:
        info.add_text("sd-ti-embedding", text)
    Image.new("RGB", (8, 8)).save(path, "PNG", pnginfo=info)
    return embedding(path)


def webui(folder: Path) -> ModelFile:
    return pickled(folder / "style.pt", {**WEBUI, "string_to_param": {"*": VECTORS}})


def webui_with_another_key(folder: Path) -> ModelFile:
    return pickled(folder / "style.pt", {**WEBUI, "string_to_param": {"style": VECTORS}})


def webui_with_a_parameter_that_was_trained(folder: Path) -> ModelFile:
    stored = {"*": torch.nn.Parameter(VECTORS.clone())}
    return pickled(folder / "style.pt", {**WEBUI, "string_to_param": stored})


def webui_of_the_first_months(folder: Path) -> ModelFile:
    stored = torch.nn.ParameterDict({"*": torch.nn.Parameter(VECTORS.clone())})
    return pickled(folder / "style.pt", {**WEBUI, "string_to_param": stored})


def diffusers(folder: Path) -> ModelFile:
    return pickled(folder / "style.bin", OrderedDict({"<style>": VECTORS}))


def one_tensor(folder: Path) -> ModelFile:
    save_file({"emb_params": VECTORS.half()}, folder / "style.safetensors")
    return embedding(folder / "style.safetensors")


def in_a_picture(folder: Path) -> ModelFile:
    document = {**WEBUI, "name": "style", "string_to_param": {"*": {"TORCHTENSOR": VECTORS.tolist()}}}
    return picture(folder / "a picture.png", base64.b64encode(json.dumps(document).encode()).decode())


@pytest.mark.parametrize(
    "write",
    [
        webui,
        webui_with_another_key,
        webui_with_a_parameter_that_was_trained,
        webui_of_the_first_months,
        diffusers,
        one_tensor,
        in_a_picture,
    ],
)
def test_every_layout_gives_the_same_vectors(tmp_path: Path, write: Callable[[Path], ModelFile]) -> None:
    loaded = load_inversion_file(write(tmp_path))

    assert loaded.name == "style"
    assert set(loaded.vectors) == {ONLY}
    torch.testing.assert_close(loaded.vectors[ONLY], VECTORS, rtol=1e-3, atol=1e-3)
    assert loaded.vectors[ONLY].dtype is torch.float32
    assert loaded.bytes == 2 * 32 * 4


def test_one_vector_may_come_without_a_first_axis(tmp_path: Path) -> None:
    loaded = load_inversion_file(pickled(tmp_path / "one.bin", {"<one>": VECTORS[0]}))

    assert torch.equal(loaded.vectors[ONLY], VECTORS[:1])


def test_a_pair_for_stable_diffusion_xl_is_kept_apart(tmp_path: Path) -> None:
    pair = {"clip_l": numbers(3, 768), "clip_g": numbers(3, 1280, seed=1)}
    save_file(pair, tmp_path / "pair.safetensors")

    loaded = load_inversion_file(embedding(tmp_path / "pair.safetensors"))

    assert {name: tuple(tensor.shape) for name, tensor in loaded.vectors.items()} == {
        "clip_l": (3, 768),
        "clip_g": (3, 1280),
    }
    assert torch.equal(loaded.vectors["clip_g"], pair["clip_g"])


class Payload:
    """What a malicious pickle would do."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.marker),)


def test_an_embedding_with_code_in_it_is_refused_and_never_run(tmp_path: Path) -> None:
    file = pickled(tmp_path / "evil.pt", {"string_to_param": {"*": VECTORS}, "boom": Payload(tmp_path / "was-here")})

    with pytest.raises(JobFailed, match="convert it to") as failed:
        load_inversion_file(file)

    assert failed.value.error.code is JobErrorCode.ASSET_INCOMPATIBLE
    assert not (tmp_path / "was-here").exists()


def encoded(document: object) -> str:
    return base64.b64encode(json.dumps(document).encode()).decode()


@pytest.mark.parametrize(
    ("text", "code", "reason"),
    [
        (
            None,
            JobErrorCode.ASSET_INCOMPATIBLE,
            "no text chunk sd-ti-embedding; embeddings in the pixels are not supported",
        ),
        ("no base64!", JobErrorCode.ASSET_CORRUPT, "its text chunk sd-ti-embedding is not an embedding"),
        (encoded([1]), JobErrorCode.ASSET_CORRUPT, "is not a JSON object"),
        (encoded({"x": {"TORCHTENSOR": [[1], [1, 2]]}}), JobErrorCode.ASSET_CORRUPT, "is not an embedding"),
        (encoded({"x": {"TORCHTENSOR": [[10**400] * 768]}}), JobErrorCode.ASSET_CORRUPT, "among its numbers"),
        (
            encoded({"x": {"TORCHTENSOR": [[float("nan")] * 768]}}),
            JobErrorCode.ASSET_CORRUPT,
            "'nan' among its numbers",
        ),
        (encoded({"x": {"TORCHTENSOR": [[[[[1.0]]]]]}}), JobErrorCode.ASSET_CORRUPT, "1 lengths, 5 deep"),
        (encoded({"x": {"TORCHTENSOR": "words"}}), JobErrorCode.ASSET_CORRUPT, "is not an embedding"),
        (encoded({"string_to_param": 5}), JobErrorCode.ASSET_CORRUPT, "its string_to_param is a int"),
        ("W" * 40_000, JobErrorCode.ASSET_CORRUPT, "is not an embedding"),
        (base64.b64encode(b"[" * 100_000).decode(), JobErrorCode.ASSET_CORRUPT, "is not an embedding"),
    ],
)
def test_a_picture_that_carries_no_embedding_is_refused(
    tmp_path: Path, text: str | None, code: JobErrorCode, reason: str
) -> None:
    with pytest.raises(JobFailed) as failed:
        load_inversion_file(picture(tmp_path / "odd.png", text))

    assert failed.value.error.code is code
    assert reason in failed.value.error.message


def test_a_file_that_is_no_picture_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "odd.png"
    path.write_bytes(b"GIF89a")

    with pytest.raises(JobFailed, match="it is not a PNG"):
        load_inversion_file(embedding(path))


@pytest.mark.parametrize(
    ("document", "code", "reason"),
    [
        ({"a": VECTORS, "b": VECTORS}, JobErrorCode.ASSET_INCOMPATIBLE, "it holds 2 tensors (a, b); allowed: one"),
        ({"name": "x"}, JobErrorCode.ASSET_INCOMPATIBLE, "it holds 0 tensors (none)"),
        ({"a": numbers(2, 3, 4)}, JobErrorCode.ASSET_CORRUPT, "[[2, 3, 4]]; allowed: [vectors, width]"),
        ({"a": torch.zeros(0, 32)}, JobErrorCode.ASSET_CORRUPT, "[[0, 32]]"),
        ({"a": torch.tensor(1.0)}, JobErrorCode.ASSET_CORRUPT, "[[]]"),
        ({"a": numbers(76, 32)}, JobErrorCode.ASSET_INCOMPATIBLE, "76 vectors; allowed: 1 to 75"),
        (
            {"clip_l": numbers(1, 768), "clip_g": numbers(2, 1280)},
            JobErrorCode.ASSET_CORRUPT,
            "[[1, 768], [2, 1280]]; allowed: [vectors, width], equally many for each",
        ),
    ],
)
def test_tensors_that_are_no_embedding_are_refused(
    tmp_path: Path, document: dict[str, Tensor], code: JobErrorCode, reason: str
) -> None:
    with pytest.raises(JobFailed) as failed:
        load_inversion_file(pickled(tmp_path / "odd.pt", document))

    assert failed.value.error.code is code
    assert reason in failed.value.error.message


def test_embeddings_of_other_models_are_words_and_those_in_a_network_hold_while_it_is_in_force(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    layers = {
        "lora_te_text_model_encoder_layers_0_mlp_fc1": lora(torch.Size((128, 32))),
        "bundle_emb.inky": {"string_to_param.*": numbers(3, 32)},
        "bundle_emb.style": {"string_to_param.*": numbers(3, 32)},
        "bundle_emb.large": {"clip_l": numbers(1, 768), "clip_g": numbers(1, 1280)},
    }
    network = write_network(tmp_path / "ink.safetensors", layers)
    wide = pickled(tmp_path / "wide.pt", {"<wide>": numbers(1, 768)})

    with networks(checkpoint, "<lora:ink:0>", network, webui(tmp_path), wide) as switch:
        held = {inversion.name: inversion for inversion in switch.inversions()}
    with networks(checkpoint, "", network, in_a_picture(tmp_path)) as switch:
        alone = {inversion.name: inversion for inversion in switch.inversions()}

    assert set(held) == {"style", "inky"}
    assert held["style"].shown == model_file(tmp_path / "style.pt", AssetType.EMBEDDING).sha256[:12]
    assert held["inky"].shown == "ink"
    assert set(alone) == {"style", "a picture"}


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({"<no>": torch.zeros(0, 32)}, "vectors"),
        ({"<many>": numbers(76, 32)}, "76 vectors; allowed: 1 to 75"),
        ({"<nan>": torch.full((1, 32), float("nan"))}, "not finite"),
        ({"<inf>": torch.full((1, 32), float("inf"))}, "not finite"),
        ({"a": numbers(1, 32), "b": numbers(1, 32), "c": numbers(1, 32)}, ""),
        ({"text": "no tensor"}, ""),
    ],
)
def test_an_embedding_that_cannot_be_used_is_left_out_with_a_warning(
    checkpoint: Checkpoint, tmp_path: Path, document: dict[str, Any], reason: str
) -> None:
    broken = pickled(tmp_path / "star.pt", document)

    with networks(checkpoint, "", broken, webui(tmp_path)) as switch:
        held = {inversion.name for inversion in switch.inversions()}
        (warning,) = switch.warnings

    assert held == {"style"}
    assert warning.startswith("star.pt ")
    assert reason in warning


def test_a_file_of_other_bytes_is_left_out_with_a_warning(checkpoint: Checkpoint, tmp_path: Path) -> None:
    for name in ("one.pt", "two.safetensors", "three.png"):
        (tmp_path / name).write_bytes(b"no such file")
        with networks(checkpoint, "", model_file(tmp_path / name, AssetType.EMBEDDING)) as switch:
            assert switch.inversions() == ()
            assert [warning.split(" ", 1)[0] for warning in switch.warnings] == [name]
