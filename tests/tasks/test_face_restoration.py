"""Faces are found, restored and blended in as WebUI does it: compared with what facexlib's own helper made."""

import base64
import hashlib
import importlib.util
import io
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from generate_on_cloud.contract.jobs import Task
from generate_on_cloud.contract.single_image_params import ExtraSingleImageParams
from generate_on_cloud.model_files.family_names import Family
from inference_container.drawing.face_restoration import FaceRestorer
from inference_container.models.checkpoint import Checkpoint
from inference_container.models.faces import (
    FaceDetector,
    load_codeformer,
    load_face_detector,
    load_face_generator,
    load_face_parser,
)
from inference_container.models.files import JobFiles, ModelFile
from inference_container.models.model_cache import ModelCache
from inference_container.task import TaskInput, load_nothing
from inference_container.tasks import TASKS
from tests.tasks.running import pixels, run
from tests.tiny_faces import picture_with_faces, tiny_detector, tiny_generator, tiny_parser

CPU = torch.device("cpu")
PUBLISHED = Path(__file__).parents[1] / "models" / "published" / "faces.npz"
SHAPES = {"landscape": (200, 300), "portrait": (420, 330)}
FILES: dict[str, tuple[Family, Callable[[], dict[str, Tensor]]]] = {
    "detection_Resnet50_Final.pth": (Family.FACE_DETECTOR, tiny_detector),
    "GFPGANv1.4.pth": (Family.GFPGAN, tiny_generator),
    "parsing_parsenet.pth": (Family.FACE_PARSER, tiny_parser),
}
LOADERS: dict[Family, Callable[..., Any]] = {
    Family.FACE_DETECTOR: load_face_detector,
    Family.GFPGAN: load_face_generator,
    Family.FACE_PARSER: load_face_parser,
}


def model_file(path: Path, family: Family) -> ModelFile:
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return ModelFile(AssetType.FACE_RESTORATION, path.name, path, sha256, (family.value,))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[ModelFile]:
    folder = tmp_path_factory.mktemp("faces")
    made = []
    for name, (family, state) in FILES.items():
        wrapped: dict[str, Any] = state()
        if family is Family.GFPGAN:
            wrapped = {"params_ema": wrapped}
        elif family is Family.FACE_DETECTOR:
            wrapped = {f"module.{tensor}": value for tensor, value in wrapped.items()}
        torch.save(wrapped, folder / name)
        made.append(model_file(folder / name, family))
    return made


@pytest.fixture(scope="module")
def restorer(files: list[ModelFile]) -> FaceRestorer:
    detector, generator, parser = (LOADERS[Family(file.references[0])](file, device=CPU) for file in files)
    return FaceRestorer(detector, generator.restore, parser, lambda: None)


def as_text(picture: npt.NDArray[np.uint8]) -> str:
    stored = io.BytesIO()
    Image.fromarray(picture).save(stored, "PNG")
    return base64.b64encode(stored.getvalue()).decode()


def extras(files: list[ModelFile], picture: npt.NDArray[np.uint8], **body: Any) -> tuple[npt.NDArray[np.uint8], str]:
    params = ExtraSingleImageParams(image=as_text(picture), upscaling_resize=1, **body)
    models = ModelCache(max_bytes=2**30, load=load_nothing)
    job = TaskInput(params, None, lambda _: None, files=JobFiles(files), models=models)
    (image,) = TASKS[Task.EXTRA_SINGLE_IMAGE](job).images
    with Image.open(io.BytesIO(image.data)) as opened:
        return np.asarray(opened), image.infotext


@pytest.mark.parametrize("name", SHAPES)
def test_restored_pictures_equal_those_of_facexlib(restorer: FaceRestorer, name: str) -> None:
    shown = picture_with_faces(*SHAPES[name])
    with np.load(PUBLISHED) as published:
        wanted, points = published[name], published[f"{name}_points"]

    found = restorer._faces(np.ascontiguousarray(shown[:, :, ::-1]))
    restored = np.asarray(restorer(Image.fromarray(shown)))

    assert len(found) == len(points) > 1
    assert np.allclose(found, points, atol=0.02)
    differences = np.abs(restored.astype(int) - wanted)
    assert differences.max() <= 2
    assert differences.mean() < 0.01
    assert np.abs(restored.astype(int) - shown).mean() > 3


def test_a_picture_without_faces_stays_as_it_is(restorer: FaceRestorer) -> None:
    plain = np.full((64, 80, 3), 130, np.uint8)

    assert (np.asarray(restorer(Image.fromarray(plain))) == plain).all()


