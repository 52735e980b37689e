"""The answers of WebUI 1.10.1's API as models: names and types of its own response models, nothing more allowed.

Sources: `modules/api/models.py`, `modules/progress.py`, `extensions-builtin/Lora/scripts/lora_script.py`, and for
`/controlnet` `scripts/api.py` of sd-webui-controlnet. What WebUI fills with null is optional.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict


class Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Drawing(Answer):
    images: list[str]
    parameters: dict[str, Any]
    info: str


class Extras(Answer):
    html_info: str
    image: str


class ExtrasBatch(Answer):
    html_info: str
    images: list[str]


class Caption(Answer):
    caption: str


class PngInfo(Answer):
    info: str
    items: dict[str, Any]
    parameters: dict[str, Any]


class State(Answer):
    skipped: bool
    interrupted: bool
    stopping_generation: bool
    job: str
    job_count: int
    job_timestamp: str
    job_no: int
    sampling_step: int
    sampling_steps: int


class Progress(Answer):
    progress: float
    eta_relative: float
    state: State
    current_image: str | None
    textinfo: str | None


class Sampler(Answer):
    name: str
    aliases: list[str]
    options: dict[str, str]


class Scheduler(Answer):
    name: str
    label: str
    aliases: list[str] | None
    default_rho: float
    need_inner_model: bool


class Upscaler(Answer):
    name: str
    model_name: str | None
    model_path: str | None
    model_url: str | None
    scale: float


class Named(Answer):
    name: str


class SdModel(Answer):
    title: str
    model_name: str
    hash: str | None
    sha256: str | None
    filename: str
    config: str | None


class SdVae(Answer):
    model_name: str
    filename: str


class Hypernetwork(Answer):
    name: str
    path: str


class Lora(Answer):
    name: str
    alias: str
    path: str
    metadata: dict[str, Any]


class FaceRestorer(Answer):
    name: str
    cmd_dir: str | None


class Realesrgan(Answer):
    name: str
    path: str
    scale: int


class PromptStyle(Answer):
    name: str
    prompt: str | None
    negative_prompt: str | None


class Embedding(Answer):
    step: int | None
    sd_checkpoint: str | None
    sd_checkpoint_name: str | None
    shape: int
    vectors: int


class Embeddings(Answer):
    loaded: dict[str, Embedding]
    skipped: dict[str, Embedding]


class Memory(Answer):
    ram: dict[str, Any]
    cuda: dict[str, Any]


class Scripts(Answer):
    txt2img: list[str]
    img2img: list[str]


class ScriptArgument(Answer):
    label: str
    value: Any
    minimum: Any
    maximum: Any
    step: Any
    choices: list[str] | None


class ScriptInfo(Answer):
    name: str
    is_alwayson: bool
    is_img2img: bool
    args: list[ScriptArgument]


class Extension(Answer):
    name: str
    remote: str
    branch: str
    commit_hash: str
    version: str
    commit_date: str
    enabled: bool


class Options(BaseModel):
    """Options that clients read; there are many more."""

    model_config = ConfigDict(strict=True)

    sd_model_checkpoint: str
    sd_checkpoint_hash: str
    sd_vae: str
    CLIP_stop_at_last_layers: int
    samples_format: str
    samples_save: bool
    grid_format: str
    eta_noise_seed_delta: int
    img2img_color_correction: bool
    live_previews_enable: bool
    show_progress_every_n_steps: int
    face_restoration_model: str


class Flags(BaseModel):
    """Flags that clients read."""

    model_config = ConfigDict(strict=True)

    api: bool
    port: int | None
    api_auth: str | None
    lowvram: bool
    medvram: bool
    ckpt_dir: str | None
    embeddings_dir: str
    hypernetwork_dir: str
    freeze_settings: bool
    hide_ui_dir_config: bool


class TaskProgress(Answer):
    active: bool
    queued: bool
    completed: bool
    progress: float | None
    eta: float | None
    live_preview: str | None
    id_live_preview: int
    textinfo: str | None


class PendingTasks(Answer):
    size: int
    tasks: list[str]


class ControlNetVersion(Answer):
    version: int


class ControlNetSettings(Answer):
    control_net_unit_count: int


class ControlNetModels(Answer):
    model_list: list[str]


class Slider(Answer):
    name: str
    value: float
    min: float
    max: float
    step: float


class ModuleDetail(Answer):
    model_free: bool
    sliders: list[Slider]


class ControlNetModules(Answer):
    module_list: list[str]
    module_detail: dict[str, ModuleDetail]


class ControlType(Answer):
    module_list: list[str]
    model_list: list[str]
    default_option: str
    default_model: str


class ControlTypes(Answer):
    control_types: dict[str, ControlType]


class Maps(Answer):
    images: list[str]
    info: Literal["Success"]


class Empty(Answer):
    pass
