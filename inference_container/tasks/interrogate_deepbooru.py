"""Interrogate DeepBooru: lists the tags of a picture (semantics §6.2)."""

from functools import partial

import torch

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.contract.jobs import JobPhase
from generate_on_cloud.contract.single_image_params import InterrogateDeepbooruParams
from inference_container.interrogation.tagging import keep_tags, write_tags
from inference_container.models.libraries import IMPORTING
from inference_container.pictures.decoding import decode_picture
from inference_container.progress import JobProgress
from inference_container.task import TaskInput, TaskOutput


@torch.inference_mode()
def interrogate_deepbooru(job: TaskInput) -> TaskOutput:
    """Return the tags above the threshold in one line, and the probability of each.

    Raises:
        JobFailed: bad_image; asset_missing, asset_corrupt or asset_incompatible, if the tagger is not available; or the
            job was canceled.
    """
    params = job.params
    if not isinstance(params, InterrogateDeepbooruParams):
        raise TypeError(f"received {type(params).__name__}; needs {InterrogateDeepbooruParams.__name__}")
    options = params.override_settings
    progress = JobProgress(report=job.report, clock=job.clock)

    # 1. The picture; each tagger handles transparency in its own way.
    with progress.phase(JobPhase.ENCODING):
        image = decode_picture(params.image, field="image")

    # 2. The tagger: its library takes seconds to import, which nothing else should wait for.
    with progress.phase(JobPhase.LOADING_MODELS):
        with IMPORTING:
            from inference_container.models.tagger import load_tagger

        file = job.files.chosen(AssetType.TAGGER, params.tagger)
        load = partial(load_tagger, device=job.models.device, dtype=job.models.dtype)
        tagger = job.models.get(file, load, kind="tagger")

    # 3. All probabilities, of which those above their threshold are kept.
    progress.expect(1)
    with progress.phase(JobPhase.INTERROGATING):
        scores = tagger.score(image)
        progress.advance_to(1)
    kept = keep_tags(zip(tagger.tags, scores, strict=True), options)
    return TaskOutput(
        caption=write_tags(kept, options),
        scores=kept,
        parameters=params.model_dump(mode="json") | {"image": None},
    )
