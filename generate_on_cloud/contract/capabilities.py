"""`GET /v1/capabilities`: what this version can do, read from the contract's own tables."""

from functools import cache
from types import ModuleType

from generate_on_cloud.contract import CONTRACT_VERSION, limits
from generate_on_cloud.contract.assets import ASSET_TYPES, AssetType
from generate_on_cloud.contract.bodies import View
from generate_on_cloud.contract.controlnet import CONTROL_MODES, MAX_UNITS, RESIZE_MODES
from generate_on_cloud.contract.errors import JOB_ERRORS, PROBLEMS, JobErrorCode, ProblemCode
from generate_on_cloud.contract.job_bodies import MAX_METADATA
from generate_on_cloud.contract.jobs import Task
from generate_on_cloud.contract.messages import MAX_PICTURE_BYTES
from generate_on_cloud.contract.params import PARAMS_BY_TASK, ImageParams
from generate_on_cloud.contract.preprocessors import PREPROCESSORS, RESOLUTION, Slider
from generate_on_cloud.contract.samplers import ALIASES, SAMPLERS, SCHEDULE_ALIASES, SCHEDULE_LABELS, Schedule
from generate_on_cloud.contract.script_arguments import Label
from generate_on_cloud.contract.scripts import ALWAYSON_SCRIPTS
from generate_on_cloud.contract.selectable_scripts import SCRIPTS
from generate_on_cloud.contract.upscalers import LATENT_UPSCALERS, PIXEL_UPSCALERS, WEBUI_FILES

LANGUAGES = ("en",)
"""Languages of problem details and job errors."""


class TaskInfo(View):
    name: Task
    needs_checkpoint: bool
    params_schema: str
    """Name of the schema of its `params` in the OpenAPI document."""
    scripts: list[str]
    """What `script_name` may be."""
    alwayson_scripts: list[str]
    """What `alwayson_scripts` may hold."""


class SamplerInfo(View):
    name: str
    aliases: list[str]
    default_scheduler: str
    """Label of the scheduler that `Automatic` means; `Automatic` itself: the model's uniform one."""
    uses_scheduler: bool
    """False: it walks the model's own timesteps, and `scheduler` changes nothing."""
    second_order: bool
    """Each step calls the model twice."""


class SchedulerInfo(View):
    name: str
    label: str
    aliases: list[str]


class UpscalerInfo(View):
    name: str
    file: str | None
    """Stem of the file of type `upscaler` that must be uploaded for it; null: built in. Any other uploaded upscaler is
    named by its file."""


class SliderInfo(View):
    default: float
    minimum: float
    maximum: float


class ModuleInfo(View):
    """A ControlNet preprocessor."""

    name: str
    aliases: list[str]
    threshold_a: SliderInfo
    threshold_b: SliderInfo
    files: list[str]
    """Files of the type `preprocessor` that must be uploaded for it, by the extension's names; empty: built in."""


class ControlNetInfo(View):
    modules: list[ModuleInfo]
    resize_modes: list[str]
    control_modes: list[str]
    processor_res: SliderInfo
    max_units: int


class ArgumentInfo(View):
    name: str
    default: bool | int | float | str | list[str] | None
    allowed: str
    """The allowed values, for people."""
    ignored: bool
    """A text on WebUI's page that only has a place in the list."""


class ScriptInfo(View):
    name: str
    tasks: list[Task]
    arguments: list[ArgumentInfo]
    """In the order of `script_args`."""


class AssetTypeInfo(View):
    name: AssetType
    extensions: list[str]
    max_bytes: int
    webui_folder: str


class ProblemInfo(View):
    code: ProblemCode
    status: int
    title: str


class JobErrorInfo(View):
    code: JobErrorCode
    retryable: bool


class Capabilities(View):
    """`GET /v1/capabilities`"""

    version: str
    contract_version: int
    languages: list[str]
    tasks: list[TaskInfo]
    samplers: list[SamplerInfo]
    schedulers: list[SchedulerInfo]
    upscalers: list[UpscalerInfo]
    latent_upscale_modes: list[str]
    """For hires fix only."""
    controlnet: ControlNetInfo
    scripts: list[ScriptInfo]
    asset_types: list[AssetTypeInfo]
    limits: dict[str, float]
    """How much one job may ask for; docs/api.md explains them."""
    deleted_models_days: int = 0
    """How long a deleted model file can be restored (`POST /v1/assets/{id}/restore`); 0: not at all."""
    problems: list[ProblemInfo]
    job_errors: list[JobErrorInfo]