def test_txt2img_restores_what_was_decoded_and_says_so(
    checkpoint: Checkpoint, files: list[ModelFile], restorer: FaceRestorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # An untrained network's noise looks like dozens of faces; one is enough.
    find = FaceDetector.find
    monkeypatch.setattr(FaceDetector, "find", lambda self, picture: find(self, picture)[:1])
    plain = run(checkpoint, Task.TXT2IMG)
    model = {"face_restoration_model": "GFPGAN"}

    restored = run(checkpoint, Task.TXT2IMG, files=files, restore_faces=True, override_settings=model)
    by_option = run(checkpoint, Task.TXT2IMG, files=files, override_settings={**model, "face_restoration": True})

    assert (pixels(restored) == np.asarray(restorer(Image.fromarray(pixels(plain))))).all()
    assert (pixels(by_option) == pixels(restored)).all()
    assert ", Face restoration: GFPGAN, Size: 64x64" in restored.images[0].infotext
    assert restored.info["restore_faces"] is True
    assert restored.info["face_restoration_model"] == "GFPGAN"
    assert "Face restoration" not in plain.images[0].infotext


def test_extras_blend_the_restored_picture_in_as_much_as_asked(files: list[ModelFile], restorer: FaceRestorer) -> None:
    shown = picture_with_faces(200, 300)
    whole = np.asarray(restorer(Image.fromarray(shown)))

    half, said = extras(files, shown, gfpgan_visibility=0.5)

    assert (extras(files, shown, gfpgan_visibility=1)[0] == whole).all()
    assert np.abs(half.astype(int) - (whole.astype(int) + shown) / 2).max() <= 1
    assert said == "GFPGAN visibility: 0.5"
    assert (extras(files, shown)[0] == shown).all()


def test_faces_are_restored_after_the_picture_was_enlarged(files: list[ModelFile], restorer: FaceRestorer) -> None:
    shown = picture_with_faces(100, 150)
    params = {"upscaler_1": "Lanczos", "resize_mode": 1, "upscaling_resize_w": 300, "upscaling_resize_h": 200}

    enlarged, _ = extras(files, shown, **params)

    made, said = extras(files, shown, gfpgan_visibility=1, **params)

    assert (made == np.asarray(restorer(Image.fromarray(enlarged)))).all()
    assert said.endswith("Postprocess upscaler: Lanczos, GFPGAN visibility: 1.0")


@pytest.mark.parametrize("missing", FILES)
def test_a_job_without_one_of_the_files_names_it(files: list[ModelFile], missing: str) -> None:
    rest = [file for file in files if file.name != missing]

    with pytest.raises(JobFailed, match="received no face_restoration called") as caught:
        extras(rest, picture_with_faces(64, 64), gfpgan_visibility=1)

    assert caught.value.error.code is JobErrorCode.ASSET_MISSING


def _changed(state: dict[str, Tensor], **changes: Tensor | None) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in {**state, **changes}.items() if tensor is not None}


@pytest.mark.parametrize(
    ("family", "state", "code", "words"),
    [
        (Family.FACE_PARSER, tiny_detector(), JobErrorCode.ASSET_INCOMPATIBLE, "it holds a face detector"),
        (Family.FACE_DETECTOR, {"a": torch.zeros(1)}, JobErrorCode.ASSET_INCOMPATIBLE, "no network that restores"),
        (
            Family.FACE_DETECTOR,
            _changed(tiny_detector(), **{"fpn.merge1.0.weight": None}),
            JobErrorCode.ASSET_CORRUPT,
            "it lacks fpn.merge1.0.weight",
        ),
        (
            Family.FACE_PARSER,
            _changed(tiny_parser(), **{"body.0.conv1.conv2d.weight": torch.zeros(2, 2, 3, 3)}),
            JobErrorCode.ASSET_INCOMPATIBLE,
            "its sizes are inconsistent",
        ),
        (
            Family.GFPGAN,
            _changed(tiny_generator(), **{"conv_body_first.weight": torch.zeros(100_000, 1, 1, 1)}),
            JobErrorCode.ASSET_CORRUPT,
            "100000 channels are not 1 to 32",
        ),
        (
            Family.FACE_DETECTOR,
            _changed(tiny_detector(), **{"body.conv1.weight": torch.tensor(1.0)}),
            JobErrorCode.ASSET_CORRUPT,
            "its 0 channels are not 1 to 64",
        ),
        (
            Family.FACE_DETECTOR,
            _changed(tiny_detector(), **{"body.conv1.weight": torch.zeros(65, 3, 7, 7)}),
            JobErrorCode.ASSET_CORRUPT,
            "65 channels are not 1 to 64",
        ),
        (
            Family.GFPGAN,
            _changed(tiny_generator(), **{"stylegan_decoder.style_mlp.1.weight": torch.zeros(100_000, 1)}),
            JobErrorCode.ASSET_INCOMPATIBLE,
            "its sizes are inconsistent",
        ),
        (
            Family.GFPGAN,
            _changed(tiny_generator(), extra=torch.zeros(1)),
            JobErrorCode.ASSET_CORRUPT,
            "it has extra",
        ),
    ],
)
def test_a_file_that_is_not_what_it_should_be_fails_by_name(
    tmp_path: Path, family: Family, state: dict[str, Tensor], code: JobErrorCode, words: str
) -> None:
    path = tmp_path / "faces.safetensors"
    save_file(state, path)

    with pytest.raises(JobFailed, match=words) as caught:
        LOADERS[family](model_file(path, family), device=CPU)

    assert caught.value.error.code is code


