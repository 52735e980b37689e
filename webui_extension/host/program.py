"""What is asked of the host's own modules; a host without one of them has its default."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from webui_extension.core.body import Host
from webui_extension.core.scripts import ScriptValues

_FOLDERS = {
    "checkpoint": "Stable-diffusion", "vae": "VAE", "lora": "Lora", "hypernetwork": "hypernetworks",
    "controlnet": "ControlNet", "upscaler": "ESRGAN",
}  # fmt: skip
EXTENSIONS: Mapping[str, tuple[str, ...]] = {
    "checkpoint": (".safetensors", ".ckpt"),
    "vae": (".safetensors", ".pt", ".pth", ".ckpt"),
    "lora": (".safetensors", ".pt", ".ckpt"),
    "hypernetwork": (".pt",),
    "embedding": (".safetensors", ".pt", ".bin", ".png"),
    "controlnet": (".safetensors", ".pth"),
    "upscaler": (".pth", ".pt", ".safetensors"),
}
"""Endings of model files that the cloud takes, by type; a test compares them with its contract."""


def setting(name: str) -> Any:
    """A setting of the host; None if it has none of this name."""
    return getattr(importlib.import_module("modules.shared").opts, name, None)


def host() -> Host:
    """The host's settings, styles and override texts."""
    return Host(setting=setting, styles=_with_styles, overrides=_overrides)


def _with_styles(prompt: str, names: Sequence[str], negative: bool) -> str:
    styles = getattr(importlib.import_module("modules.shared"), "prompt_styles", None)
    if styles is None or not names:
        return prompt
    merge = styles.apply_negative_styles_to_prompt if negative else styles.apply_styles_to_prompt
    return str(merge(prompt, list(names)))


def _overrides(texts: Any) -> dict[str, Any]:
    if not texts:
        return {}
    for module in ("modules.infotext_utils", "modules.generation_parameters_copypaste"):
        try:
            read = importlib.import_module(module).create_override_settings_dict
        except (ImportError, AttributeError):
            continue
        return dict(read(texts))
    return {}


def parameter_names(tab: str) -> list[str]:
    """Names of a tab's values, in the order of its inputs, without those of scripts."""
    module = importlib.import_module(f"modules.{tab}")
    for name in (f"{tab}_create_processing", tab):
        function: Callable[..., Any] | None = getattr(module, name, None)
        if function is not None and "prompt" in (parameters := inspect.signature(function).parameters):
            return [
                each.name
                for each in parameters.values()
                if each.name != "request" and each.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
            ]
    raise LookupError(f"modules.{tab} has no function whose values are known")


def scripts_of(tab: str, values: Sequence[Any]) -> tuple[list[ScriptValues], ScriptValues | None]:
    """The always-on scripts of a tab with their values, and the selected script."""
    runner = getattr(importlib.import_module("modules.scripts"), f"scripts_{tab}")
    always_on = [_script(script, values) for script in runner.alwayson_scripts]
    number = int(values[0] or 0) if values else 0
    selected = _script(runner.selectable_scripts[number - 1], values, always_on=False) if number > 0 else None
    return always_on, selected


def _script(script: Any, values: Sequence[Any], *, always_on: bool = True) -> ScriptValues:
    title, args = str(script.title()), list(values[script.args_from : script.args_to])
    if title.casefold() == "sd upscale" and len(args) > 2 and isinstance(args[2], int):
        args[2] = importlib.import_module("modules.shared").sd_upscalers[args[2]].name  # its place differs in the cloud
    return ScriptValues(title, args, always_on)


def model_folders() -> dict[str, list[Path]]:
    """Folders of model files on this machine, by type."""
    models = Path(importlib.import_module("modules.paths").models_path)
    folders = {each: [models / name] for each, name in _FOLDERS.items()}
    options = importlib.import_module("modules.shared").cmd_opts
    folders["embedding"] = [models.parent / "embeddings"]
    for asset_type, option in (
        ("checkpoint", "ckpt_dir"), ("vae", "vae_dir"), ("lora", "lora_dir"), ("hypernetwork", "hypernetwork_dir"),
        ("embedding", "embeddings_dir"), ("controlnet", "controlnet_dir"), ("upscaler", "esrgan_models_path"),
    ):  # fmt: skip
        if configured := getattr(options, option, None):
            folders[asset_type].append(Path(configured))
    return folders


def local_loras() -> dict[str, str]:
    """The host's names and aliases of its LoRAs -> stems of their files."""
    networks = sys.modules.get("networks")  # the built-in extension's module, by the name it is loaded under
    aliases = getattr(networks, "available_network_aliases", None) or {}
    return {name: Path(getattr(network, "filename", name)).stem for name, network in aliases.items()}


def localization() -> str | None:
    value = setting("localization")
    return None if value is None else str(value)


def user_of(request: Any) -> str:
    """Who is logged in to the host; "" without a login."""
    return str(getattr(request, "username", None) or "")
