"""How many tokens a request merges: WebUI's three options, by task and pass."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from generate_on_cloud.contract.params import ImageParams, Img2ImgParams
from inference_container.diffusion.token_merging import merging_tokens
from inference_container.drawing.passes import Pass


def token_merging_ratio(params: ImageParams, *, hires: bool = False) -> float:
    """The ratio for a pass: the hires pass and img2img have their own options; otherwise the general one counts.

    As in WebUI, the general option overrides img2img's own if the request sets it.
    """
    options, own = params.options, 0.0
    if hires:
        own = options.token_merging_ratio_hr
    elif isinstance(params, Img2ImgParams) and not params.override_settings.get("token_merging_ratio"):
        own = options.token_merging_ratio_img2img
    return own or options.token_merging_ratio


@contextmanager
def merged_tokens(one: Pass) -> Iterator[None]:
    """Make the models of this pass merge tokens inside the block as its request asks."""
    ratio = token_merging_ratio(one.plan.params, hires=one.hires is not None)
    with ExitStack() as stack:
        for unet in [one.checkpoint.unet, *([] if one.refiner is None else [one.refiner.model.unet])]:
            stack.enter_context(merging_tokens(unet, ratio))
        yield
