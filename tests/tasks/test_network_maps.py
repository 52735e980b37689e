"""Preprocessors with networks: their maps are the ControlNet extension's, and they draw in a unit."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

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
from generate_on_cloud.contract.params import PARAMS_BY_TASK
from generate_on_cloud.contract.preprocessors import BODY, FACE, HAND, PREPROCESSORS
from generate_on_cloud.model_files.family_names import Family
from generate_on_cloud.model_files.preprocessor_files import PREPROCESSOR_FILES
from inference_container.drawing.network_maps import MAPS, NetworkMap, request_network_map
from inference_container.models.annotators import KINDS, ONNX, Annotator, load_annotator
from inference_container.models.checkpoint import Checkpoint
from inference_container.models.files import JobFiles, ModelFile
from inference_container.models.model_cache import ModelCache
from inference_container.models.onnx_networks import OnnxNetwork, load_onnx_network
from inference_container.models.pose_networks import FACE_MAPS, HAND_MAPS
from inference_container.pictures.control_maps import fit_map, padded, scaled_to
from inference_container.pictures.pose_points import MOST_PEAKS, POINTS, _all_peaks
from inference_container.pictures.whole_bodies import MOST_PEOPLE, people_boxes
from inference_container.task import TaskInput, load_nothing
from tests.synthetic_poses import Numbers, body_answers, part_answers
from tests.tasks.conftest import as_text
from tests.tasks.running import opened, pixels, run
from tests.tiny_annotators import FILES, ONNX_FILES, anime_lines, hed, lines, picture, write_file
from tests.tiny_controlnet import write_tiny_controlnet
from tests.tiny_depth import depth_anything, midas
from tests.tiny_onnx import dwpose, yolox
from tests.tiny_poses import SEEN

CPU = torch.device("cpu")
PUBLISHED = Path(__file__).parents[1] / "models" / "published" / "annotators.npz"
SHAPES = {"landscape": (90, 140, 64), "portrait": (200, 120, 100)}
"""Height and width of the picture, and the resolution of the map."""
POSES = [module for module in MAPS if module.startswith("openpose")]
WHOLE_BODIES, FILLED = "dw_openpose_full", "inpaint_only+lama"
POSE_SHAPES = {"landscape": (200, 300, 256), "portrait": (300, 200, 192)}
BLACK_AND_WHITE = {"softedge_hedsafe", "scribble_hed", "softedge_pidisafe", "scribble_pidinet", "mlsd", "seg_ufade20k"}
"""Maps of a few levels, in which a rounding makes a pixel another level."""


def model_file(path: Path, **more: Any) -> ModelFile:
    return ModelFile(AssetType.PREPROCESSOR, path.name, path, hashlib.sha256(path.read_bytes()).hexdigest(), **more)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> JobFiles:
    folder = tmp_path_factory.mktemp("annotators")
    return JobFiles([model_file(write_file(name, folder / name)) for name in PREPROCESSOR_FILES])


@pytest.fixture(scope="module")
def models() -> ModelCache:
    return ModelCache(max_bytes=2**30, load=load_nothing)


def job_of(files: JobFiles, models: ModelCache) -> TaskInput:
    return TaskInput(PARAMS_BY_TASK[Task.TXT2IMG](), None, lambda _: None, files=files, models=models)


def test_every_preprocessor_with_files_has_its_steps_and_its_networks() -> None:
    assert set(MAPS) == {name for name, rule in PREPROCESSORS.items() if rule.files}
    assert {file for rule in PREPROCESSORS.values() for file in rule.files} == set(PREPROCESSOR_FILES)
    assert set(PREPROCESSOR_FILES) == {*FILES, *ONNX_FILES}
    assert {**{name: kind.family for name, kind in KINDS.items()}, **ONNX} == {
        name: file.family for name, file in PREPROCESSOR_FILES.items()
    }


def in_color(stored: Numbers) -> Numbers:
    """Maps are stored with one channel if all are equal."""
    return stored if stored.ndim == 3 else np.repeat(stored[:, :, None], 3, axis=2)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("module", [module for module in MAPS if module not in (*POSES, WHOLE_BODIES, FILLED)])
def test_maps_equal_the_extensions(files: JobFiles, models: ModelCache, module: str, shape: str) -> None:
    height, width, resolution = SHAPES[shape]
    with np.load(PUBLISHED) as published:
        wanted = published[f"{module}:{shape}"]
    preprocessor = request_network_map(job_of(files, models), module)
    assert preprocessor is not None

    rule = PREPROCESSORS[module]
    made = preprocessor(
        picture(height, width),
        resolution=resolution,
        threshold_a=rule.threshold_a.default,
        threshold_b=rule.threshold_b.default,
    )

    wanted = in_color(wanted)
    differences = np.abs(made.astype(int) - wanted)
    assert made.shape == wanted.shape
    assert wanted.std() > 20
    if module in BLACK_AND_WHITE:
        assert (differences > 0).mean() < 0.002
    else:
        assert differences.max() <= 2
        assert differences.mean() < 0.1


ANSWERS: Mapping[str, Callable[[int, int], Sequence[Numbers]]] = {
    BODY: body_answers,
    HAND: lambda height, width: [part_answers(height, width, HAND_MAPS)],
    FACE: lambda height, width: [part_answers(height, width, FACE_MAPS)],
}


def answering(answers: Callable[[int, int], Sequence[Numbers]]) -> Any:
    """A network of which only the answers are known."""
    return lambda shown: [torch.from_numpy(one) for one in answers(shown.shape[0] // 8, shown.shape[1] // 8)]


@pytest.mark.parametrize("shape", POSE_SHAPES)
@pytest.mark.parametrize("module", POSES)
def test_poses_are_found_and_drawn_as_the_extension_does(module: str, shape: str) -> None:
    height, width, resolution = POSE_SHAPES[shape]
    with np.load(PUBLISHED) as published:
        wanted = in_color(published[f"{module}:{shape}"])
    preprocessor = NetworkMap(tuple(answering(ANSWERS[file]) for file in PREPROCESSORS[module].files), MAPS[module])

    made = preprocessor(picture(height, width), resolution=resolution)

    assert made.shape == wanted.shape
    assert wanted.std() > 20
    assert (np.abs(made.astype(int) - wanted) > 1).mean() < 0.001


def with_hole(height: int, width: int) -> npt.NDArray[np.uint8]:
    """The picture with two holes, one of them at the edge."""
    hole = np.zeros((height, width, 1), np.uint8)
    hole[height // 4 : height // 2, width // 5 : width // 2] = 255
    hole[-(height // 4) :, -(width // 3) :] = 255
    return np.concatenate([picture(height, width), hole], axis=2)


@pytest.mark.parametrize("shape", SHAPES)
def test_holes_are_filled_as_the_extension_does(files: JobFiles, models: ModelCache, shape: str) -> None:
    height, width, resolution = SHAPES[shape]
    with np.load(PUBLISHED) as published:
        wanted = published[f"{FILLED}:{shape}"]
    preprocessor = request_network_map(job_of(files, models), FILLED)
    assert preprocessor is not None
    shown = with_hole(height, width)

    made = preprocessor(shown, resolution=resolution)

    assert (made[:, :, 3] == shown[:, :, 3]).all()
    assert (made[shown[:, :, 3] == 0] == shown[shown[:, :, 3] == 0]).all()
    assert np.abs(made.astype(int) - wanted).max() <= 2
    assert (made[shown[:, :, 3] > 0][:, :3].std(axis=0) > 20).all()


def whole_body_networks(folder: Path, height: int, width: int) -> list[OnnxNetwork]:
    """Networks that see two people in a picture of this size."""
    (folder / "yolox.onnx").write_bytes(yolox(height, width))
    (folder / "dwpose.onnx").write_bytes(dwpose())
    return [
        load_onnx_network(model_file(folder / "yolox.onnx"), Family.PERSON_DETECTOR),
        load_onnx_network(model_file(folder / "dwpose.onnx"), Family.WHOLE_BODY),
    ]


@pytest.mark.parametrize("shape", POSE_SHAPES)
def test_whole_bodies_are_found_and_drawn_as_the_extension_does(tmp_path: Path, shape: str) -> None:
    height, width, resolution = POSE_SHAPES[shape]
    shown = padded(scaled_to(picture(height, width), resolution))
    networks = whole_body_networks(tmp_path, *shown.shape[:2])
    seen: list[Numbers] = []
    watched = [Watched(network, seen) for network in networks]
    with np.load(PUBLISHED) as published:
        wanted, square, cuts = (
            published[f"{name}:{shape}"] for name in (WHOLE_BODIES, "yolox_l.onnx", "dw-ll_ucoco_384.onnx")
        )

    made = NetworkMap(cast(Any, tuple(watched)), MAPS[WHOLE_BODIES])(picture(height, width), resolution=resolution)

    assert np.abs(seen[0][0, :, ::16, ::16] - square).max() <= 1
    assert np.abs(seen[1][:, :, ::24, ::24] - cuts).max() <= 0.04, "two of 255 levels, in the network's measure"
    assert made.shape == wanted.shape
    assert wanted.std() > 20
    assert (np.abs(made.astype(int) - wanted) > 1).mean() < 0.001


@dataclass(frozen=True)
class Watched:
    """A network that keeps what it is shown."""

    network: OnnxNetwork
    seen: list[Numbers]

    @property
    def size(self) -> tuple[int, int]:
        return self.network.size

    def answers(self, pictures: Numbers) -> Sequence[Numbers]:
        self.seen.append(pictures)
        return self.network.answers(pictures)


def judged(*places: tuple[int, int, float]) -> Numbers:
    """YOLOX's answer about a square of 64 pixels that sees a box at these places, classes and how surely."""
    answer = np.zeros((84, 85), np.float32)
    for place, kind, sure in places:
        answer[place, 4], answer[place, 5 + kind] = 1, sure
    return answer


