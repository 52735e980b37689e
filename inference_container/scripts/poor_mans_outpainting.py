"""Poor man's outpainting: adds a frame to the init picture and inpaints the tiles that reach into it."""

from PIL import Image, ImageDraw

from generate_on_cloud.contract.jobs import JobPhase
from generate_on_cloud.contract.params import Img2ImgParams
from generate_on_cloud.contract.script_work import one_picture
from generate_on_cloud.contract.selectable_scripts import MASKED_CONTENT, PoorMansOutpainting
from generate_on_cloud.contract.tilings import Frame, frame, tiling
from inference_container.pictures.tile_grid import cut_tiles, join_tiles
from inference_container.scripts.composed import composed
from inference_container.scripts.drawing_board import DrawingBoard, Finished
from inference_container.scripts.init_source import as_picture, init_picture


def poor_mans_outpainting(script: PoorMansOutpainting, board: DrawingBoard[Img2ImgParams]) -> Finished:
    """Draw the enlarged picture once.

    Raises:
        JobFailed: the picture cannot be read or drawn.
    """
    # 1. The picture in its frame, and the masks: one for the picture, a narrower one for the latents.
    asked = board.params
    with board.progress.phase(JobPhase.ENCODING):
        source = init_picture(asked)
        board.check_size(source.size)
    grown = frame(source.size, pixels=script.pixels, direction=script.direction)
    canvas = Image.new("RGB", (grown.width, grown.height))
    canvas.paste(source, (grown.left, grown.up))
    mask, latent_mask = (_mask(grown, inset) for inset in (script.mask_blur * 2, script.mask_blur // 2))

    # 2. Draw every tile that reaches into the frame.
    plan = tiling(canvas.size, tile=(asked.width, asked.height), overlap=script.pixels)
    tiles, masks, latent_masks = (cut_tiles(one, plan) for one in (canvas, mask, latent_mask))
    drawn = [number for number, place in enumerate(plan.places) if grown.reaches(place, plan.tile)]
    one = one_picture(asked).model_copy(
        update={
            "mask_blur": script.mask_blur * 2,
            "inpainting_fill": MASKED_CONTENT.index(script.inpainting_fill),
            "inpaint_full_res": False,
        }
    )
    board.expect([1] * len(drawn))
    seed = asked.seed
    for number in drawn:
        update = {"init_images": [as_picture(tiles[number])], "mask": as_picture(masks[number]), "seed": seed}
        drawing = board.draw(one.model_copy(update=update), latent_mask=latent_masks[number])
        seed, tiles[number] = drawing.record.seeds[0] + 1, drawing.images[0]

    # 3. Join the tiles.
    return composed(board, [join_tiles(tiles, plan)], seeds=[board.first.seeds[0]])


def _mask(grown: Frame, inset: int) -> Image.Image:
    """White in the frame and for `inset` pixels of the picture at each side that grows."""
    mask = Image.new("L", (grown.width, grown.height), "white")
    left = grown.left + (inset if grown.left else 0)
    top = grown.up + (inset if grown.up else 0)
    right = grown.width - grown.right - (inset if grown.right else 0)
    bottom = grown.height - grown.down - (inset if grown.down else 0)
    if left <= right and top <= bottom:
        ImageDraw.Draw(mask).rectangle((left, top, right, bottom), fill="black")
    return mask
