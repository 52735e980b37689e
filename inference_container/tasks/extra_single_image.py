"""`extra-single-image` of the Extras tab: enlarges one picture."""

import html

from generate_on_cloud.contract.single_image_params import ExtraSingleImageParams
from inference_container.task import TaskInput, TaskOutput
from inference_container.tasks.enlarging import enlarged_pictures


def extra_single_image(job: TaskInput) -> TaskOutput:
    """Enlarge `image`.

    Raises:
        JobFailed: as `enlarged_pictures`.
    """
    params = job.params
    if not isinstance(params, ExtraSingleImageParams):
        raise TypeError(f"received {type(params).__name__}; needs {ExtraSingleImageParams.__name__}")
    (image,) = enlarged_pictures(job, params, {"image": params.image})
    return TaskOutput(
        images=(image,),
        info={"html_info": f"<p>{html.escape(image.infotext)}</p>"},
        parameters=params.model_dump(mode="json") | {"image": None},
    )
