"""Words for a picture: a caption by Interrogate CLIP, or tags by Interrogate DeepBooru (semantics §6)."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from PIL import Image

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.contract.interrogation import InterrogateOptions
from generate_on_cloud.contract.jobs import JobPhase
from inference_container.interrogation.categories import Category, write_matches
from inference_container.interrogation.tagging import keep_tags, write_tags
from inference_container.models.libraries import IMPORTING
from inference_container.progress import JobProgress
from inference_container.task import TaskInput


@dataclass(frozen=True)
class PictureWords:
    """What a picture shows."""

    text: str
    scores: dict[str, float]
    """From 0 to 1, by tag or phrase."""


@torch.inference_mode()
def captioned(
    job: TaskInput,
    image: Image.Image,
    *,
    name: str | None,
    options: InterrogateOptions,
    progress: JobProgress,
    is_counted: bool = True,
) -> PictureWords:
    """A caption and the best phrases of each category; a step is one token or one phrase.

    Args:
        job: has the files.
        image: of any mode; its transparency is dropped.
        name: the interrogator's file; None: the only one.
        options: WebUI's.
        progress: told of phases and steps.
        is_counted: whether the steps count as the job's.

    Raises:
        JobFailed: asset_missing, asset_corrupt or asset_incompatible, if the interrogator is not available;
            invalid_params, if the caption may be longer than the model supports; or the job was canceled.
    """
    # 1. The models: their library takes seconds to import, which nothing else should wait for.
    with progress.phase(JobPhase.LOADING_MODELS):
        with IMPORTING:
            from inference_container.models.interrogator import load_interrogator

        file = job.files.chosen(AssetType.INTERROGATOR, name)
        load = partial(load_interrogator, device=job.models.device, dtype=job.models.dtype)
        interrogator = job.models.get(file, load, kind="interrogator")
    looked_at = [
        (category, category.looked_at(options.interrogate_clip_dict_limit))
        for category in interrogator.categories
        if category.phrases and category.name not in options.interrogate_clip_skip_categories
    ]
    words = options.interrogate_clip_max_length
    tell = _steps(words + sum(len(phrases) for _, phrases in looked_at), progress, is_counted=is_counted)

    with progress.phase(JobPhase.INTERROGATING):
        # 2. The caption.
        caption = interrogator.captioner.caption(
            image.convert("RGB"),
            num_beams=options.interrogate_clip_num_beams,
            min_length=options.interrogate_clip_min_length,
            max_length=words,
            tell=tell,
        )

        # 3. The best of each category.
        picture, done = interrogator.ranker.look(image.convert("RGB")), words
        matches: list[tuple[str, float]] = []
        for category, phrases in looked_at:
            features = interrogator.ranker.features(
                category.name,
                phrases,
                tell=lambda count, done=done: tell(done + count),  # type: ignore[misc]
            )
            matches += best_matches(category, phrases, interrogator.ranker.rank(picture, features).tolist())
            done += len(phrases)
    return PictureWords(write_matches(caption, matches, ranks=options.interrogate_return_ranks), dict(matches))


@torch.inference_mode()
def tagged(
    job: TaskInput,
    image: Image.Image,
    *,
    name: str | None,
    options: InterrogateOptions,
    progress: JobProgress,
    is_counted: bool = True,
) -> PictureWords:
    """The tags above the threshold in one line; arguments and errors as in `captioned`, with a tagger."""
    # 1. The tagger: its library takes seconds to import, which nothing else should wait for.
    with progress.phase(JobPhase.LOADING_MODELS):
        with IMPORTING:
            from inference_container.models.tagger import load_tagger

        file = job.files.chosen(AssetType.TAGGER, name)
        load = partial(load_tagger, device=job.models.device, dtype=job.models.dtype)
        tagger = job.models.get(file, load, kind="tagger")

    # 2. All probabilities, of which those above their threshold are kept.
    tell = _steps(1, progress, is_counted=is_counted)
    with progress.phase(JobPhase.INTERROGATING):
        scores = tagger.score(image)
        tell(1)
    kept = keep_tags(zip(tagger.tags, scores, strict=True), options)
    return PictureWords(write_tags(kept, options), kept)


def best_matches(category: Category, phrases: tuple[str, ...], scores: list[float]) -> list[tuple[str, float]]:
    """The best phrases of a category, best first, as many as it returns."""
    order = sorted(range(len(phrases)), key=lambda index: -scores[index])
    return [(phrases[index], scores[index]) for index in order[: category.top]]


def _steps(count: int, progress: JobProgress, *, is_counted: bool) -> Callable[[int], None]:
    """Called with the steps that are done."""
    if not is_counted:
        return lambda _: progress.check()
    progress.expect(count)
    return progress.advance_to
