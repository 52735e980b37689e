"""Interrogate CLIP: captions a picture and adds the phrases that fit it best (semantics §6.1)."""

from functools import partial

import torch

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.contract.jobs import JobPhase
from generate_on_cloud.contract.single_image_params import InterrogateClipParams
from inference_container.interrogation.categories import Category, write_matches
from inference_container.models.libraries import IMPORTING
from inference_container.pictures.decoding import decode_picture
from inference_container.progress import JobProgress
from inference_container.task import TaskInput, TaskOutput


@torch.inference_mode()
def interrogate_clip(job: TaskInput) -> TaskOutput:
    """Return a caption and the best phrases of each category with their scores. A step is one token or one phrase.

    Raises:
        JobFailed: bad_image; asset_missing, asset_corrupt or asset_incompatible, if the interrogator is not available;
            invalid_params, if the caption may be longer than the model supports; or the job was canceled.
    """
    params = job.params
    if not isinstance(params, InterrogateClipParams):
        raise TypeError(f"received {type(params).__name__}; needs {InterrogateClipParams.__name__}")
    options = params.override_settings
    progress = JobProgress(report=job.report, clock=job.clock)

    # 1. The picture, without its transparency.
    with progress.phase(JobPhase.ENCODING):
        image = decode_picture(params.image, field="image").convert("RGB")

    # 2. The models: their library takes seconds to import, which nothing else should wait for.
    with progress.phase(JobPhase.LOADING_MODELS):
        with IMPORTING:
            from inference_container.models.interrogator import load_interrogator

        file = job.files.chosen(AssetType.INTERROGATOR, params.interrogator)
        load = partial(load_interrogator, device=job.models.device, dtype=job.models.dtype)
        interrogator = job.models.get(file, load, kind="interrogator")
    looked_at = [
        (category, category.looked_at(options.interrogate_clip_dict_limit))
        for category in interrogator.categories
        if category.phrases and category.name not in options.interrogate_clip_skip_categories
    ]
    words = options.interrogate_clip_max_length
    progress.expect(words + sum(len(phrases) for _, phrases in looked_at))

    with progress.phase(JobPhase.INTERROGATING):
        # 3. The caption.
        caption = interrogator.captioner.caption(
            image,
            num_beams=options.interrogate_clip_num_beams,
            min_length=options.interrogate_clip_min_length,
            max_length=words,
            tell=progress.advance_to,
        )

        # 4. The best of each category.
        picture, done = interrogator.ranker.look(image), words
        matches: list[tuple[str, float]] = []
        for category, phrases in looked_at:
            features = interrogator.ranker.features(
                category.name,
                phrases,
                tell=lambda count, done=done: progress.advance_to(done + count),  # type: ignore[misc]
            )
            matches += best_matches(category, phrases, interrogator.ranker.rank(picture, features).tolist())
            done += len(phrases)
    return TaskOutput(
        caption=write_matches(caption, matches, ranks=options.interrogate_return_ranks),
        scores=dict(matches),
        parameters=params.model_dump(mode="json") | {"image": None},
    )


def best_matches(category: Category, phrases: tuple[str, ...], scores: list[float]) -> list[tuple[str, float]]:
    """The best phrases of a category, best first, as many as it returns."""
    order = sorted(range(len(phrases)), key=lambda index: -scores[index])
    return [(phrases[index], scores[index]) for index in order[: category.top]]
