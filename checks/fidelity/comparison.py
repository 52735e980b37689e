"""How near a job's outcome is to WebUI's, and whether that is near enough."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from checks.fidelity.goldens import Golden
from checks.fidelity.recording import Recording
from inference_container.task import TaskOutput

MAX_LATENT_ERROR = 1e-3
MAX_LEVELS = 2
MIN_EQUAL_PIXELS = 0.99
MAX_TIMESTEP_ERROR = 0.01
"""Of 1000; float32 σ of WebUI are exact to about 1e-4 of a timestep."""
RANDOM_INFO = ("version", "job_timestamp", "infotexts")
"""Left out: the version differs on purpose, the others are compared on their own or cannot be equal."""
_VERSION = re.compile(r", Version: [^,\n]*")


@dataclass(frozen=True)
class Comparison:
    id: str
    calls: str
    """Denoiser rows: `ours/theirs` where they differ, else their number of calls."""
    levels_equal: bool
    latent_error: float
    max_levels: int
    equal_pixels: float
    info_differences: tuple[str, ...]
    error: str | None = None

    @property
    def passed(self) -> bool:
        return (
            self.error is None
            and self.levels_equal
            and self.latent_error <= MAX_LATENT_ERROR
            and self.max_levels <= MAX_LEVELS
            and self.equal_pixels >= MIN_EQUAL_PIXELS
            and not self.info_differences
        )


def failed(golden: Golden, reason: str) -> Comparison:
    """The job itself failed."""
    return Comparison(golden.id, f"?/{golden.calls}", False, float("inf"), 255, 0.0, (), reason)


def compare(golden: Golden, output: TaskOutput, recording: Recording, *, timestep_sampler: bool) -> Comparison:
    """Our `output` beside WebUI's answer."""
    ours = tuple(_open(image.data) for image in output.images)
    differences = _pixel_differences(ours, golden.images)
    return Comparison(
        id=golden.id,
        calls=_calls(golden, recording),
        levels_equal=_levels_equal(golden, recording, timestep_sampler=timestep_sampler),
        latent_error=_largest_error(recording.latents, golden.latents),
        max_levels=int(differences.max()) if differences is not None else 255,
        equal_pixels=float((differences == 0).mean()) if differences is not None else 0.0,
        info_differences=(*_info_differences(output, golden), *_infotext_differences(ours, golden)),
    )


def _calls(golden: Golden, recording: Recording) -> str:
    if golden.levels is None or len(golden.levels) == len(recording.timesteps):
        return str(golden.calls)
    return f"{len(recording.timesteps)}/{len(golden.levels)} rows"


def _levels_equal(golden: Golden, recording: Recording, *, timestep_sampler: bool) -> bool:
    if golden.levels is None:
        return True
    levels = golden.levels if timestep_sampler else recording.sigma_to_timestep(golden.levels)
    ours = recording.timesteps
    return levels.shape == ours.shape and bool(np.abs(levels - ours).max() <= MAX_TIMESTEP_ERROR)


def _open(data: bytes) -> Image.Image:
    with Image.open(BytesIO(data)) as image:
        image.load()
        return image


def _largest_error(ours: npt.NDArray[np.float32], theirs: npt.NDArray[np.float32] | None) -> float:
    if theirs is None:
        return 0.0
    ours = ours[-len(theirs) :]
    return float(np.abs(ours - theirs).max()) if ours.shape == theirs.shape else float("inf")


def _pixel_differences(ours: Sequence[Image.Image], theirs: Sequence[Image.Image]) -> npt.NDArray[np.int16] | None:
    """The largest difference of each pixel's channels over all pictures; None when number or sizes differ."""
    if [(image.size, image.mode) for image in ours] != [(image.size, image.mode) for image in theirs]:
        return None
    pairs = zip(ours, theirs, strict=True)
    return np.concatenate(
        [np.abs(np.asarray(a).astype(np.int16) - np.asarray(b)).max(axis=2).ravel() for a, b in pairs]
    )


def _info_differences(output: TaskOutput, golden: Golden) -> list[str]:
    random = {"subseed", "all_subseeds"} if golden.params.subseed == -1 else set()
    left_out = random.union(RANDOM_INFO)
    ours, theirs = _comparable(output.info, left_out), _comparable(golden.info, left_out)
    found = [
        f"info.{key}: {ours.get(key)!r} for {theirs.get(key)!r}"
        for key in {**theirs, **ours}
        if (key in ours) != (key in theirs) or ours.get(key) != theirs.get(key)
    ]
    if [_VERSION.sub("", text) for text in output.info.get("infotexts", [])] != [
        _VERSION.sub("", text) for text in golden.info["infotexts"]
    ]:
        found.append("info.infotexts")
    return found


def _comparable(info: Mapping[str, Any], left_out: set[str]) -> dict[str, Any]:
    return {key: value for key, value in info.items() if key not in left_out}


def _infotext_differences(ours: Sequence[Image.Image], golden: Golden) -> list[str]:
    pairs = zip(ours, golden.infotexts, strict=False)
    return [
        f"infotext: {mine!r} for {theirs!r}"
        for mine, theirs in ((str(image.info.get("parameters", "")), text) for image, text in pairs)
        if _VERSION.sub("", mine) != _VERSION.sub("", theirs)
    ]
