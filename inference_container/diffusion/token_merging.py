"""Token merging (Bolya & Hoffman 2023): averages the most similar tokens, so that self-attention has fewer of them.

As in WebUI, the first token of each 2×2 block of the latent picture is a destination, and only self-attention at the
latents' full size is merged.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from inference_container.diffusion.replaced_forward import replaced_forward

BLOCK = 2
"""Side length of the square of tokens that share one destination."""


@dataclass(frozen=True)
class Merge:
    """Which tokens of a picture are merged. All indices have shape (batch, count, 1)."""

    sources: Tensor
    """Positions of the tokens that are not destinations."""
    destinations: Tensor
    kept: Tensor
    """Indices into `sources` of the tokens that are not merged."""
    merged: Tensor
    """Indices into `sources` of the most similar tokens, which are averaged into a destination."""
    into: Tensor
    """Indices into `destinations`: the destination of each of `merged`."""

    @classmethod
    def of(cls, tokens: Tensor, *, height: int, width: int, ratio: float) -> "Merge | None":
        """Choose the fraction `ratio` of all tokens that are most similar to a destination, by cosine similarity.

        Args:
            tokens: shape (batch, height · width, channels).
            ratio: 0 to 1; limited by the number of sources.
        """
        count = int(tokens.shape[1] * ratio)
        if count <= 0:
            return None
        batch = tokens.shape[0]
        places = torch.arange(height * width, device=tokens.device).view(height, width)
        chosen = torch.zeros(height, width, dtype=torch.bool, device=tokens.device)
        chosen[: height // BLOCK * BLOCK : BLOCK, : width // BLOCK * BLOCK : BLOCK] = True
        if not chosen.any():
            return None
        sources = places[~chosen].view(1, -1, 1).expand(batch, -1, 1)
        destinations = places[chosen].view(1, -1, 1).expand(batch, -1, 1)
        unit = tokens / tokens.norm(dim=-1, keepdim=True)
        alike, nearest = (_take(unit, sources) @ _take(unit, destinations).mT).max(dim=-1)
        order = alike.argsort(dim=-1, descending=True)[..., None]
        count = min(count, sources.shape[1])
        merged = order[:, :count]
        return cls(sources, destinations, order[:, count:], merged, nearest[..., None].gather(1, merged))

    def merge(self, tokens: Tensor) -> Tensor:
        """Shape (batch, kept + destinations, channels)."""
        sources, destinations = _take(tokens, self.sources), _take(tokens, self.destinations)
        where = self.into.expand(-1, -1, tokens.shape[-1])
        averaged = destinations.scatter_reduce(1, where, _take(sources, self.merged), reduce="mean")
        return torch.cat([_take(sources, self.kept), averaged], dim=1)

    def unmerge(self, tokens: Tensor) -> Tensor:
        """All tokens at their positions; merged tokens get their destination's value."""
        alone = self.kept.shape[1]
        kept, destinations = tokens[:, :alone], tokens[:, alone:]
        whole = tokens.new_empty(tokens.shape[0], self.sources.shape[1] + self.destinations.shape[1], tokens.shape[-1])
        for places, values in (
            (self.destinations, destinations),
            (self.sources.gather(1, self.kept), kept),
            (self.sources.gather(1, self.merged), _take(destinations, self.into)),
        ):
            whole.scatter_(1, places.expand(-1, -1, tokens.shape[-1]), values)
        return whole


def _take(values: Tensor, places: Tensor) -> Tensor:
    return values.gather(1, places.expand(-1, -1, values.shape[-1]))


@contextmanager
def merging_tokens(unet: nn.Module, ratio: float) -> Iterator[None]:
    """Make the UNet merge the fraction `ratio` of its tokens inside the block; 0 changes nothing.

    Args:
        unet: diffusers' UNet2DConditionModel, called with latents of shape (batch, channels, height, width).
    """
    if ratio <= 0:
        yield
        return
    size: dict[str, tuple[int, int]] = {}

    def see_size(_: nn.Module, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        sample: Tensor = arguments[0] if arguments else named["sample"]
        size["latents"] = (sample.shape[-2], sample.shape[-1])

    with ExitStack() as undo:
        undo.callback(unet.register_forward_pre_hook(see_size, with_kwargs=True).remove)
        for block in unet.modules():
            if type(block).__name__ == "BasicTransformerBlock":
                undo.enter_context(_merging_block(block, lambda: size["latents"], ratio))
        yield


@contextmanager
def _merging_block(block: Any, latent_size: Callable[[], tuple[int, int]], ratio: float) -> Iterator[None]:
    attention = block.attn1
    plain: Callable[..., Tensor] = attention.forward
    now: list[Merge | None] = [None]

    def choose(_: nn.Module, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        tokens: Tensor = arguments[0] if arguments else named["hidden_states"]
        height, width = latent_size()
        whole = tokens.shape[1] == height * width
        now[0] = Merge.of(tokens, height=height, width=width, ratio=ratio) if whole else None

    def attend(hidden_states: Tensor, *arguments: Any, **named: Any) -> Tensor:
        merge = now[0]
        if merge is None:
            return plain(hidden_states, *arguments, **named)
        return merge.unmerge(plain(merge.merge(hidden_states), *arguments, **named))

    hook = block.register_forward_pre_hook(choose, with_kwargs=True)
    try:
        with replaced_forward(attention, attend):
            yield
    finally:
        hook.remove()
