"""Faces are found, restored and blended in as WebUI does it: compared with what facexlib's own helper made."""

import base64
import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from generate_on_cloud.contract.jobs import Task
from generate_on_cloud.contract.single_image_params import ExtraSingleImageParams
from generate_on_cloud.model_files.family_names import Family
from inference_container.drawing.face_restoration import FaceRestorer
from inference_container.models.checkpoint import Checkpoint
from inference_container.models.faces import FaceDetector, load_face_detector, load_face_generator, load_face_parser
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
    return FaceRestorer(detector, generator, parser, lambda: None)


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
