"""Outpainting mk2: grows the init picture side by side, each from noise that resembles the picture."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from generate_on_cloud.contract.jobs import JobPhase
from generate_on_cloud.contract.params import Img2ImgParams
from generate_on_cloud.contract.script_work import round_up
from generate_on_cloud.contract.selectable_scripts import OutpaintingMk2
from generate_on_cloud.contract.tilings import Frame, frame
from inference_container.drawing.init_picture import ORIGINAL_CONTENT
from inference_container.pictures.matched_noise import matched_noise
from inference_container.pictures.picture_grid import picture_grid
from inference_container.scripts.composed import composed
from inference_container.scripts.drawing_board import DrawingBoard, Finished
from inference_container.scripts.init_source import as_picture, init_picture

HORIZONTAL = ("left", "right")
FIRST = ("left", "up")
"""Sides on which the new part precedes the picture."""


@dataclass(frozen=True)
class Step:
    """Growing towards one side."""

    side: str
    pixels: int
    blur: int
    """Pixels of the picture that are drawn anew; twice as many for the latents."""

    @property
    def horizontal(self) -> bool:
        return self.side in HORIZONTAL

    def grown(self, size: tuple[int, int]) -> tuple[int, int]:
        """The picture's size afterwards."""
        return (size[0] + self.pixels, size[1]) if self.horizontal else (size[0], size[1] + self.pixels)

    def mask(self, size: tuple[int, int], canvas: tuple[int, int], *, inset: int) -> Image.Image:
        """L, of the size of `canvas`: black where the picture is kept, which ends at `size` after growing."""
        kept = self.pixels + inset
        left, top = (kept if self.side == "left" else 0), (kept if self.side == "up" else 0)
        right = canvas[0] - kept if self.side == "right" else size[0]
        bottom = canvas[1] - kept if self.side == "down" else size[1]
        mask = Image.new("L", canvas, "white")
        if left <= right and top <= bottom:
            ImageDraw.Draw(mask).rectangle((left, top, right, bottom), fill="black")
        return mask

    def window(self, canvas: tuple[int, int], drawn: tuple[int, int]) -> tuple[int, int, int, int]:
        """The part of the canvas, of the size `drawn`, that is drawn: the one at the growing side."""
        left = 0 if self.side == "left" else canvas[0] - drawn[0]
        top = 0 if self.side == "up" else canvas[1] - drawn[1]
        return left, top, left + drawn[0], top + drawn[1]


class Outpainting:
    """Grows batches of pictures step by step."""

    def __init__(self, script: OutpaintingMk2, board: DrawingBoard[Img2ImgParams]) -> None:
        self._script, self._board = script, board

    def grow(self, images: list[Image.Image], step: Step) -> list[Image.Image]:
        """The pictures, all of one size, with new parts on one side.

        Raises:
            JobFailed: they cannot be drawn.
        """
        # 1. Continue every picture with noise.
        board, asked = self._board, self._board.params
        size = step.grown(images[0].size)
        canvas = round_up(size[0]), round_up(size[1])
        with board.progress.phase(JobPhase.ENCODING):
            mask = step.mask(size, canvas, inset=step.blur)
            continued = [self._continued(image, step, mask) for image in images]

        # 2. Draw the part at the growing side.
        drawn = (min(asked.width, size[0]), canvas[1]) if step.horizontal else (canvas[0], min(asked.height, size[1]))
        window = step.window(canvas, drawn)
        blur_x, blur_y = self.blurs()
        params = asked.model_copy(
            update={
                "n_iter": 1,
                "batch_size": len(images),
                "width": drawn[0],
                "height": drawn[1],
                "init_images": [as_picture(image.crop(window)) for image in continued],
                "mask": as_picture(mask.crop(window)),
                "mask_blur": None,
                "mask_blur_x": blur_x * 4,
                "mask_blur_y": blur_y * 4,
                "inpainting_fill": ORIGINAL_CONTENT,
                "inpaint_full_res": False,
            }
        )
        drawing = board.draw(params, latent_mask=step.mask(size, drawn, inset=step.blur * 2))

        # 3. Put it in its place.
        for image, part in zip(continued, drawing.images, strict=True):
            image.paste(part, window[:2])
        return [image.crop((0, 0, *size)) for image in continued]

    def blurs(self) -> tuple[int, int]:
        """The blur along x and y: 0 for an axis along which nothing grows."""
        direction, blur = self._script.direction, self._script.mask_blur
        horizontal = any(side in HORIZONTAL for side in direction)
        vertical = any(side not in HORIZONTAL for side in direction)
        return blur if horizontal else 0, blur if vertical else 0

    def _continued(self, image: Image.Image, step: Step, mask: Image.Image) -> Image.Image:
        offset = step.pixels if step.side in FIRST else 0
        canvas = Image.new("RGB", mask.size)
        canvas.paste(image, (offset, 0) if step.horizontal else (0, offset))
        noise = matched_noise(
            np.asarray(canvas) / 255.0,
            np.asarray(mask) / 255.0,
            exponent=self._script.noise_q,
            color_variation=self._script.color_variation,
        )
        return Image.fromarray((noise * 255).astype(np.uint8))


def outpainting_mk2(script: OutpaintingMk2, board: DrawingBoard[Img2ImgParams]) -> Finished:
    """Grow `n_iter` × `batch_size` pictures; a grid precedes several.

    Raises:
        JobFailed: the picture cannot be read or drawn.
    """
    # 1. The picture and the sides to grow.
    asked = board.params
    with board.progress.phase(JobPhase.ENCODING):
        source = init_picture(asked)
        board.check_size(source.size)
    grown = frame(source.size, pixels=script.pixels, direction=script.direction)
    outpainting = Outpainting(script, board)
    steps = _steps(grown, *outpainting.blurs())

    # 2. Grow every batch.
    board.expect([1] * len(steps) * asked.n_iter)
    results: list[Image.Image] = []
    seeds: list[int | None] = []
    for _ in range(asked.n_iter):
        images = [source] * asked.batch_size
        for step in steps:
            images = outpainting.grow(images, step)
        results += images
        seeds += board.last.seeds

    # 3. A grid precedes several pictures.
    if len(results) > 1 and asked.options.return_grid:
        results, seeds = [picture_grid(results), *results], [None, *seeds]
    return composed(board, results, seeds=seeds)


def _steps(grown: Frame, blur_x: int, blur_y: int) -> list[Step]:
    sides = (("left", grown.left), ("right", grown.right), ("up", grown.up), ("down", grown.down))
    return [Step(side, pixels, blur_x if side in HORIZONTAL else blur_y) for side, pixels in sides if pixels]
