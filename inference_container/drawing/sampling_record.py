"""Infotext entries of sampling: as in WebUI 1.10.1, an option is recorded only if the sampler reads it."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from generate_on_cloud.contract.options import Options
from generate_on_cloud.contract.params import ImageParams
from generate_on_cloud.contract.samplers import (
    SAMPLERS,
    SCHEDULE_LABELS,
    SamplerChoice,
    Schedule,
    resolve_schedule,
)
from generate_on_cloud.webui.infotext.record import InfoValue


@dataclass(frozen=True)
class Notes:
    """The options that a sampler reads; its infotext records those that differ from their defaults."""

    eta: Literal["Eta", "Eta DDIM"] | None = None
    """`Eta` records `eta_ancestral`, `Eta DDIM` records `eta_ddim`; the request's own `eta` overrides both."""
    churn: bool = False
    """Whether it reads `s_churn`, `s_tmin` and `s_tmax`."""
    noise: bool = False
    """Whether it reads `s_noise`."""
    seed_delta: bool = False
    """Whether it records `eta_noise_seed_delta`, which changes the noise of all samplers."""


NOTES: Mapping[str, Notes] = MappingProxyType(
    {
        "DPM++ 2M": Notes(),
        "DPM++ SDE": Notes(eta="Eta", noise=True),
        "DPM++ 2M SDE": Notes(eta="Eta", noise=True),
        "DPM++ 2M SDE Heun": Notes(eta="Eta", noise=True),
        "DPM++ 2S a": Notes(eta="Eta", noise=True, seed_delta=True),
        "DPM++ 3M SDE": Notes(eta="Eta", noise=True),
        "Euler a": Notes(eta="Eta", seed_delta=True),
        "Euler": Notes(churn=True, noise=True),
        "LMS": Notes(),
        "Heun": Notes(churn=True, noise=True),
        "DPM2": Notes(churn=True, noise=True),
        "DPM2 a": Notes(eta="Eta", noise=True, seed_delta=True),
        "DPM fast": Notes(eta="Eta", noise=True, seed_delta=True),
        "DPM adaptive": Notes(eta="Eta", seed_delta=True),
        "Restart": Notes(),
        "DDIM": Notes(eta="Eta DDIM"),
        "DDIM CFG++": Notes(eta="Eta DDIM"),
        "PLMS": Notes(),
        "UniPC": Notes(),
        "LCM": Notes(),
    }
)
"""Notes by sampler; `tests/diffusion/test_samplers.py` derives them from each sampler's function and compares."""
DEFAULT_RHO = {Schedule.KARRAS: 7.0, Schedule.POLYEXPONENTIAL: 1.0}


def sampling_extra(params: ImageParams, choice: SamplerChoice, *, from_image: bool) -> dict[str, InfoValue]:
    """The entries of one sampler run, in WebUI's order. `from_image`: img2img or the hires pass."""
    options = params.options
    extra = _schedule_extra(options, choice)
    if from_image and options.img2img_extra_noise > 0:
        extra["Extra noise"] = options.img2img_extra_noise
    if not from_image and options.sgm_noise_multiplier and not SAMPLERS[choice.sampler].timestep:
        extra["SGM noise multiplier"] = True
    extra |= _solver_extra(params, options, choice.sampler)
    if options.refiner_switch_by_sample_steps:
        extra["Refiner switch by sampling steps"] = True  # with a refiner or without
    return extra | _early_extra(options)


def noted_seed_delta(params: ImageParams, *, hires: bool) -> int | None:
    """The entry `ENSD`; as in WebUI, `eta_ancestral` no longer counts after a hires pass."""
    options = params.options
    delta = options.eta_noise_seed_delta
    eta = 1.0 if hires else options.eta_ancestral
    if params.eta is not None:
        eta = params.eta
    return delta if delta and eta and NOTES[params.sampler_choice().sampler].seed_delta else None


def hires_schedule_label(first: SamplerChoice, second: SamplerChoice) -> str | None:
    """The entry `Hires schedule type`: None if the second pass builds no schedule, or the same as the first."""
    label = _built_schedule(second)
    return None if label == _built_schedule(first) else label


def _built_schedule(choice: SamplerChoice) -> str | None:
    """The label of the schedule that WebUI builds; None for the model's own and for timestep samplers."""
    schedule = resolve_schedule(choice)
    if schedule is Schedule.AUTOMATIC or SAMPLERS[choice.sampler].timestep:
        return None
    return SCHEDULE_LABELS[schedule]


def _schedule_extra(options: Options, choice: SamplerChoice) -> dict[str, InfoValue]:
    extra: dict[str, InfoValue] = {}
    if options.always_discard_next_to_last_sigma and not SAMPLERS[choice.sampler].discard_penultimate_sigma:
        extra["Discard penultimate sigma"] = True
    if _built_schedule(choice) is None:
        return extra
    schedule = resolve_schedule(choice)
    sigmas = {"Schedule min sigma": options.sigma_min, "Schedule max sigma": options.sigma_max}
    extra |= {key: sigma for key, sigma in sigmas.items() if sigma}
    if options.rho and options.rho != DEFAULT_RHO.get(schedule, options.rho):
        extra["Schedule rho"] = options.rho
    if schedule is Schedule.BETA:
        extra["Beta schedule alpha"] = options.beta_dist_alpha
        extra["Beta schedule beta"] = options.beta_dist_beta
    return extra


def _solver_extra(params: ImageParams, options: Options, sampler: str) -> dict[str, InfoValue]:
    extra: dict[str, InfoValue] = {}
    notes = NOTES[sampler]
    option, default = (options.eta_ddim, 0.0) if notes.eta == "Eta DDIM" else (options.eta_ancestral, 1.0)
    eta = option if params.eta is None else params.eta
    if notes.eta is not None and eta != default:
        extra[notes.eta] = eta
    # WebUI compares only the options: values from the request's own fields take effect but are not recorded.
    noted = (
        ("Sigma churn", options.s_churn, 0.0, notes.churn),
        ("Sigma tmin", options.s_tmin, 0.0, notes.churn),
        ("Sigma tmax", options.s_tmax, 0.0, notes.churn),
        ("Sigma noise", options.s_noise, 1.0, notes.noise),
    )
    return extra | {key: option for key, option, default, reads in noted if reads and option != default}


def _early_extra(options: Options) -> dict[str, InfoValue]:
    early = options.skip_early_cond
    return {"Skip Early CFG": early} if early > 0 else {}


def late_extra(params: ImageParams, s_min_uncond: float) -> dict[str, InfoValue]:
    """The entries for calls that left out the negative prompt below `s_min_uncond`."""
    extra: dict[str, InfoValue] = {"NGMS": s_min_uncond}
    if params.options.s_min_uncond_all:
        extra["NGMS all steps"] = True
    return extra
