"""`extra-batch-images` of the Extras tab: enlarges several pictures alike."""

import html

from generate_on_cloud.contract.single_image_params import ExtraBatchImagesParams
from inference_container.task import TaskInput, TaskOutput
from inference_container.tasks.enlarging import enlarged_pictures


def extra_batch_images(job: TaskInput) -> TaskOutput:
    """Enlarge every picture of `imageList`, in its order; as in WebUI, the text is the last picture's.

    Raises:
        JobFailed: as `enlarged_pictures`; one bad picture fails the job.
    """
    params = job.params
    if not isinstance(params, ExtraBatchImagesParams):
        raise TypeError(f"received {type(params).__name__}; needs {ExtraBatchImagesParams.__name__}")
    given = {f"imageList/{number}/data": picture.data for number, picture in enumerate(params.imageList)}
    images = enlarged_pictures(job, params, given)
    names = [{"data": None, "name": picture.name} for picture in params.imageList]
    return TaskOutput(
        images=tuple(images),
        info={"html_info": f"<p>{html.escape(images[-1].infotext)}</p>"},
        parameters=params.model_dump(mode="json") | {"imageList": names},
    )
