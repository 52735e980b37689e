"""The guided denoiser: a UNet with changing prompts, CFG, AND, mask and image conditioning (semantics §2.9–2.11)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from inference_container.diffusion.control import ControlPlan, UnetInputs
from inference_container.diffusion.denoising_model import DenoisingModel, Takeover
from inference_container.diffusion.guidance import Guidance
from inference_container.diffusion.mask_blend import MaskBlend
from inference_container.diffusion.parameterization import Parameterization
from inference_container.prompt.conditioning import TextEmbedding

LeftOut = Literal["early", "late"]
"""Left out by `skip_early_cond` (early) or by `s_min_uncond` (late)."""


@dataclass(frozen=True)
class DenoiserCall:
    """A finished model call, for previews and for comparing runs."""

    index: int
    """Counted from 0."""
    x: Tensor
    """(B,4,h,w): the model's input before scaling."""
    level: float
    """σ, or the timestep with timestep samplers."""
    prediction: Tensor
    """The result after guidance and mask: x0, or ε with timestep samplers."""
    left_out: LeftOut | None = None
    """Why the negative prompt was left out; None if it was used."""
    refined: bool = False
    """Whether the refiner made it."""

    def expected(self, alphas_cumprod: Tensor | None) -> Tensor:
        """The clean latents, (B,4,h,w), that it predicts; `alphas_cumprod` with timestep samplers."""
        if alphas_cumprod is None:
            return self.prediction.clone()
        alpha = float(alphas_cumprod[int(self.level)])
        expected: Tensor = (self.x - (1 - alpha) ** 0.5 * self.prediction) / alpha**0.5
        return expected


@dataclass(frozen=True)
class _Branch:
    """One latent that the UNet processes."""

    image: int
    text: TextEmbedding
    extra: Tensor | None
    """(C,h,w): channels appended to the latent."""
    prompted: bool = True
    """Whether its text is a prompt and not the negative prompt."""


