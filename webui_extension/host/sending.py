"""Click → job: reads the tab, asks what the cloud has, sends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from webui_extension.core.body import Tab, build
from webui_extension.core.errors import PanelError
from webui_extension.core.extras import TASK, picture_url, upscale_params
from webui_extension.core.pictures import data_url, picture_of
from webui_extension.core.prompts import missing_embeddings, resolve_loras, stem
from webui_extension.core.texts import say
from webui_extension.core.uploads import local_files
from webui_extension.host import program
from webui_extension.host.cloud import Cloud


@dataclass(frozen=True)
class Choice:
    """What the panel says."""

    checkpoint: str
    endpoint: str | None
    vae: str
    user: str = ""


def send_tab(
    cloud: Cloud, task: str, named: Mapping[str, Any], script_values: Sequence[Any], choice: Choice
) -> dict[str, Any]:
    """Send what a tab holds; the new job.

    Raises:
        PanelError: something is missing, cannot run in the cloud, or was refused; nothing was sent.
    """
    if not choice.checkpoint:
        cloud.connection()  # without a login that is what to say first
        raise PanelError(say("no_checkpoint"))
    scripts, selected = program.scripts_of(task, script_values)
    tab = Tab(task, named, scripts, selected, vae=choice.vae)
    params = build(tab, program.host())
    cloud.catalog().check_endpoint(choice.endpoint)
    notes = [*tab.warnings, *_resolve_networks(cloud, params)]
    job = cloud.jobs().send(
        task,
        params,
        checkpoint=choice.checkpoint,
        endpoint=choice.endpoint,
        metadata={"client": "webui", **({"webui_user": choice.user[:512]} if choice.user else {})},
    )
    cloud.followers.follow(job, notes=notes)
    return job


def _resolve_networks(cloud: Cloud, params: dict[str, Any]) -> list[str]:
    warnings = []
    missing: list[str] = []
    prompts = [name for name in ("prompt", "hr_prompt") if "<" in params.get(name, "")]
    if prompts:
        loras, local = cloud.catalog().active("lora"), program.local_loras()
        for name in prompts:
            resolved = resolve_loras(params[name], loras, local)
            params[name] = resolved.prompt
            missing += resolved.missing
    if missing:
        warnings.append(say("lora_missing", names=", ".join(dict.fromkeys(missing))))
    files = local_files(program.model_folders(), "embedding", program.EXTENSIONS["embedding"])
    texts = [params.get(name, "") for name in ("prompt", "negative_prompt", "hr_prompt", "hr_negative_prompt")]
    named = [stem(file.name) for file in files if any(stem(file.name).casefold() in text.casefold() for text in texts)]
    if named:
        lacking = missing_embeddings(texts, cloud.catalog().active("embedding"), named)
        if lacking:
            warnings.append(say("embedding_missing", names=", ".join(lacking)))
    return warnings


def send_caption(cloud: Cloud, task: str, canvases: Sequence[Any], mode: int) -> dict[str, Any]:
    """Send the picture of the selected img2img tab to be described.

    Raises:
        PanelError: there is none, or it was refused.
    """
    value = canvases[mode] if 0 <= mode < len(canvases) else None
    image = picture_of(value.get("image") if isinstance(value, Mapping) else value)
    if image is None:
        raise PanelError(say("no_picture"))
    cloud.catalog().check_endpoint(None)
    job = cloud.jobs().send(task, {"image": data_url(image)}, metadata={"client": "webui"}, preview=False)
    cloud.followers.follow(job)
    return job


def send_upscale(
    cloud: Cloud, job_id: str, number: float | None, upscaler: str, factor: float, *, endpoint: str | None = None
) -> dict[str, Any]:
    """Send one picture of a finished job to be enlarged.

    Raises:
        PanelError: the job has no such picture, or the request was refused; nothing was sent.
    """
    jobs = cloud.jobs()
    url = picture_url(jobs.get(job_id), number)
    cloud.catalog().check_endpoint(endpoint)
    params = upscale_params(cloud.connection().read(url), upscaler, factor)
    job = jobs.send(TASK, params, endpoint=endpoint, metadata={"client": "webui"}, preview=False)
    cloud.followers.follow(job)
    return job


def retry(cloud: Cloud, job_id: str) -> dict[str, Any]:
    """Send a finished job's request again.

    Raises:
        PanelError: it was refused.
    """
    job = cloud.jobs().retry(job_id)
    cloud.followers.follow(job)
    return job
