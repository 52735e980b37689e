"""Changes checkpoints for one request (VAE, tiling, noise schedule) and restores them afterwards."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from types import TracebackType
from typing import Self

import torch

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.contract.params import ImageParams
from inference_container.diffusion.noise_schedule import rescale_to_zero_terminal_snr
from inference_container.drawing.tiny_vaes import with_tiny_vaes
from inference_container.drawing.vae_choice import with_chosen_vae
from inference_container.models.checkpoint import Checkpoint
from inference_container.models.files import JobFiles
from inference_container.models.model_cache import ModelCache


def asks_for_tiling(params: ImageParams) -> bool:
    """The field `tiling`, or the option if the request leaves the field open."""
    return bool(params.options.tiling if params.tiling is None else params.tiling)


class FittedCheckpoints:
    """Checkpoints changed for one request: a context manager that finally restores everything that jobs share."""

    def __init__(self, params: ImageParams, *, files: JobFiles, models: ModelCache) -> None:
        self._params, self._files, self._models = params, files, models
        self._undo = ExitStack()
        self._fitted: dict[str, Checkpoint] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._undo.close()

    def fit(self, checkpoint: Checkpoint) -> Checkpoint:
        """The same checkpoint with the request's VAE, noise schedule and tiling, and its owner's prediction type.

        Raises:
            JobFailed: raised by `with_chosen_vae` or `with_tiny_vaes`.
        """
        known = self._fitted.get(checkpoint.file.sha256)
        if known is not None:
            return known
        fitted = with_chosen_vae(checkpoint, self._params, files=self._files, models=self._models)
        fitted = with_tiny_vaes(fitted, self._params, files=self._files, models=self._models)
        if checkpoint.file.prediction_type is not None:
            fitted = replace(fitted, prediction_type=checkpoint.file.prediction_type.value)
        options = self._params.options
        if options.use_downcasted_alpha_bar:
            fitted = replace(fitted, alphas_cumprod=fitted.alphas_cumprod.half())
        if options.sd_noise_schedule == "Zero Terminal SNR":
            # Half precision has no number for ᾱ at its end.
            fitted = replace(fitted, alphas_cumprod=rescale_to_zero_terminal_snr(fitted.alphas_cumprod.float()))
        if asks_for_tiling(self._params):
            self._undo.enter_context(_circular(fitted))
        self._fitted[checkpoint.file.sha256] = fitted
        return fitted

    def named(self, name: str) -> Checkpoint:
        """Load another checkpoint that the request names, and fit it.

        Raises:
            JobFailed: asset_missing, or raised by loading it or by `fit`.
        """
        return self.fit(self._models.checkpoint(self._files.named(AssetType.CHECKPOINT, name)))


@contextmanager
def _circular(checkpoint: Checkpoint) -> Iterator[None]:
    """Make every convolution of UNet and VAE wrap around at the edges (WebUI's tiling)."""
    layers = [
        layer
        for model in (checkpoint.unet, checkpoint.vae)
        for layer in model.modules()
        if isinstance(layer, torch.nn.Conv2d)
    ]
    before = [layer.padding_mode for layer in layers]
    try:
        for layer in layers:
            layer.padding_mode = "circular"
        yield
    finally:
        for layer, mode in zip(layers, before, strict=True):
            layer.padding_mode = mode
