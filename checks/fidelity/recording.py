"""Listens to a checkpoint's modules while a task runs: which noise levels the UNet saw, which latents were decoded."""

from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from inference_container.models.checkpoint import Checkpoint


class Recording:
    """What one job did to `checkpoint`; a context manager that takes its ears off at the end."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint
        self._hooks: list[Any] = []
        self._timesteps: list[float] = []
        self._decoded: list[Tensor] = []

    def __enter__(self) -> Self:
        unet, vae = self._checkpoint.unet, self._checkpoint.vae
        self._hooks.append(unet.register_forward_pre_hook(self._hear_unet, with_kwargs=True))
        self._hooks.append(vae.post_quant_conv.register_forward_pre_hook(self._hear_decoder))
        return self

    def __exit__(self, *_: object) -> None:
        for hook in self._hooks:
            hook.remove()

    @property
    def timesteps(self) -> npt.NDArray[np.float64]:
        """Of every row the UNet was given, in order."""
        return np.array(self._timesteps)

    @property
    def latents(self) -> npt.NDArray[np.float32]:
        """All decoded latents, scaled, shape (images, 4, h, w)."""
        if not self._decoded:
            return np.zeros((0, 4, 0, 0), np.float32)
        return torch.cat(self._decoded).float().numpy() * np.float32(self._checkpoint.vae.config.scaling_factor)

    def sigma_to_timestep(self, sigmas: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Fractional training timesteps of noise levels σ: linear in log σ."""
        alphas = self._checkpoint.alphas_cumprod.double().numpy()
        return np.interp(np.log(sigmas.astype(np.float64)), np.log(((1 - alphas) / alphas) ** 0.5), np.arange(1000))

    def _hear_unet(self, _: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        sample = args[0] if args else kwargs["sample"]
        timestep = torch.as_tensor(args[1] if len(args) > 1 else kwargs["timestep"])
        self._timesteps += timestep.double().reshape(-1).expand(len(sample)).tolist()

    def _hear_decoder(self, _: Any, args: tuple[Tensor, ...]) -> None:
        self._decoded.append(args[0].detach().cpu())
