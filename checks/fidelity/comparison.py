"""How close a job's result is to WebUI's, and whether that is close enough."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from checks.fidelity.goldens import Golden
from checks.fidelity.recording import Recording
from inference_container.task import TaskOutput

NEAR_LEVELS = 2
MIN_NEAR_PIXELS = 0.995
"""Minimum share of each picture's pixels that are within NEAR_LEVELS in every channel."""
MAX_SIGMA_ERROR = 1e-4
"""Relative error; it is printed but does not decide."""
RANDOM_INFO = ("version", "job_timestamp", "infotexts")
"""Not compared here: the version differs on purpose; the others are compared separately or cannot be equal."""
TEXT_CHUNKS = ("parameters", "postprocessing")
_VERSION = re.compile(r", Version: [^,\n]*")


class Verdict(StrEnum):
    EQUAL = "equal"
    DIFFERS = "DIFFERS"
    REFUSED = "REFUSED"
    """The request was refused, or its job failed with one of our reasons."""
    CRASHED = "CRASHED"


@dataclass(frozen=True)
class Comparison:
    """The row of one request."""

    group: str
    id: str
    verdict: Verdict
    calls: str = "-"
    """Number of denoiser calls, as `ours/theirs` if they differ."""
    sigmas: str = "-"
    """Whether the noise levels of the calls are equal: `=` or `≠`."""
    latent_error: float | None = None
    """Largest difference of latents; None if they were not kept or not recorded."""
    worst_levels: int = 0
    """Largest difference of any channel of any pixel."""
    near: float = 1.0
    """Share of pixels within NEAR_LEVELS in the worst picture."""
    exact: float = 1.0
    """Share of equal pixels in the worst picture."""
    notes: tuple[str, ...] = ()
    """What differs besides pixels, or why there is nothing to compare."""

    @property
    def name(self) -> str:
        return f"{self.group}/{self.id}"


def without_answer(golden: Golden, verdict: Verdict, reason: str) -> Comparison:
    """The row of a job without a result to compare."""
    return Comparison(golden.group, golden.id, verdict, worst_levels=255, near=0, exact=0, notes=(reason,))


def compare(golden: Golden, output: TaskOutput, recording: Recording, *, random_subseed: bool) -> Comparison:
    """Compare our `output` with WebUI's answer."""
    ours = tuple(_open(image.data) for image in output.images)
    said = (*_info_differences(output.info, golden.info, random_subseed=random_subseed), *_texts(ours, golden.images))
    shapes = [[f"{one.size[0]}x{one.size[1]} {one.mode}" for one in images] for images in (ours, golden.images)]
    if shapes[0] != shapes[1]:
        return without_answer(golden, Verdict.DIFFERS, f"pictures: {', '.join(shapes[0])} for {', '.join(shapes[1])}")
    differences = [_differences(mine, theirs) for mine, theirs in zip(ours, golden.images, strict=True)]
    near = min((float((one <= NEAR_LEVELS).mean()) for one in differences), default=1.0)
    return Comparison(
        golden.group,
        golden.id,
        Verdict.EQUAL if near >= MIN_NEAR_PIXELS and not said else Verdict.DIFFERS,
        calls=_calls(golden, recording),
        sigmas=_sigmas(golden, recording),
        latent_error=_latent_error(recording.decoded, golden.latents),
        worst_levels=max((int(one.max()) for one in differences), default=0),
        near=near,
        exact=min((float((one == 0).mean()) for one in differences), default=1.0),
        notes=said,
    )


def _calls(golden: Golden, recording: Recording) -> str:
    if golden.levels is None:
        return "-"
    ours, theirs = len(recording.levels), len(golden.levels)
    return str(theirs) if ours == theirs else f"{ours}/{theirs}"


def _sigmas(golden: Golden, recording: Recording) -> str:
    if golden.levels is None:
        return "-"
    ours, theirs = recording.levels, golden.levels
    batches = len(ours) // max(len(theirs), 1)
    theirs = np.tile(theirs, max(batches, 1))  # goldens with several batches hold only one's
    return "=" if ours.shape == theirs.shape and np.allclose(ours, theirs, rtol=MAX_SIGMA_ERROR, atol=1e-6) else "≠"


def _latent_error(decoded: Sequence[npt.NDArray[np.float32]], theirs: npt.NDArray[np.float32] | None) -> float | None:
    """The error of the nearest decoded latents: goldens hold those of one batch, and hires fix decodes twice."""
    if theirs is None or not decoded:
        return None
    count = len(theirs)
    windows = [decoded[start : start + count] for start in range(len(decoded) - count + 1)]
    errors = [
        float(np.abs(np.stack(rows) - theirs).max())
        for rows in windows
        if all(row.shape == theirs.shape[1:] for row in rows)
    ]
    return min(errors, default=float("inf"))


def _differences(ours: Image.Image, theirs: Image.Image) -> npt.NDArray[np.int16]:
    """The largest difference of each pixel's channels."""
    both = [np.asarray(one, np.int16).reshape(one.height * one.width, -1) for one in (ours, theirs)]
    return np.abs(both[0] - both[1]).max(axis=1)  # type: ignore[no-any-return]


def _info_differences(ours: Mapping[str, Any], theirs: Mapping[str, Any] | str, *, random_subseed: bool) -> list[str]:
    if isinstance(theirs, str):
        mine = ours.get("html_info")
        return [] if mine == theirs else [f"info: {mine!r} for {theirs!r}"]
    left_out = {*RANDOM_INFO, *(("subseed", "all_subseeds") if random_subseed else ())}
    found = [
        f"info.{key}: {ours.get(key)!r} for {theirs.get(key)!r}"
        for key in {**theirs, **ours}
        if key not in left_out and ((key in ours) != (key in theirs) or ours.get(key) != theirs.get(key))
    ]
    if _versionless(ours.get("infotexts", ())) != _versionless(theirs.get("infotexts", ())):
        found.append("info.infotexts")
    return found


def _texts(ours: Sequence[Image.Image], theirs: Sequence[Image.Image]) -> list[str]:
    texts = [
        (key, *(_VERSION.sub("", str(image.info.get(key, ""))) for image in pair))
        for pair in zip(ours, theirs, strict=False)
        for key in TEXT_CHUNKS
    ]
    return [f"{key}: {mine!r} for {his!r}" for key, mine, his in texts if mine != his]


def _versionless(texts: Sequence[str]) -> list[str]:
    return [_VERSION.sub("", text) for text in texts]


def _open(data: bytes) -> Image.Image:
    with Image.open(BytesIO(data)) as image:
        image.load()
        return image
