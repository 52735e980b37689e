"""Which checkpoint a job means: one active asset, or a clear word about why not."""

from dataclasses import dataclass

from inference_container.contract.assets import AssetStatus, AssetType
from inference_container.contract.errors import FieldError, ProblemCode
from inference_container.contract.params import ImageParams, TaskParams
from lambdas.assets import AssetRecord, AssetStore
from lambdas.job_params import ROOT
from lambdas.problems import ProblemError, invalid, shortened

POINTER = "/checkpoint"
OPTION_POINTER = f"{ROOT}/override_settings/sd_model_checkpoint"
NAMES_SHOWN = 10


@dataclass(frozen=True)
class CheckpointChoice:
    """The reference a request makes and where it stands in it."""

    reference: str
    pointer: str
    also: str | None = None
    """What `override_settings.sd_model_checkpoint` says beside the field; it must mean the same asset."""


def choose_checkpoint(named: str | None, params: TaskParams) -> CheckpointChoice | None:
    """The reference to resolve; None for a task that needs no checkpoint and names none.

    Raises:
        ProblemError: `invalid_params` when a task that needs one names none.
    """
    option = str(params.option("sd_model_checkpoint")) if isinstance(params, ImageParams) else ""
    if named:
        return CheckpointChoice(named, POINTER, also=option or None)
    if option:
        return CheckpointChoice(option, OPTION_POINTER)
    if not isinstance(params, ImageParams):
        return None
    message = (
        "Choose a checkpoint: received none; allowed: an asset's id, file name or title "
        "(GET /v1/assets?type=checkpoint lists them)."
    )
    raise invalid([FieldError(pointer=POINTER, message=message)])


def resolve_checkpoint(assets: AssetStore, choice: CheckpointChoice) -> AssetRecord:
    """The active asset that is meant; one call when there is one.

    Raises:
        ProblemError: `asset_not_found`, `asset_not_active`, or `invalid_params` when the reference is ambiguous or the
            request contradicts itself.
    """
    found = assets.called(AssetType.CHECKPOINT, choice.reference)
    live = [asset for asset in found if asset.status is not AssetStatus.FAILED]
    if len(live) > 1:
        names = ", ".join(asset.name for asset in live[:NAMES_SHOWN])
        message = f"received {choice.reference!r}, which may be any of: {names}; allowed: the whole file name"
        raise invalid([FieldError(pointer=choice.pointer, message=message)])
    if not found:
        raise _not_found(assets, choice)
    asset = (live or found)[0]
    if asset.status is not AssetStatus.ACTIVE:
        reason = f": {asset.error}" if asset.error else ""
        message = f"{asset.name} is {asset.status}{reason}; allowed: an active checkpoint"
        raise ProblemError(
            ProblemCode.ASSET_NOT_ACTIVE, message, errors=[FieldError(pointer=choice.pointer, message=message)]
        )
    if choice.also is not None and not asset.is_called(choice.also):
        message = (
            f"received {shortened(choice.also)!r} here and {shortened(choice.reference)!r} in {POINTER}; "
            "allowed: the same checkpoint, or only one of the two"
        )
        raise invalid([FieldError(pointer=OPTION_POINTER, message=message)])
    return asset


def _not_found(assets: AssetStore, choice: CheckpointChoice) -> ProblemError:
    names = assets.some_names(AssetType.CHECKPOINT, limit=NAMES_SHOWN)
    available = f"available: {', '.join(names)}" if names else "no checkpoint is uploaded yet"
    message = f"received {shortened(choice.reference)!r}; {available}"
    return ProblemError(
        ProblemCode.ASSET_NOT_FOUND,
        f"There is no checkpoint {shortened(choice.reference)!r}.",
        errors=[FieldError(pointer=choice.pointer, message=message)],
    )
