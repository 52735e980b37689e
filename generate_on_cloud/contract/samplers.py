"""Samplers and noise schedules by WebUI 1.10.1's names, one row each.

Only the names and rules that the API needs are here; the mathematics is in `inference_container.diffusion`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from generate_on_cloud.contract.suggestions import nearest, same_name


class Schedule(StrEnum):
    """Noise schedules; the values are WebUI's names on the wire."""

    AUTOMATIC = "automatic"
    UNIFORM = "uniform"
    KARRAS = "karras"
    EXPONENTIAL = "exponential"
    POLYEXPONENTIAL = "polyexponential"
    SGM_UNIFORM = "sgm_uniform"
    KL_OPTIMAL = "kl_optimal"
    ALIGN_YOUR_STEPS = "align_your_steps"
    SIMPLE = "simple"
    NORMAL = "normal"
    DDIM = "ddim"
    BETA = "beta"


SCHEDULE_LABELS: Mapping[Schedule, str] = MappingProxyType(
    {
        Schedule.AUTOMATIC: "Automatic",
        Schedule.UNIFORM: "Uniform",
        Schedule.KARRAS: "Karras",
        Schedule.EXPONENTIAL: "Exponential",
        Schedule.POLYEXPONENTIAL: "Polyexponential",
        Schedule.SGM_UNIFORM: "SGM Uniform",
        Schedule.KL_OPTIMAL: "KL Optimal",
        Schedule.ALIGN_YOUR_STEPS: "Align Your Steps",
        Schedule.SIMPLE: "Simple",
        Schedule.NORMAL: "Normal",
        Schedule.DDIM: "DDIM",
        Schedule.BETA: "Beta",
    }
)

SCHEDULE_ALIASES: Mapping[str, Schedule] = MappingProxyType({"SGMUniform": Schedule.SGM_UNIFORM})
_SCHEDULES: Mapping[str, Schedule] = MappingProxyType(
    {schedule.value: schedule for schedule in Schedule}
    | {label.casefold(): schedule for schedule, label in SCHEDULE_LABELS.items()}
    | {alias.casefold(): schedule for alias, schedule in SCHEDULE_ALIASES.items()}
)
"""Every name of every schedule, in lower case."""


@dataclass(frozen=True)
class SamplerRule:
    """What distinguishes one sampler outside its own mathematics (semantics §5.1)."""

    default_schedule: Schedule = Schedule.AUTOMATIC
    """What `Automatic` resolves to; AUTOMATIC itself means the model's uniform schedule, without a label."""
    discard_penultimate_sigma: bool = False
    second_order: bool = False
    """The prompt timeline counts each step of this sampler twice."""
    timestep: bool = False
    """Works on training timesteps instead of σ; noise schedules do not apply."""


SAMPLERS: Mapping[str, SamplerRule] = MappingProxyType(
    {
        "DPM++ 2M": SamplerRule(Schedule.KARRAS),
        "DPM++ SDE": SamplerRule(Schedule.KARRAS, second_order=True),
        "DPM++ 2M SDE": SamplerRule(Schedule.EXPONENTIAL),
        "DPM++ 2M SDE Heun": SamplerRule(Schedule.EXPONENTIAL),
        "DPM++ 2S a": SamplerRule(Schedule.KARRAS, second_order=True),
        "DPM++ 3M SDE": SamplerRule(Schedule.EXPONENTIAL, discard_penultimate_sigma=True),
        "Euler a": SamplerRule(),
        "Euler": SamplerRule(),
        "LMS": SamplerRule(),
        "Heun": SamplerRule(second_order=True),
        "DPM2": SamplerRule(Schedule.KARRAS, discard_penultimate_sigma=True, second_order=True),
        "DPM2 a": SamplerRule(Schedule.KARRAS, discard_penultimate_sigma=True, second_order=True),
        "DPM fast": SamplerRule(),
        "DPM adaptive": SamplerRule(),
        "Restart": SamplerRule(Schedule.KARRAS, second_order=True),
        "DDIM": SamplerRule(timestep=True),
        "DDIM CFG++": SamplerRule(timestep=True),
        "PLMS": SamplerRule(timestep=True),
        "UniPC": SamplerRule(timestep=True),
        "LCM": SamplerRule(),
    }
)


