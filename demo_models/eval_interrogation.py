"""Measures how well the family's interrogator and taggers describe held-out renders, through the real tasks."""

import base64
import hashlib
import io
import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path

from PIL import Image

from demo_models.captions import WORDS
from demo_models.clip import LISTS, list_fitting
from demo_models.interrogation import INTERROGATOR, ONNX_TAGGER, TAGGER
from demo_models.renderer import Renderer
from demo_models.scenes import ALL_TAGS, Scene, draw_scenes, list_tags
from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.contract.jobs import Task
from generate_on_cloud.contract.params import PARAMS_BY_TASK
from inference_container.models.files import JobFiles, ModelFile
from inference_container.models.model_cache import ModelCache
from inference_container.task import TaskInput, TaskOutput, load_nothing
from inference_container.tasks import TASKS

SEED = 107


def draw_held_out(samples: int) -> tuple[list[Scene], list[Image.Image]]:
    """Held-out scenes of one and two things, and their renders."""
    scenes = list(itertools.islice(draw_scenes(seed=SEED, split="held_out"), samples))
    pictures = Renderer().render(scenes).permute(0, 2, 3, 1)
    return scenes, [Image.fromarray(picture.numpy()) for picture in pictures]


def interrogate(task: Task, path: Path, pictures: Iterable[Image.Image]) -> list[TaskOutput]:
    """Run the task on each picture with the model in `path` and WebUI's default options."""
    kind = AssetType.INTERROGATOR if task is Task.INTERROGATE_CLIP else AssetType.TAGGER
    file = ModelFile(kind, path.name, path, hashlib.sha256(path.read_bytes()).hexdigest())
    models = ModelCache(max_bytes=2**30, load=load_nothing)
    answers = []
    for picture in pictures:
        data = io.BytesIO()
        picture.save(data, "PNG")
        params = PARAMS_BY_TASK[task].model_validate({"image": base64.b64encode(data.getvalue()).decode()})
        answers.append(TASKS[task](TaskInput(params, None, lambda _: None, files=JobFiles([file]), models=models)))
    return answers


def names_everything(caption: str, scene: Scene) -> bool:
    """Whether a caption names the colour and shape of each thing and the background, with words in the right order."""
    said = [word for word in caption.replace(",", " ").split() if word in WORDS]
    pairs = [f"{first} {second}" for first, second in itertools.pairwise(said)]
    wanted = [*(f"{thing.colour} {thing.shape}" for thing in scene.things), f"{scene.background} background"]
    return all(pair in pairs for pair in wanted)


def score_tags(found: Sequence[Iterable[str]], scenes: Sequence[Scene]) -> float:
    """The micro-averaged F1 score in percent."""
    right = wrong = missed = 0
    for tags, scene in zip(found, scenes, strict=True):
        told, wanted = {tag.replace("_", " ") for tag in tags}, set(list_tags(scene))
        assert told <= set(ALL_TAGS)  # noqa: S101 - another vocabulary would make the figure meaningless
        right += len(told & wanted)
        wrong += len(told - wanted)
        missed += len(wanted - told)
    return 100 * 2 * right / (2 * right + wrong + missed)


def measure_interrogation(samples: int) -> list[tuple[str, float, float]]:
    """Name, figure and bar of each measurement, in percent."""
    scenes, pictures = draw_held_out(samples)
    said = interrogate(Task.INTERROGATE_CLIP, INTERROGATOR, pictures)
    captions = [str(one.caption).split(", a simple")[0] for one in said]
    figures = [
        ("CLIP interrogation: caption names all shapes, colours", _share(map(names_everything, captions, scenes)), 90.0)
    ]
    for name, phrases in LISTS.items():
        best = (
            any(phrases[index] in one.scores for index in list_fitting(scene)[name])
            for one, scene in zip(said, scenes, strict=True)
        )
        figures.append((f"CLIP interrogation: best of {name} is true", _share(best), 90.0))
    for title, path in (("tagger", TAGGER), ("ONNX tagger", ONNX_TAGGER)):
        tags = interrogate(Task.INTERROGATE_DEEPBOORU, path, pictures)
        figures.append((f"{title}: micro-F1", score_tags([one.scores for one in tags], scenes), 98.0))
    return figures


def _share(right: Iterable[bool]) -> float:
    listed = list(right)
    return 100 * sum(listed) / len(listed)
