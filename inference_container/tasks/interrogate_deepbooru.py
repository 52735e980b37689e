"""Interrogate DeepBooru: lists the tags of a picture (semantics §6.2)."""

from generate_on_cloud.contract.jobs import JobPhase
from generate_on_cloud.contract.single_image_params import InterrogateDeepbooruParams
from inference_container.drawing.picture_words import tagged
from inference_container.pictures.decoding import decode_picture
from inference_container.progress import JobProgress
from inference_container.task import TaskInput, TaskOutput


def interrogate_deepbooru(job: TaskInput) -> TaskOutput:
    """Return the tags above the threshold in one line, and the probability of each.

    Raises:
        JobFailed: bad_image; asset_missing, asset_corrupt or asset_incompatible, if the tagger is not available; or the
            job was canceled.
    """
    params = job.params
    if not isinstance(params, InterrogateDeepbooruParams):
        raise TypeError(f"received {type(params).__name__}; needs {InterrogateDeepbooruParams.__name__}")
    progress = JobProgress(report=job.report, clock=job.clock)

    # 1. The picture; each tagger handles transparency in its own way.
    with progress.phase(JobPhase.ENCODING):
        image = decode_picture(params.image, field="image")

    # 2. Its tags.
    words = tagged(job, image, name=params.tagger, options=params.override_settings, progress=progress)
    return TaskOutput(
        caption=words.text, scores=words.scores, parameters=params.model_dump(mode="json") | {"image": None}
    )