class GuidedDenoiser:
    """A `Denoiser` with a real UNet. Use one for each run, because it counts the run's calls."""

    def __init__(
        self,
        model: DenoisingModel,
        parameterization: Parameterization,
        guidance: Guidance,
        *,
        total_steps: int,
        cfg_divisor: float = 1.0,
        blend: MaskBlend | None = None,
        image_conditioning: Tensor | None = None,
        control: ControlPlan | None = None,
        takeover: Takeover | None = None,
        on_call: Callable[[int], None] | None = None,
        recorder: Callable[[DenoiserCall], None] | None = None,
    ) -> None:
        """Bind a model to one batch.

        Args:
            model: the weights; the UNet runs in its own dtype, everything else in float32.
            parameterization: how x and the UNet's output are interpreted.
            guidance: prompts and scales.
            total_steps: the number of steps that `skip_early_cond` is a fraction of.
            cfg_divisor: see `SamplerMethod`.
            blend: latent mask; None repaints everything.
            image_conditioning: (B or 1, C, h, w) channels appended to the latent: 5 for inpainting models, 4 for
                InstructPix2Pix, None for the rest.
            control: ControlNets.
            takeover: another model that continues from some noise level.
            on_call: called after every model call with the number of calls so far; an exception ends the run.
            recorder: receives every call.

        Raises:
            ValueError: the prompts do not match each other or the model.
        """
        _check(model, guidance, image_conditioning)
        self._model, self._parameterization, self._guidance = model, parameterization, guidance
        self._total_steps, self._cfg_divisor = total_steps, cfg_divisor
        self._blend, self._image_conditioning = blend, image_conditioning
        self._control, self._takeover = control, takeover
        self._on_call, self._recorder = on_call, recorder
        self._edits = guidance.image_cfg_scale not in (None, 1.0) and _is_edit_model(model)
        self._refined = False
        self.calls = 0

    def __call__(self, x: Tensor, level: Tensor) -> Tensor:
        """See `Denoiser`.

        Raises:
            JobFailed: the model returned NaN (`nan_latents`).
        """
        return self.with_uncond(x, level)[0]

    def with_uncond(self, x: Tensor, level: Tensor) -> tuple[Tensor, Tensor]:
        """See `Denoiser`; where the negative prompt is left out, the prompt's prediction replaces its prediction."""
        if self._takeover is not None and self._takeover.due(level, done=self.calls / self._total_steps):
            self._hand_over(self._takeover)
        before, blend = self._parameterization.blends_before_call, self._blend
        if blend is not None and before:
            x = blend.at(x, level)
        left_out = None if self._edits else self._leaves_out(level)
        guided, uncond = self._edited(x, level) if self._edits else self._guided(x, level, skip=left_out is not None)
        if blend is not None and not before:
            guided = blend.at(guided, level)
        self.calls += 1
        if self._recorder is not None:
            self._recorder(DenoiserCall(self.calls - 1, x, float(level), guided, left_out, self._refined))
        if self._on_call is not None:
            self._on_call(self.calls)
        return guided, uncond

    def _hand_over(self, takeover: Takeover) -> None:
        """Switch to the other model, with its own prompts and only with the inputs that it supports."""
        model, guidance = takeover.refiner.model, takeover.refiner.guidance
        plain = model.unet.config.in_channels == model.unet.config.out_channels
        conditioning = None if plain else self._image_conditioning
        _check(model, guidance, conditioning)
        if model.unet.config.cross_attention_dim != self._model.unet.config.cross_attention_dim:
            self._control = None
        self._model, self._parameterization, self._guidance = model, takeover.parameterization, guidance
        self._image_conditioning = conditioning
        self._edits = guidance.image_cfg_scale not in (None, 1.0) and _is_edit_model(model)
        self._takeover = None
        self._refined = True

    def _guided(self, x: Tensor, level: Tensor, *, skip: bool) -> tuple[Tensor, Tensor]:
        """uncond + Σ (cond_i - uncond)·weight_i·cfg, computed for every cfg, also for 1."""
        owners = [(image, part) for image, prompt in enumerate(self._guidance.cond) for part in prompt.parts]
        cond = [_Branch(image, part.at(self.calls), self._extra(image)) for image, part in owners]
        answers = self._evaluate(x, level, cond, [] if skip else self._uncond_branches())
        if skip:
            firsts = [next(index for index, owner in enumerate(owners) if owner[0] == image) for image in range(len(x))]
            uncond, scale = answers[firsts], 1.0
        else:
            uncond, scale = answers[len(cond) :], self._guidance.cfg_scale / self._cfg_divisor
        guided = uncond.clone()
        for index, (image, part) in enumerate(owners):
            guided[image] += (answers[index] - uncond[image]) * (part.weight * scale)
        return guided, uncond

    def _edited(self, x: Tensor, level: Tensor) -> tuple[Tensor, Tensor]:
        """InstructPix2Pix: text and picture have separate guidance scales."""
        cond = [
            _Branch(image, prompt.parts[0].at(self.calls), self._extra(image))
            for image, prompt in enumerate(self._guidance.cond)
        ]
        with_picture = self._uncond_branches()
        without = [
            replace(branch, extra=None if branch.extra is None else torch.zeros_like(branch.extra))
            for branch in with_picture
        ]
        answers = self._evaluate(x, level, cond, [*with_picture, *without])
        text, picture, uncond = answers.chunk(3)
        scale = self._guidance.cfg_scale / self._cfg_divisor
        guided = uncond + scale * (text - picture) + (self._guidance.image_cfg_scale or 0.0) * (picture - uncond)
        return guided, uncond

    def _uncond_branches(self) -> list[_Branch]:
        return [
            _Branch(image, prompt.parts[0].at(self.calls), self._extra(image), prompted=False)
            for image, prompt in enumerate(self._guidance.uncond)
        ]

    def _extra(self, image: int) -> Tensor | None:
        given = self._image_conditioning
        return None if given is None else given[image if len(given) > 1 else 0]

    def _leaves_out(self, level: Tensor) -> LeftOut | None:
        guidance = self._guidance
        if guidance.skip_early_cond > 0 and self.calls / self._total_steps <= guidance.skip_early_cond:
            return "early"
        alternate = self.calls % 2 == 1 or guidance.s_min_uncond_all
        late = alternate and guidance.s_min_uncond > 0 and float(level) < guidance.s_min_uncond
        return "late" if late else None

    def _evaluate(self, x: Tensor, level: Tensor, cond: list[_Branch], uncond: list[_Branch]) -> Tensor:
        """Predictions of all branches, cond first, in one UNet call if the prompts' lengths allow it."""
        cond_tokens, uncond_tokens = _tokens(cond), _tokens(uncond)
        if self._guidance.pad_v0 and uncond:
            uncond_tokens = _fitted(uncond_tokens, cond_tokens.shape[1])
        elif self._guidance.empty_chunk is not None and uncond:
            cond_tokens, uncond_tokens = _padded(cond_tokens, uncond_tokens, self._guidance.empty_chunk)
        if not uncond or cond_tokens.shape[1] == uncond_tokens.shape[1]:
            tokens = torch.cat([cond_tokens, uncond_tokens]) if uncond else cond_tokens
            answers = self._predict(x, level, [*cond, *uncond], tokens)
        else:
            answers = torch.cat(
                [self._predict(x, level, cond, cond_tokens), self._predict(x, level, uncond, uncond_tokens)]
            )
        if answers.isnan().any():
            raise JobFailed(
                JobErrorCode.NAN_LATENTS,
                f"the UNet returned NaN at call {self.calls + 1} (noise level {float(level):.4g}); the checkpoint "
                f"may be damaged or need a higher precision than {self._model.dtype}",
            )
        return answers

    def _predict(self, x: Tensor, level: Tensor, branches: Sequence[_Branch], tokens: Tensor) -> Tensor:
        """Call the UNet once for these branches; returns float32 (len(branches), 4, h, w)."""
        model = self._model
        rows = x[[branch.image for branch in branches]]
        scaled, timestep = self._parameterization.unet_input(rows, level)
        extras = [branch.extra for branch in branches if branch.extra is not None]
        if extras:
            scaled = torch.cat([scaled, torch.stack(extras).to(scaled)], dim=1)
        added = self._added_conditioning(branches)
        inputs = UnetInputs(
            scaled.to(model.dtype),
            timestep.reshape(()).expand(len(branches)).to(model.device),
            tokens.to(device=model.device, dtype=model.dtype),
            added,
            [branch.prompted for branch in branches],
        )
        output = model.unet(
            inputs.x,
            inputs.timesteps,
            encoder_hidden_states=inputs.tokens,
            added_cond_kwargs=added,
            return_dict=False,
            **({} if self._control is None else self._control.residuals(self.calls, inputs)),
        )[0]
        noise = output.float()
        if self._control is not None:
            noise = self._control.steered(noise, inputs, alphas_cumprod=model.alphas_cumprod)
        return self._parameterization.prediction(rows, noise, level)

    def _added_conditioning(self, branches: Sequence[_Branch]) -> dict[str, Tensor] | None:
        pooled = [branch.text.pooled for branch in branches if branch.text.pooled is not None]
        if not pooled:
            return None
        if self._guidance.time_ids is None:
            raise ValueError("received pooled embeddings without time_ids")
        device, dtype = self._model.device, self._model.dtype
        ids = self._guidance.time_ids
        other = ids if self._guidance.uncond_time_ids is None else self._guidance.uncond_time_ids
        return {
            "text_embeds": torch.stack(pooled).to(device=device, dtype=dtype),
            "time_ids": torch.stack([ids if one.prompted else other for one in branches]).to(device, dtype),
        }


