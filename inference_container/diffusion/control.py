"""ControlNets at work: what they add to a UNet's layers at one model call (semantics §8.5)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

SOFTENING = 0.825
"""From each layer to the one before it, where the prompt or the map is to be more important."""


@dataclass(frozen=True)
class Control:
    """One ControlNet in one pass."""

    network: Any
    """A diffusers ControlNetModel."""
    hint: Tensor
    """(1, 3, 8h, 8w) in 0..1, on the network's device and in its dtype."""
    weight: float = 1.0
    start: float = 0.0
    """Where in the pass it begins and ends, 0..1, both included."""
    end: float = 1.0
    softened: bool = False
    """Earlier layers count less, the first of 13 by .825¹²."""
    prompt_only: bool = False
    """It does not act on the negative prompt."""
    pools: bool = False
    """Its answers are averaged over the picture, and it does not act on the negative prompt."""
    layer_weights: tuple[float, ...] | None = None
    """Instead of `weight` and `softened`."""

    def acts_at(self, progress: float) -> bool:
        """At `progress` of the pass, 0..1."""
        return self.start <= progress <= self.end and any(self.layer_weights or (self.weight,))

    def scales(self, layers: int) -> tuple[float, ...]:
        """What each layer's answer is multiplied by, the middle block's last.

        Raises:
            ValueError: `layer_weights` are of another number.
        """
        if self.layer_weights is not None:
            if len(self.layer_weights) != layers:
                raise ValueError(f"received {len(self.layer_weights)} layer weights for {layers} layers")
            return self.layer_weights
        if not self.softened:
            return (self.weight,) * layers
        return tuple(self.weight * SOFTENING ** (layers - 1 - layer) for layer in range(layers))


@dataclass(frozen=True)
class ControlPlan:
    """All ControlNets of a pass, and how its progress is told from the number of model calls."""

    controls: tuple[Control, ...]
    steps: int
    """That are executed."""
    calls_per_step: int = 1
    """2 for second-order samplers."""

    def progress(self, call: int) -> float:
        """At model call number `call`, from 0. WebUI counts a step when it is done, so the second begins at 0, too."""
        return max(0, (call - 1) // self.calls_per_step) / self.steps

    def residuals(self, call: int, inputs: "UnetInputs") -> dict[str, Any]:
        """Keyword arguments for the UNet; none when no ControlNet acts at this call."""
        acting = [control for control in self.controls if control.acts_at(self.progress(call))]
        total: list[Tensor] = []
        for control in acting:
            answers = _answers(control, inputs)
            total = answers if not total else [one + other for one, other in zip(total, answers, strict=True)]
        if not total:
            return {}
        return {"down_block_additional_residuals": tuple(total[:-1]), "mid_block_additional_residual": total[-1]}


@dataclass(frozen=True)
class UnetInputs:
    """What the UNet sees at one call; n branches."""

    x: Tensor
    """(n, channels, h, w), scaled; only the latents' own channels are used."""
    timesteps: Tensor
    """(n,)"""
    tokens: Tensor
    """(n, tokens, dim)"""
    added: dict[str, Tensor] | None
    prompted: Sequence[bool]
    """Of each branch, whether its text is a prompt and not the negative prompt."""


def _answers(control: Control, inputs: UnetInputs) -> list[Tensor]:
    """Of all layers, the middle block's last, scaled."""
    latents = inputs.x[:, : control.network.config.in_channels]
    down, middle = control.network(
        latents,
        inputs.timesteps,
        encoder_hidden_states=inputs.tokens,
        controlnet_cond=control.hint.expand(len(latents), -1, -1, -1),
        added_cond_kwargs=inputs.added,
        return_dict=False,
    )
    answers = [*down, middle]
    if control.prompt_only or control.pools:
        acting = torch.tensor(inputs.prompted, dtype=latents.dtype, device=latents.device)[:, None, None, None]
        answers = [answer * acting for answer in answers]
    answers = [answer * scale for answer, scale in zip(answers, control.scales(len(answers)), strict=True)]
    if control.pools:
        answers = [answer.mean(dim=(2, 3), keepdim=True) for answer in answers]
    return answers