@cache
def capabilities(version: str, *, deleted_models_days: int = 0) -> Capabilities:
    """What a service of this version and with this option can do; the same object for every call."""
    return Capabilities(
        version=version,
        contract_version=CONTRACT_VERSION,
        languages=list(LANGUAGES),
        tasks=[_task(task) for task in Task],
        samplers=[_sampler(name) for name in SAMPLERS],
        schedulers=[_scheduler(schedule) for schedule in Schedule],
        upscalers=[
            *(UpscalerInfo(name=name, file=None) for name in PIXEL_UPSCALERS),
            *(UpscalerInfo(name=name, file=file) for name, file in WEBUI_FILES.items()),
        ],
        latent_upscale_modes=list(LATENT_UPSCALERS),
        controlnet=_controlnet(),
        scripts=_scripts(),
        asset_types=[
            AssetTypeInfo(
                name=kind, extensions=list(rule.extensions), max_bytes=rule.max_bytes, webui_folder=rule.webui_folder
            )
            for kind, rule in ASSET_TYPES.items()
        ],
        limits=_numbers_of(limits) | {"max_picture_bytes": MAX_PICTURE_BYTES, "max_metadata": MAX_METADATA},
        deleted_models_days=deleted_models_days,
        problems=[ProblemInfo(code=code, status=rule.status, title=rule.title) for code, rule in PROBLEMS.items()],
        job_errors=[JobErrorInfo(code=code, retryable=rule.retryable) for code, rule in JOB_ERRORS.items()],
    )


def _task(task: Task) -> TaskInfo:
    params = PARAMS_BY_TASK[task]
    return TaskInfo(
        name=task,
        needs_checkpoint=issubclass(params, ImageParams),
        params_schema=params.__name__,
        scripts=[script.name for script in _scripts() if task in script.tasks],
        alwayson_scripts=list(ALWAYSON_SCRIPTS.get(task, ())),
    )


def _sampler(name: str) -> SamplerInfo:
    rule = SAMPLERS[name]
    return SamplerInfo(
        name=name,
        aliases=[alias for alias, sampler in ALIASES.items() if sampler == name],
        default_scheduler=SCHEDULE_LABELS[rule.default_schedule],
        uses_scheduler=not rule.timestep,
        second_order=rule.second_order,
    )


def _scheduler(schedule: Schedule) -> SchedulerInfo:
    aliases = [alias for alias, meant in SCHEDULE_ALIASES.items() if meant is schedule]
    return SchedulerInfo(name=schedule, label=SCHEDULE_LABELS[schedule], aliases=aliases)


def _controlnet() -> ControlNetInfo:
    return ControlNetInfo(
        modules=[
            ModuleInfo(
                name=name,
                aliases=list(rule.other_names),
                threshold_a=_slider(rule.threshold_a),
                threshold_b=_slider(rule.threshold_b),
                files=list(rule.files),
            )
            for name, rule in PREPROCESSORS.items()
        ],
        resize_modes=list(RESIZE_MODES),
        control_modes=list(CONTROL_MODES),
        processor_res=_slider(RESOLUTION),
        max_units=MAX_UNITS,
    )


def _slider(slider: Slider) -> SliderInfo:
    return SliderInfo(default=slider.default, minimum=slider.minimum, maximum=slider.maximum)


def _scripts() -> list[ScriptInfo]:
    return [
        ScriptInfo(
            name=row.title,
            tasks=list(row.tasks),
            arguments=[
                ArgumentInfo(
                    name=one.name,
                    default=list(one.default) if isinstance(one.default, tuple) else one.default,
                    allowed=one.kind.allowed,
                    ignored=isinstance(one.kind, Label),
                )
                for one in row.arguments
            ],
        )
        for row in SCRIPTS.values()
    ]


def _numbers_of(table: ModuleType) -> dict[str, float]:
    """The module's constants under their names in lower case."""
    return {name.lower(): value for name, value in vars(table).items() if name.isupper()}
