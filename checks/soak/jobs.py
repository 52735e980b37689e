"""The jobs of a soak: each follows from its number, and its pictures show which job they belong to."""

import base64
import io
from dataclasses import dataclass
from typing import Any

from PIL import Image

from generate_on_cloud.contract.jobs import Task

SIDE = 16
PROMPTS = ("a red circle on a blue background", "a green star on a white background", "a pink heart")


@dataclass(frozen=True)
class SoakJob:
    """Every third job draws with the checkpoint; the others enlarge a picture of a unique colour."""

    number: int

    @property
    def task(self) -> Task:
        return Task.EXTRA_SINGLE_IMAGE if self.number % 3 else Task.TXT2IMG

    @property
    def has_webhook(self) -> bool:
        """Whether it has a webhook: two in seven do, of both kinds, of every client, whether sent once or twice."""
        return self.number % 7 < 2

    @property
    def params(self) -> dict[str, Any]:
        """The job's params."""
        if self.task is Task.TXT2IMG:
            prompt = PROMPTS[self.number % len(PROMPTS)]
            return {"prompt": prompt, "seed": self.number, "steps": 2, "width": 64, "height": 64}
        return {"image": _png(self.colour), "upscaling_resize": 2, "upscaler_1": "Nearest"}

    @property
    def colour(self) -> tuple[int, int, int]:
        """A colour that is unique for numbers below 2^24."""
        return (self.number & 255, self.number >> 8 & 255, self.number >> 16 & 255)

    def faults(self, pictures: list[bytes], seeds: list[int]) -> list[str]:
        """What is wrong with the result of this job."""
        if len(pictures) != 1:
            return [f"{len(pictures)} pictures instead of one"]
        with Image.open(io.BytesIO(pictures[0])) as image:
            image.load()
            infotext = str(image.info.get("parameters", ""))
            if self.task is Task.TXT2IMG:
                wanted = (self.params["prompt"], f"Seed: {self.number},", "Size: 64x64")
                missing = [f"its infotext lacks {words!r}" for words in wanted if words not in infotext]
                return missing if seeds == [self.number] else [*missing, f"seeds {seeds}"]
            if image.size != (2 * SIDE, 2 * SIDE):
                return [f"it is of size {image.size}"]
            colours = image.convert("RGB").getcolors()
        return [] if colours == [(4 * SIDE * SIDE, self.colour)] else [f"its colours are {colours}, not {self.colour}"]


def _png(colour: tuple[int, int, int]) -> str:
    buffer = io.BytesIO()
    Image.new("RGB", (SIDE, SIDE), colour).save(buffer, format="PNG")
    return base64.b64encode(buffer.getvalue()).decode()
