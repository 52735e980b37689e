"""The interrogate tasks: models from a job's files, options, progress, scores and cancelling."""

import base64
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from generate_on_cloud.contract.jobs import JobPhase, Task
from generate_on_cloud.contract.messages import Progress
from generate_on_cloud.contract.params import PARAMS_BY_TASK
from inference_container.models.files import JobFiles
from inference_container.models.interrogator import load_interrogator
from inference_container.models.model_cache import ModelCache, Movable
from inference_container.models.tagger import DeepDanbooruTagger, load_tagger
from inference_container.task import TaskInput, TaskOutput, load_nothing
from inference_container.tasks import TASKS
from tests.tiny_interrogation import model_file

KINDS = {Task.INTERROGATE_CLIP: AssetType.INTERROGATOR, Task.INTERROGATE_DEEPBOORU: AssetType.TAGGER}


def as_text(image: Image.Image) -> str:
    file = io.BytesIO()
    image.save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


class Desk:
    """Asks tasks about one picture with models that stay in memory."""

    def __init__(self, models: Path, picture: Image.Image) -> None:
        self.models = models
        self.picture = picture
        self.cache = ModelCache(max_bytes=10**9, load=load_nothing)
        self.told: list[Progress] = []

    def ask(
        self,
        task: Task,
        *names: str,
        report: Callable[[Progress], None] | None = None,
        picture: Image.Image | None = None,
        **body: Any,
    ) -> TaskOutput:
        params = PARAMS_BY_TASK[task].model_validate({"image": as_text(picture or self.picture), **body})
        files = JobFiles([model_file(self.models / name, KINDS[task]) for name in names])
        job = TaskInput(params, None, report or self.told.append, files=files, models=self.cache)
        return TASKS[task](job)

    def clip(self, **options: Any) -> TaskOutput:
        return self.ask(Task.INTERROGATE_CLIP, "mine.zip", override_settings=options)

    def deepbooru(self, **options: Any) -> TaskOutput:
        return self.ask(Task.INTERROGATE_DEEPBOORU, "deepdanbooru.pt", override_settings=options)


@pytest.fixture(scope="module")
def desk(models: Path, picture: Image.Image) -> Desk:
    return Desk(models, picture)


@pytest.fixture(autouse=True)
def nothing_told(desk: Desk) -> None:
    desk.told.clear()


def test_clip_says_what_it_sees_and_the_best_of_each_list(desk: Desk) -> None:
    output = desk.clip(interrogate_clip_max_length=24)

    assert output.caption is not None
    said = output.caption.split(", ")
    assert said[-3] in {"red", "blue"}
    assert len(output.scores) == 3
    assert said[-3:] == list(output.scores)
    assert all(0 <= score <= 1 for score in output.scores.values())
    assert output.parameters["image"] is None


def test_ranks_skipped_lists_and_limits_are_heeded(desk: Desk) -> None:
    plain = desk.clip(interrogate_clip_max_length=24)
    ranked = desk.clip(interrogate_clip_max_length=24, interrogate_return_ranks=True)
    skipped = desk.clip(interrogate_clip_max_length=24, interrogate_clip_skip_categories=["pets.top2"])
    limited = desk.clip(interrogate_clip_max_length=24, interrogate_clip_dict_limit=1)

    told = [f"({name}:{score:.3f})" for name, score in plain.scores.items()]
    caption = str(plain.caption).removesuffix(", ".join(plain.scores))
    assert ranked.caption == caption + ", ".join(told)
    assert list(skipped.scores) == list(plain.scores)[:1]
    assert limited.scores == {"red": 1.0, "cat": 1.0}


def test_an_empty_list_is_passed_over(models: Path, picture: Image.Image, tmp_path: Path) -> None:
    with zipfile.ZipFile(models / "mine.zip") as old, zipfile.ZipFile(tmp_path / "mine.zip", "w") as new:
        for name in old.namelist():
            new.writestr(name, b"" if name.endswith("colours.txt") else old.read(name))

    assert len(Desk(tmp_path, picture).clip(interrogate_clip_max_length=24).scores) == 2


def test_every_token_and_batch_of_phrases_is_told_and_never_goes_back(desk: Desk) -> None:
    desk.clip(interrogate_clip_max_length=30)

    steps = [progress.step for progress in desk.told]
    assert steps == sorted(steps)
    assert desk.told[-1].step == desk.told[-1].steps == 30 + 5
    assert [progress.phase for progress in desk.told[:3]] == [
        JobPhase.ENCODING,
        JobPhase.LOADING_MODELS,
        JobPhase.INTERROGATING,
    ]
    assert len([step for step in steps if 4 < step <= 30]) >= 20


