"""The prompts of a request as infotext shows them, and the networks that their tags name."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from generate_on_cloud.contract.params import ImageParams, Txt2ImgParams
from generate_on_cloud.webui.prompt.errors import PromptSyntaxError, StyleError
from generate_on_cloud.webui.prompt.extra_networks import (
    HYPERNET_KIND,
    NO_NETWORKS,
    NetworkPlan,
    extract_tags,
    plan_networks,
    strip_comments,
)
from generate_on_cloud.webui.prompt.styles import Style, apply_styles


@dataclass(frozen=True)
class Prompts:
    """Both prompts as infotext shows them: styles applied, comments removed, extra-network tags kept."""

    prompt: str
    negative_prompt: str
    networks: NetworkPlan = NO_NETWORKS
    """The networks that the positive prompt's tags name, for the whole pass."""


def read_prompts(params: ImageParams, styles: Mapping[str, Style]) -> Prompts:
    """The request's prompts for the first pass; `styles` are all available styles.

    Raises:
        JobFailed: invalid_params, if a tag cannot be parsed or a style does not exist.
    """
    prompts = _read(params, params.prompt, params.negative_prompt, styles)
    own = _general_tags(params, prompts)
    # Every pass that lacks a tag adds it to the prompt that infotexts show, the second pass too.
    tags = own
    if isinstance(params, Txt2ImgParams) and params.enable_hr:
        tags += _general_tags(params, _read_hires(params, styles))
    return replace(prompts, prompt=prompts.prompt + tags, networks=_networks(params, prompts.prompt + own))


def read_hires_prompts(params: Txt2ImgParams, styles: Mapping[str, Style]) -> Prompts:
    """The prompts of the second pass; empty ones default to the first pass's. Raises like `read_prompts`."""
    prompts = _read_hires(params, styles)
    return replace(prompts, networks=_networks(params, prompts.prompt + _general_tags(params, prompts)))


def _read_hires(params: Txt2ImgParams, styles: Mapping[str, Style]) -> Prompts:
    prompt, negative_prompt = params.hr_prompt or params.prompt, params.hr_negative_prompt or params.negative_prompt
    return _read(params, prompt, negative_prompt, styles)


def _general_tags(params: ImageParams, prompts: Prompts) -> str:
    """The tags of the options `sd_hypernetwork` and `sd_lora`, for prompts that do not name these files themselves."""
    options, networks = params.options, prompts.networks
    if params.disable_extra_networks:
        return ""
    found = [
        f"<{kind}:{name}:{options.extra_networks_default_multiplier}>"
        for kind, name, uses in (
            (HYPERNET_KIND, options.sd_hypernetwork, networks.hypernets),
            ("lora", options.sd_lora, networks.loras),
        )
        if name not in ("", "None") and all(use.name != name for use in uses)
    ]
    # WebUI goes first through the kinds that the prompt names.
    return "".join(reversed(found) if networks.loras and not networks.hypernets else found)


def _read(params: ImageParams, prompt: str, negative_prompt: str, styles: Mapping[str, Style]) -> Prompts:
    try:
        prompt, negative_prompt = apply_styles(prompt, negative_prompt, names=params.styles, styles=styles)
    except StyleError as error:
        raise JobFailed(JobErrorCode.INVALID_PARAMS, f"styles: {error}") from error
    if params.options.enable_prompt_comments:
        prompt, negative_prompt = strip_comments(prompt), strip_comments(negative_prompt)
    return Prompts(prompt, negative_prompt, _networks(params, prompt))


def _networks(params: ImageParams, prompt: str) -> NetworkPlan:
    try:
        return NO_NETWORKS if params.disable_extra_networks else plan_networks(extract_tags(prompt).tags)
    except PromptSyntaxError as error:
        raise JobFailed(JobErrorCode.INVALID_PARAMS, f"prompt: {error}") from error
