"""Taggers of both kinds: their pictures, their layouts, and what of them is refused (semantics §6.2)."""

import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from inference_container.models.deepdanbooru import Kernel, LayoutError, plan_blocks
from inference_container.models.onnx_tagger import flatten_on_white, pad_square
from inference_container.models.tagger import Tagger, load_tagger
from tests.harmful_onnx import YES, loop
from tests.tiny_interrogation import (
    CONFIG_KEY,
    KERNELS,
    SIDE,
    TAGS,
    WD_CSV,
    deepdanbooru_state,
    external_tensor,
    model_file,
    wd_network,
    write_wd_zip,
)

Pixels = npt.NDArray[np.float64]


def load(path: Path) -> Tagger:
    return load_tagger(model_file(path, AssetType.TAGGER), device=torch.device("cpu"), dtype=torch.float32)


def refusal(path: Path) -> JobFailed:
    with pytest.raises(JobFailed) as refused:
        load(path)
    return refused.value


def published_kernels() -> list[Kernel]:
    """The 179 convolutions of model-resnet_custom_v3.pt."""
    kernels: list[Kernel] = [(64, 3, 7)]

    def widen(out: int, narrow: int) -> None:
        width = kernels[-1][0]
        kernels.extend([(out, width, 1), (narrow, width, 1), (narrow, narrow, 3), (out, narrow, 1)])

    def go_on(narrow: int, times: int) -> None:
        width = kernels[-1][0]
        for _ in range(times):
            kernels.extend([(narrow, width, 1), (narrow, narrow, 3), (width, narrow, 1)])

    widen(256, 64)
    go_on(64, 2)
    widen(512, 128)
    go_on(128, 7)
    widen(1024, 256)
    go_on(256, 20)
    kernels.append((1024, 1024, 1))
    go_on(256, 19)
    widen(2048, 512)
    go_on(512, 2)
    widen(4096, 1024)
    go_on(1024, 2)
    return [*kernels, (9176, 4096, 1)]


def test_the_published_network_is_understood_from_its_shapes() -> None:
    kernels = published_kernels()

    plans = plan_blocks(dict(enumerate(kernels)))

    assert len(kernels) == 179
    assert [plan.shortcut for plan in plans if plan.shortcut is not None] == [1, 11, 36, 100, 158, 168]
    halving = {number for plan in plans if plan.stride == 2 for number in (plan.middle, plan.shortcut)}
    assert halving == {13, 11, 38, 36, 98, 100, 160, 158, 170, 168}


