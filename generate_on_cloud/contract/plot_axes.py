"""The axes of X/Y/Z plot: what each changes in a request, and how its values are written (WebUI 1.10.1's rules)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import TYPE_CHECKING, Any

from generate_on_cloud.contract.jobs import Task
from generate_on_cloud.contract.limits import MAX_PROMPT
from generate_on_cloud.contract.plot_values import Values, int_values, number_values
from generate_on_cloud.contract.samplers import sampler_named

if TYPE_CHECKING:
    from generate_on_cloud.contract.params import ImageParams

Update = Mapping[str, object]
Change = Callable[["ImageParams", Any, Values], Update]
"""From the params so far, the value, and all values of the axis: the fields to change."""
MAX_ORDERED = 6
"""Parts of a prompt that can be put in every order within the limit of pictures."""


@dataclass(frozen=True)
class Axis:
    """A row of WebUI's list of axes."""

    label: str
    change: Change
    read: Callable[[Sequence[str]], Values] = list
    """From texts to values."""
    chosen: bool = False
    """WebUI's page offers a list to choose from."""
    cost: float = 0.0
    """Axes that are slow to change are changed least often."""
    task: Task | None = None
    """The only task that has it; None: both."""
    labelled: bool = True
    """Whether the grid names the axis before each value."""

    def shown(self, value: Any) -> str:
        """The value as the grid shows it."""
        if self.label == "Nothing":
            return ""
        if isinstance(value, tuple):
            return ", ".join(value)
        value = round(value, 8) if isinstance(value, float) else value
        return f"{self.label}: {value}" if self.labelled else str(value).rsplit("/", maxsplit=1)[-1]


def _field(name: str) -> Change:
    def change(params: "ImageParams", value: Any, values: Values) -> Update:  # noqa: ARG001
        return {name: value} if name in type(params).model_fields else {}

    return change


def _option(name: str, read: Callable[[Any], object] = lambda value: value) -> Change:
    def change(params: "ImageParams", value: Any, values: Values) -> Update:  # noqa: ARG001
        return {"override_settings": {**params.override_settings, name: read(value)}}

    return change


def _true(value: str) -> bool:
    return value.lower() == "true"


def _nothing(params: "ImageParams", value: Any, values: Values) -> Update:  # noqa: ARG001
    return {}


def _sampler(name: str) -> Change:
    def change(params: "ImageParams", value: str, values: Values) -> Update:  # noqa: ARG001
        return {name: sampler_named(value) or value}

    return change


def _replaced(params: "ImageParams", value: str, values: Values) -> Update:
    sought = values[0]
    if sought not in params.prompt and sought not in params.negative_prompt:
        raise ValueError(f"received {sought[:60]!r}; allowed: a text that is in prompt or negative_prompt")
    for text in (params.prompt, params.negative_prompt):
        # Before it is made: many short texts replaced by a long one would fill the memory.
        longer = len(text) + text.count(sought) * (len(value) - len(sought))
        if longer > MAX_PROMPT:
            raise ValueError(f"received texts that make a prompt of {longer} characters; allowed: up to {MAX_PROMPT}")
    return {
        "prompt": params.prompt.replace(sought, value),
        "negative_prompt": params.negative_prompt.replace(sought, value),
    }


def _ordered(params: "ImageParams", value: tuple[str, ...], values: Values) -> Update:  # noqa: ARG001
    rest, built = params.prompt, ""
    for number, token in enumerate(sorted(value, key=params.prompt.find)):
        place = rest.find(token)
        if place < 0:
            raise ValueError(f"received {token[:60]!r}; allowed: texts that are in prompt")
        built, rest = built + rest[:place] + value[number], rest[place + len(token) :]
    return {"prompt": built + rest}


def _all_orders(texts: Sequence[str]) -> Values:
    if len(texts) > MAX_ORDERED:
        raise ValueError(f"received {len(texts)} texts to order; allowed: up to {MAX_ORDERED}")
    return list(permutations(texts))


def _vae(value: str) -> str:
    return {"auto": "Automatic", "automatic": "Automatic", "none": "None"}.get(value.strip().lower(), value)


def _styles(params: "ImageParams", value: str, values: Values) -> Update:  # noqa: ARG001
    return {"styles": [*params.styles, *(name.strip() for name in value.split(",") if name.strip())]}


def _uni_pc(params: "ImageParams", value: int, values: Values) -> Update:
    return _option("uni_pc_order")(params, min(value, params.steps - 1), values)


def _faces(params: "ImageParams", value: str, values: Values) -> Update:  # noqa: ARG001
    return {"restore_faces": value.lower() in ("codeformer", "gfpgan", "true", "yes", "y", "1")}


def _fp8(params: "ImageParams", value: str, values: Values) -> Update:  # noqa: ARG001
    if value != "Disable":
        raise ValueError(f"received {value[:60]!r}; allowed: Disable")
    return {}


def _size(params: "ImageParams", value: str, values: Values) -> Update:  # noqa: ARG001
    width, _, height = value.partition("x")
    try:
        return {"width": int(width), "height": int(height)}
    except ValueError:
        raise ValueError(f"received {value[:60]!r}; allowed: WIDTHxHEIGHT, such as 512x768") from None