class StandIn(nn.Module):
    """Takes the place of CodeFormer's network, whose licence keeps it out of our tests: darkens faces by the weight."""

    def __init__(self, **sizes: Any) -> None:
        super().__init__()
        self.sizes = sizes
        self.position_emb = nn.Parameter(torch.zeros(sizes["latent_size"], sizes["dim_embd"]))
        self.encoder = nn.Module()
        self.encoder.blocks = nn.ModuleList([nn.Conv2d(3, 8, 3, padding=1)])
        self.idx_pred_layer = nn.ModuleList([nn.Identity(), nn.Linear(sizes["dim_embd"], sizes["codebook_size"])])
        self.fuse_convs_dict = nn.ModuleDict()
        for side in sizes["connect_list"]:
            part = nn.Module()
            part.scale = nn.Sequential(nn.Conv2d(4, 4, 1))
            self.fuse_convs_dict[side] = part

    def forward(self, x: Tensor, *, weight: float, adain: bool) -> tuple[Tensor, Tensor]:
        assert adain
        return x * weight - (1 - weight) * 0.8, x


@pytest.fixture
def licensed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, files: list[ModelFile]) -> list[ModelFile]:
    """The three files with CodeFormer for GFPGAN, where the stand-in is installed; one face is enough."""
    find = FaceDetector.find
    monkeypatch.setattr(FaceDetector, "find", lambda self, picture: find(self, picture)[:1])
    for name in ("", ".architectures", ".architectures.CodeFormer"):
        module = ModuleType(f"spandrel_extra_arches{name}")
        module.__spec__ = ModuleSpec(module.__name__, None)
        module.__path__ = []
        monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(
        sys.modules["spandrel_extra_arches.architectures.CodeFormer"], "CodeFormer", StandIn, raising=False
    )
    torch.manual_seed(0)
    state = StandIn(dim_embd=6, latent_size=4, codebook_size=5, n_layers=0, connect_list=["32", "128"]).state_dict()
    path = tmp_path / "codeformer-v0.1.0.pth"
    torch.save({"params_ema": state}, path)
    return [files[0], model_file(path, Family.CODEFORMER), files[2]]


def test_the_network_has_the_sizes_of_the_file(licensed: list[ModelFile]) -> None:
    network: Any = load_codeformer(licensed[1], device=CPU).network

    assert network.sizes == {
        "dim_embd": 6, "latent_size": 4, "codebook_size": 5, "n_layers": 0, "connect_list": ["32", "128"],
    }  # fmt: skip


def test_codeformer_restores_by_its_weight(licensed: list[ModelFile]) -> None:
    shown = picture_with_faces(200, 300)

    dark, half, nearest = (
        extras(licensed, shown, codeformer_visibility=1, codeformer_weight=weight)[0].astype(int)
        for weight in (0.25, 0.5, 1)
    )
    seen, said = extras(licensed, shown, codeformer_visibility=0.25, codeformer_weight=0.5)

    changes = [np.abs(one - shown).mean() for one in (nearest, half, dark)]
    assert changes[0] < 1 < min(changes[1:])
    assert changes[1] != changes[2]
    assert np.abs(seen - (half * 0.25 + shown * 0.75)).max() <= 1
    assert said == "CodeFormer visibility: 0.25, CodeFormer weight: 0.5"


def test_the_option_code_former_weight_is_0_5_unless_a_request_sets_it(
    licensed: list[ModelFile], checkpoint: Checkpoint
) -> None:
    def drawn(**options: Any) -> npt.NDArray[np.uint8]:
        made = run(checkpoint, Task.TXT2IMG, files=licensed, restore_faces=True, override_settings=options)
        assert ", Face restoration: CodeFormer, Size: 64x64" in made.images[0].infotext
        return pixels(made)

    default = drawn()

    assert (default == drawn(code_former_weight=0.5)).all()
    assert not (default == drawn(code_former_weight=0)).all()


def test_both_restorers_of_the_extras_tab_run_one_after_the_other(
    licensed: list[ModelFile], files: list[ModelFile]
) -> None:
    shown = picture_with_faces(200, 300)
    first, _ = extras(files, shown, gfpgan_visibility=1)

    both, said = extras([*licensed, files[1]], shown, gfpgan_visibility=1, codeformer_visibility=1)

    assert (both == extras(licensed, first, codeformer_visibility=1)[0]).all()
    assert said == "GFPGAN visibility: 1.0, CodeFormer visibility: 1.0, CodeFormer weight: 0"


def test_without_its_code_codeformer_is_refused_with_licence_and_option(
    licensed: list[ModelFile], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith("spandrel_extra_arches")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)

    with pytest.raises(JobFailed, match="under the S-Lab licence, for non-commercial use only") as no:
        load_codeformer(licensed[1], device=CPU)

    assert no.value.error.code is JobErrorCode.ASSET_INCOMPATIBLE
    assert "with the option noncommercial_models" in no.value.error.message
