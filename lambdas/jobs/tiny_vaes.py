"""The tiny VAEs (TAESD) of a request: found by the names that WebUI gives them, one for each family that draws."""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from generate_on_cloud.contract.assets import AssetStatus, AssetType
from generate_on_cloud.contract.errors import ProblemCode
from generate_on_cloud.model_files.family_names import Family
from generate_on_cloud.model_files.tiny_vaes import (
    METHOD,
    PART_OF_OPTION,
    PREVIEWS,
    TinyPart,
    listed_names,
    tiny_vae_file_names,
)
from lambdas.assets.record import AssetRecord
from lambdas.assets.store import Meanings, Reference
from lambdas.field_errors import ROOT


class TinyFindings(Protocol):
    """What is noted while files are looked up."""

    @property
    def used(self) -> dict[str, tuple[AssetRecord, list[str]]]: ...
    def use(self, asset: AssetRecord, reference: str | None) -> None: ...
    def fault(self, code: ProblemCode, pointer: str, message: str) -> None: ...
    def warn(self, message: str, *, pointer: str) -> None: ...


def is_tiny(asset: AssetRecord) -> bool:
    return asset.facts.architecture == Family.TINY_VAE


def every_tiny_vae() -> list[Reference]:
    """Every name that a tiny VAE may have."""
    return [
        (AssetType.VAE, name)
        for family in (Family.SD1, Family.SDXL)
        for part in TinyPart
        for name in tiny_vae_file_names(family, part)
    ]


def use_tiny_vaes(
    options: Sequence[str],
    found: Meanings,
    findings: TinyFindings,
    *,
    acting: Callable[[Iterable[AssetRecord]], Sequence[AssetRecord]],
) -> None:
    """Use the file of each option for each checkpoint; `acting` leaves those that may act without being named.

    Without one, a preview is made roughly, with a warning; anything else is a fault.
    """
    checkpoints = [asset for asset, _ in findings.used.values() if asset.type is AssetType.CHECKPOINT]
    for option in options:
        for checkpoint in checkpoints:
            family, part = checkpoint.facts.architecture, PART_OF_OPTION[option]
            names = tiny_vae_file_names(family, part)
            file = next((asset for name in names for asset in _usable(found, name, acting)), None)
            if file is not None:
                findings.use(file, None)
                continue
            pointer = f"{ROOT}/override_settings/{option}"
            message = (
                f"received {METHOD}, and no tiny VAE of yours, an administrator's or a user you trust is called "
                f"{listed_names(family, part)}"
            )
            if option == PREVIEWS:
                findings.warn(f"{message}; the previews are made without one", pointer=pointer)
            else:
                findings.fault(ProblemCode.ASSET_NOT_FOUND, pointer, f"{message}; upload it as a vae")


def _usable(
    found: Meanings, name: str, acting: Callable[[Iterable[AssetRecord]], Sequence[AssetRecord]]
) -> Sequence[AssetRecord]:
    known = found.get((AssetType.VAE, name), [])
    return acting([asset for asset in known if asset.status is AssetStatus.ACTIVE and is_tiny(asset)])
