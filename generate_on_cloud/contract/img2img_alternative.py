"""img2img alternative test: what the script draws, and the work of finding the init picture's noise."""

from typing import TYPE_CHECKING, TypeVar

from generate_on_cloud.contract.samplers import SAMPLERS, SCHEDULE_LABELS
from generate_on_cloud.contract.script_variants import varied
from generate_on_cloud.contract.selectable_scripts import Img2ImgAlternative

if TYPE_CHECKING:
    from generate_on_cloud.contract.params import ImageParams

Params = TypeVar("Params", bound="ImageParams")
TITLE = "img2img alternative test"
SAMPLER = "Euler"
"""The sampler that the script is made for."""


def alternative_params(script: Img2ImgAlternative, params: Params) -> Params:
    """The params of the drawing, with what the script overrides.

    Raises:
        ValueError: a request could not have these params, or the sampler works on timesteps, where the noise has no
            meaning (WebUI fails).
    """
    changes: dict[str, object] = {}
    if script.override_sampler:
        # As in WebUI, the schedule stays, also one that the sampler's name ends with.
        schedule = SCHEDULE_LABELS[params.sampler_choice().schedule]
        changes |= {"sampler_name": SAMPLER, "scheduler": schedule}
    if script.override_prompt:
        changes |= {"prompt": script.original_prompt, "negative_prompt": script.original_negative_prompt}
    if script.override_steps:
        changes["steps"] = script.st
    if script.override_strength:
        changes["denoising_strength"] = 1.0
    drawn = varied(params, changes, place=TITLE)
    sampler = drawn.sampler_choice().sampler
    if SAMPLERS[sampler].timestep:
        allowed = ", ".join(name for name, rule in SAMPLERS.items() if not rule.timestep)
        raise ValueError(f"{TITLE}: received sampler {sampler!r}; allowed: override_sampler true, or {allowed}")
    return drawn


def recovery_params(script: Img2ImgAlternative, params: Params) -> Params:
    """What finding the noise amounts to: a picture of the original prompts in `st` steps.

    Raises:
        ValueError: as in `alternative_params`.
    """
    changes = {
        "prompt": script.original_prompt,
        "negative_prompt": script.original_negative_prompt,
        "sampler_name": SAMPLER,
        "scheduler": None,
        "steps": script.st,
        "n_iter": 1,
        "batch_size": max(1, len(getattr(params, "init_images", ()))),
    }
    return varied(params, changes, place=TITLE)