def _is_edit_model(model: DenoisingModel) -> bool:
    return int(model.unet.config.in_channels) == 8


def _check(model: DenoisingModel, guidance: Guidance, image_conditioning: Tensor | None) -> None:
    if len(guidance.cond) != len(guidance.uncond) or not guidance.cond:
        raise ValueError(f"received {len(guidance.cond)} prompts and {len(guidance.uncond)} negative prompts")
    if any(not prompt.parts for prompt in guidance.cond) or any(len(prompt.parts) != 1 for prompt in guidance.uncond):
        raise ValueError("a prompt needs at least one part, a negative prompt exactly one")
    expected = int(model.unet.config.in_channels)
    received = int(model.unet.config.out_channels) + (0 if image_conditioning is None else image_conditioning.shape[1])
    if received != expected:
        raise ValueError(f"received {received} channels with the image conditioning; the UNet takes {expected}")
    edits = guidance.image_cfg_scale not in (None, 1.0) and _is_edit_model(model)
    if edits and any(len(prompt.parts) > 1 for prompt in guidance.cond):
        raise JobFailed(
            JobErrorCode.INVALID_PARAMS,
            "AND does not work with an InstructPix2Pix checkpoint unless image_cfg_scale is 1",
        )


def _tokens(branches: Sequence[_Branch]) -> Tensor:
    """(n, tokens, dim); shorter texts are padded with the vector of their last token (semantics §4.6)."""
    texts = [branch.text.tokens for branch in branches]
    longest = max((len(text) for text in texts), default=0)
    if not texts:
        return torch.empty(0)
    return torch.stack([torch.cat([text, text[-1:].expand(longest - len(text), -1)]) for text in texts])


def _fitted(tokens: Tensor, length: int) -> Tensor:
    """(n, length, dim): cut, or lengthened by the last token's vector."""
    missing = max(length - tokens.shape[1], 0)
    return torch.cat([tokens[:, :length], tokens[:, -1:].expand(-1, missing, -1)], dim=1)


def _padded(cond: Tensor, uncond: Tensor, empty_chunk: Tensor) -> tuple[Tensor, Tensor]:
    """Both at equal length, the shorter one padded with empty prompts."""
    missing = (cond.shape[1] - uncond.shape[1]) // len(empty_chunk)

    def filled(tokens: Tensor, chunks: int) -> Tensor:
        filler = empty_chunk.to(tokens).repeat(max(chunks, 0), 1).expand(len(tokens), -1, -1)
        return torch.cat([tokens, filler], dim=1)

    return filled(cond, -missing), filled(uncond, missing)
