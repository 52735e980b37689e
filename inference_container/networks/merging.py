"""Merges networks into a model's weights and restores the weights bit for bit (semantics §8.2)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from generate_on_cloud.model_files.network_kinds import MAGNITUDE, OUTPUT_MAGNITUDE
from inference_container.networks.kinds import change_of
from inference_container.networks.layer import AppliedLayer, Change, LayerParts, is_shape_of, matrix, scale_of

LATENT_CHANNELS = 4


class ShapeMismatchError(ValueError):
    """A network's layer does not fit the model's layer; the message names both shapes."""

    def __init__(self, share: "Share", weight: Tensor) -> None:
        found = ", ".join(f"{name} {list(tensor.shape)}" for name, tensor in share.parts.tensors.items())
        super().__init__(f"its layer {share.layer} has {found}; the model's weight has {list(weight.shape)}")
        self.share = share


@dataclass(frozen=True)
class Share:
    """The effect of one tag on one layer."""

    network: str
    """Name of the network."""
    layer: str
    """Name of the layer in the file."""
    parts: LayerParts
    weight: float
    """The tag's weight for this part of the model; 0 has no effect."""
    rank: int | None
    """The rank to truncate to; None for the full rank."""


class MergedWeights:
    """Layers that networks changed, each with a copy of its original values on the CPU."""

    def __init__(self) -> None:
        self._before: list[tuple[Any, str, Tensor | None]] = []

    def merge(self, module: Any, shares: Iterable[Share]) -> list[ShapeMismatchError]:
        """Apply `shares` to a module's weight and bias one after another; those of another shape are left out.

        Everything is computed in float32 and rounded once to the module's precision.

        Returns:
            Why shares were left out.
        """
        acting = [share for share in shares if share.weight != 0]
        if not acting:
            return []
        misfits: list[ShapeMismatchError] = []
        self._keep(module, "weight")
        weight = module.weight.detach()
        wide = weight.float()
        for share in acting:
            try:
                change = _add_to(wide, share)
                if change.bias is not None:
                    self._add_bias(module, change.bias, share)
            except ShapeMismatchError as error:
                misfits.append(error)
        if wide is not weight:
            weight.copy_(wide)
        return misfits

    def restore(self) -> None:
        """Restore every changed layer."""
        while self._before:
            module, name, before = self._before.pop()
            if before is None:
                setattr(module, name, None)
            else:
                getattr(module, name).detach().copy_(before)

    def _keep(self, module: Any, name: str) -> None:
        parameter = getattr(module, name)
        self._before.append((module, name, None if parameter is None else parameter.detach().to("cpu", copy=True)))

    def _add_bias(self, module: Any, change: Tensor, share: Share) -> None:
        if change.numel() != len(module.weight) or not hasattr(module, "bias"):
            raise ShapeMismatchError(share, module.weight)
        self._keep(module, "bias")
        change = (change.reshape(-1) * share.weight).to(module.weight.device)
        if module.bias is None:
            module.bias = torch.nn.Parameter(change.to(module.weight.dtype), requires_grad=False)
        else:
            module.bias.detach().copy_(module.bias.float() + change)


def _add_to(weight: Tensor, share: Share) -> Change:
    """Add ΔW to the float32 `weight` in place."""
    target = _target(weight, share)
    parts = share.parts.moved(lambda tensor: tensor.to(weight.device, torch.float32))
    change = _change(parts, target, share)
    scale = scale_of(parts, change.rank)
    magnitude = _magnitude(parts)
    if change.factors is not None and magnitude is None and target.is_contiguous():
        matrix(target).addmm_(*change.factors, alpha=scale * share.weight)
        return change
    whole = change.whole()
    if whole is None:
        return change
    delta = whole.reshape(target.shape)
    if magnitude is not None:
        delta, scale = _decomposed(target + delta * scale, magnitude) - target, 1.0
    target.add_(delta, alpha=scale * share.weight)
    return change


def _target(weight: Tensor, share: Share) -> Tensor:
    """Check that ΔW fits and return what it is added to: in a wider conv_in, only the latents' channels (§8.2)."""
    if _fits(weight, share):
        return weight
    latents = weight[:, :LATENT_CHANNELS]
    if weight.ndim == 4 and weight.shape[1] in (8, 9) and _fits(latents, share):
        return latents
    raise ShapeMismatchError(share, weight)


def _fits(weight: Tensor, share: Share) -> bool:
    """Try the shapes on the meta device first, because a file's shapes could require any amount of memory."""
    try:
        parts = share.parts.moved(lambda tensor: torch.empty(tensor.shape, device="meta"))
        target = torch.empty(weight.shape, device="meta")
        change = _change(parts, target, share).whole()
        magnitude = _magnitude(parts)
        if magnitude is not None:
            _decomposed(target, magnitude)
    except (IndexError, RuntimeError, ValueError):
        return False
    return change is None or is_shape_of(change, weight)


def _change(parts: LayerParts, weight: Tensor, share: Share) -> Change:
    return change_of(AppliedLayer(parts, weight, share.rank))


def _magnitude(parts: LayerParts) -> Tensor | None:
    """The lengths of a DoRA; PEFT's are those of outputs and get one axis here, whatever axes the file has."""
    of_outputs = parts.tensors.get(OUTPUT_MAGNITUDE)
    return parts.tensors.get(MAGNITUDE) if of_outputs is None else of_outputs.reshape(-1)


def _decomposed(weight: Tensor, magnitude: Tensor) -> Tensor:
    """DoRA: set the norms of the columns of `weight` to `magnitude`, or of its rows if it has one number per row."""
    by_row = magnitude.ndim == 1 or (magnitude.shape[0] == weight.shape[0] == magnitude.numel() != 1)
    kept = 0 if by_row else 1
    norms = weight.transpose(0, kept).flatten(1).norm(dim=1)
    if magnitude.numel() != len(norms):
        raise ValueError(f"received {magnitude.numel()} magnitudes; expected {len(norms)}")
    shape = [1] * weight.ndim
    shape[kept] = -1
    resized: Tensor = weight * (magnitude.reshape(shape) / norms.reshape(shape))
    return resized
