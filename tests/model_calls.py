"""Records the calls of a checkpoint's models, to repeat them with nothing around them."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch

from inference_container.models.checkpoint import Checkpoint


@dataclass
class ModelCalls:
    """Records a task's calls of text encoder, UNet and VAE, and how long they take."""

    calls: list[tuple[torch.nn.Module, tuple[Any, ...], dict[str, Any]]] = field(default_factory=list)
    seconds: float = 0.0
    _began: float = 0.0

    @contextmanager
    def watching(self, checkpoint: Checkpoint) -> Iterator[None]:
        self.calls.clear()
        self.seconds = 0.0
        modules = (checkpoint.text_encoder, checkpoint.unet, checkpoint.vae.encoder, checkpoint.vae.decoder)
        hooks = [module.register_forward_pre_hook(self._enter, with_kwargs=True) for module in modules]
        hooks += [module.register_forward_hook(self._leave) for module in modules]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    @torch.inference_mode()
    def replay(self) -> None:
        """Repeat the same calls with nothing around them."""
        for module, args, kwargs in self.calls:
            module(*args, **kwargs)

    def _enter(self, module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.calls.append((module, args, kwargs))
        self._began = time.perf_counter()

    def _leave(self, *_: object) -> None:
        self.seconds += time.perf_counter() - self._began
