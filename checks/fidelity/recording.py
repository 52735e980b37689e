"""Records the noise levels of a job's denoiser calls and the latents that it decodes."""

from collections.abc import Callable
from typing import Any, Self
from unittest.mock import patch

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from inference_container.diffusion.denoiser import GuidedDenoiser
from inference_container.models.checkpoint import Checkpoint


class Recording:
    """Records a job's use of these checkpoints; a context manager that finally removes its hooks."""

    def __init__(self, *checkpoints: Checkpoint) -> None:
        self._checkpoints = checkpoints
        self._undo: list[Callable[[], Any]] = []
        self._timesteps: list[float] = []
        self._levels: list[float] = []
        self._decoded: list[tuple[Tensor, float]] = []

    def __enter__(self) -> Self:
        for checkpoint in self._checkpoints:
            self._hear(checkpoint)
        answer = GuidedDenoiser.with_uncond

        def heard(denoiser: GuidedDenoiser, x: Tensor, level: Tensor) -> tuple[Tensor, Tensor]:
            self._levels.append(float(level))
            return answer(denoiser, x, level)

        patcher = patch.object(GuidedDenoiser, "with_uncond", heard)
        patcher.start()
        self._undo.append(patcher.stop)
        return self

    def __exit__(self, *_: object) -> None:
        for undo in self._undo:
            undo()

    @property
    def timesteps(self) -> npt.NDArray[np.float64]:
        """Timesteps of every row that the UNets processed, in order."""
        return np.array(self._timesteps)

    @property
    def levels(self) -> npt.NDArray[np.float32]:
        """σ (or timestep, for timestep samplers) of every denoiser call, in order."""
        return np.array(self._levels, np.float32)

    @property
    def decoded(self) -> list[npt.NDArray[np.float32]]:
        """All decoded latents, scaled, each of shape (4, h, w), without those that an `sd_vae` decoded."""
        return [row.numpy() * np.float32(scale) for rows, scale in self._decoded for row in rows.float()]

    @property
    def latents(self) -> npt.NDArray[np.float32]:
        """All decoded latents, shape (images, 4, h, w), which must have one size."""
        return np.stack(self.decoded) if self._decoded else np.zeros((0, 4, 0, 0), np.float32)

    def _hear(self, checkpoint: Checkpoint) -> None:
        scale = float(checkpoint.vae.config.scaling_factor)

        def hear_decoder(_: Any, args: tuple[Tensor, ...]) -> None:
            self._decoded.append((args[0].detach().cpu(), scale))

        unet, decoder = checkpoint.unet, checkpoint.vae.post_quant_conv
        self._undo.append(unet.register_forward_pre_hook(self._hear_unet, with_kwargs=True).remove)
        self._undo.append(decoder.register_forward_pre_hook(hear_decoder).remove)

    def _hear_unet(self, _: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        sample = args[0] if args else kwargs["sample"]
        timestep = torch.as_tensor(args[1] if len(args) > 1 else kwargs["timestep"])
        self._timesteps += timestep.double().reshape(-1).expand(len(sample)).tolist()
