"""What WebUI lists: samplers, schedulers, upscalers and the caller's model files, each row in WebUI's shape."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.contract.samplers import (
    ALIASES,
    SAMPLERS,
    SCHEDULE_ALIASES,
    SCHEDULE_LABELS,
    SamplerRule,
    Schedule,
)
from generate_on_cloud.contract.upscalers import LATENT_UPSCALERS, PIXEL_UPSCALERS, WEBUI_FILES
from generate_on_cloud.faces.sdapi.flags import flags
from generate_on_cloud.faces.sdapi.script_lists import script_info, scripts
from generate_on_cloud.faces.sdapi.shelf import Shelf, path, short_hash, stem, title
from generate_on_cloud.faces.sdapi.styles import style_rows
from generate_on_cloud.model_files.family_names import Family

Rows = list[dict[str, Any]]

_NEEDS_MODEL = frozenset(
    {Schedule.UNIFORM, Schedule.SGM_UNIFORM, Schedule.SIMPLE, Schedule.NORMAL, Schedule.DDIM, Schedule.BETA}
)
_RHO: Mapping[Schedule, float] = {Schedule.KARRAS: 7.0, Schedule.POLYEXPONENTIAL: 1.0}
_UPSCALER_SCALE = 4.0
_FACTORS: Mapping[str, float] = {"R-ESRGAN 2x+": 2.0, "DAT x2": 2.0, "DAT x3": 3.0}


def samplers() -> Rows:
    """Every sampler; the values of `options` are texts, as in WebUI."""
    return [
        {
            "name": name,
            "aliases": [alias for alias, of in ALIASES.items() if of == name],
            "options": _sampler_options(rule),
        }
        for name, rule in SAMPLERS.items()
    ]


def _sampler_options(rule: SamplerRule) -> dict[str, str]:
    options = {"scheduler": rule.default_schedule.value} if rule.default_schedule is not Schedule.AUTOMATIC else {}
    flags = {
        "discard_next_to_last_sigma": rule.discard_penultimate_sigma,
        "second_order": rule.second_order,
    }
    return options | {name: "True" for name, is_set in flags.items() if is_set}


def schedulers() -> Rows:
    """Every noise schedule."""
    return [
        {
            "name": schedule.value,
            "label": label,
            "aliases": [alias for alias, of in SCHEDULE_ALIASES.items() if of is schedule] or None,
            "default_rho": _RHO.get(schedule, -1.0),
            "need_inner_model": schedule in _NEEDS_MODEL,
        }
        for schedule, label in SCHEDULE_LABELS.items()
    ]


def upscalers(shelf: Shelf) -> Rows:
    """The built-in ones and the uploaded files; a file that WebUI has a name for is listed by that name."""
    names = {file.casefold(): name for name, file in WEBUI_FILES.items()}
    rows: Rows = [
        {"name": name, "model_name": None, "model_path": None, "model_url": None, "scale": _UPSCALER_SCALE}
        for name in PIXEL_UPSCALERS
    ]
    for asset in shelf.of_type(AssetType.UPSCALER):
        name = names.get(stem(asset).casefold(), stem(asset))
        scale = _FACTORS.get(name, _UPSCALER_SCALE)
        rows.append(
            {"name": name, "model_name": stem(asset), "model_path": path(asset), "model_url": None, "scale": scale}
        )
    return rows


def latent_upscale_modes() -> Rows:
    """For hires fix."""
    return [{"name": name} for name in LATENT_UPSCALERS]


def sd_models(shelf: Shelf) -> Rows:
    """The checkpoints."""
    return [
        {
            "title": title(asset),
            "model_name": stem(asset),
            "hash": short_hash(asset),
            "sha256": asset.sha256,
            "filename": path(asset),
            "config": None,
        }
        for asset in shelf.of_type(AssetType.CHECKPOINT)
    ]


def sd_vae(shelf: Shelf) -> Rows:
    """The VAE files."""
    return [{"model_name": asset.name, "filename": path(asset)} for asset in shelf.of_type(AssetType.VAE)]


def hypernetworks(shelf: Shelf) -> Rows:
    """The hypernetworks."""
    return [{"name": stem(asset), "path": path(asset)} for asset in shelf.of_type(AssetType.HYPERNETWORK)]


def loras(shelf: Shelf) -> Rows:
    """The LoRAs and their relatives; `alias` is the name that the file's trainer gave it."""
    return [
        {
            "name": stem(asset),
            "alias": asset.alias or stem(asset),
            "path": path(asset),
            "metadata": {"ss_output_name": asset.alias} if asset.alias else {},
        }
        for asset in shelf.of_type(AssetType.LORA)
    ]