def convolve(x: Pixels, weight: Pixels, bias: Pixels | float = 0.0, *, stride: int = 1) -> Pixels:
    """x (height, width, in), weight (out, in, side, side) → (height, width, out), as TensorFlow's SAME pads."""
    side = weight.shape[2]
    out = [-(-length // stride) for length in x.shape[:2]]
    gaps = [max((count - 1) * stride + side - length, 0) for count, length in zip(out, x.shape[:2], strict=True)]
    padded = np.pad(x, [*((gap // 2, gap - gap // 2) for gap in gaps), (0, 0)])
    total = np.zeros((out[0], out[1], weight.shape[0]))
    for row in range(side):
        for column in range(side):
            seen = padded[row : row + out[0] * stride : stride, column : column + out[1] * stride : stride]
            total += seen[: out[0], : out[1]] @ weight[:, :, row, column].T
    return total + bias


def pool(x: Pixels) -> Pixels:
    padded = np.pad(x, [(0, 1), (0, 1), (0, 0)], constant_values=-np.inf)
    size = x.shape[0] // 2, x.shape[1] // 2
    parts = [padded[r : r + 2 * size[0] : 2, c : c + 2 * size[1] : 2] for r in range(3) for c in range(3)]
    best: Pixels = np.max(np.stack(parts), axis=0)
    return best


def answer_by_hand(picture: Image.Image) -> Pixels:
    """What the tiny DeepDanbooru network says of a 512×512 picture, in numpy."""
    state = {name: tensor.double().numpy() for name, tensor in deepdanbooru_state().items()}

    def conv(x: Pixels, number: int, *, stride: int = 1) -> Pixels:
        return convolve(x, state[f"n_Conv_{number}.weight"], state.get(f"n_Conv_{number}.bias", 0.0), stride=stride)

    def relu(x: Pixels) -> Pixels:
        return np.maximum(x, 0)

    def inner(x: Pixels, first: int, *, stride: int = 1) -> Pixels:
        return conv(relu(conv(relu(conv(x, first)), first + 1, stride=stride)), first + 2)

    x = pool(relu(conv(np.asarray(picture, dtype=np.float64) / 255, 0, stride=2)))
    x = relu(inner(x, 2) + conv(x, 1))
    x = relu(inner(x, 5) + x)
    x = relu(inner(x, 9, stride=2) + conv(x, 8, stride=2))
    x = relu(inner(x, 12, stride=2) + conv(x, 15, stride=2))
    return np.asarray(1 / (1 + np.exp(-conv(x, 16).mean((0, 1)))))


def test_deepdanbooru_sees_the_picture_filled_to_a_square_of_512(models: Path, picture: Image.Image) -> None:
    tagger = load(models / "deepdanbooru.pt")
    # 70×40 is enlarged to 512×292, its outermost lines stretched over the 110 above and below.
    scaled = picture.resize((512, 292), Image.Resampling.LANCZOS)
    square = Image.new("RGB", (512, 512))
    square.paste(scaled, (0, 110))
    square.paste(scaled.resize((512, 110), box=(0, 0, 512, 0)), (0, 0))
    square.paste(scaled.resize((512, 110), box=(0, 292, 512, 292)), (0, 402))

    scores = tagger.score(picture)

    np.testing.assert_allclose(scores, answer_by_hand(square), rtol=1e-4)
    assert [(tag.name, tag.threshold, tag.rating) for tag in tagger.tags] == [
        (name, 0.5, name == "rating:safe") for name in TAGS
    ]


def test_deepdanbooru_does_not_see_transparency(models: Path, picture: Image.Image) -> None:
    tagger = load(models / "deepdanbooru.pt")
    clear = picture.convert("RGBA")
    clear.putalpha(0)

    assert tagger.score(clear) == tagger.score(picture)


def test_a_safetensors_file_with_its_tags_packed_answers_the_same(
    models: Path, picture: Image.Image, tmp_path: Path
) -> None:
    path = tmp_path / "tagger.safetensors"
    save_file(deepdanbooru_state(), path, metadata={CONFIG_KEY: '{"tags.txt": "' + "\\n".join(TAGS) + '\\n"}'})

    tagger = load(path)

    assert tagger.score(picture) == load(models / "deepdanbooru.pt").score(picture)
    assert [tag.name for tag in tagger.tags] == list(TAGS)


def test_wd14_sees_blue_green_red_of_0_to_255_on_a_white_square(models: Path) -> None:
    tagger = load(models / "wd.zip")
    image = Image.new("RGBA", (30, 60), (200, 100, 50, 255))
    image.paste((10, 20, 30, 0), (0, 0, 30, 30))

    scores = tagger.score(image)

    # A quarter of the square has the colour: 15 of 60 columns on either side are padding, the upper half is clear.
    blue, green, red = (255 * 0.75 + colour * 0.25 for colour in (50, 100, 200))
    np.testing.assert_allclose(scores, [0.9 * blue / 255, green / 255, red / 255, blue / 255], atol=0.01)
    assert [(tag.name, tag.threshold, tag.rating) for tag in tagger.tags] == [
        ("general", 0.35, True),
        ("long_hair", 0.35, False),
        ("saber_(fate)", 0.85, False),
        ("^_^", 0.35, False),
    ]


def test_a_picture_is_padded_in_its_middle_and_shrunk_by_bicubic(models: Path, picture: Image.Image) -> None:
    square = Image.new("RGB", (70, 70), "white")
    square.paste(picture, (0, 15))

    shown = pad_square(flatten_on_white(picture))

    assert shown.tobytes() == square.tobytes()
    small = np.asarray(square.resize((SIDE, SIDE), Image.Resampling.BICUBIC), dtype=np.float64)
    blue, green, red = small.mean((0, 1))[::-1]
    np.testing.assert_allclose(
        load(models / "wd.zip").score(picture), [0.9 * blue / 255, green / 255, red / 255, blue / 255], rtol=1e-5
    )


def test_answers_that_are_no_probabilities_go_through_a_sigmoid(tmp_path: Path) -> None:
    tagger = load(write_wd_zip(tmp_path / "logits.zip", wd_network(probabilities=False)))

    scores = tagger.score(Image.new("RGB", (8, 8), "white"))

    np.testing.assert_allclose(scores, 1 / (1 + np.exp([7.2, 8, 8, 8])), rtol=1e-5)


def changed(change: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    document: dict[str, Any] = {**deepdanbooru_state(), "tags": list(TAGS)}
    change(document)
    return document


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        (lambda d: d.pop("tags"), "incompatible", "no list of tags"),
        (lambda d: d.update(tags=[1, 2, 3, 4]), "incompatible", "no list of tags"),
        (lambda d: d["tags"].append("one_more"), "incompatible", "it has 5 tags, but its network has outputs for 4"),
        (lambda d: d.pop("n_Conv_3.bias"), "corrupt", "it lacks n_Conv_3.bias"),
        (lambda d: d.pop("n_Conv_3.weight"), "incompatible", "not numbered consecutively from 0"),
        (lambda d: d.update(other=torch.ones(1)), "incompatible", "it has a tensor 'other'"),
        (lambda d: d.update({"n_Conv_3.bias": torch.ones(9)}), "incompatible", r"shape \[9\], expected \[4\]"),
        (lambda d: d.update({"n_Conv_0.weight": torch.ones(6, 3, 7, 5)}), "incompatible", "not a square kernel"),
        (lambda d: d.update({"n_Conv_0.weight": torch.ones(6, 4, 7, 7)}), "incompatible", "first convolution"),
        (lambda d: d.update({"n_Conv_6.weight": torch.ones(4, 4, 1, 1)}), "incompatible", "no residual block begins"),
        (lambda d: d.update({"n_Conv_16.weight": torch.ones(4, 11, 1, 1)}), "incompatible", "last convolution"),
    ],
)
def test_a_network_of_another_mould_is_refused_with_the_place(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], code: str, words: str
) -> None:
    torch.save(changed(change), tmp_path / "t.pt")

    with pytest.raises(JobFailed, match=words) as refused:
        load(tmp_path / "t.pt")

    assert refused.value.error.code == f"asset_{code}"


def test_shapes_that_do_not_fit_each_other_are_no_network() -> None:
    kernels = dict(enumerate(KERNELS))

    with pytest.raises(LayoutError, match="the block of its convolution 5 widens 8 to 5 without a shortcut"):
        plan_blocks(kernels | {7: (5, 4, 1)})


class Evil:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


def test_a_pickle_that_would_run_something_is_refused_and_runs_nothing(tmp_path: Path) -> None:
    torch.save({**deepdanbooru_state(), "tags": Evil(tmp_path / "trap")}, tmp_path / "evil.pt")

    failure = refusal(tmp_path / "evil.pt")

    assert failure.error.code is JobErrorCode.ASSET_INCOMPATIBLE
    assert not (tmp_path / "trap").exists()


@pytest.mark.parametrize(
    ("network", "code", "words"),
    [
        (b"junk", "", "it is not a complete ONNX model"),
        (b"", "", "it is not a complete ONNX model"),
        (wd_network()[:-40], "", "it is not a complete ONNX model"),
        (wd_network(initializers=[external_tensor()]), "incompatible", "stores 'elsewhere' in another file"),
        (wd_network(nodes=[loop()], initializers=[YES]), "incompatible", "operator Loop, which may run forever"),
        (wd_network(domain="evil.ops"), "incompatible", "operator evil.ops.MatMul, which is not part of ONNX"),
        (wd_network(shape=(1, SIDE, SIDE, 4)), "incompatible", "its network"),
        (wd_network(shape=(1, SIDE, SIDE + 1, 3)), "incompatible", r"expected \[1, side, side, 3\]"),
        (wd_network(shape=(1, "height", "width", 3)), "incompatible", r"expected \[1, side, side, 3\]"),
        (wd_network(shape=(1, 100_000, 100_000, 3)), "incompatible", r"expected \[1, side, side, 3\]"),
    ],
)
def test_a_network_that_is_broken_or_not_harmless_is_refused(
    tmp_path: Path, network: bytes, code: str, words: str
) -> None:
    with pytest.raises(JobFailed, match=words) as refused:
        load(write_wd_zip(tmp_path / "wd.zip", network))

    assert refused.value.error.code.startswith(f"asset_{code}")


def test_a_network_that_answers_another_number_of_tags_is_refused(tmp_path: Path, picture: Image.Image) -> None:
    tagger = load(write_wd_zip(tmp_path / "wd.zip", wd_network(outputs=3)))

    with pytest.raises(JobFailed, match=r"has the shape \[1, 3\]; expected \[1, 4\]"):
        tagger.score(picture)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "its list of tags is empty"),
        ("tag_id,name\n1,a\n", "line 2 of its list of tags has no name and category"),
        (WD_CSV + "5,hat,often,1\n", "line 6 of its list of tags has no name and category"),
        ('tag_id,name,category,count\n1,"a', "is not a .csv"),
    ],
)
def test_a_list_of_tags_that_is_none_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(JobFailed, match=words):
        load(write_wd_zip(tmp_path / "wd.zip", text=text))


def test_an_archive_needs_one_network_and_one_list(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "none.zip", "w") as archive:
        archive.writestr("model.h5", b"keras")
    write_wd_zip(tmp_path / "two.zip")
    with zipfile.ZipFile(tmp_path / "two.zip", "a") as archive:
        archive.writestr("other/model.ONNX", wd_network())

    assert "received .onnx files: none; allowed: one .onnx and one .csv" in refusal(tmp_path / "none.zip").error.message
    assert "received .onnx files: model.onnx, other/model.ONNX" in refusal(tmp_path / "two.zip").error.message