def test_a_canceled_job_stops_in_the_middle_of_its_caption(desk: Desk) -> None:
    def stop(progress: Progress) -> None:
        if progress.step >= 7:
            raise JobFailed(JobErrorCode.CANCELED, f"canceled at {progress.step}")

    with pytest.raises(JobFailed, match="canceled at 7"):
        desk.ask(Task.INTERROGATE_CLIP, "mine.zip", report=stop)


def test_a_second_job_on_the_same_models_loads_nothing(models: Path, picture: Image.Image) -> None:
    desk = Desk(models, picture)

    for _ in range(2):
        desk.clip(interrogate_clip_max_length=24)
        desk.deepbooru()

    assert (desk.cache.misses, desk.cache.hits) == (2, 2)


def test_the_model_that_is_named_is_asked_and_the_first_one_otherwise(desk: Desk) -> None:
    names = ("deepdanbooru.pt", "wd.zip")

    first = desk.ask(Task.INTERROGATE_DEEPBOORU, *names, override_settings={"interrogate_deepbooru_score_threshold": 0})
    named = desk.ask(Task.INTERROGATE_DEEPBOORU, *names, tagger="wd")

    assert set(first.scores) == {"1girl", "long_hair", "smile_(mouth)"}
    assert set(named.scores) <= {"long_hair", "saber_(fate)", "^_^"}


@pytest.mark.parametrize("task", KINDS)
def test_without_a_model_the_job_says_which_kind_is_missing(desk: Desk, task: Task) -> None:
    with pytest.raises(JobFailed, match=f"received no {KINDS[task]}; upload one") as refused:
        desk.ask(task)

    assert refused.value.error.code is JobErrorCode.ASSET_MISSING


def test_tags_are_told_with_their_scores(desk: Desk) -> None:
    every = desk.deepbooru(interrogate_deepbooru_score_threshold=0, deepbooru_sort_alpha=False)
    half = desk.deepbooru()

    assert list(every.scores.values()) == sorted(every.scores.values(), reverse=True)
    assert half.scores == {name: score for name, score in every.scores.items() if score >= 0.5}
    assert half.caption == r"smile \(mouth\)"
    assert every.caption is not None
    assert sorted(every.caption.split(", ")) == ["1girl", "long hair", r"smile \(mouth\)"]


def test_transparency_is_dropped_and_not_made_white(desk: Desk) -> None:
    clear = desk.picture.convert("RGBA")
    clear.putalpha(0)

    for task, name in ((Task.INTERROGATE_CLIP, "mine.zip"), (Task.INTERROGATE_DEEPBOORU, "deepdanbooru.pt")):
        options = {"interrogate_clip_max_length": 24}
        seen = desk.ask(task, name, picture=clear, override_settings=options)
        assert seen.caption == desk.ask(task, name, override_settings=options).caption
        assert seen.scores == desk.ask(task, name, override_settings=options).scores


def test_a_broken_picture_is_refused_by_its_field(desk: Desk) -> None:
    params = PARAMS_BY_TASK[Task.INTERROGATE_DEEPBOORU].model_validate({"image": "bm90IGEgcGljdHVyZQ=="})
    job = TaskInput(params, None, desk.told.append)

    with pytest.raises(JobFailed, match="image: received 13 bytes") as refused:
        TASKS[Task.INTERROGATE_DEEPBOORU](job)

    assert refused.value.error.code is JobErrorCode.BAD_IMAGE


def test_in_half_precision_the_answer_is_nearly_the_same(models: Path, picture: Image.Image, desk: Desk) -> None:
    narrow = Desk(models, picture)
    narrow.cache = ModelCache(max_bytes=10**9, load=load_nothing, dtype=torch.bfloat16)

    scores = narrow.deepbooru(interrogate_deepbooru_score_threshold=0).scores

    wide = desk.deepbooru(interrogate_deepbooru_score_threshold=0).scores
    assert scores == pytest.approx(wide, abs=0.02)
    assert narrow.clip(interrogate_clip_max_length=24).caption


def test_models_can_wait_in_another_memory(models: Path) -> None:
    elsewhere, cpu = torch.device("meta"), torch.device("cpu")
    interrogator = load_interrogator(model_file(models / "mine.zip"), device=cpu, dtype=torch.float32)
    tagger = load_tagger(model_file(models / "deepdanbooru.pt"), device=cpu, dtype=torch.float32)
    assert isinstance(tagger, DeepDanbooruTagger)

    for model in (interrogator, tagger):
        assert isinstance(model, Movable)
        model.move_to(elsewhere)

    for module in (interrogator.captioner.model, interrogator.ranker.model, tagger.network):
        assert {parameter.device for parameter in module.parameters()} == {elsewhere}
    assert interrogator.captioner.device == interrogator.ranker.device == tagger.device == elsewhere
