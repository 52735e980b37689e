"""From the body of a drawing request to the job that answers it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from generate_on_cloud.contract.errors import FieldError
from generate_on_cloud.contract.job_bodies import CreateJob
from generate_on_cloud.contract.jobs import Task
from generate_on_cloud.contract.leniency import relax
from generate_on_cloud.contract.params import PARAMS_BY_TASK
from generate_on_cloud.faces.sdapi.refusals import RefusalError, of_fields
from generate_on_cloud.faces.sdapi.settings import CHECKPOINT, Settings
from generate_on_cloud.faces.sdapi.shelf import Shelf
from generate_on_cloud.faces.sdapi.styles import with_styles

INTERROGATORS: Mapping[str, Task] = {
    "clip": Task.INTERROGATE_CLIP,
    "deepdanbooru": Task.INTERROGATE_DEEPBOORU,
    "deepbooru": Task.INTERROGATE_DEEPBOORU,
}
DRAWING = (Task.TXT2IMG, Task.IMG2IMG)
_NO_PICTURE = 404
"""WebUI's own status for a request without its picture."""
_RANDOM = (-1, "-1", "", None)
_OVERRIDES = "override_settings"


@dataclass(frozen=True)
class Order:
    """A job to create, and how its result is to be answered."""

    task: Task
    body: Mapping[str, Any]
    """The request without what WebUI drops."""
    params: Mapping[str, Any]
    """The job's params: `body` with the caller's options."""
    checkpoint: str | None = None
    """File name of the checkpoint, unless the params name it themselves."""
    dropped: tuple[FieldError, ...] = ()
    """What WebUI would have dropped, too."""

    @property
    def identity(self) -> str:
        """Equal for requests that ask for the same job; 64 hex digits."""
        named = {name: value for name, value in self.params.items() if name != "force_task_id"}
        said = json.dumps([self.task, self.checkpoint, named], sort_keys=True, default=str)
        return hashlib.sha256(said.encode()).hexdigest()

    @property
    def repeatable(self) -> bool:
        """Whether a second job would give the same pictures: nothing in it is left to chance."""
        if self.task not in DRAWING:
            return True
        varies = self.params.get("subseed_strength") not in (None, 0, 0.0)
        seeds = [self.params.get("seed", -1), *([self.params.get("subseed", -1)] if varies else [])]
        return not self.params.get("script_name") and all(seed not in _RANDOM for seed in seeds)

    @property
    def wants_images(self) -> bool:
        """`send_images`: whether the answer carries the pictures."""
        return bool(self.body.get("send_images", True))

    @property
    def task_id(self) -> str | None:
        """`force_task_id`: the client's own name for the job."""
        named = self.body.get("force_task_id")
        return str(named) if named else None

    @property
    def batches(self) -> int:
        """`n_iter`."""
        return _counted(self.params.get("n_iter"), 1)

    @property
    def steps(self) -> int:
        """Of one batch, as requested; 0: not said."""
        return _counted(self.params.get("steps"), 0)

    def job(self, metadata: Mapping[str, str] | None = None) -> CreateJob:
        """The body of `POST /v1/jobs`."""
        return CreateJob(
            task=self.task,
            checkpoint=self.checkpoint,
            params=dict(self.params),
            preview=self.task in DRAWING,
            metadata=dict(metadata or {}),
        )


def drawing_order(task: Task, body: Mapping[str, Any], settings: Settings, shelf: Shelf) -> Order:
    """The job of `txt2img` or `img2img`.

    Raises:
        RefusalError: it asks for what this version cannot do, lacks its picture, or no checkpoint is chosen.
    """
    if task is Task.IMG2IMG and not body.get("init_images"):
        raise RefusalError(_NO_PICTURE, "Init image not found: init_images is empty")
    kept, dropped = _relaxed(task, body)
    own = kept.get(_OVERRIDES)
    overrides = {**settings.for_drawing(), **(own if isinstance(own, Mapping) else {})}
    params = with_styles(kept, shelf.styles)
    named = overrides.pop(CHECKPOINT, None)
    if overrides or own:
        params[_OVERRIDES] = overrides
    checkpoint = (
        shelf.checkpoint(str(named))
        if named
        else shelf.default_checkpoint(chosen=settings.chosen.get(CHECKPOINT), last=settings.last_checkpoint)
    )
    return Order(task, kept, params, checkpoint.name, dropped)


def extras_order(body: Mapping[str, Any]) -> Order:
    """The job of `extra-single-image`.

    Raises:
        RefusalError: it lacks its picture, or asks for what this version cannot do.
    """
    if not body.get("image"):
        raise RefusalError(_NO_PICTURE, "Image not found: image is empty")
    kept, dropped = _relaxed(Task.EXTRA_SINGLE_IMAGE, body)
    return Order(Task.EXTRA_SINGLE_IMAGE, kept, kept, None, dropped)


def batch_orders(body: Mapping[str, Any]) -> list[Order]:
    """The jobs of `extra-batch-images`, one for each picture.

    Raises:
        RefusalError: as `extras_order`.
    """
    # The second spellings are those of npm's stable-diffusion-api.
    images = body.get("imageList") or body.get("image_list")
    if not isinstance(images, list) or not images:
        raise RefusalError(_NO_PICTURE, 'Image not found: allowed in imageList: [{"data": base64, "name": text}, …]')
    shared = {name: value for name, value in body.items() if name not in ("imageList", "image_list")}
    found = [one.get("data") or one.get("image") if isinstance(one, Mapping) else one for one in images]
    return [extras_order({**shared, "image": image}) for image in found]


def interrogation_order(body: Mapping[str, Any], settings: Settings) -> Order:
    """The job of `interrogate`.

    Raises:
        RefusalError: it lacks its picture, or names a model that WebUI does not have.
    """
    if not body.get("image"):
        raise RefusalError(_NO_PICTURE, "Image not found: image is empty")
    model = str(body.get("model") or "clip")
    task = INTERROGATORS.get(model)
    if task is None:
        raise RefusalError(
            _NO_PICTURE, f"Model not found: received {model[:60]!r}; allowed: {', '.join(INTERROGATORS)}"
        )
    kept, dropped = _relaxed(task, body)
    own = kept.get(_OVERRIDES)
    params = dict(kept)
    if options := {**settings.for_interrogation(), **(own if isinstance(own, Mapping) else {})}:
        params[_OVERRIDES] = options
    return Order(task, kept, params, None, dropped)


def _counted(value: object, default: int) -> int:
    return value if isinstance(value, int) and value > 0 else default


def _relaxed(task: Task, body: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[FieldError, ...]]:
    relaxed = relax(task, body)
    if relaxed.unsupported:
        raise of_fields(relaxed.unsupported)
    return relaxed.params, tuple(relaxed.warnings)


def field_names(task: Task) -> tuple[str, ...]:
    """The fields of the task's request, in WebUI's order as far as it matters."""
    return tuple(PARAMS_BY_TASK[task].model_fields)
