"""Noise as in WebUI 1.10.1: one generator per image, float32, from the chosen source (semantics §2.7)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from inference_container.diffusion.philox import PhiloxGenerator

RandomSource = Literal["GPU", "CPU", "NV"]
"""GPU: torch's generator of the sampling device, which without CUDA is the CPU's, as in WebUI. CPU: torch's CPU
generator. NV: CUDA's numbers computed in software, equal on every machine."""

LatentShape = tuple[int, int, int]
"""(channels, height // 8, width // 8)."""

NoiseFunction = Callable[[Tensor, Tensor], Tensor]
"""Unit noise (B,C,h,w) for the step between two scalar levels, which only Brownian noise uses."""

Draw = Callable[[tuple[int, ...]], Tensor]


def draws_of(seed: int, *, source: RandomSource, device: torch.device) -> Draw:
    """The stream of one seed (0..2⁶⁴-1, larger ones wrap): each call returns the next float32 tensor on `device`."""
    if source == "NV":
        philox = PhiloxGenerator(seed)
        return lambda shape: torch.from_numpy(philox.randn(shape)).to(device)
    if source not in get_args(RandomSource):
        raise ValueError(f"received randn_source {source!r}; allowed: {', '.join(get_args(RandomSource))}")
    home = device if source == "GPU" else torch.device("cpu")
    generator = torch.Generator(home).manual_seed(seed % 2**64)
    return lambda shape: torch.randn(shape, generator=generator, device=home, dtype=torch.float32).to(device)


@dataclass(frozen=True)
class Variation:
    """Variation seeds: the initial noise of each image is interpolated towards that of its subseed."""

    subseeds: tuple[int, ...]
    strength: float
    """0..1."""


def slerp(strength: float, low: Tensor, high: Tensor) -> Tensor:
    """Spherical interpolation of two (C,h,w) noises, as in WebUI: along the height, swapped when nearly parallel."""
    dot: Tensor = (low / low.norm(dim=1, keepdim=True) * (high / high.norm(dim=1, keepdim=True))).sum(1)
    if dot.mean() > 0.9995:
        return low * strength + high * (1 - strength)
    omega = dot.acos()
    towards_low, towards_high = ((part * omega).sin() / omega.sin() for part in (1 - strength, strength))
    mixed: Tensor = towards_low.unsqueeze(1) * low + towards_high.unsqueeze(1) * high
    return mixed


class ImageNoise:
    """The noise of a batch; each image's numbers depend only on its own seed."""

    def __init__(
        self,
        seeds: Sequence[int],
        shape: LatentShape,
        *,
        source: RandomSource = "GPU",
        device: torch.device | None = None,
        variation: Variation | None = None,
        resize_from: tuple[int, int] | None = None,
        eta_noise_seed_delta: int = 0,
    ) -> None:
        """Prepare the generators; nothing is drawn yet.

        Args:
            seeds: one per image; if a variation has strength, WebUI gives all images the same seed.
            shape: shape of one image's latent.
            source: option `randn_source`.
            device: where the noise is used; None is the CPU.
            variation: subseeds, one per image.
            resize_from: `seed_resize_from` as (height, width) in pixels; off if None or not both positive.
            eta_noise_seed_delta: ENSD, added to the seeds for all noise after the initial one.

        Raises:
            ValueError: there are no seeds, the source is unknown, or the number of subseeds differs.
        """
        if not seeds:
            raise ValueError("received no seeds; one is needed per image")
        if variation is not None and len(variation.subseeds) != len(seeds):
            raise ValueError(f"received {len(variation.subseeds)} subseeds for {len(seeds)} seeds")
        self.seeds = tuple(seeds)
        self.shape = shape
        self.source = source
        self.device = device or torch.device("cpu")
        self._variation = variation if variation is not None and variation.strength else None
        self._resize_from = resize_from if resize_from is not None and min(resize_from) > 0 else None
        self._delta = eta_noise_seed_delta
        self._draws = [self._stream(seed) for seed in self.seeds]
        self._first: Tensor | None = None

    def first(self) -> Tensor:
        """The initial noise, float32 (B,C,h,w); every call returns the same tensor."""
        if self._first is None:
            self._first = torch.stack([self._first_of(image) for image in range(len(self.seeds))])
            if self._delta:
                self._draws = [self._stream(seed + self._delta) for seed in self.seeds]
        return self._first

    def next(self) -> Tensor:
        """The next draw of every image's generator after the initial noise, float32 (B,C,h,w)."""
        self.first()
        return torch.stack([draw(self.shape) for draw in self._draws])

    def following_seed(self) -> int:
        """What torch's own CPU generator returns next in WebUI, which seeds it with the last image's seed."""
        generator = torch.Generator().manual_seed(self.seeds[-1] % 2**64)
        shape = self._first_shape
        if shape != self.shape and self.source == "CPU":
            torch.randn(shape, generator=generator)  # the small noise of a resized seed comes from that generator
        return int(torch.randint(0, 2**63 - 1, [], generator=generator))

    @property
    def _first_shape(self) -> LatentShape:
        if self._resize_from is None:
            return self.shape
        return (self.shape[0], self._resize_from[0] // 8, self._resize_from[1] // 8)

    def _stream(self, seed: int) -> Draw:
        return draws_of(seed, source=self.source, device=self.device)

    def _first_of(self, image: int) -> Tensor:
        shape = self._first_shape
        resized = shape != self.shape
        noise = (self._stream(self.seeds[image]) if resized else self._draws[image])(shape)
        if self._variation is not None:
            other = self._stream(self._variation.subseeds[image])(shape)
            noise = slerp(self._variation.strength, noise, other)
        return _centred(noise, self._draws[image](self.shape)) if resized else noise


class NoiseOver(ImageNoise):
    """Noise over latents: all of it, later draws too, is what the latents become at the noisiest timestep.

    So does `inpaint_only+lama` of the ControlNet extension; Brownian noise stays as it is.
    """

    def __init__(self, noise: ImageNoise, origin: Tensor, *, alpha: Tensor) -> None:
        """`origin` is (1, C, h, w), `alpha` is ᾱ at the last timestep."""
        vars(self).update(vars(noise))
        fits = tuple(origin.shape[1:]) == self.shape
        self._kept = origin.float().to(self.device) * alpha.sqrt().to(self.device) if fits else None
        self._share = (1 - alpha).sqrt().to(self.device)

    def first(self) -> Tensor:
        """The initial noise over the latents; of another size, the noise alone."""
        return self._over(super().first())

    def next(self) -> Tensor:
        """The next draw over the latents."""
        return self._over(super().next())

    def _over(self, noise: Tensor) -> Tensor:
        return noise if self._kept is None else self._kept + self._share * noise


def _centred(noise: Tensor, background: Tensor) -> Tensor:
    """`noise` centred on `background`, both (C,h,w), cropped where it is larger."""
    target, source = [slice(None)], [slice(None)]
    for size, own in zip(background.shape[1:], noise.shape[1:], strict=True):
        offset = (size - own) // 2
        length = own if offset >= 0 else own + 2 * offset
        start, cut = max(offset, 0), max(-offset, 0)
        target.append(slice(start, start + length))
        source.append(slice(cut, cut + length))
    combined = background.clone()
    combined[tuple(target)] = noise[tuple(source)]
    return combined
