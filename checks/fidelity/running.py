"""Runs one request through the container's own task, with the models of its golden."""

import traceback

from pydantic import ValidationError

from checks.fidelity.comparison import Comparison, Verdict, compare, without_answer
from checks.fidelity.goldens import Golden
from checks.fidelity.model_shelf import ModelShelf
from checks.fidelity.recording import Recording
from generate_on_cloud.contract.errors import JobFailed
from generate_on_cloud.contract.leniency import relax
from generate_on_cloud.contract.params import PARAMS_BY_TASK, ImageParams
from generate_on_cloud.contract.task_params import TaskParams
from inference_container.models.checkpoint import Checkpoint
from inference_container.task import TaskInput
from inference_container.tasks import TASKS

OTHER_CHECKPOINTS = ("refiner_checkpoint", "hr_checkpoint_name")


class _RefusedError(Exception):
    """The request is refused; the message says why."""


def run(golden: Golden, shelf: ModelShelf) -> Comparison:
    """Run the request and return its row, also if it is refused or fails."""
    try:
        return _answer(golden, shelf)
    except (JobFailed, _RefusedError) as error:
        return without_answer(golden, Verdict.REFUSED, str(error))
    except Exception as error:  # noqa: BLE001 - one crash must not keep the others from being compared
        where = traceback.extract_tb(error.__traceback__)[-1]
        return without_answer(golden, Verdict.CRASHED, f"{error!r} ({where.filename}:{where.lineno})")


def _answer(golden: Golden, shelf: ModelShelf) -> Comparison:
    if golden.task is None:
        raise _RefusedError(f"no task answers {golden.endpoint}")
    params = _params(golden)
    image = params if isinstance(params, ImageParams) else None
    shelf.cache.begin_job()
    checkpoints = [] if image is None else _checkpoints(golden, image, shelf)
    with Recording(*checkpoints) as recording:
        output = TASKS[golden.task](
            TaskInput(
                params,
                checkpoints[0] if checkpoints else None,
                report=lambda _: None,
                files=shelf.job_files,
                models=shelf.cache,
            )
        )
    return compare(golden, output, recording, random_subseed=image is not None and image.subseed == -1)


def _params(golden: Golden) -> TaskParams:
    assert golden.task is not None
    # As the API does for requests that are not strict.
    relaxed = relax(golden.task, golden.body)
    if relaxed.unsupported:
        raise _RefusedError("; ".join(field.message for field in relaxed.unsupported))
    try:
        params = PARAMS_BY_TASK[golden.task].model_validate(relaxed.params)
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors(include_url=False)]
        raise _RefusedError("; ".join(faults)) from error
    unsupported = params.unsupported()
    if unsupported:
        raise _RefusedError("; ".join(field.message for field in unsupported))
    return params


def _checkpoints(golden: Golden, params: ImageParams, shelf: ModelShelf) -> list[Checkpoint]:
    """The job's checkpoint, then others that the request names."""
    others = (getattr(params, field, None) for field in OTHER_CHECKPOINTS)
    named = [name for name in others if name not in (None, "", "None", "none")]
    loaded = [shelf.checkpoint(name) for name in (params.options.sd_model_checkpoint or golden.model, *named)]
    return [one for place, one in enumerate(loaded) if one not in loaded[:place]]