_T, _I = Task.TXT2IMG, Task.IMG2IMG
_ROWS: tuple[Axis, ...] = (
    Axis("Nothing", _nothing),
    Axis("Seed", _field("seed"), int_values),
    Axis("Var. seed", _field("subseed"), int_values),
    Axis("Var. strength", _field("subseed_strength"), number_values),
    Axis("Steps", _field("steps"), int_values),
    Axis("Hires steps", _field("hr_second_pass_steps"), int_values, task=_T),
    Axis("CFG Scale", _field("cfg_scale"), number_values),
    Axis("Image CFG Scale", _field("image_cfg_scale"), number_values, task=_I),
    Axis("Prompt S/R", _replaced, labelled=False),
    Axis("Prompt order", _ordered, _all_orders, labelled=False),
    Axis("Sampler", _sampler("sampler_name"), chosen=True, task=_T, labelled=False),
    Axis("Hires sampler", _sampler("hr_sampler_name"), chosen=True, task=_T),
    Axis("Sampler", _sampler("sampler_name"), chosen=True, task=_I, labelled=False),
    Axis("Checkpoint name", _option("sd_model_checkpoint"), chosen=True, cost=1.0, labelled=False),
    Axis("Negative Guidance minimum sigma", _field("s_min_uncond"), number_values),
    Axis("Sigma Churn", _field("s_churn"), number_values),
    Axis("Sigma min", _field("s_tmin"), number_values),
    Axis("Sigma max", _field("s_tmax"), number_values),
    Axis("Sigma noise", _field("s_noise"), number_values),
    Axis("Schedule type", _field("scheduler"), chosen=True),
    Axis("Schedule min sigma", _option("sigma_min"), number_values),
    Axis("Schedule max sigma", _option("sigma_max"), number_values),
    Axis("Schedule rho", _option("rho"), number_values),
    Axis("Beta schedule alpha", _option("beta_dist_alpha"), number_values),
    Axis("Beta schedule beta", _option("beta_dist_beta"), number_values),
    Axis("Eta", _field("eta"), number_values),
    Axis("Clip skip", _option("CLIP_stop_at_last_layers"), int_values),
    Axis("Denoising", _field("denoising_strength"), number_values),
    Axis("Initial noise multiplier", _field("initial_noise_multiplier"), number_values),
    Axis("Extra noise", _option("img2img_extra_noise"), number_values),
    Axis("Hires upscaler", _field("hr_upscaler"), chosen=True, task=_T),
    Axis("Cond. Image Mask Weight", _option("inpainting_mask_weight"), number_values, task=_I),
    Axis("VAE", _option("sd_vae", _vae), chosen=True, cost=0.7),
    Axis("Styles", _styles, chosen=True),
    Axis("UniPC Order", _uni_pc, int_values, cost=0.5),
    Axis("Face restore", _faces, labelled=False),
    Axis("Token merging ratio", _option("token_merging_ratio"), number_values),
    Axis("Token merging ratio high-res", _option("token_merging_ratio_hr"), number_values),
    Axis("Always discard next-to-last sigma", _option("always_discard_next_to_last_sigma", _true), chosen=True),
    Axis("SGM noise multiplier", _option("sgm_noise_multiplier", _true), chosen=True),
    Axis("Refiner checkpoint", _field("refiner_checkpoint"), chosen=True, cost=1.0, labelled=False),
    Axis("Refiner switch at", _field("refiner_switch_at"), number_values),
    Axis("RNG source", _option("randn_source"), chosen=True),
    Axis("FP8 mode", _fp8, chosen=True, cost=0.9),
    Axis("Size", _size),
    # Those of the built-in extension Hypertile.
    Axis("[Hypertile] Unet First pass Enabled", _option("hypertile_enable_unet", _true), chosen=True),
    Axis("[Hypertile] Unet Second pass Enabled", _option("hypertile_enable_unet_secondpass", _true), chosen=True),
    Axis("[Hypertile] Unet Max Depth", _option("hypertile_max_depth_unet"), int_values, chosen=True),
    Axis("[Hypertile] Unet Max Tile Size", _option("hypertile_max_tile_unet"), int_values),
    Axis("[Hypertile] Unet Swap Size", _option("hypertile_swap_size_unet"), int_values),
    Axis("[Hypertile] VAE Enabled", _option("hypertile_enable_vae", _true), chosen=True),
    Axis("[Hypertile] VAE Max Depth", _option("hypertile_max_depth_vae"), int_values, chosen=True),
    Axis("[Hypertile] VAE Max Tile Size", _option("hypertile_max_tile_vae"), int_values),
    Axis("[Hypertile] VAE Swap Size", _option("hypertile_swap_size_vae"), int_values),
    # WebUI 1.10.1 has no such axis; Forge and later versions have, so it must not move the indexes above.
    Axis("Skip Early CFG", _option("skip_early_cond"), number_values),
)
SEED_AXES = ("Seed", "Var. seed")
"""Axes whose values may be -1, for a random one."""


def axes(task: Task) -> tuple[Axis, ...]:
    """The axes of a task, in the order of WebUI's indexes."""
    return tuple(axis for axis in _ROWS if axis.task in (None, task))
