"""Applies ControlNets: what they add to the UNet's layers in each model call (semantics §8.5)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from inference_container.diffusion.steering import Steering, steered

SOFTENING = 0.825
"""The factor from each layer to the one before it, if the prompt or the map is to be more important."""


@dataclass(frozen=True)
class Control:
    """One ControlNet in one pass."""

    network: Any
    """A diffusers ControlNetModel."""
    hint: Tensor
    """(1, 3, 8h, 8w) in 0..1, on the network's device and in its dtype."""
    weight: float = 1.0
    start: float = 0.0
    """The part of the pass in which it acts, from `start` to `end`, 0..1, both included."""
    end: float = 1.0
    softened: bool = False
    """Whether earlier layers count less; the first of 13 is multiplied by 0.825¹²."""
    prompt_only: bool = False
    """Whether it acts on the prompt only and not on the negative prompt."""
    pools: bool = False
    """Whether its outputs are averaged over the picture; it then does not act on the negative prompt."""
    layer_weights: tuple[float, ...] | None = None
    """Weights by layer, which replace `weight` and `softened`."""
    steering: Steering | None = None
    """What it does to the UNet's noise besides."""

    def acts_at(self, progress: float) -> bool:
        """Whether it acts at `progress` of the pass, 0..1."""
        return self.start <= progress <= self.end and any(self.layer_weights or (self.weight,))

    def scales(self, layers: int) -> tuple[float, ...]:
        """The factor of each layer's output; that of the middle block comes last.

        Raises:
            ValueError: the number of `layer_weights` differs.
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
    """All ControlNets of a pass, and how the number of model calls translates to its progress."""

    controls: tuple[Control, ...]
    steps: int
    """The number of steps that are executed."""
    calls_per_step: int = 1
    """2 for second-order samplers."""

    def progress(self, call: int) -> float:
        """The progress at model call `call`, counted from 0.

        WebUI counts a step when it is done, so the second one begins at 0 too.
        """
        return max(0, (call - 1) // self.calls_per_step) / self.steps

    def steered(self, output: Tensor, inputs: "UnetInputs", *, alphas_cumprod: Tensor) -> Tensor:
        """The UNet's noise, float32 (n, 4, h, w), as the units want it."""
        wanted = [control.steering for control in self.controls if control.steering is not None]
        if not wanted:
            return output
        timestep = int(inputs.timesteps[0].float().round())
        x = inputs.x[:, : output.shape[1]].float()
        alpha = alphas_cumprod[timestep].float()
        return steered(output, x, alpha=alpha, prompted=inputs.prompted, steerings=wanted)

    def residuals(self, call: int, inputs: "UnetInputs") -> dict[str, Any]:
        """Keyword arguments for the UNet; empty if no ControlNet acts in this call."""
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
    """The UNet's inputs in one call with n branches."""

    x: Tensor
    """(n, channels, h, w), scaled; only the latents' own channels are used."""
    timesteps: Tensor
    """(n,)"""
    tokens: Tensor
    """(n, tokens, dim)"""
    added: dict[str, Tensor] | None
    prompted: Sequence[bool]
    """For each branch, whether its text is a prompt and not the negative prompt."""


def _answers(control: Control, inputs: UnetInputs) -> list[Tensor]:
    """The scaled outputs of all layers; that of the middle block comes last."""
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