ALIASES: Mapping[str, str] = MappingProxyType(
    {
        "k_dpmpp_2m": "DPM++ 2M",
        "k_dpmpp_sde": "DPM++ SDE",
        "k_dpmpp_2m_sde": "DPM++ 2M SDE",
        "k_dpmpp_2m_sde_heun": "DPM++ 2M SDE Heun",
        "k_dpmpp_2s_a": "DPM++ 2S a",
        "k_dpmpp_3m_sde": "DPM++ 3M SDE",
        "k_euler_a": "Euler a",
        "k_euler_ancestral": "Euler a",
        "k_euler": "Euler",
        "k_lms": "LMS",
        "k_heun": "Heun",
        "k_dpm_2": "DPM2",
        "k_dpm_2_a": "DPM2 a",
        "k_dpm_fast": "DPM fast",
        "k_dpm_ad": "DPM adaptive",
        "restart": "Restart",
        "ddim": "DDIM",
        "ddim_cfgpp": "DDIM CFG++",
        "plms": "PLMS",
        "unipc": "UniPC",
        "k_lcm": "LCM",
    }
)
"""WebUI's aliases, which other tools write into pictures; requests use the names."""
COMFYUI_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "euler_ancestral": "Euler a",
        "heun": "Heun",
        "lms": "LMS",
        "lcm": "LCM",
        "dpm_2": "DPM2",
        "dpm_2_ancestral": "DPM2 a",
        "dpm_fast": "DPM fast",
        "dpm_adaptive": "DPM adaptive",
        "dpmpp_2s_ancestral": "DPM++ 2S a",
        "dpmpp_sde": "DPM++ SDE",
        "dpmpp_sde_gpu": "DPM++ SDE",
        "dpmpp_2m": "DPM++ 2M",
        "dpmpp_2m_sde": "DPM++ 2M SDE",
        "dpmpp_2m_sde_gpu": "DPM++ 2M SDE",
        "dpmpp_3m_sde": "DPM++ 3M SDE",
        "dpmpp_3m_sde_gpu": "DPM++ 3M SDE",
        "uni_pc": "UniPC",
        "uni_pc_bh2": "UniPC",
        "euler": "Euler",
    }
)
"""What ComfyUI calls the samplers; its savers write these names, with or without `_` and the schedule."""


def sampler_named(name: str) -> str | None:
    """The sampler of this name, in any case; None when there is none."""
    return name if name in SAMPLERS else same_name(name, SAMPLERS)


def sampler_with_alias(name: str) -> str | None:
    """The sampler of this name or alias in any case; None when there is none."""
    return ALIASES.get(name.lower()) or sampler_named(name)


def schedule_named(name: str) -> Schedule | None:
    """The schedule with this name, label or alias, in any case; None if there is none."""
    return _SCHEDULES.get(name.strip().casefold())


@dataclass(frozen=True)
class SamplerChoice:
    """The requested sampler and schedule, before `Automatic` is resolved."""

    sampler: str
    schedule: Schedule


def choose_sampler(sampler_name: str, scheduler: str | None) -> SamplerChoice:
    """Read `sampler_name` and `scheduler` as WebUI does, including old names such as "DPM++ 2M Karras", in any case.

    A schedule at the end of the sampler's name counts only without a `scheduler` field; `automatic` in that field asks
    for the sampler's own, as in WebUI.

    Raises:
        ValueError: an unknown sampler or schedule; the text names what was received and what is allowed.
    """
    schedule = Schedule.AUTOMATIC if scheduler is None else schedule_named(scheduler)
    if schedule is None:
        raise ValueError(
            f"unknown scheduler {scheduler!r}; allowed: {', '.join(SCHEDULE_LABELS.values())}"
            f"{nearest(scheduler or '', SCHEDULE_LABELS.values())}"
        )
    given = sampler_name.strip()
    if (own := sampler_named(given)) is not None:
        return SamplerChoice(own, schedule)
    for sampler in sorted(SAMPLERS, key=len, reverse=True):
        if given.lower().startswith(f"{sampler.lower()} "):
            named = schedule_named(given[len(sampler) + 1 :])
            if named is not None:
                return SamplerChoice(sampler, named if scheduler is None else schedule)
    raise ValueError(
        f"unknown sampler {sampler_name!r}; allowed: {', '.join(SAMPLERS)}{nearest(sampler_name, SAMPLERS)}"
    )


def resolve_schedule(choice: SamplerChoice) -> Schedule:
    """Replace `Automatic` by the sampler's own default (which may be AUTOMATIC: the model's uniform schedule)."""
    if choice.schedule is Schedule.AUTOMATIC:
        return SAMPLERS[choice.sampler].default_schedule
    return choice.schedule