@pytest.mark.parametrize(
    ("answer", "boxes"),
    [
        (judged(), None),
        (judged((0, 0, 0.09)), None),
        (judged((0, 16, 0.9)), [[0, 0, 64, 48]]),
        (judged((0, 0, 0.2)), [[0, 0, 64, 48]]),
        (judged((0, 0, 0.5), (9, 0, 0.9)), [[4, 4, 12, 12], [-4, -4, 4, 4]]),
    ],
)
def test_boxes_without_people_mean_the_whole_picture_and_no_boxes_nobody(answer: Numbers, boxes: Any) -> None:
    found = people_boxes(answer, 64, (64, 48))

    assert (None if found is None else found.tolist()) == boxes


def test_of_too_many_people_the_surest_count() -> None:
    answer = np.zeros((8400, 85), np.float32)
    answer[:6400, 4:6] = np.linspace(0.6, 1, 6400)[:, None]
    answer[:, 2:4] = -1

    found = people_boxes(answer, 640, (640, 640))

    assert found is not None
    assert len(found) == MOST_PEOPLE


def test_a_box_that_is_not_a_number_is_nobody() -> None:
    answer = judged((0, 0, 0.9))
    answer[0, 2] = np.inf

    assert people_boxes(answer, 64, (64, 48)) is None


