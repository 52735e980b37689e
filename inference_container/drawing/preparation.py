"""What is done before a task that draws starts: its infotext read into its params, its checkpoint fitted to them."""

from collections.abc import Callable
from dataclasses import replace
from functools import wraps

from pydantic import ValidationError

from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from generate_on_cloud.contract.gates import unsupported_fields
from generate_on_cloud.contract.params import ImageParams
from generate_on_cloud.webui.infotext.fill import fill_in
from inference_container.drawing.fitted_checkpoint import ModelFitting
from inference_container.task import TaskInput, TaskOutput


def prepared(runner: Callable[[TaskInput], TaskOutput]) -> Callable[[TaskInput], TaskOutput]:
    """`runner` with complete params and a fitted checkpoint.

    Raises:
        JobFailed: from the runner; or invalid_params or not_supported_yet, the infotext asks for what cannot be done.
    """

    @wraps(runner)
    def run(job: TaskInput) -> TaskOutput:
        if not isinstance(job.params, ImageParams) or job.checkpoint is None:
            return runner(job)
        params = _complete(job.params)
        with ModelFitting(params, files=job.files, models=job.models) as fitting:
            checkpoint = fitting.fit(job.checkpoint)
            return runner(replace(job, params=params, checkpoint=checkpoint, other_checkpoint=fitting.named))

    return run


def _complete(params: ImageParams) -> ImageParams:
    if not params.infotext:
        return params
    try:
        params = fill_in(params)
    except ValidationError as error:
        words = "; ".join(
            f"{'.'.join(map(str, found['loc']))}: {found['msg']}".removeprefix(": ")
            for found in error.errors(include_url=False, include_context=False, include_input=False)
        )
        raise JobFailed(JobErrorCode.INVALID_PARAMS, f"infotext: {words}") from error
    except ValueError as error:
        raise JobFailed(JobErrorCode.INVALID_PARAMS, str(error)) from error
    unsupported = unsupported_fields(params)
    if unsupported:
        message = "; ".join(field.message for field in unsupported)
        raise JobFailed(JobErrorCode.NOT_SUPPORTED_YET, f"infotext: {message}")
    return params