def embeddings(shelf: Shelf) -> dict[str, Any]:
    """The embeddings; what WebUI reads from inside the file is not known here."""
    unknown = {"step": None, "sd_checkpoint": None, "sd_checkpoint_name": None, "shape": 0, "vectors": 1}
    return {"loaded": {stem(asset): unknown for asset in shelf.of_type(AssetType.EMBEDDING)}, "skipped": {}}


def realesrgan_models() -> Rows:
    """The R-ESRGAN models by WebUI's names; a job needs the file to be uploaded."""
    return [
        {"name": name, "path": f"{file}.pth", "scale": int(_FACTORS.get(name, _UPSCALER_SCALE))}
        for name, file in WEBUI_FILES.items()
        if name.startswith("R-ESRGAN")
    ]


def face_restorers(shelf: Shelf) -> Rows:
    """CodeFormer and GFPGAN in WebUI's order, if a file of theirs is uploaded."""
    held = {asset.architecture for asset in shelf.of_type(AssetType.FACE_RESTORATION)}
    return [{"name": str(one), "cmd_dir": None} for one in (Family.CODEFORMER, Family.GFPGAN) if one in held]


def memory() -> dict[str, Any]:
    """The GPU is elsewhere and its memory is managed there; WebUI's own shape for "unavailable"."""
    unavailable = {"error": "the GPU is in the cloud and manages its own memory"}
    return {"ram": unavailable, "cuda": unavailable}


LISTS: Mapping[str, Callable[[Shelf], Any]] = MappingProxyType(
    {
        "/sdapi/v1/samplers": lambda _: samplers(),
        "/sdapi/v1/schedulers": lambda _: schedulers(),
        "/sdapi/v1/upscalers": upscalers,
        "/sdapi/v1/latent-upscale-modes": lambda _: latent_upscale_modes(),
        "/sdapi/v1/sd-models": sd_models,
        "/sdapi/v1/sd-vae": sd_vae,
        "/sdapi/v1/hypernetworks": hypernetworks,
        "/sdapi/v1/loras": loras,
        "/sdapi/v1/embeddings": embeddings,
        "/sdapi/v1/face-restorers": face_restorers,
        "/sdapi/v1/realesrgan-models": lambda _: realesrgan_models(),
        "/sdapi/v1/prompt-styles": lambda shelf: style_rows(shelf.styles),
        "/sdapi/v1/scripts": lambda _: scripts(),
        "/sdapi/v1/script-info": lambda _: script_info(),
        "/sdapi/v1/extensions": lambda _: [],
        "/sdapi/v1/memory": lambda _: memory(),
        "/sdapi/v1/cmd-flags": lambda _: flags(),
    }
)
"""`GET` routes that need nothing but the caller's files."""

DONE_ALREADY: Mapping[str, Any] = MappingProxyType(
    {
        "/sdapi/v1/refresh-checkpoints": None,
        "/sdapi/v1/refresh-vae": None,
        "/sdapi/v1/refresh-loras": None,
        "/sdapi/v1/refresh-lycos": None,
        "/sdapi/v1/refresh-embeddings": None,
        "/sdapi/v1/reload-checkpoint": {},
        "/sdapi/v1/unload-checkpoint": {},
    }
)
"""`POST` routes with nothing to do, and WebUI's answers: files appear by themselves, the GPU loads what a job needs."""

NOT_HERE: Mapping[str, str] = MappingProxyType(
    {
        "/sdapi/v1/create/": "training is not offered",
        "/sdapi/v1/train/": "training is not offered",
        "/sdapi/v1/server-": "this server is stopped where it was started",
        "/sd_extra_networks/": "model files have no pictures here",
    }
)
"""Beginnings of WebUI's other routes → why they are not here."""
