"""Interrogate CLIP: captions a picture and adds the phrases that fit it best (semantics §6.1)."""

from generate_on_cloud.contract.jobs import JobPhase
from generate_on_cloud.contract.single_image_params import InterrogateClipParams
from inference_container.drawing.picture_words import captioned
from inference_container.pictures.decoding import decode_picture
from inference_container.progress import JobProgress
from inference_container.task import TaskInput, TaskOutput


def interrogate_clip(job: TaskInput) -> TaskOutput:
    """Return a caption and the best phrases of each category with their scores. A step is one token or one phrase.

    Raises:
        JobFailed: bad_image; asset_missing, asset_corrupt or asset_incompatible, if the interrogator is not available;
            invalid_params, if the caption may be longer than the model supports; or the job was canceled.
    """
    params = job.params
    if not isinstance(params, InterrogateClipParams):
        raise TypeError(f"received {type(params).__name__}; needs {InterrogateClipParams.__name__}")
    progress = JobProgress(report=job.report, clock=job.clock)

    # 1. The picture, without its transparency.
    with progress.phase(JobPhase.ENCODING):
        image = decode_picture(params.image, field="image").convert("RGB")

    # 2. Its words.
    words = captioned(job, image, name=params.interrogator, options=params.override_settings, progress=progress)
    return TaskOutput(
        caption=words.text, scores=words.scores, parameters=params.model_dump(mode="json") | {"image": None}
    )