@pytest.mark.parametrize("name", [BODY, HAND, FACE])
def test_networks_of_poses_answer_as_the_extensions(files: JobFiles, models: ModelCache, name: str) -> None:
    with np.load(PUBLISHED) as published:
        wanted = published[name]

    network = load_annotator(files.named(AssetType.PREPROCESSOR, name), name, device=CPU)
    assert isinstance(network, Annotator)
    answers = network(SEEN)

    assert np.allclose(torch.cat(answers).numpy(), wanted, atol=1e-5)
    assert wanted.std() > 0.1


def nobody(height: int, width: int) -> Sequence[Numbers]:
    return [np.zeros((maps, height, width), np.float32) for maps in (38, 19)]


def test_a_picture_without_people_is_black() -> None:
    assert not NetworkMap((answering(nobody),), MAPS["openpose"])(picture(64, 64), resolution=64).any()


def test_of_too_many_places_where_a_point_may_be_the_surest_count() -> None:
    heat = np.zeros((160, 160, 19))
    heat[::8, ::8] = np.linspace(30, 60, 400).reshape(20, 20, 1)

    found = _all_peaks(heat)

    assert [len(peaks) for peaks in found] == [MOST_PEAKS] * POINTS
    assert min(peak.score for peak in found[0]) > np.sort(heat[:, :, 0], axis=None)[-MOST_PEAKS - 30]


