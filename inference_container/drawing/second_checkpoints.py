"""Additional checkpoints that a request names: the refiner, and the one for the hires pass."""

from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from generate_on_cloud.contract.jobs import JobPhase
from generate_on_cloud.contract.params import ImageParams, Txt2ImgParams
from generate_on_cloud.contract.upscalers import LATENT_UPSCALERS
from generate_on_cloud.webui.infotext.record import SHORT_HASH, InfoValue
from inference_container.drawing.fitted_checkpoints import FittedCheckpoints
from inference_container.models.checkpoint import Checkpoint
from inference_container.models.tensor_file import incompatible
from inference_container.progress import JobProgress


def short_title(checkpoint: Checkpoint) -> str:
    """A further checkpoint's name in infotext."""
    return f"{checkpoint.file.stem} [{checkpoint.file.sha256[:SHORT_HASH]}]"


def refiner_extra(refiner: Checkpoint, params: ImageParams) -> dict[str, InfoValue]:
    """The infotext entries after the refiner has taken over."""
    passes = params.options.hires_fix_refiner_pass
    enlarged = isinstance(params, Txt2ImgParams) and params.enable_hr
    noted: dict[str, InfoValue] = {"Hires refiner": passes} if enlarged and passes != "second pass" else {}
    return noted | {"Refiner": short_title(refiner), "Refiner switch at": params.refiner_switch_at}


def chosen_refiner(
    checkpoints: FittedCheckpoints, params: ImageParams, checkpoint: Checkpoint, *, progress: JobProgress
) -> Checkpoint | None:
    """The refiner that the request names; None if there is none or it is the checkpoint that it would replace.

    Raises:
        JobFailed: asset_missing; raised by loading it; asset_incompatible, if its latents or channels differ.
    """
    if params.refiner_checkpoint in (None, "", "None", "none"):
        return None
    with progress.phase(JobPhase.LOADING_MODELS):
        refiner = checkpoints.named(str(params.refiner_checkpoint))
    if refiner.file.sha256 == checkpoint.file.sha256:
        return None
    _check_latents(refiner, checkpoint)
    received, had = refiner.unet.config.in_channels, checkpoint.unet.config.in_channels
    if received not in (refiner.unet.config.out_channels, had):
        raise incompatible(
            refiner.file,
            f"as refiner its UNet takes {received} channels ({refiner.family.value}), "
            f"that of {checkpoint.file.name} {had} ({checkpoint.family.value})",
        )
    return refiner


def chosen_hires_checkpoint(
    checkpoints: FittedCheckpoints, params: Txt2ImgParams, checkpoint: Checkpoint, *, progress: JobProgress
) -> Checkpoint:
    """The checkpoint of the second pass.

    Raises:
        JobFailed: like `chosen_refiner`; other latents are refused unless the passes exchange a picture.
    """
    if not params.enable_hr or params.hr_checkpoint_name is None:
        return checkpoint
    with progress.phase(JobPhase.LOADING_MODELS):
        second = checkpoints.named(params.hr_checkpoint_name)
    if params.hr_upscaler is None or params.hr_upscaler in LATENT_UPSCALERS:
        _check_latents(second, checkpoint)
    if second.edits:
        message = (
            f"hr_checkpoint_name: received {second.family.value}, which edits pictures; allowed: any other checkpoint"
        )
        raise JobFailed(JobErrorCode.INVALID_PARAMS, message)
    return second


def _check_latents(second: Checkpoint, first: Checkpoint) -> None:
    scales = [float(one.vae.config.scaling_factor) for one in (second, first)]
    if scales[0] != scales[1]:
        raise incompatible(
            second.file,
            f"as {second.family.value} it cannot continue the latents of {first.file.name} ({first.family.value})",
        )