@pytest.mark.parametrize(
    ("likely", "long", "rows"), [(0.1, 0.1, {8, 20, 40}), (0.5, 0.1, {8, 40}), (0.1, 3, {8, 20}), (2.0, 0.1, set())]
)
def test_the_thresholds_of_mlsd_leave_out_unlikely_and_short_lines(likely: float, long: float, rows: set[int]) -> None:
    def three_lines(shown: Tensor) -> list[Tensor]:
        answer = torch.full((9, shown.shape[0] // 2, shown.shape[1] // 2), -10.0)
        for down, chance, reach in ((4, 5.0, 3.0), (10, -1.0, 3.0), (20, 5.0, 0.5)):
            answer[:5, down, 12] = torch.tensor([chance, -reach, 0, reach, 0])
        return [answer]

    made = NetworkMap((cast(Annotator, three_lines),), MAPS["mlsd"])(
        picture(64, 64), resolution=64, threshold_a=likely, threshold_b=long
    )

    assert set(np.nonzero(made[:, :, 0])[0]) == rows


def test_a_preprocessor_without_networks_needs_no_file(models: ModelCache) -> None:
    assert request_network_map(job_of(JobFiles(), models), "canny") is None


def test_a_unit_draws_with_the_networks_map_at_the_size_that_is_drawn(
    checkpoint: Checkpoint, files: JobFiles, models: ModelCache, tmp_path: Path
) -> None:
    path = write_tiny_controlnet(tmp_path / "edges.safetensors")
    control = replace(model_file(path), type=AssetType.CONTROLNET)
    shown = as_text(Image.fromarray(picture(90, 140)))
    unit = {"model": "edges", "module": "hed", "image": shown, "processor_res": 64}

    drawn = run(
        checkpoint,
        Task.TXT2IMG,
        files=[*files.files, control],
        alwayson_scripts={"ControlNet": {"args": [unit]}},
    )

    whole = request_network_map(job_of(files, models), "softedge_hed")
    assert whole is not None
    made = fit_map(whole(picture(90, 140), resolution=64), mode="Crop and Resize", width=64, height=64)
    assert (np.asarray(opened(drawn, 1)) == made).all()
    assert (pixels(drawn) != pixels(run(checkpoint, Task.TXT2IMG))).any()
    assert "Module: softedge_hed" in drawn.images[0].infotext


@pytest.mark.parametrize("module", MAPS)
def test_a_job_without_the_file_names_it(models: ModelCache, module: str) -> None:
    with pytest.raises(
        JobFailed, match=f"received no preprocessor called '{PREPROCESSORS[module].files[0]}'"
    ) as caught:
        request_network_map(job_of(JobFiles(), models), module)

    assert caught.value.error.code is JobErrorCode.ASSET_MISSING


def changed(state: Mapping[str, Tensor], **changes: Tensor | None) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in {**state, **changes}.items() if tensor is not None}


@pytest.mark.parametrize(
    ("name", "state", "code", "words"),
    [
        (
            "ControlNetHED.pth",
            lines(1),
            JobErrorCode.ASSET_INCOMPATIBLE,
            "line drawings, not HED",
        ),
        ("ControlNetHED.pth", {"a": torch.zeros(1)}, JobErrorCode.ASSET_INCOMPATIBLE, "no network of a preprocessor"),
        ("sk_model.pth", changed(lines(1), **{"model4.1.bias": None}), JobErrorCode.ASSET_CORRUPT, "it lacks"),
        ("netG.pth", changed(anime_lines(), extra=torch.zeros(1)), JobErrorCode.ASSET_CORRUPT, "it has extra"),
        (
            "sk_model.pth",
            changed(lines(1), **{"model0.1.weight": torch.zeros(65, 3, 7, 7)}),
            JobErrorCode.ASSET_CORRUPT,
            "65 channels are not 1 to 64",
        ),
        (
            "depth_anything_vitl14.pth",
            {name: one for name, one in depth_anything(1).items() if ".projects." not in name},
            JobErrorCode.ASSET_INCOMPATIBLE,
            "configuration of its Depth Anything is not valid",
        ),
        (
            "depth_anything_v2_vitl.pth",
            {name: one for name, one in depth_anything(1).items() if ".blocks.11." not in name},
            JobErrorCode.ASSET_INCOMPATIBLE,
            "configuration of its Depth Anything is not valid: 11",
        ),
        (
            "dpt_hybrid-midas-501f0c75.pt",
            changed(midas(), **{"scratch.output_conv.4.bias": None}),
            JobErrorCode.ASSET_CORRUPT,
            "it lacks network.head.head.4.bias",
        ),
        (
            "ControlNetHED.pth",
            changed(hed(), **{"block1.convs.0.bias": torch.zeros(3)}),
            JobErrorCode.ASSET_INCOMPATIBLE,
            "its sizes are inconsistent",
        ),
    ],
)
def test_a_file_that_is_not_what_it_should_be_fails_by_name(
    tmp_path: Path, name: str, state: dict[str, Tensor], code: JobErrorCode, words: str
) -> None:
    path = tmp_path / "annotator.safetensors"
    save_file(state, path)

    with pytest.raises(JobFailed, match=words) as caught:
        load_annotator(model_file(path), name, device=CPU)

    assert caught.value.error.code is code
